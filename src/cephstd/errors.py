"""Every exception that leaves a public function for an expected failure.

::

    CephError (code, hint, exit_code)       exit 1 = a finding, 2 = usage, 3 and up = errors
      InputError(ValueError) 3    UnsupportedFormatError CorruptImageError BudgetExceededError
                                  NotACephalogramError CalibrationError OrientationError
      ModelError 4                UnknownModelError ModelIntegrityError ModelUnavailable
                                  ProviderError InferenceError LicenceError
      DefinitionError 5           UnknownAnalysisError UnknownLandmarkError FormulaError
      RecordError 6               SchemaError NotCanonicalError ExportError
        VerificationError 7       DigestMismatch SignatureInvalid LogInconsistent ReplayMismatch
      MissingExtraError 8         names the extra to install

A message says what was expected and what was found; ``hint`` says what to do.
"""

from __future__ import annotations

import re
from typing import ClassVar

__all__ = [
    "BudgetExceededError",
    "CalibrationError",
    "CephError",
    "CorruptImageError",
    "DefinitionError",
    "DigestMismatch",
    "ExportError",
    "FormulaError",
    "InferenceError",
    "InputError",
    "LicenceError",
    "LogInconsistent",
    "MissingExtraError",
    "ModelError",
    "ModelIntegrityError",
    "ModelUnavailable",
    "NotACephalogramError",
    "NotCanonicalError",
    "OrientationError",
    "ProviderError",
    "RecordError",
    "ReplayMismatch",
    "SchemaError",
    "SignatureInvalid",
    "UnknownAnalysisError",
    "UnknownLandmarkError",
    "UnknownModelError",
    "UnsupportedFormatError",
    "VerificationError",
]


class CephError(Exception):
    """Base of every expected failure.

    Parameters
    ----------
    message : str
        One sentence: what was expected, what was found.
    hint : str, optional
        What the reader can do about it.

    Attributes
    ----------
    code : str
        Stable machine-readable name, e.g. ``corrupt_image``; derived from the class name.
    hint : str
        Empty when there is nothing to suggest.
    exit_code : int
        Process exit status that the command line uses for this family.
    """

    exit_code: ClassVar[int] = 3
    code: ClassVar[str] = "ceph"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__.removesuffix("Error"))
        cls.code = words.lower()

    def __str__(self) -> str:
        message = str(self.args[0]) if self.args else ""
        return f"{message} {self.hint}".strip()


class InputError(CephError, ValueError):
    """The given file, array or argument cannot be used."""

    exit_code = 3


class UnsupportedFormatError(InputError):
    """The bytes are of a kind that is recognised and not read, or not recognised at all."""


class CorruptImageError(InputError):
    """The bytes claim a known format and break it."""


class BudgetExceededError(InputError):
    """Reading would cost more bytes, pixels or members than the reader's budget allows."""


class NotACephalogramError(InputError):
    """The picture is readable and is not a lateral cephalogram."""


class CalibrationError(InputError):
    """A stated scale is impossible or contradicts another."""


class OrientationError(InputError):
    """The facing or turn of the film cannot be settled."""


class ModelError(CephError):
    """A landmark model cannot be used."""

    exit_code = 4


class UnknownModelError(ModelError):
    """No model of that name is in the catalog."""


class ModelIntegrityError(ModelError):
    """A weights file is not the one that the manifest pins."""


class ModelUnavailable(ModelError):
    """The manifest knows the model and its weights file is not there."""


class ProviderError(ModelError):
    """The asked-for execution provider did not load or is not the one that runs."""


class InferenceError(ModelError):
    """The model ran and its output breaks the contract."""


class LicenceError(ModelError):
    """The model's licence has not been accepted by the caller."""


class DefinitionError(CephError):
    """A clinical definition is unknown or wrong."""

    exit_code = 5


class UnknownAnalysisError(DefinitionError):
    """No analysis or measurement of that name is defined."""


class UnknownLandmarkError(DefinitionError):
    """No landmark of that name is defined."""


class FormulaError(DefinitionError):
    """A measurement formula does not parse or mixes dimensions."""


class RecordError(CephError):
    """A record cannot be written or read."""

    exit_code = 6


class SchemaError(RecordError):
    """The bytes are no record of a known schema."""


class NotCanonicalError(RecordError):
    """The bytes hold a record and are not its canonical form."""


class ExportError(RecordError):
    """A record cannot be expressed in the asked-for format."""


class VerificationError(RecordError):
    """A record was checked and does not hold."""

    exit_code = 7


class DigestMismatch(VerificationError):
    """A stored digest is not the digest of what it covers."""


class SignatureInvalid(VerificationError):
    """A signature does not belong to the bytes or to a trusted key."""


class LogInconsistent(VerificationError):
    """A log contradicts a proof or a checkpoint."""


class ReplayMismatch(VerificationError):
    """Running the recorded chain again gives values outside the stated tolerances."""


class MissingExtraError(CephError):
    """An optional dependency is needed and not installed."""

    exit_code = 8
