from __future__ import annotations

import polars as pl
import pytest

from cephstd.fleet.strata import stratify


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (5.9, "under 6"),
        (6.0, "6"),
        (17.99, "17"),
        (18.0, "18-24"),
        (25.0, "25-39"),
        (40.0, "40 and over"),
        (None, "unknown"),
    ],
)
def test_bands_begin_at_their_edge(age, band):
    groups = stratify(
        pl.DataFrame({"age_years": [age], "sex": ["F"]}, schema={"age_years": pl.Float64, "sex": pl.String})
    )
    assert groups.labels[groups.codes[0]] == f"F {band}"
