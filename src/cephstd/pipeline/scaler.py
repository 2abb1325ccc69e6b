"""Gives a film the scale that counts: the file's or a person's, a device profile's correction, a ruler in the film."""

from __future__ import annotations

import dataclasses

import msgspec

from cephstd.core.devices import DeviceProfile, choose_profile
from cephstd.core.image import Calibration, Radiograph
from cephstd.core.recipe import Recipe
from cephstd.imaging.calibrator import ScaleConflict, calibrate_by_ticks, settle_scale
from cephstd.imaging.ruler import Ruler, find_ruler
from cephstd.knowledge.profiles import shipped_profiles

UNCORRECTED_BASES = frozenset({"detector_plane", "scanned_nominal"})
"""Scales that no magnification has been taken from yet; only these may be divided by one."""
PROFILE_SD = 0.02
"""Relative: the mid-sagittal plane is known to about 20 mm at a source distance of about 1,500 mm."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """A film with the scale that counts, and what that rests on.

    Attributes
    ----------
    film : Radiograph
        With `calibration`, `device.profile` and a warning for every conflict.
    profile : DeviceProfile
    ruler : Ruler or None
        None when there is none, or none was looked for.
    conflicts : tuple of ScaleConflict
    """

    film: Radiograph
    profile: DeviceProfile
    ruler: Ruler | None
    conflicts: tuple[ScaleConflict, ...]


def find_profile(film: Radiograph, recipe: Recipe) -> DeviceProfile:
    """The profile that fits a film: the first of the recipe's own, else of those that ship.

    The last of the shipped ones fits every film and states nothing.
    """
    return choose_profile((*recipe.devices, *shipped_profiles()), film.device) or shipped_profiles()[-1]


def scale_film(film: Radiograph, recipe: Recipe, *, look_for_ruler: bool | None = None) -> Scaled:
    """Apply the device profile that fits, and the ruler where the distance of its ticks is known.

    Nothing is applied twice: a magnification only to a detector's own scale, which it then is no longer.

    Parameters
    ----------
    film : Radiograph
    recipe : Recipe
        Its `devices`, `ruler_pitch_mm` and `scale_conflict`.
    look_for_ruler : bool, optional
        Default: only when the distance of its ticks is known.

    Returns
    -------
    Scaled

    Raises
    ------
    CalibrationError
        When ruler and file differ by more than 2 % and the recipe says ``refuse``, or the pitch is impossible.
    """
    profile = find_profile(film, recipe)
    calibration = correct_magnification(film.calibration, profile)
    pitch_mm, source = recipe.ruler_pitch_mm, "pitch stated in the recipe"
    if pitch_mm is None:
        pitch_mm, source = profile.ruler_pitch_mm, f"pitch of device profile {profile.name}"
    done = calibration.basis == "user_ruler"
    wanted = (pitch_mm is not None and not done) if look_for_ruler is None else look_for_ruler
    ruler = find_ruler(film.pixels) if wanted else None
    conflict = None
    if ruler is not None and pitch_mm is not None:
        by_ticks = calibrate_by_ticks(ruler, pitch_mm, source=source)
        calibration, conflict = settle_scale(calibration, ruler, by_ticks, recipe.scale_conflict)
    device = msgspec.structs.replace(film.device, profile=profile.name)
    if calibration == film.calibration and device == film.device and conflict is None:
        return Scaled(film=film, profile=profile, ruler=ruler, conflicts=())
    made = dataclasses.replace(
        film,
        calibration=calibration,
        device=device,
        warnings=(*film.warnings, *([str(conflict)] if conflict else [])),
    )
    return Scaled(film=made, profile=profile, ruler=ruler, conflicts=(conflict,) if conflict else ())


def correct_magnification(calibration: Calibration, profile: DeviceProfile) -> Calibration:
    """Divide a scale of the detector by the profile's magnification; any other scale is left as it is.

    The result is of basis ``geometry`` and names the profile. Both directions have to be known.
    """
    spacing = calibration.spacing_mm
    down, across = profile.magnification_vertical, profile.magnification_horizontal
    if spacing is None or calibration.basis not in UNCORRECTED_BASES or down is None or across is None:
        return calibration
    return Calibration(
        basis="geometry",
        row_mm=spacing[0] / down,
        column_mm=spacing[1] / across,
        relative_sd=PROFILE_SD,
        sources=(*calibration.sources, f"device profile {profile.name}"),
        note=f"Divided by the magnification of the device profile ({down:g} down, {across:g} across).",
    )
