"""Scale of a film from a small file, from two clicks on a ruler, or from a ruler that was found in the film."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import msgspec

from cephstd.core.arrays import check_points
from cephstd.core.image import METRIC_BASES, PLAUSIBLE_SPACING_MM, Calibration, CalibrationBasis
from cephstd.core.recipe import ScalePolicy
from cephstd.errors import CalibrationError
from cephstd.imaging.ruler import Ruler

CLICK_SD_PX = 1.0
"""Standard deviation of one click along the ruler, px; a working default, state your own."""
RULER_LENGTH_SD_MM = 0.1
"""Standard deviation of the ruler's stated length: how well two ticks are engraved."""

PITCH_RELATIVE_SD = 0.005
"""Relative standard deviation of a stated tick distance: an engraved ruler, hung some mm off the mid-sagittal plane."""
SCALE_CONFLICT = 0.02
"""Relative difference from which a ruler and another scale contradict each other."""

Spacing = Annotated[float, msgspec.Meta(ge=PLAUSIBLE_SPACING_MM[0], le=PLAUSIBLE_SPACING_MM[1])]


class _CalibrationFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    mm_per_px: Spacing | None = None
    row_mm: Spacing | None = None
    column_mm: Spacing | None = None
    basis: CalibrationBasis = "user_stated"
    relative_sd: Annotated[float, msgspec.Meta(ge=0, le=0.5)] = 0.0
    sources: tuple[str, ...] = ()
    note: str = ""


