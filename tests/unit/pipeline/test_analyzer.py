from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from cephstd.audit.verifier import verify
from cephstd.core.devices import DeviceProfile
from cephstd.core.image import Calibration, state_calibration
from cephstd.core.measures import Uncertainty
from cephstd.core.recipe import Budget
from cephstd.errors import BudgetExceededError, CalibrationError, InputError, UnknownAnalysisError
from cephstd.inference.catalog import bundled_models
from cephstd.io.reader import read
from cephstd.pipeline.analyzer import Analyzer, analyze
from cephstd.pipeline.intake import read_film
from cephstd.pipeline.replayer import replay

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import dicom_film

NOW = "2025-04-16T09:30:00Z"


def test_analysis_holds_every_stage_and_its_record(oracle, recipe, film_file):
    done = Analyzer(recipe)(film_file, created=NOW)
    assert done.normal.source == done.film.source == done.record.content.source
    assert done.marks.landmarks == done.record.content.landmarks
    assert done.values.analysis == "steiner"
    assert done.record.content.measures[0].id == done.values.measures[0].id
    assert verify(done.record, source=film_file).level == "intact"


def test_analyze_is_one_call_of_an_analyzer(oracle, stated, film_file):
    record = analyze(film_file, recipe=stated, created=NOW)
    assert record == Analyzer(stated)(film_file, created=NOW).record


def test_recipe_reaches_the_detector(oracle, recipe, film_file):
    folder = bundled_models()
    Analyzer(msgspec.structs.replace(recipe, min_score=0.25), device="cpu", models=folder, threads=3)
    made = {"model": "oracle", "device": "cpu", "models": folder, "threads": 3, "min_score": 0.25}
    assert oracle.made == [made | {"accepted_licences": (), "strict_device": False}]


def test_without_a_scale_every_length_is_absent_and_angles_are_there(oracle, recipe, film_file):
    done = Analyzer(recipe)(film_file, created=NOW)
    lengths = [measure for measure in done.values if measure.unit == "mm"]
    assert done.values["SNA"].is_present
    assert lengths
    assert not any(measure.is_present for measure in lengths)


def test_scale_of_the_recipe_replaces_the_files_own(oracle, stated, film_file):
    done = Analyzer(stated)(film_file, created=NOW)
    assert done.film.calibration.basis == "user_stated"
    assert done.normal.calibration.spacing_mm == (0.5, 0.5)
    assert done.record.content.calibration == done.normal.calibration


def test_callers_scale_replaces_the_files_own(oracle, recipe, film_file):
    ruler = Calibration(basis="user_ruler", row_mm=0.4, column_mm=0.4)
    assert Analyzer(recipe)(film_file, created=NOW, calibration=ruler).record.content.calibration == ruler


def test_scale_stated_twice_must_be_the_same(oracle, stated, film_file):
    analyzer = Analyzer(stated)
    same = state_calibration(0.5, source="--mm-per-px")
    assert analyzer(film_file, created=NOW, calibration=same).record.content.calibration == same
    with pytest.raises(CalibrationError, match="once"):
        analyzer(film_file, created=NOW, calibration=state_calibration(0.4))


def test_bytes_arrays_and_films_are_accepted(oracle, recipe, film_file, pixels):
    analyzer = Analyzer(recipe)
    by_path = analyzer(film_file, created=NOW).record
    assert analyzer(film_file.read_bytes(), created=NOW).record == by_path
    assert analyzer(read(film_file), created=NOW).record == by_path
    by_array = analyzer(pixels, created=NOW).record.content
    assert by_array.source.format == "array"
    assert by_array.landmarks == by_path.content.landmarks


def test_budget_of_the_recipe_holds(oracle, recipe, film_file):
    small = msgspec.structs.replace(recipe, budget=Budget(max_pixels=100))
    with pytest.raises(BudgetExceededError):
        Analyzer(small)(film_file, created=NOW)


def test_time_without_a_zone_is_refused(oracle, recipe, film_file):
    with pytest.raises(InputError, match="zone"):
        Analyzer(recipe)(film_file, created="2025-04-16T09:30:00")


