"""What is known of a kind of device beyond what its files say."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

from cephstd.core.image import Device

Magnification = Annotated[float, msgspec.Meta(gt=1.0, le=1.5)]
Pitch = Annotated[float, msgspec.Meta(ge=0.1, le=50.0)]
Millimetres = Annotated[float, msgspec.Meta(ge=0.01, le=2.0)]
Share = Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]
Words = Annotated[str, msgspec.Meta(min_length=1)]


class DeviceProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of device: how to recognise it, and what somebody has established about it.

    Attributes
    ----------
    id, version : str
    manufacturer, model, software : str
        Patterns (``*`` and ``?``, case ignored) for what the file states; ``*`` fits all, also an empty word.
    mm_per_px : float or None
        Scale of all films of this device, the same in both directions; goes before what the file or the recipe states.
    relative_sd : float
        Relative standard uncertainty of `mm_per_px` (0.01 = 1 %).
    magnification_horizontal, magnification_vertical : float or None
        Detector length over length in the mid-sagittal plane; used for a scale that belongs to the detector only.
    ruler_pitch_mm : float or None
        Distance of neighbouring ticks of the ruler that this device images.
    ruler_place : str
        Where it lies, for a reader.
    facing : {"right", "left"} or None
        Where faces look when neither file nor image says.
    bone_dark : bool or None
        Whether bone is dark in the samples of its files, whatever they say; an image that shows it plainly goes before.
    tone, quirks : str
        For a reader.
    source, checked_by, checked_on : str
        What the numbers rest on, and who checked them when; never empty.
    example : bool
        True for a file that shows the format: it fits no film.
    """

    id: Words
    version: Words
    manufacturer: str = "*"
    model: str = "*"
    software: str = "*"
    mm_per_px: Millimetres | None = None
    relative_sd: Share = 0.0
    magnification_horizontal: Magnification | None = None
    magnification_vertical: Magnification | None = None
    ruler_pitch_mm: Pitch | None = None
    ruler_place: str = ""
    facing: Literal["right", "left"] | None = None
    bone_dark: bool | None = None
    tone: str = ""
    quirks: str = ""
    source: Words
    checked_by: Words
    checked_on: Words
    example: bool = False

    def fits(self, device: Device) -> bool:
        """Whether the file's words fit all patterns; an example fits nothing.

        >>> profile = DeviceProfile(
        ...     id="a", version="1", manufacturer="Acme*", source="test", checked_by="A. T.", checked_on="2026-01-01"
        ... )
        >>> profile.fits(Device(manufacturer="ACME Imaging")), profile.fits(Device())
        (True, False)
        """
        words = ((device.manufacturer, self.manufacturer), (device.model, self.model), (device.software, self.software))
        return not self.example and all(fnmatchcase(word.casefold(), pattern.casefold()) for word, pattern in words)

    @property
    def name(self) -> str:
        """Id and version, as records carry them."""
        return f"{self.id} {self.version}"


def choose_profile(profiles: tuple[DeviceProfile, ...], device: Device) -> DeviceProfile | None:
    """The first profile that fits, so that a site's own come before what ships; None when none does."""
    return next((profile for profile in profiles if profile.fits(device)), None)