def load_calibration(path: str | Path) -> Calibration:
    """Read a calibration from a TOML file.

    Parameters
    ----------
    path : str or Path
        Keys: either ``mm_per_px``, or ``row_mm`` and ``column_mm`` (mm per px, 0.01..2); optional ``basis`` (one that
        gives millimetres; default ``user_stated``), ``relative_sd`` (0..0.5), ``sources`` (list of str), ``note``.

    Returns
    -------
    Calibration

    Raises
    ------
    CalibrationError
        When the file cannot be read, or a key is unknown, missing, contradictory or out of range; the key is named.

    See Also
    --------
    calibrate_by_ruler : from two points on a ruler.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "scale.toml")
    ...     _ = file.write_text("mm_per_px = 0.1")
    ...     load_calibration(file).spacing_mm
    (0.1, 0.1)
    """
    name = Path(path).name
    try:
        stated = msgspec.toml.decode(Path(path).read_bytes(), type=_CalibrationFile)
    except OSError as error:
        raise CalibrationError(
            f"Expected a calibration file, found that {name} cannot be read: {error.strerror}."
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CalibrationError(
            f"Expected a valid calibration file, found in {name}: {error}",
            hint="Keys: mm_per_px, or row_mm and column_mm; basis, relative_sd, sources, note.",
        ) from error
    pair = (stated.row_mm, stated.column_mm)
    if (stated.mm_per_px is None) == (pair == (None, None)) or (None in pair and pair != (None, None)):
        given = [key for key in ("mm_per_px", "row_mm", "column_mm") if getattr(stated, key) is not None]
        raise CalibrationError(
            f"Expected either mm_per_px, or row_mm and column_mm, found {', '.join(given) or 'none of them'} in {name}."
        )
    if stated.basis not in METRIC_BASES:
        raise CalibrationError(
            f"Expected a basis that gives millimetres, found basis = {stated.basis!r} in {name}.",
            hint=f"One of: {', '.join(sorted(METRIC_BASES))}.",
        )
    row_mm, column_mm = (stated.mm_per_px, stated.mm_per_px) if stated.mm_per_px is not None else pair
    return Calibration(
        basis=stated.basis,
        row_mm=row_mm,
        column_mm=column_mm,
        relative_sd=stated.relative_sd,
        sources=stated.sources or ("calibration file",),
        note=stated.note,
    )


def calibrate_by_ruler(
    p_px: tuple[float, float],
    q_px: tuple[float, float],
    length_mm: float,
    *,
    click_sd_px: float = CLICK_SD_PX,
    length_sd_mm: float = RULER_LENGTH_SD_MM,
) -> Calibration:
    """Calibration from two points on a ruler whose true distance is known.

    Parameters
    ----------
    p_px, q_px : (x, y)
        Source px of a film with square pixels.
    length_mm : float
        True distance of the two points, mm.
    click_sd_px : float
        Standard deviation of each click along the ruler, px.
    length_sd_mm : float
        Standard deviation of `length_mm`.

    Returns
    -------
    Calibration
        Basis ``user_ruler``; ``relative_sd`` = sqrt(2 (click / pixels)^2 + (length_sd / length)^2), the first-order
        propagation of two independent clicks and the ruler's own error.

    Raises
    ------
    CalibrationError
        When the points coincide, the length is not positive, or the scale is outside 0.01..2 mm per px.

    Notes
    -----
    Valid for the mid-sagittal plane only if the ruler hung there.

    Examples
    --------
    >>> scale = calibrate_by_ruler((100, 50), (100, 550), 50.0)
    >>> scale.spacing_mm, round(scale.relative_sd, 4)
    ((0.1, 0.1), 0.0035)
    """
    p, q = check_points([p_px, q_px])
    pixels = float(math.dist(p, q))
    if not (math.isfinite(length_mm) and length_mm > 0.0):
        raise CalibrationError(f"Expected a positive length in mm, found {length_mm:g}.")
    if click_sd_px < 0.0 or length_sd_mm < 0.0:
        raise CalibrationError(
            f"Expected standard deviations of 0 or more, found {click_sd_px:g} px and {length_sd_mm:g} mm."
        )
    low, high = PLAUSIBLE_SPACING_MM
    if pixels == 0.0 or not low <= length_mm / pixels <= high:
        raise CalibrationError(
            f"Expected {low:g} to {high:g} mm per pixel, found {length_mm:g} mm over {pixels:.4g} px.",
            hint="Click two ticks far apart and give their distance on the ruler in millimetres.",
        )
    spacing = length_mm / pixels
    relative_sd = math.hypot(math.sqrt(2.0) * click_sd_px / pixels, length_sd_mm / length_mm)
    where = f"ruler of {length_mm:g} mm over {pixels:.2f} px"
    return Calibration(
        basis="user_ruler",
        row_mm=spacing,
        column_mm=spacing,
        relative_sd=relative_sd,
        sources=(where,),
        note="Holds in the plane in which the ruler hung.",
    )


class ScaleConflict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A ruler and another scale of one film that differ by more than 2 %.

    Attributes
    ----------
    ruler_mm, other_mm : float
        mm per px along the ruler: by its ticks, and by the other scale.
    other : str
        Basis of the other scale.
    difference : float
        Of the ruler's from the other, relative.
    decision : str
        The policy that decided: ``metadata``, ``ruler`` or ``refuse``.
    """

    ruler_mm: float
    other_mm: float
    other: CalibrationBasis
    difference: float
    decision: ScalePolicy

    def __str__(self) -> str:
        return (
            f"The ruler gives {self.ruler_mm:.5g} mm per px, the {self.other} scale {self.other_mm:.5g}: "
            f"{self.difference:+.1%}. By the policy '{self.decision}', the "
            f"{'ruler' if self.decision == 'ruler' else self.other + ' scale'} counts."
        )


def calibrate_by_ticks(ruler: Ruler, pitch_mm: float, *, source: str = "pitch stated by the caller") -> Calibration:
    """Calibration from a ruler that was found in the film, once the distance of its ticks is stated.

    Parameters
    ----------
    ruler : Ruler
        As `cephstd.imaging.ruler.find_ruler` gives it.
    pitch_mm : float
        True distance of neighbouring ticks.
    source : str
        Who states it.

    Returns
    -------
    Calibration
        Basis ``user_ruler``; ``relative_sd`` = sqrt((period_sd / period)^2 + 0.005^2).

    Raises
    ------
    CalibrationError
        When the pitch is not positive, or the scale is outside 0.01..2 mm per px.

    Notes
    -----
    Square pixels are taken for granted, and the result is valid in the plane in which the ruler hung.

    Examples
    --------
    >>> ruler = Ruler(period_px=20.0, period_sd_px=0.02, residual_px=0.1, ticks=10, line=((5.0, 5.0), (5.0, 185.0)))
    >>> calibrate_by_ticks(ruler, 2.0).spacing_mm
    (0.1, 0.1)
    """
    if not (math.isfinite(pitch_mm) and pitch_mm > 0.0):
        raise CalibrationError(f"Expected a positive distance of ticks in mm, found {pitch_mm:g}.")
    spacing = pitch_mm / ruler.period_px
    low, high = PLAUSIBLE_SPACING_MM
    if not low <= spacing <= high:
        raise CalibrationError(
            f"Expected {low:g} to {high:g} mm per pixel, found {pitch_mm:g} mm on {ruler.period_px:.4g} px.",
            hint="Give the distance of two neighbouring ticks in millimetres.",
        )
    return Calibration(
        basis="user_ruler",
        row_mm=spacing,
        column_mm=spacing,
        relative_sd=math.hypot(ruler.period_sd_px / ruler.period_px, PITCH_RELATIVE_SD),
        sources=(f"ruler of {ruler.ticks} ticks every {ruler.period_px:.3f} px", f"{source}: {pitch_mm:g} mm"),
        note="Holds in the plane in which the ruler hung.",
    )


def settle_scale(
    other: Calibration, ruler: Ruler, by_ticks: Calibration, policy: ScalePolicy
) -> tuple[Calibration, ScaleConflict | None]:
    """Which of two scales counts: the ruler's, or the one from the file or a person.

    Parameters
    ----------
    other : Calibration
        From metadata or a person.
    ruler : Ruler
    by_ticks : Calibration
        As `calibrate_by_ticks` gives it.
    policy : {"metadata", "ruler", "refuse"}
        What decides when they differ by more than 2 % along the ruler.

    Returns
    -------
    Calibration
        The ruler's where the other gives no millimetres; else the other's, unless they differ and the policy says
        ``ruler``.
    ScaleConflict or None

    Raises
    ------
    CalibrationError
        When they differ and the policy says ``refuse``.
    """
    spacing, ticks_mm = other.spacing_mm, by_ticks.row_mm
    if spacing is None or ticks_mm is None:
        return by_ticks, None
    (x0, y0), (x1, y1) = ruler.line
    length_px = math.hypot(x1 - x0, y1 - y0)
    other_mm = math.hypot((x1 - x0) * spacing[1], (y1 - y0) * spacing[0]) / length_px
    difference = ticks_mm / other_mm - 1.0
    if abs(difference) <= SCALE_CONFLICT:
        return other, None
    conflict = ScaleConflict(
        ruler_mm=ticks_mm, other_mm=other_mm, other=other.basis, difference=difference, decision=policy
    )
    if policy == "refuse":
        raise CalibrationError(
            f"The ruler gives {ticks_mm:.5g} mm per px, the {other.basis} scale {other_mm:.5g}: {difference:+.1%}.",
            hint="State which counts: scale_conflict = 'metadata' or 'ruler' in the recipe.",
        )
    return (by_ticks if policy == "ruler" else other), conflict
