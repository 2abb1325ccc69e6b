from __future__ import annotations

import numpy as np
import pytest

from cephstd.fleet.observations import SIZE, choose_lengths, film_sizes, see_differences, see_drifts


def test_lengths_are_long_and_in_millimetres(comparison):
    lengths = choose_lengths(comparison.census, comparison.effects)
    assert {"S_N", "N_Me", "Go_Me", "Co_Gn"} <= set(lengths)
    assert {"Wits", "overjet", "SNA", "LFH_pct"} & set(lengths) == set()


def test_size_of_a_film_is_its_middle_length_beside_the_usual(comparison):
    census, effects = comparison.census, comparison.effects
    sizes = film_sizes(census, effects)
    uncalibrated = census.films["row_mm"].is_null().to_numpy()
    assert np.isnan(sizes[uncalibrated]).all()
    film = int(np.flatnonzero(~uncalibrated)[0])
    ratios = []
    for measure in choose_lengths(census, effects):
        value = census.values[census.measures.index(measure), film]
        ratios.append(np.log(value / (value - effects[measure].residuals[film] * effects[measure].spread)))
    assert sizes[film] == pytest.approx(np.nanmedian(ratios), abs=1e-5)


def test_a_scale_is_seen_in_size_and_in_lengths_and_not_in_angles(faulty, comparison):
    seen = see_differences(comparison.effects, comparison.layout)
    (subject,) = (subject for kind, subject, _ in faulty.planted if kind == "scale")
    place = subject.replace(" on ", " · ")
    at_place = {item.about for item in seen if item.place == place}
    assert {SIZE, "S_N"} <= at_place
    angles = {
        name for name, unit in zip(comparison.census.measures, comparison.census.units, strict=True) if unit == "deg"
    }
    assert at_place & angles == set()
    (size,) = (item for item in seen if item.about == SIZE)
    assert size.value == pytest.approx(np.log(1.03), abs=3 * size.error)


def test_undated_films_take_no_part_in_drift(faulty, comparison):
    (site,) = (subject for kind, subject, about in faulty.planted if about == "undated")
    drifts = see_drifts(comparison.census, comparison.effects, comparison.layout)
    assert not any(item.place.startswith(site) for item in drifts)
