"""Columns of every table that the library writes."""

from __future__ import annotations

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