def test_unknown_analysis_is_refused_before_any_film(oracle, recipe):
    with pytest.raises(UnknownAnalysisError):
        Analyzer(msgspec.structs.replace(recipe, analysis="stiener"))


def test_predecessor_is_named(oracle, recipe, film_file):
    first = analyze(film_file, recipe=recipe, created=NOW)
    second = analyze(film_file, recipe=recipe, created=NOW, previous=first)
    assert second.content.previous == first.record_digest


def test_threads_give_the_same_record(oracle, recipe, film_file):
    analyzer = Analyzer(recipe)
    with ThreadPoolExecutor(4) as pool:
        records = set(pool.map(lambda _: analyzer(film_file, created=NOW).record, range(12)))
    assert len(records) == 1


def test_film_as_read_is_not_read_again(film_file, recipe):
    film = read(film_file)
    assert read_film(film, recipe) is film


@pytest.fixture
def acme_film(tmp_path, pixels):
    path = tmp_path / "film.dcm"
    path.write_bytes(dicom_film(pixels, Manufacturer="ACME", ManufacturerModelName="C1", ImagerPixelSpacing=[0.2, 0.2]))
    return path


def test_scale_of_the_device_goes_before_the_recipes_and_the_files(oracle, stated, acme_film):
    said = {"version": "1", "source": "phantom", "checked_by": "A. P.", "checked_on": "2026-01-15"}
    profiles = (
        DeviceProfile(id="other", model="C2", mm_per_px=0.3, **said),
        DeviceProfile(id="ours", model="c1", mm_per_px=0.25, relative_sd=0.02, **said),
    )
    recipe = msgspec.structs.replace(stated, devices=profiles)
    found = read_film(acme_film, recipe)
    assert found.calibration.spacing_mm == (0.25, 0.25)
    assert (found.calibration.basis, found.calibration.relative_sd) == ("user_stated", 0.02)
    assert found.calibration.sources == ("stated in device profile ours 1",)
    assert [text for text in found.warnings if "differ by" in text]
    assert read_film(read(acme_film), recipe).calibration == found.calibration
    others = msgspec.structs.replace(recipe, devices=profiles[:1])
    assert read_film(acme_film, others).calibration.spacing_mm == (0.5, 0.5)
    unstated = msgspec.structs.replace(others, mm_per_px=None)
    assert read_film(acme_film, unstated).calibration == read(acme_film).calibration


def test_analyzers_of_two_recipes_share_one_model(oracle, recipe, film_file):
    first = Analyzer(recipe)
    other = msgspec.structs.replace(recipe, mm_per_px=0.5, analysis="wits")
    assert first.with_recipe(other)(film_file, created=NOW).record == Analyzer(other)(film_file, created=NOW).record
    assert first(film_file, created=NOW).record.content.analysis == "steiner"
    with pytest.raises(InputError, match="same least score"):
        first.with_recipe(msgspec.structs.replace(recipe, min_score=0.7))


def test_the_recipe_says_how_uncertainty_is_obtained_and_who_chose_the_norms(oracle, stated, film_file):
    drawn = msgspec.structs.replace(
        stated,
        uncertainty=Uncertainty(method="monte-carlo", draws=500, seed=4),
        norms=("eastman",),
        norms_by="A. Reader",
    )
    record = Analyzer(drawn)(film_file, created=NOW).record
    anb = next(measure for measure in record.content.measures if measure.id == "ANB")
    assert (anb.sd_method, anb.linear) == ("monte-carlo", True)
    assert record.content.interpretation.norms_by == "A. Reader"
    assert record.content.recipe.uncertainty.seed == 4
    plain = Analyzer(stated)(film_file, created=NOW).record.content
    first = next(measure for measure in plain.measures if measure.id == "ANB")
    assert (first.sd_method, first.linear) == ("first-order", True)
    assert first.sd == pytest.approx(anb.sd, rel=0.15)
    assert first.sd != anb.sd
    assert replay(record, film_file).same_result
