"""Logs once per process under which terms a model's weights run."""

from __future__ import annotations

import logging
from functools import cache


@cache
def log_terms(name: str, version: str, licence_weights: str) -> None:
    """Log a model's terms to the logger ``cephstd`` at level INFO, the first time that it is opened in this process."""
    logging.getLogger("cephstd").info("Not a medical device. Model %s %s: weights %s.", name, version, licence_weights)
