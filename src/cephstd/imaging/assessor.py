"""Is the film good enough to read? Numbers first, then a verdict from thresholds that are data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from cephstd.core.arrays import Pixels, check_pixels
from cephstd.core.image import Quality, QualityFinding, Radiograph
from cephstd.imaging.lettering import TextBox, find_plain_text
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
    Threshold(name="motion", unit="1", limited=1.33, refused=1.8, note="Outlines are smeared along one direction."),
    Threshold(name="blockiness", unit="1", limited=2.2, refused=6.0, note="Blocks of a lossy compression show."),
    Threshold(name="exposed_share", unit="1", limited=0.6, refused=0.3, note="Little of the film was exposed."),
)
"""Chosen on the 150 training films (all diagnostic) and on copies degraded by noise, blur, exposure, clipping, smears
of 1.6 and 2.8 mm, and JPEG of quality 20 to 75. `benchmarks/quality_gate.py` looks at other films and grades."""
LEAST_FOR_MOTION = 40
DIRECTIONS = ((1, 0), (1, 1), (0, 1), (-1, 1))
NEVER_ASSESSED = (
    "head_rotation: magnification doubles the borders of the lower jaw in every lateral film, by how much is not known",
    "cropped_anatomy: greys at a border do not tell air from tissue; points outside the film are absent and say so",
)
TEXT_INSIDE = "text_over_head"
"""Name of the finding on text that hides something: the only text that makes a film limited."""
PLAUSIBLE_SIDE_MM = (80.0, 450.0)
NOISELESS = 1e-3
"""Smallest noise that is told from none, as a share of the grey range."""


def assess(
    pixels: Pixels,
    *,
    inverted: bool = False,
    spacing_mm: tuple[float, float] | None = None,
    film: Radiograph | None = None,
) -> Quality:
    """Judge exposure, noise, sharpness, motion, compression, clipping, borders and size of a film.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16]
        The film before its tone is changed.
    inverted : bool
        True when bone is dark.
    spacing_mm : (row, column) or None
        mm per px, when known.
    film : Radiograph, optional
        Whose file states whether text is burnt in and whether it was stored with loss.

    Returns
    -------
    Quality
        Findings, from the exposed field: ``structure`` (standard deviation of 32 x 32 block means over the grey
        range), ``long_side_px``, ``grey_levels`` (that occur between the 0.5 % and 99.5 % quantiles),
        ``clipped_bright``, ``clipped_dark`` (share of samples at the outermost value), ``contrast_to_noise`` (10 % to
        90 % quantile over the noise's standard deviation, Immerkaer 1996 with a median), ``sharpness`` (standard
        deviation of the Laplacian over that of the gradient, at 600 px and a smoothing of 1 px), ``motion`` (second
        over first differences along four directions, greatest over least), ``blockiness`` (steps across 8 x 8 blocks
        over those elsewhere), ``exposed_share`` (with the borders in words), ``width_mm``, ``height_mm`` when the
        spacing is known, ``burnt_in_text`` and ``text_over_head`` (rows of plain text that were found, in all and where
        something of the head is hidden: only that makes a film limited), and ``stated_text``, ``lossy_history`` (1 or
        0) when the file states them. What was not judged is in `not_assessed`.

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
    preview, text = shrink_film(check_pixels(pixels)), find_plain_text(pixels)
    return judge(preview, pixels.shape, inverted=inverted, spacing_mm=spacing_mm, film=film, text=text)


def judge(
    preview: Preview,
    shape: tuple[int, ...],
    *,
    inverted: bool = False,
    spacing_mm: tuple[float, float] | None = None,
    film: Radiograph | None = None,
    text: tuple[TextBox, ...] = (),
) -> Quality:
    """Judge a film of `shape` (height, width) by its preview and the text found in it; otherwise as `assess`."""
    values = _measure(preview, shape, inverted)
    noisy = values["contrast_to_noise"] < LEAST_FOR_MOTION
    # Grain is as sharp along every direction, but not at every distance: a smear cannot be told in it.
    chosen = [threshold for threshold in THRESHOLDS if not (noisy and threshold.name == "motion")]
    findings = [_find(threshold, values[threshold.name], preview.tone.field.describe()) for threshold in chosen]
    grades = [_grade(threshold, values[threshold.name]) for threshold in chosen]
    for name, pixels, mm in zip(("height_mm", "width_mm"), shape, spacing_mm or (), strict=False):
        plausible = PLAUSIBLE_SIDE_MM[0] <= pixels * mm <= PLAUSIBLE_SIDE_MM[1]
        note = "" if plausible else "No film of a head is that size: the scale is doubtful."
        findings.append(QualityFinding(name=name, value=round(pixels * mm, 2), unit="mm", ok=plausible, note=note))
        grades.append(0 if plausible else 1)
    written = _judge_text(text)
    grades += [int(not finding.ok) for finding in written]
    verdicts: tuple[Literal["diagnostic", "limited", "non-diagnostic"], ...] = (
        "diagnostic",
        "limited",
        "non-diagnostic",
    )
    stated, unknown = _read_statements(film)
    return Quality(
        verdict=verdicts[max(grades)],
        findings=(*findings, *written, *stated),
        not_assessed=(*NEVER_ASSESSED, *(("motion: too much noise to tell",) if noisy else ()), *unknown),
    )


