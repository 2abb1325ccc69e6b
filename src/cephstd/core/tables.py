"""Columns of every table that the library writes."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal, NamedTuple

POINT_COLUMNS = (
    "image_id",
    "landmark",
    "x_px",
    "y_px",
    "state",
    "reason",
    "score",
    "cov_xx",
    "cov_xy",
    "cov_yy",
)
MEASURE_COLUMNS = ("image_id", "measure", "value", "sd", "unit", "reason")


class Column(NamedTuple):
    """One column of a Parquet table.

    Attributes
    ----------
    name : str
    kind : str
        ``text``, ``number`` (64 bit float), ``count`` (64 bit integer) or ``flag``.
    meaning : str
        What a cell says; a cell without a value is null.
    """

    name: str
    kind: Literal["text", "number", "count", "flag"]
    meaning: str


SITE_COLUMN = "site"
"""Every table is partitioned by it: the value stands in the folder's name (``site=north``), not in the files."""

UNNAMED_SITE = "unnamed"
"""Site of a film of which nobody said where it is from."""

FILM_TABLE = (
    Column("image_id", "text", "first 16 hex digits of the file's SHA-256; joins the tables"),
    Column("file_sha256", "text", "digest of the file's bytes"),
    Column("pixel_sha256", "text", "digest of the decoded samples; equal for copies in other files"),
    Column("record_digest", "text", "digest of the record that the row was taken from"),
    Column("result_digest", "text", "digest of the record's content"),
    Column("previous", "text", "record_digest of the predecessor"),
    Column("created", "text", "when the record was made, RFC 3339 in UTC"),
    Column("recipe_digest", "text", "digest of the recipe"),
    Column("analysis", "text", "analysis whose measures were taken"),
    Column("model", "text", "landmark model"),
    Column("model_version", "text", "its version"),
    Column("manufacturer", "text", "of the device, as the file states it"),
    Column("device", "text", "model of the device, as the file states it"),
    Column("modality", "text", "DICOM modality"),
    Column("date", "text", "when the film was made: manifest, else file; YYYY-MM-DD or YYYYMMDD as given"),
    Column("subject", "text", "keyed pseudonym of the person"),
    Column("age_years", "number", "age when the film was made, years"),
    Column("sex", "text", "F or M"),
    Column("calibration_basis", "text", "where the scale comes from"),
    Column("row_mm", "number", "distance of neighbouring rows, mm; null where the basis allows no millimetres"),
    Column("column_mm", "number", "distance of neighbouring columns, mm; null likewise"),
    Column("scale_relative_sd", "number", "relative standard uncertainty of the scale"),
    Column("quality", "text", "diagnostic, limited or non-diagnostic"),
    Column("flipped", "flag", "whether the film was mirrored to face right"),
    Column("inverted", "flag", "whether dark and bright were exchanged"),
    Column("landmarks_present", "count", "landmarks with a position"),
    Column("landmarks_absent", "count", "landmarks without one"),
    Column("measures_present", "count", "measures with a value"),
    Column("measures_absent", "count", "measures without one"),
    Column("review", "text", "outcome of the last decision on the record: accepted, supplemented, rejected"),
    Column("reviewed_at", "text", "when that was, RFC 3339 in UTC"),
    Column("reviewer", "text", "identifier of that person at the site"),
    Column("earlier_review", "text", "outcome of the last decision on a record from before the film was analysed anew"),
    Column("earlier_reviewed_at", "text", "when that was, RFC 3339 in UTC"),
    Column("earlier_reviewer", "text", "identifier of that person at the site"),
    Column("signed_at", "text", "when the record was signed, by the signers' word; null: no signature lies in OUT"),
    Column("outside_intended_use", "flag", "whether the view head took the film for no lateral cephalogram"),
    Column("norm_sets", "text", "norm sets in use, one a line: id, version, first 19 characters of the digest"),
    Column("attributes", "text", "the manifest's attributes of the film, as given"),
    Column("warnings", "text", "the record's warnings, one a line"),
)

LANDMARK_TABLE = (
    Column("image_id", "text", "joins the tables"),
    Column("landmark", "text", "landmark id"),
    Column("x_px", "number", "source px, right; (0, 0) = centre of the top-left pixel"),
    Column("y_px", "number", "source px, down"),
    Column("state", "text", "detected, placed, moved or absent"),
    Column("review", "text", "none, provisional, accepted or rejected"),
    Column("reason", "text", "why the point is absent or provisional"),
    Column("score", "number", "the model's confidence, 0..1"),
    Column("cov_xx", "number", "covariance, source px^2"),
    Column("cov_xy", "number", "covariance, source px^2"),
    Column("cov_yy", "number", "covariance, source px^2"),
    Column(
        "original_x_px", "number", "where the machine had it before a person moved it, source px; null if not moved"
    ),
    Column("original_y_px", "number", "likewise, down"),
)

MEASUREMENT_TABLE = (
    Column("image_id", "text", "joins the tables"),
    Column("measure", "text", "measure id"),
    Column("value", "number", "in `unit`"),
    Column("sd", "number", "standard deviation, in `unit`"),
    Column("unit", "text", "deg, mm, % or ratio"),
    Column("provisional", "flag", "whether it rests on a provisional point"),
    Column("reason", "text", "why the value is absent"),
    Column("definition_version", "count", "version of the definition"),
    Column("sd_method", "text", "how sd was obtained: first-order or monte-carlo"),
    Column("linear", "flag", "whether first order may be relied on; null where that was not examined"),
)

CLASS_TABLE = (
    Column("image_id", "text", "joins the tables"),
    Column("rule", "text", "set.rule"),
    Column("measure", "text", "the rule's input"),
    Column("value", "number", "as measured"),
    Column("sd", "number", "its standard deviation"),
    Column("label", "text", "the class"),
    Column("probability", "number", "that the true value lies in the class"),
    Column("threshold", "number", "nearest end of the class"),
    Column("other_side", "number", "probability that the true value lies beyond it"),
    Column("provisional", "flag", "whether it rests on a provisional point"),
    Column("reason", "text", "why there is no class"),
)

POLICY_TABLE = (
    Column("image_id", "text", "joins the tables"),
    Column("policy", "text", "id of the policy pack"),
    Column("version", "text", "its version"),
    Column("rule", "text", "the rule's id in the pack"),
    Column("severity", "text", "required or advised"),
    Column("status", "text", "pass, fail, waived or not in force"),
    Column("faults", "text", "what is missing, one sentence a line"),
)

FAILURE_TABLE = (
    Column("image_id", "text", "as for films; unread-N where the file could not be read at all"),
    Column("file_sha256", "text", "digest of the file's bytes"),
    Column("recipe_digest", "text", "digest of the recipe"),
    Column("status", "text", "refused (no lateral cephalogram), failed, or quarantined (it ended its process)"),
    Column("code", "text", "stable name of the error"),
    Column("message", "text", "what was expected, what was found"),
    Column("hint", "text", "what can be done"),
    Column("attempts", "count", "how often it was tried"),
)

TABLES = MappingProxyType(
    {
        "films": FILM_TABLE,
        "landmarks": LANDMARK_TABLE,
        "measurements": MEASUREMENT_TABLE,
        "classes": CLASS_TABLE,
        "policies": POLICY_TABLE,
        "failures": FAILURE_TABLE,
    }
)
"""Table -> columns, in order: one folder of Parquet files each."""
