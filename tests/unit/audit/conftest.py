"""A small film and what was found on it, with everything that a record has to refuse or keep."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cephstd.audit.keys import Signer, signer_from_seed
from cephstd.audit.recorder import record
from cephstd.audit.trust import Trust, load_trust
from cephstd.core.digest import digest_pixels
from cephstd.core.image import Device, Normalized, Quality, QualityFinding, Radiograph, Source, state_calibration
from cephstd.core.landmarks import LandmarkSet, ModelFacts, absent_landmark, place_landmark
from cephstd.core.measures import Measure, MeasureSet
from cephstd.core.recipe import Recipe
from cephstd.core.record import Record
from cephstd.core.steps import Chain, FlipX, Resize, Window

PIXELS = np.arange(48, dtype=np.uint8).reshape(6, 8)
FILE = b"the bytes of a film"
WEIGHTS = "sha256:" + "a" * 64


@pytest.fixture
def file_bytes() -> bytes:
    return FILE


@pytest.fixture
def film() -> Radiograph:
    from cephstd.core.digest import digest_bytes

    source = Source(
        format="dicom",
        file_sha256=digest_bytes(FILE),
        pixel_sha256=digest_pixels(PIXELS),
        decoder="pydicom 3.0.1",
        width_px=8,
        height_px=6,
        bits=8,
        byte_count=len(FILE),
        facts={"photometric": "MONOCHROME1"},
    )
    return Radiograph(
        pixels=PIXELS,
        source=source,
        calibration=state_calibration(0.1),
        device=Device(manufacturer="Maker", modality="DX", acquisition_date="2020-02-03"),
        inverted=True,
        age_years=12.3456,
        sex="F",
        warnings=("dim",),
    )


@pytest.fixture
def normal(film: Radiograph) -> Normalized:
    steps = (FlipX(), Resize(width=4, height=3), Window(low=1.0, high=40.0, method="quantile"))
    return Normalized(
        pixels=np.ones((3, 4), dtype=np.uint16),
        chain=Chain(source_size=(8, 6), steps=steps),
        spacing_mm=0.2,
        source=film.source,
        calibration=film.calibration,
        quality=Quality(verdict="limited", findings=(QualityFinding(name="contrast", value=0.2, unit="", ok=False),)),
        warnings=("dim", "tilted"),
    )


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(model="tiny", analysis="steiner")


@pytest.fixture
def marks() -> LandmarkSet:
    model = ModelFacts(
        name="tiny",
        version="1",
        scheme="isbi19",
        weights_sha256=WEIGHTS,
        licence_code="Apache-2.0",
        licence_weights="research-only",
        licence_data="research-only",
        intended_use="Research.",
        provider_requested="auto",
        provider_ran="CPUExecutionProvider",
    )
    landmarks = (
        place_landmark("S", 1.25, 2.5, state="detected", score=0.9, covariance_px2=[[2, 0.5], [0.5, 1]]),
        place_landmark("N", 6.0, 2.0, state="detected", score=0.8, covariance_px2=[[1, 0], [0, 1]]),
        absent_landmark("Pog", "low_confidence", score=0.1),
    )
    return LandmarkSet(landmarks=landmarks, scheme="isbi19", model=model, warnings=("one withheld",))


@pytest.fixture
def values() -> MeasureSet:
    measures = (
        Measure(id="S-N", definition_version=1, unit="mm", value=0.477624010250, sd=0.012345678, inputs=("S", "N")),
        Measure(id="SNPog", definition_version=1, unit="deg", reason="missing: Pog", inputs=("S", "N", "Pog")),
    )
    return MeasureSet(analysis="steiner", measures=measures)


# Keys of tests: their seeds are public, so that nobody could mistake one for a secret.
def make_signer(name: str) -> Signer:
    return signer_from_seed(hashlib.sha256(f"a key that only tests know: {name}".encode()).digest())


def write_trust(*names: str, more: str = "", **times: str) -> bytes:
    """A trust file with the named keys, each for records and logs."""
    lines = ['schema = "cephstd.trust/1"', more]
    for name in names:
        facts = {"valid_from": "2025-01-01T00:00:00Z"} | {
            key.removeprefix(f"{name}_"): value for key, value in times.items() if key.startswith(f"{name}_")
        }
        lines += ["[[keys]]", f'name = "{name}"', f'public_key = "{make_signer(name).public_key}"']
        facts = {"uses": '["records", "log"]'} | facts
        lines += [f"{key} = {value}" for key, value in facts.items()]
    return "\n".join(lines).encode()


@pytest.fixture
def sealed(film, normal, marks, values, recipe) -> Record:
    return record(film, normal, marks, values, recipe=recipe, created="2025-04-16T09:30:00Z")


@pytest.fixture
def signer() -> Callable[[str], Signer]:
    """Name -> signer with a key of that name."""
    return make_signer


@pytest.fixture
def trust_text() -> Callable[..., bytes]:
    return write_trust


@pytest.fixture
def trusting() -> Callable[..., Trust]:
    """As `trust_text`, read."""
    return lambda *names, **facts: load_trust(write_trust(*names, **facts))


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A time-stamping authority of our own, by openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from timestamp_authority import Authority

    return Authority(tmp_path_factory.mktemp("authority"))
