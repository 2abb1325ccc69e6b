"""Every choice that affects a result, as one frozen value."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from cephstd.core.devices import DeviceProfile, Pitch
from cephstd.core.digest import digest_value
from cephstd.core.measures import Uncertainty
from cephstd.errors import InputError

DEFAULT_MODEL = "isbi19-unet-b"
ScalePolicy = Literal["metadata", "ruler", "refuse"]
DEFAULT_RULES = ("skeletal_class", "vertical_pattern", "incisor_inclination", "profile", "isbi2015")


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What reading one film may cost; checked before anything is inflated."""

    max_file_bytes: int = 256 * 2**20
    max_pixels: int = 100_000_000
    max_decoded_bytes: int = 400 * 2**20
    max_members: int = 10_000


class NormEnlargement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Enlargement of the films that a norm set's lengths come from, stated by a person where print leaves it open.

    Attributes
    ----------
    set : str
        Norm set.
    percent : float
        0 to 30; 8 says that 108 mm were printed for 100 mm.
    """

    set: str
    percent: float


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Choices of one analysis run; the same recipe on the same film gives the same result.

    Attributes
    ----------
    model : str
        Name in the model catalog.
    analysis : str
        Name of an analysis, or ``all``.
    mm_per_px : float or None
        Scale stated by a person; None takes the file's own.
    device_scales : empty tuple
        Always empty: what is known of a device, its scale among it, stands in `devices`.
    min_score : float or None
        Points below this model score are withheld; None takes the model's own threshold.
    keep_age, keep_sex : bool
        Whether age (years) and sex may pass from the file into the record.
    value_decimals : int
        Values and standard deviations in records are rounded to this many decimals.
    accepted_licences : tuple of str
        Licences of added models that the caller accepts.
    budget : Budget
        What reading one film may cost.
    norms : tuple of str
        Norm sets that a person chose for these patients; values are compared with each. Empty: with none, since a
        population is never inferred.
    rules : tuple of str
        Rule sets that put values into classes.
    ruler_pitch_mm : float or None
        Distance of neighbouring ticks of a ruler in the film; None takes the device profile's, or looks for no ruler.
    scale_conflict : {"metadata", "ruler", "refuse"}
        Which scale counts when ruler and file (or a person's word) differ by more than 2 %; always a warning.
    devices : tuple of DeviceProfile
        A site's own device profiles, before the ones that ship. The `mm_per_px` of the one that fits goes before the
        recipe's.
    view_gate : {"refuse", "report"}
        What happens to a picture that the view head takes for no lateral cephalogram.
    uncertainty : Uncertainty
        How standard deviations are obtained, with the seed of whatever is drawn.
    norm_enlargements : tuple of NormEnlargement
        For norm sets at film size: without one their lengths are not compared.
    norms_by : str
        Who chose the norm sets for these patients, as the site names that person; empty = not stated.
    """

    model: str = DEFAULT_MODEL
    analysis: str = "all"
    mm_per_px: float | None = None
    min_score: float | None = None
    keep_age: bool = True
    keep_sex: bool = True
    value_decimals: int = 4
    accepted_licences: tuple[str, ...] = ()
    budget: Budget = Budget()
    device_scales: tuple[()] = ()
    norms: tuple[str, ...] = ()
    rules: tuple[str, ...] = DEFAULT_RULES
    ruler_pitch_mm: Pitch | None = None
    scale_conflict: ScalePolicy = "metadata"
    devices: tuple[DeviceProfile, ...] = ()
    view_gate: Literal["refuse", "report"] = "refuse"
    uncertainty: Uncertainty = Uncertainty()
    norms_by: str = ""
    norm_enlargements: tuple[NormEnlargement, ...] = ()

    @property
    def digest(self) -> str:
        """Digest of the recipe's canonical bytes."""
        return digest_value(self)


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe from a TOML file; keys are the attributes of `Recipe`.

    Parameters
    ----------
    path : str or Path
        The TOML file; what it leaves out has the default.

    Returns
    -------
    Recipe

    Raises
    ------
    InputError
        When the file is absent, is no TOML, or has an unknown key or a value of the wrong type.
    """
    try:
        return msgspec.toml.decode(Path(path).read_bytes(), type=Recipe)
    except OSError as error:
        raise InputError(f"The recipe cannot be read: {error.strerror}.", hint="Give a TOML file.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"The recipe is not valid: {error}.", hint="See the recipe page of the manual.") from error
