"""One standard image from every film: face right, bone bright, full grey range, square pixels of 0.1 mm."""

from __future__ import annotations

import numpy as np

from cephstd.core.devices import DeviceProfile
from cephstd.core.image import Calibration, Normalized, Radiograph, ViewVerdict
from cephstd.core.standard import STANDARD_FACT, STANDARD_IMAGE
from cephstd.core.steps import AnyStep, Chain, Invert, Resize, Size, Tone, Turn, Window
from cephstd.errors import BudgetExceededError, NotACephalogramError
from cephstd.imaging.assessor import judge, shows_nothing
from cephstd.imaging.lettering import find_plain_text
from cephstd.imaging.operations import apply_chain
from cephstd.imaging.orienter import judge_polarity, settle_pose
from cephstd.imaging.preview import Preview, shrink_film
from cephstd.imaging.tone import STANDARD_MEDIAN

STANDARD_SPACING_MM = 0.1
SPACING_TOLERANCE = 0.005
"""Relative difference from the standard spacing, or from square pixels, up to which nothing is resampled."""
LARGEST_IMAGE_PX = 64_000_000
LARGEST_CUT = 0.3
"""Share of a film that may lie beyond straight edges across its corners; a head turned by 12 degrees loses 0.2."""
WINDOW_METHOD = "quantiles 0.005 and 0.995 of a 256 grid of the exposed field"
TONE_METHOD = f"median to {STANDARD_MEDIAN}"


def standardize(
    film: Radiograph,
    view: ViewVerdict | None = None,
    *,
    refuse: bool = True,
    profile: DeviceProfile | None = None,
) -> Normalized:
    """Make the standard image of a film.

    Every change is a step of the returned chain: orientation as the file states it (FlipX, Turn), Invert where bone is
    dark, Window and Tone by the exposed field (`cephstd.imaging.field`), and Resize to 0.1 mm square pixels. Without a
    trusted scale the size stays, except that pixels known not to be square are made square; nothing is resampled that
    is right within 0.5 %. A film that is labelled as a standard image (`cephstd.core.standard`) comes back as it is.

    Parameters
    ----------
    film : Radiograph
    view : ViewVerdict, optional
        What a view head saw in the film's samples; without one only the file's word and outlines tell pose and grey.
    refuse : bool
        False makes a warning of a verdict that the picture is no lateral cephalogram.
    profile : DeviceProfile, optional
        What is known of the film's device: its `facing` counts where neither image nor file says, its `bone_dark`
        before the file's word.

    Returns
    -------
    Normalized
        uint16 pixels over the full range. `spacing_mm` is None when the film has no trusted scale. `warnings` names
        everything that was assumed, or where file and image disagree; the film's own warnings are not repeated.

    Raises
    ------
    NotACephalogramError
        When the image is blank, of one grey, or noise alone; when the view head takes it for no lateral cephalogram.
    BudgetExceededError
        When the stated spacing would make an image of more than 64 million px.

    Notes
    -----
    Pose and grey sense: the image counts where it is sure, else the file's word; where both are clear and differ, a
    warning says so.

    Examples
    --------
    >>> import numpy as np
    >>> from cephstd.core.image import Source, state_calibration
    >>> from cephstd.imaging.phantom import draw_phantom
    >>> drawn = draw_phantom(np.random.default_rng(1), size=(484, 600), spacing_mm=0.4)
    >>> about = {"file_sha256": "", "pixel_sha256": "", "decoder": "", "width_px": 484, "height_px": 600, "bits": 16}
    >>> source = Source(format="array", **about)
    >>> film = Radiograph(pixels=drawn.pixels, source=source, calibration=state_calibration(0.4))
    >>> standardize(film)
    <Normalized 1936 x 2400 px, 0.1 mm/px, diagnostic>
    """
    refusals = _pass_view_gate(view, refuse=refuse)
    known = _is_standard(film)
    facing = profile.facing if profile else None
    turns, warning = ((), "") if known else settle_pose(film.device.patient_orientation, view, facing)
    turn = Chain(source_size=film.size, steps=turns)
    # Judged after turning, so that a film and its mirror image come out the same to the last bit.
    turned = apply_chain(film.pixels, turn)
    preview = shrink_film(turned)
    refusals += _pass_field_gate(preview, refuse=refuse)
    inverted, warnings = (False, ()) if known else _settle_polarity(film, preview, view, profile)
    spacing_mm = film.calibration.spacing_mm
    lies = any(isinstance(step, Turn) and step.quarters % 2 for step in turns)
    mm = spacing_mm[::-1] if spacing_mm and lies else spacing_mm
    text = find_plain_text(turned)
    quality = judge(preview, turned.shape, inverted=inverted, spacing_mm=mm, film=film, text=text)
    if shows_nothing(quality):
        raise NotACephalogramError(
            "Expected a lateral cephalogram, found an image that is blank, of one grey, or noise alone.",
            hint="Give a film that shows a head.",
        )
    resize, standard_mm, scale_warning = _choose_spacing(film.calibration, turn.size, lies)
    tone = [] if known else _choose_tone(preview, turned, inverted)
    rest = Chain(source_size=turn.size, steps=(*tone, *resize))
    if rest.size[0] * rest.size[1] > LARGEST_IMAGE_PX:
        raise BudgetExceededError(
            f"Expected at most {LARGEST_IMAGE_PX} px at 0.1 mm, found {rest.size[0]} x {rest.size[1]} px.",
            hint="Check the stated millimetres per pixel.",
        )
    pixels = apply_chain(turned, rest)
    pixels.setflags(write=False)
    return Normalized(
        pixels=pixels,
        chain=turn.then(*rest.steps),
        spacing_mm=standard_mm,
        source=film.source,
        calibration=film.calibration,
        quality=quality,
        warnings=tuple(text for text in (*refusals, *warnings, warning, scale_warning) if text),
        view=view,
    )


