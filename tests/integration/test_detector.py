"""The detector on a graph whose answer is known."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from cephstd.core.image import UNDETERMINED, Normalized, Quality, Source, state_calibration
from cephstd.core.steps import Chain, FlipX
from cephstd.errors import (
    InferenceError,
    LicenceError,
    ModelError,
    ModelIntegrityError,
    ModelUnavailable,
    ProviderError,
    UnknownModelError,
)
from cephstd.inference.catalog import load_catalog
from cephstd.inference.detector import Detector, detect
from cephstd.inference.notice import log_terms

sys.path.insert(0, str(Path(__file__).parent))
from tiny_model import write_model_with_prior, write_tiny_model


def normal_with_spot(
    x: float, y: float, *, size: tuple[int, int] = (128, 160), spacing_mm: float | None = None, flip: bool = False
) -> Normalized:
    """A dark standard image with one round bright spot centred on (x, y) of the standard image."""
    ys, xs = np.mgrid[: size[1], : size[0]]
    spot = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * 3.0**2))
    source = Source(
        format="array",
        file_sha256="",
        pixel_sha256="sha256:0",
        decoder="none",
        width_px=size[0],
        height_px=size[1],
        bits=16,
    )
    return Normalized(
        pixels=(spot * 60000).astype(np.uint16),
        chain=Chain(source_size=size, steps=(FlipX(),) if flip else ()),
        spacing_mm=spacing_mm,
        source=source,
        calibration=UNDETERMINED if spacing_mm is None else state_calibration(spacing_mm),
        quality=Quality(verdict="diagnostic"),
    )


ACCEPTED = ("Apache-2.0",)


def tiny(models: Path, **options) -> Detector:
    """The tiny model, its licence accepted."""
    return Detector("tiny", models=models, accepted_licences=ACCEPTED, **options)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path)


def test_points_come_back_in_source_pixels(models: Path) -> None:
    # the film is twice the canvas: canvas pixel 20 covers source pixels 40 and 41, its centre lies at 40.5
    marks = tiny(models)(normal_with_spot(40.5, 60.5))
    assert marks.ids == ("S", "N", "A")
    assert (marks["S"].x_px, marks["S"].y_px) == (40.5, 60.5)
    assert (marks["N"].x_px, marks["N"].y_px) == (52.5, 60.5)
    assert (marks["A"].x_px, marks["A"].y_px) == (40.5, 78.5)


def test_mirrored_films_are_mapped_back(models: Path) -> None:
    marks = tiny(models)(normal_with_spot(40.5, 60.5, flip=True))
    assert (marks["S"].x_px, marks["S"].y_px) == (127 - 40.5, 60.5)
    assert marks["N"].x_px == 127 - 52.5
    assert marks["S"].cov_xy == -2.0 * 4.0


def test_a_calibrated_film_is_scaled_to_the_contract_and_centred(models: Path) -> None:
    # 0.5 mm/px film on a 1 mm/px canvas: half size, 32 x 40, at offset (16, 20)
    marks = tiny(models)(normal_with_spot(20.5, 30.5, size=(64, 80), spacing_mm=0.5))
    assert (marks["S"].x_px, marks["S"].y_px) == (20.5, 30.5)
    assert marks["N"].x_px == 20.5 + 12


def test_covariance_is_scaled_by_landmark_and_by_pixel_size(models: Path) -> None:
    marks = tiny(models)(normal_with_spot(40.5, 60.5))
    assert (marks["S"].cov_xx, marks["S"].cov_xy, marks["S"].cov_yy) == (4 * 2 * 4, 4 * 2 * 1, 4 * 2 * 2)
    assert (marks["N"].cov_xx, marks["N"].cov_yy) == (16, 8)


def test_the_doubt_of_every_film_is_added_after_the_scale(models: Path) -> None:
    marks = tiny(models)(normal_with_spot(40.5, 60.5))
    assert (marks["A"].cov_xx, marks["A"].cov_xy, marks["A"].cov_yy) == (16 + 4 * 3, 4 - 4 * 0.5, 8 + 4 * 1)


def test_points_that_fall_outside_the_film_are_absent(models: Path) -> None:
    marks = detect(normal_with_spot(124.5, 150.5), model="tiny", models=models, accepted_licences=ACCEPTED)
    assert marks["S"].is_present
    assert marks["N"].state == "absent"
    assert marks["N"].x_px is None
    assert marks["N"].reason == "outside the image"
    assert marks["A"].reason == "outside the image"


def test_points_of_low_score_are_withheld(models: Path) -> None:
    marks = tiny(models, min_score=0.95)(normal_with_spot(40.5, 60.5))
    assert {mark.reason for mark in marks} == {"low_confidence"}
    assert not marks.present
    assert marks["S"].score == 0.9


def test_provisional_landmarks_stay_marked(models: Path) -> None:
    marks = tiny(models)(normal_with_spot(40.5, 60.5))
    assert [mark.review for mark in marks] == ["none", "none", "provisional"]


def test_the_provider_that_ran_is_read_back(models: Path) -> None:
    facts = tiny(models, device="cpu").model_facts
    assert facts.provider_requested == "cpu"
    assert facts.provider_ran == "CPUExecutionProvider"


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_auto_falls_back_unless_strict(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU provider that ONNX Runtime offers and cannot load, as without a driver."""
    offered = ("CUDAExecutionProvider", "CPUExecutionProvider")
    monkeypatch.setattr("cephstd.inference.session.available_providers", lambda: offered)
    assert tiny(models).model_facts.provider_ran == "CPUExecutionProvider"
    for choice in ({"strict_device": True}, {"device": "cuda"}):
        with pytest.raises(ProviderError, match="Expected CUDAExecutionProvider to run, found CPU"):
            tiny(models, **choice)
    assert tiny(models, device="cpu", strict_device=True).model_facts.provider_ran == "CPUExecutionProvider"


