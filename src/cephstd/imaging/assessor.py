"""Is the film good enough to read? Numbers first, then a verdict from thresholds that are data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from cephstd.core.arrays import Pixels, check_pixels
from cephstd.core.image import Quality, QualityFinding
from cephstd.imaging.preview import Preview, shrink_film


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Where a number stops being good: past `limited` the film is limited, past `refused` non-diagnostic."""

    name: str
    unit: str
    limited: float
    refused: float
    note: str

    @property
    def more_is_better(self) -> bool:
        """Whether good lies above the limits."""
        return self.limited > self.refused


BLANK_STRUCTURE = 0.03
"""Below this structure an image shows nothing: blank, one grey, or noise alone."""
THRESHOLDS = (
    Threshold(
        name="structure", unit="1", limited=0.10, refused=BLANK_STRUCTURE, note="The image shows next to nothing."
    ),
    Threshold(name="long_side_px", unit="px", limited=600, refused=150, note="Too few pixels for fine outlines."),
    Threshold(name="grey_levels", unit="1", limited=64, refused=12, note="Exposure: too few grey levels are used."),
    Threshold(name="clipped_bright", unit="1", limited=0.20, refused=0.40, note="Bone is burnt out to one white."),
    Threshold(name="clipped_dark", unit="1", limited=0.50, refused=0.80, note="Much of the film is one black."),
    Threshold(name="contrast_to_noise", unit="1", limited=40, refused=9, note="Noise hides detail."),
    Threshold(name="sharpness", unit="1", limited=0.42, refused=0.28, note="Outlines are blurred."),
)
"""Chosen on the 150 training films (all diagnostic) and on copies degraded by noise, blur, exposure and clipping."""
PLAUSIBLE_SIDE_MM = (80.0, 450.0)
NOISELESS = 1e-3
"""Smallest noise that is told from none, as a share of the grey range."""


def assess(pixels: Pixels, *, inverted: bool = False, spacing_mm: tuple[float, float] | None = None) -> Quality:
    """Judge exposure, noise, sharpness, clipping and size of a film.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16]
        The film before its tone is changed.
    inverted : bool
        True when bone is dark.
    spacing_mm : (row, column) or None
        mm per px, when known.

    Returns
    -------
    Quality
        Findings: ``structure`` (standard deviation of 32 x 32 block means over the grey range), ``long_side_px``,
        ``grey_levels`` (between the 0.5 % and 99.5 % quantiles), ``clipped_bright``, ``clipped_dark`` (share of samples
        at the outermost value), ``contrast_to_noise`` (10 % to 90 % quantile over the noise's standard deviation,
        Immerkaer 1996 with a median), ``sharpness`` (standard deviation of the Laplacian over that of the gradient, at
        600 px and a smoothing of 1 px), and ``width_mm``, ``height_mm`` when the spacing is known.

    Raises
    ------
    InputError
        When `pixels` is no grey image.

    Examples
    --------
    >>> import numpy as np
    >>> assess(np.full((800, 600), 7, dtype=np.uint8)).verdict
    'non-diagnostic'
    """
    return judge(shrink_film(check_pixels(pixels)), pixels.shape, inverted=inverted, spacing_mm=spacing_mm)


def judge(
    preview: Preview, shape: tuple[int, ...], *, inverted: bool = False, spacing_mm: tuple[float, float] | None = None
) -> Quality:
    """Judge a film of `shape` (height, width) by its preview; otherwise as `assess`."""
    values = _measure(preview, shape, inverted)
    findings = [_find(threshold, values[threshold.name]) for threshold in THRESHOLDS]
    grades = [_grade(threshold, values[threshold.name]) for threshold in THRESHOLDS]
    for name, pixels, mm in zip(("height_mm", "width_mm"), shape, spacing_mm or (), strict=False):
        plausible = PLAUSIBLE_SIDE_MM[0] <= pixels * mm <= PLAUSIBLE_SIDE_MM[1]
        note = "" if plausible else "No film of a head is that size: the scale is doubtful."
        findings.append(QualityFinding(name=name, value=round(pixels * mm, 2), unit="mm", ok=plausible, note=note))
        grades.append(0 if plausible else 1)
    verdicts: tuple[Literal["diagnostic", "limited", "non-diagnostic"], ...] = (
        "diagnostic",
        "limited",
        "non-diagnostic",
    )
    return Quality(verdict=verdicts[max(grades)], findings=tuple(findings))


def shows_nothing(quality: Quality) -> bool:
    """Whether a verdict rests on an image that is blank, of one grey, or noise alone."""
    return any(finding.name == "structure" and finding.value < BLANK_STRUCTURE for finding in quality.findings)


def _measure(preview: Preview, shape: tuple[int, ...], inverted: bool) -> dict[str, float]:
    exposed, inner = preview.exposed, preview.inner
    low, high = preview.tone.window
    at_ends = [float((exposed <= exposed.min()).mean()), float((exposed >= exposed.max()).mean())]
    dark, bright = at_ends[::-1] if inverted else at_ends
    quantiles = np.quantile(inner[::3, ::3], (0.1, 0.9)) if inner.size else np.zeros(2)
    laplacian, gradient, noise = _texture(inner)
    blocks = cv2.resize(preview.image, (32, 32), interpolation=cv2.INTER_AREA)
    return {
        "structure": float(blocks.std()),
        "long_side_px": float(max(shape)),
        "grey_levels": high - low,
        "clipped_bright": bright,
        "clipped_dark": dark,
        "contrast_to_noise": float(quantiles[1] - quantiles[0]) / max(noise, NOISELESS),
        "sharpness": laplacian / gradient if gradient > 0.0 else 0.0,
    }


def _texture(image: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> tuple[float, float, float]:
    """Standard deviations of Laplacian, gradient and noise, in units of the grey range per px."""
    if min(image.shape, default=0) < 3:
        return 0.0, 0.0, 0.0
    # Smoothed: else the steps of an 8-bit film pass for outlines once it is blurred.
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=1 / 8)
    laplacian = cv2.Laplacian(smooth, cv2.CV_32F)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    residual = np.abs(cv2.filter2D(image, -1, kernel))
    # The median of |x| is 0.6745 standard deviations for Gaussian noise, whatever outlines add to its tail.
    return (
        float(laplacian.std()),
        float(cv2.magnitude(across, down).std()),
        float(np.median(residual[::2, ::2])) / 0.6745,
    )


def _grade(threshold: Threshold, value: float) -> int:
    sign = 1.0 if threshold.more_is_better else -1.0
    return int(sign * value < sign * threshold.limited) + int(sign * value < sign * threshold.refused)


def _find(threshold: Threshold, value: float) -> QualityFinding:
    ok = _grade(threshold, value) == 0
    note = "" if ok else threshold.note
    return QualityFinding(name=threshold.name, value=round(value, 4), unit=threshold.unit, ok=ok, note=note)
