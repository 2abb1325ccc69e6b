from .audit.recorder import record
from .audit.verifier import Verification, verify
from .core.image import Calibration, Normalized, Radiograph, state_calibration
from .core.interpretation import Interpretation
from .core.landmarks import Landmark, LandmarkSet, absent_landmark, landmark_set, place_landmark
from .core.measures import Measure, MeasureSet, Uncertainty
from .core.recipe import Recipe, load_recipe
from .core.record import Record, decode_record, record_schema
from .core.steps import Chain
from .errors import (
    BudgetExceededError,
    CalibrationError,
    CephError,
    CorruptImageError,
    DefinitionError,
    DigestMismatch,
    ExportError,
    FormulaError,
    InferenceError,
    InputError,
    LicenceError,
    LogInconsistent,
    MissingExtraError,
    ModelError,
    ModelIntegrityError,
    ModelUnavailable,
    NotACephalogramError,
    NotCanonicalError,
    OrientationError,
    ProviderError,
    RecordError,
    ReplayMismatch,
    SchemaError,
    SignatureInvalid,
    UnknownAnalysisError,
    UnknownLandmarkError,
    UnknownModelError,
    UnsupportedFormatError,
    VerificationError,
)
from .evaluation.agreement import Agreement, assess_agreement
from .evaluation.serial import Change, compare_values
from .geometry.measurer import Measurer, measure, measure_many
from .geometry.superimposer import Superimposition, superimpose
from .inference.detector import Detector, detect
from .interpretation.interpreter import interpret
from .io.reader import read
from .pipeline.analyzer import Analysis, Analyzer, analyze
from .pipeline.normalizer import Normalizer, normalize
from .pipeline.replayer import Replay, replay
from .pipeline.reviewer import amend, review
from .plot.overlays import overlay

__version__: str

__all__ = [
    "Agreement",
    "Analysis",
    "Analyzer",
    "BudgetExceededError",
    "Calibration",
    "CalibrationError",
    "CephError",
    "Chain",
    "Change",
    "CorruptImageError",
    "DefinitionError",
    "Detector",
    "DigestMismatch",
    "ExportError",
    "FormulaError",
    "InferenceError",
    "InputError",
    "Interpretation",
    "Landmark",
    "LandmarkSet",
    "LicenceError",
    "LogInconsistent",
    "Measure",
    "MeasureSet",
    "Measurer",
    "MissingExtraError",
    "ModelError",
    "ModelIntegrityError",
    "ModelUnavailable",
    "Normalized",
    "Normalizer",
    "NotACephalogramError",
    "NotCanonicalError",
    "OrientationError",
    "ProviderError",
    "Radiograph",
    "Recipe",
    "Record",
    "RecordError",
    "Replay",
    "ReplayMismatch",
    "SchemaError",
    "SignatureInvalid",
    "Superimposition",
    "Uncertainty",
    "UnknownAnalysisError",
    "UnknownLandmarkError",
    "UnknownModelError",
    "UnsupportedFormatError",
    "Verification",
    "VerificationError",
    "absent_landmark",
    "amend",
    "analyze",
    "assess_agreement",
    "compare_values",
    "decode_record",
    "detect",
    "interpret",
    "landmark_set",
    "load_recipe",
    "measure",
    "measure_many",
    "normalize",
    "overlay",
    "place_landmark",
    "read",
    "record",
    "record_schema",
    "replay",
    "review",
    "state_calibration",
    "superimpose",
    "verify",
]