def test_the_terms_are_logged_once_in_a_process(models: Path, caplog: pytest.LogCaptureFixture) -> None:
    log_terms.cache_clear()
    with caplog.at_level("INFO", logger="cephstd"):
        tiny(models)
        tiny(models)
    told = [record for record in caplog.records if record.name == "cephstd"]
    (entry,) = load_catalog(models).entries
    assert [record.getMessage() for record in told] == [
        f"Not a medical device. Model tiny {entry.version}: weights {entry.licence_weights}."
    ]


def test_one_detector_serves_many_threads(models: Path) -> None:
    detector = tiny(models, threads=1)
    films = [normal_with_spot(20.5 + 2 * i, 60.5) for i in range(16)]
    with ThreadPoolExecutor(4) as pool:
        found = [marks["S"].x_px for marks in pool.map(detector, films)]
    assert found == [20.5 + 2 * i for i in range(16)]


def test_an_unknown_model_is_named_with_the_known_ones(models: Path) -> None:
    with pytest.raises(UnknownModelError, match=r"tiny.*'tinny'"):
        Detector("tinny", models=models, accepted_licences=ACCEPTED)


def test_absent_weights_are_unavailable_not_wrong(models: Path) -> None:
    (models / "tiny.onnx").unlink()
    with pytest.raises(ModelUnavailable, match=r"tiny\.onnx"):
        tiny(models)


def test_other_weights_are_refused(models: Path) -> None:
    data = bytearray((models / "tiny.onnx").read_bytes())
    data[-1] ^= 1
    (models / "tiny.onnx").write_bytes(bytes(data))
    with pytest.raises(ModelIntegrityError):
        tiny(models)


def test_an_unknown_device_names_what_there_is(models: Path) -> None:
    with pytest.raises(ProviderError, match="CPUExecutionProvider"):
        tiny(models, device="abacus")


def test_a_model_that_answers_nan_is_refused(tmp_path: Path) -> None:
    models = write_tiny_model(tmp_path, points=np.full((3, 2), np.nan))
    with pytest.raises(InferenceError, match="finite numbers"):
        tiny(models)(normal_with_spot(40.5, 60.5))


def test_a_score_above_one_is_refused(tmp_path: Path) -> None:
    models = write_tiny_model(tmp_path, score=1.5)
    with pytest.raises(InferenceError, match="scores"):
        tiny(models)(normal_with_spot(40.5, 60.5))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"tiny.onnx"', '"../tiny.onnx"'), "plain file names"),
        (("min_score = 0.5", "min_scores = 0.5"), "min_scores"),
        (('provisional = ["A"]', 'provisional = ["Q"]'), "Q"),
        (("bytes =", "bytes = x"), "not valid"),
    ],
)
def test_a_broken_manifest_is_refused(models: Path, change: tuple[str, str], message: str) -> None:
    manifest = models / "manifest.toml"
    manifest.write_text(manifest.read_text().replace(*change, 1))
    with pytest.raises(ModelError, match=message):
        load_catalog(models)


def test_a_folder_without_manifest_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"manifest\.toml"):
        load_catalog(tmp_path)


def test_added_model_needs_its_licence_accepted(models):
    with pytest.raises(LicenceError, match=r"Apache-2\.0"):
        Detector("tiny", models=models)
    with pytest.raises(LicenceError, match="not accepted"):
        detect(normal_with_spot(124.5, 150.5), model="tiny", models=models, accepted_licences=("MIT",))


def test_points_that_no_face_has_are_absent_and_the_warning_names_them(tmp_path: Path) -> None:
    """The tiny graph answers with a head of which one point lies where no head has it."""
    write_model_with_prior(tmp_path)
    normal = normal_with_spot(40.5, 60.5)
    marks = tiny(tmp_path)(normal)
    assert {mark.id: mark.reason for mark in marks if not mark.is_present} == {"Go": "low_confidence"}
    assert marks["Go"].score == 0.9
    assert len(marks.warnings) == 1
    assert "no face" in marks.warnings[0]
    assert "Go" in marks.warnings[0]
    low = tiny(tmp_path, min_score=0.95)(normal)
    assert not low.present
    assert low.warnings[0].startswith("Withheld for a score below 0.95: S 0.90, N 0.90")
    (tmp_path / "tiny.shape.json").unlink()
    with pytest.raises(ModelUnavailable, match=r"shape prior of tiny"):
        tiny(tmp_path)
