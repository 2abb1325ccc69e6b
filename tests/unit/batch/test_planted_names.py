"""A name is planted in every place that a film and its surroundings have, and looked for in all that a run leaves.

Records are searched in tests/unit/pipeline/test_identity.py, de-identified films in tests/unit/io/test_deidentify.py.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from cephstd.audit.ledger import Ledger
from cephstd.batch.planner import plan_batch
from cephstd.batch.results import LOCAL
from cephstd.batch.runner import run_batch
from cephstd.core.image import UNDETERMINED, Radiograph
from cephstd.core.landmarks import LandmarkSet, place_landmark
from cephstd.errors import CephError
from cephstd.io.reader import read
from cephstd.plot.overlays import draw_png, overlay

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import dicom_film, encode, png_chunk

PLANT = "PLANTED"
UID = "1.2.3.4.987654321"
FREE_TEXT = ("StudyDescription", "SeriesDescription", "ImageComments", "PatientComments", "AdditionalPatientHistory")


def picture(number: int = 0) -> np.ndarray:
    y, x = np.mgrid[0:60, 0:48]
    pixels = (100 + 40 * np.sin(x / 11 + number) + 40 * np.cos(y / 9)).astype(np.uint8)
    pixels[20 + number, 20] = 255
    return pixels


def in_tags() -> dict[str, bytes]:
    tags = {"PatientName": f"{PLANT}^JANE", "PatientID": f"{PLANT}1", "ReferringPhysicianName": f"{PLANT}^DOC"}
    return {"a.dcm": dicom_film(picture(), **tags)}


def in_serials() -> dict[str, bytes]:
    tags = ("DeviceSerialNumber", "StationName", "DetectorID", "PlateID", "CassetteID", "GantryID")
    return {"a.dcm": dicom_film(picture(), **dict.fromkeys(tags, PLANT))}


def in_uids() -> dict[str, bytes]:
    tags = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID", "DeviceUID")
    return {"a.dcm": dicom_film(picture(), **dict.fromkeys(tags, UID))}


def in_free_text() -> dict[str, bytes]:
    png = encode(".png", picture(1))
    jpeg = encode(".jpg", picture(2))
    comment = b"\xff\xfe" + (len(PLANT) + 2).to_bytes(2, "big") + PLANT.encode()
    return {
        "a.dcm": dicom_film(picture(), **dict.fromkeys(FREE_TEXT, PLANT)),
        "b.png": png[:33] + png_chunk(b"tEXt", b"Author\0" + PLANT.encode()) + png[33:],
        "c.jpg": jpeg[:2] + comment + jpeg[2:],
    }


def in_overlay_planes() -> dict[str, bytes]:
    from film_files import dicom_bytes, dicom_set

    dataset = dicom_set(picture())
    dataset.add_new(0x60000022, "LO", PLANT)
    dataset.add_new(0x60001500, "LO", PLANT)
    dataset.add_new(0x60003000, "OW", (PLANT + "!").encode())
    return {"a.dcm": dicom_bytes(dataset)}


def in_file_stems() -> dict[str, bytes]:
    return {f"{PLANT}-DIR/{PLANT}-1.png": encode(".png", picture()), f"{PLANT}-2.png": encode(".png", picture(3))}


def in_a_film_that_fails() -> dict[str, bytes]:
    damaged = dicom_film(picture(), PatientName=PLANT, StudyInstanceUID=UID)[:-500]
    other = dicom_film(picture(), PatientName=PLANT, Modality="CT", StudyDescription=PLANT)
    return {f"{PLANT}.dcm": damaged, f"{PLANT}-ct.dcm": other, "good.png": encode(".png", picture())}


def in_an_archive() -> dict[str, bytes]:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.comment = PLANT.encode()
        packed.writestr(f"{PLANT}/{PLANT}.png", encode(".png", picture()))
    return {f"{PLANT}.zip": out.getvalue()}


PLACES = (
    in_tags, in_serials, in_uids, in_free_text, in_overlay_planes, in_file_stems, in_a_film_that_fails, in_an_archive,
)  # fmt: skip


def written(out: Path) -> str:
    """All that a run leaves for others, unpacked; its own folder of paths stays on the machine."""
    parts = []
    for path in sorted(out.rglob("*")):
        if not path.is_file() or LOCAL in path.relative_to(out).parts:
            continue
        parts.append(path.relative_to(out).as_posix())
        if path.suffix == ".parquet":
            parts.append(str(pl.read_parquet(path).to_dicts()))
        else:
            parts.append(path.read_bytes().decode("latin-1"))
    return "\n".join(parts)


@pytest.fixture
def archive(tmp_path) -> Path:
    """Every place in a folder of its own, which bears the name, too."""
    top = tmp_path / "archive"
    for place in PLACES:
        for name, data in place().items():
            path = top / f"{PLANT}-{place.__name__}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return top


def test_no_name_is_left_by_a_run(archive, tmp_path, recipe, models, clock):
    told: list = []
    log, said = io.StringIO(), io.StringIO()
    listener = logging.StreamHandler(log)
    logging.getLogger().addHandler(listener)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        summary = run_batch(
            plan_batch([archive], recipe=recipe),
            tmp_path / "out",
            clock=clock,
            models=models,
            workers=1,
            tell=told.append,
        )
    logging.getLogger().removeHandler(listener)
    assert summary.counts["done"] >= 4
    assert sum(count for status, count in summary.counts.items() if status != "done") >= 2
    left = written(tmp_path / "out") + repr(told) + log.getvalue() + said.getvalue()
    assert len(left) > 1000
    for trace in (PLANT, UID, "JANE", str(archive)):
        at = left.lower().find(trace.lower())
        assert at < 0, left[max(0, at - 80) : at + 80]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_no_name_is_in_a_film_or_a_message(place):
    for data in place().values():
        try:
            film = read(data)
            said = repr((film, film.source, film.device, film.calibration, film.warnings))
        except CephError as error:
            said = f"{error!r} {error} {error.hint}"
        assert PLANT not in said
        assert UID not in said


def test_no_name_burnt_into_the_film_is_in_its_picture():
    rng = np.random.default_rng(3)
    ground = np.clip(cv2.resize(rng.random((5, 4)), (400, 480)) * 60 + 60 + rng.normal(0, 2, (480, 400)), 0, 255)
    ground = ground.astype(np.uint8)
    named = cv2.putText(ground.copy(), "DOE JANE", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 250, 2)
    marks = LandmarkSet(landmarks=(place_landmark("S", 200, 300, state="detected", score=0.9),), scheme="isbi19")
    pictures = []
    for pixels in (ground, named):
        film: Radiograph = read(pixels, calibration=UNDETERMINED)
        pictures.append(overlay(film, marks).axes[0].images[0].get_array().astype(int))
    assert np.abs(pictures[0] - pictures[1]).max() < 60  # letters stand out by 150
    chunks = re.findall(rb"(?:tEXt|iTXt|zTXt)([^\0]*)\0", draw_png(overlay(film, marks)))
    assert chunks == [b"Software"]


@pytest.mark.parametrize(
    "url",
    [
        f"nosuch://{PLANT}:{PLANT}@host/{PLANT}",
        f"postgresql+psycopg://{PLANT}:{PLANT}@127.0.0.1:1/{PLANT}?connect_timeout=1",
        f"://{PLANT}",
    ],
)
def test_no_part_of_a_database_url_is_in_a_message(url):
    with pytest.raises(CephError) as caught:
        Ledger(url, name="log")
    assert PLANT not in str(caught.value) + caught.value.hint


def test_the_plants_would_be_found():
    """The files do hold what is looked for: a search that finds nothing anywhere proves nothing."""
    for place in PLACES:
        everything = " ".join(place()) + b"".join(place().values()).decode("latin-1")
        assert PLANT in everything or UID in everything, place.__name__