def _is_standard(film: Radiograph) -> bool:
    """Whether the film is a standard image, by a label that belongs to its samples, at the scale of one."""
    spacing = film.calibration.spacing_mm
    fits = spacing is None or all(abs(mm / STANDARD_SPACING_MM - 1.0) <= SPACING_TOLERANCE for mm in spacing)
    return film.source.facts.get(STANDARD_FACT) == STANDARD_IMAGE and fits


def _pass_view_gate(view: ViewVerdict | None, *, refuse: bool) -> tuple[str, ...]:
    if view is None or view.accepted:
        return ()
    return _doubt(f"{view.viewer} gives it {view.score:.3f}, below {view.threshold:.3f}", refuse=refuse)


def _pass_field_gate(preview: Preview, *, refuse: bool) -> tuple[str, ...]:
    cut = preview.tone.field.cut_share
    if cut <= LARGEST_CUT:
        return ()
    return _doubt(f"straight edges across corners cut {100 * cut:.0f} % of it off", refuse=refuse)


def _doubt(found: str, *, refuse: bool) -> tuple[str, ...]:
    if refuse:
        raise NotACephalogramError(
            f"Expected a lateral cephalogram, found a picture that looks like none: {found}.",
            hint="If it is one, say so: view_gate = 'report' in the recipe.",
        )
    return (f"The picture looks like no lateral cephalogram: {found}.",)


def _settle_polarity(
    film: Radiograph, preview: Preview, view: ViewVerdict | None, profile: DeviceProfile | None
) -> tuple[bool, tuple[str, ...]]:
    """Whether bone is dark in the samples, and what to report about it."""
    seen = judge_polarity(preview).bone
    if view is not None and view.is_sure_of_grey:
        seen = "dark" if view.inverted else "bright"
    known = profile.bone_dark if profile else None
    who, dark = ("The file", film.inverted) if profile is None or known is None else (f"Profile {profile.name}", known)
    stated = "dark" if dark else "bright"
    if seen in (stated, "unsure"):
        return dark, ()
    words = f"{who} says that bone is {stated}, the image shows it {seen} (thin outlines are {seen})"
    return not dark, (f"{words}; the image was followed.",)


def _choose_tone(
    preview: Preview, pixels: np.ndarray[tuple[int, ...], np.dtype[np.generic]], inverted: bool
) -> list[AnyStep]:
    """Bone bright, black and white at the ends, the middle sample at the standard grey; from the exposed field."""
    tone = preview.tone
    odds = tone.dark_odds if inverted else tone.odds
    bend = [Tone(odds=odds, method=TONE_METHOD)] if odds != 1.0 else []
    if not inverted:
        return [Window(low=tone.low, high=tone.high, method=WINDOW_METHOD), *bend]
    top = float(np.iinfo(pixels.dtype).max)  # type: ignore[type-var]
    return [Invert(), Window(low=top - tone.high, high=top - tone.low, method=WINDOW_METHOD), *bend]


def _choose_spacing(calibration: Calibration, size: Size, lies: bool) -> tuple[list[AnyStep], float | None, str]:
    """Resize to square standard pixels (or none), the spacing after it, and a warning."""
    row, column = calibration.row_mm, calibration.column_mm
    if row is None or column is None:
        return [], None, "No scale is known: lengths stay relative, and pixels are taken as square."
    down, across = (column, row) if lies else (row, column)
    trusted = calibration.spacing_mm is not None
    # Untrusted values still tell the shape of a pixel: the finer direction keeps its number of pixels.
    target = STANDARD_SPACING_MM if trusted else min(down, across)
    factors = (across / target, down / target)
    needed = any(abs(factor - 1.0) > SPACING_TOLERANCE for factor in factors)
    width, height = (max(1, round(side * factor)) for side, factor in zip(size, factors, strict=True))
    steps: list[AnyStep] = [Resize(width=width, height=height)] if needed else []
    if trusted:
        # Rounding to whole pixels moves the spacing by less than half a pixel over the film's width.
        return steps, (across * size[0] / width + down * size[1] / height) / 2 if needed else (across + down) / 2, ""
    if needed:
        return steps, None, f"The file's untrusted resolution says {across:.4g} x {down:.4g} mm pixels: made square."
    return steps, None, ""