def shows_nothing(quality: Quality) -> bool:
    """Whether a verdict rests on an image that is blank, of one grey, or noise alone."""
    return any(finding.name == "structure" and finding.value < BLANK_STRUCTURE for finding in quality.findings)


def _judge_text(text: tuple[TextBox, ...]) -> list[QualityFinding]:
    """Rows of text in all, and those that hide something of the head."""
    hiding = sum(not box.outside_head for box in text)
    note = f"{len(text)} rows of text are burnt in; they may name the patient." if text else ""
    over = f"{hiding} rows of text lie over the head." if hiding else ""
    return [
        QualityFinding(name="burnt_in_text", value=float(len(text)), unit="1", ok=True, note=note),
        QualityFinding(name=TEXT_INSIDE, value=float(hiding), unit="1", ok=not hiding, note=over),
    ]


def _read_statements(film: Radiograph | None) -> tuple[list[QualityFinding], list[str]]:
    """What the file says of burnt-in text and of loss, and what it does not say; neither changes the verdict."""
    said = {
        "stated_text": film.device.burned_in_annotation.lower() if film else "",
        "lossy_history": film.source.facts.get("lossy", "").lower() if film else "",
    }
    notes = {"stated_text": "The file says that text is burnt in.", "lossy_history": "The file was stored with loss."}
    findings, unknown = [], []
    for name, word in said.items():
        if word in ("yes", "no"):
            note = notes[name] if word == "yes" else ""
            findings.append(QualityFinding(name=name, value=float(word == "yes"), unit="1", ok=True, note=note))
        else:
            unknown.append(f"{name}: the file does not say")
    return findings, unknown


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
        "grey_levels": float(np.count_nonzero(np.bincount(exposed[(exposed >= low) & (exposed <= high)]))),
        "clipped_bright": bright,
        "clipped_dark": dark,
        "contrast_to_noise": float(quantiles[1] - quantiles[0]) / max(noise, NOISELESS),
        "sharpness": laplacian / gradient if gradient > 0.0 else 0.0,
        "motion": _measure_motion(inner),
        "blockiness": preview.blockiness,
        "exposed_share": preview.tone.field.share,
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


def _measure_motion(image: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    """Greatest over least ratio of second to first differences along four directions; 1 where nothing is told."""
    if min(image.shape, default=0) < 16:
        return 1.0
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0)
    middle = smooth[2:-2, 2:-2]
    ratios = []
    rows, columns = smooth.shape
    for across, down in DIRECTIONS:
        # Two pixels to either side: what a smear of about a millimetre joins at 600 px.
        ends = [
            smooth[2 + y : rows - 2 + y, 2 + x : columns - 2 + x]
            for x, y in ((2 * across, 2 * down), (-2 * across, -2 * down))
        ]
        first = float((ends[0] - ends[1]).std())
        length = float(np.hypot(across, down))
        ratios.append(float((ends[0] - 2.0 * middle + ends[1]).std()) / (first * length) if first > 0.0 else 0.0)
    return max(ratios) / min(ratios) if min(ratios) > 0.0 else 1.0


def _grade(threshold: Threshold, value: float) -> int:
    sign = 1.0 if threshold.more_is_better else -1.0
    return int(sign * value < sign * threshold.limited) + int(sign * value < sign * threshold.refused)


def _find(threshold: Threshold, value: float, borders: str) -> QualityFinding:
    ok = _grade(threshold, value) == 0
    note = "" if ok else threshold.note
    if borders and threshold.name == "exposed_share":
        note = f"{note} Borders: {borders}.".strip()
    return QualityFinding(name=threshold.name, value=round(value, 4), unit=threshold.unit, ok=ok, note=note)
