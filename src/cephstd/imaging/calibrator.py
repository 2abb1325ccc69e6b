"""Scale of a film as stated by a person: a small file, or two clicks on a ruler."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import msgspec

from cephstd.core.arrays import check_points
from cephstd.core.image import METRIC_BASES, PLAUSIBLE_SPACING_MM, Calibration, CalibrationBasis
from cephstd.errors import CalibrationError

CLICK_SD_PX = 1.0
"""Standard deviation of one click along the ruler, px; a working default, state your own."""
RULER_LENGTH_SD_MM = 0.1
"""Standard deviation of the ruler's stated length: how well two ticks are engraved."""

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
