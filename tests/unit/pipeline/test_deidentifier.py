from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from cephstd.errors import DefinitionError, InputError
from cephstd.io.reader import read
from cephstd.pipeline.deidentifier import deidentify, judge_text, save_deidentified

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import SC, dicom_film, encode, png_chunk

KEY = b"a secret of at least sixteen bytes"


@pytest.fixture
def film() -> np.ndarray:
    rng = np.random.default_rng(3)
    cloud = cv2.resize(rng.random((5, 4)), (600, 500), interpolation=cv2.INTER_CUBIC) * 60 + 60
    return np.clip(cloud + rng.normal(0, 2, cloud.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def named(film) -> np.ndarray:
    return cv2.putText(film.copy(), "DOE JANE 4711", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 250, 2)


def test_words_in_a_dicom_film_are_covered_and_the_film_is_called_clean(named, film):
    done = deidentify(dicom_film(named, sop_class=SC, BurnedInAnnotation="YES"), key=KEY)
    out = pydicom.dcmread(BytesIO(done.data))
    assert (done.format, done.pixels, done.masked, out.BurnedInAnnotation) == ("dicom", "clean", 1, "NO")
    assert "113101" in done.options
    assert out.pixel_array.max() <= film.max()
    assert np.array_equal(out.pixel_array[100:], film[100:])


def test_a_file_that_says_words_are_burnt_in_and_shows_none_stays_unsure(film):
    done = deidentify(dicom_film(film, BurnedInAnnotation="YES"), key=KEY)
    assert done.pixels == "unsure"
    assert "113101" not in done.options
    assert pydicom.dcmread(BytesIO(done.data)).BurnedInAnnotation == "YES"


@pytest.mark.parametrize(
    ("stated", "state"), [("NO", "clean"), ("detector", "clean"), ("", "unsure"), ("YES", "unsure")]
)
def test_without_words_the_statement_decides(film, stated, state):
    assert judge_text(film, stated).state == state


def test_words_over_the_head_are_left_and_said(film):
    rng = np.random.default_rng(1)
    film[120:400, 100:500] = cv2.resize(rng.random((7, 10)) * 160, (400, 280), interpolation=cv2.INTER_CUBIC).clip(
        0, 200
    )
    film = cv2.putText(film, "DOE JANE", (170, 260), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 2)
    judged = judge_text(film, "NO")
    assert judged.state == "unsure"
    assert np.array_equal(judged.mask(film), film)


def test_other_pictures_keep_their_samples_alone(film):
    png = encode(".png", film)
    text = png_chunk(b"tEXt", b"Author\0PLANTED")
    done = deidentify(png[:33] + text + png[33:], key=KEY)
    assert b"PLANTED" not in done.data
    assert done.format == "png"
    assert np.array_equal(read(done.data).pixels, film)
    assert done.pixels == "unsure"
    assert any("not anonymous" in warning for warning in done.warnings)


def test_name_follows_content_and_key(named):
    data = encode(".png", named)
    assert deidentify(data, key=KEY).name == deidentify(data, key=KEY).name
    assert deidentify(data, key=KEY).name != deidentify(data, key=KEY[::-1]).name


def test_original_is_never_overwritten(named, tmp_path):
    done = deidentify(encode(".png", named), key=KEY)
    place = tmp_path / done.name
    place.write_bytes(encode(".png", named))
    with pytest.raises(InputError, match="original"):
        save_deidentified(done, tmp_path, source=place)
    assert save_deidentified(done, tmp_path).read_bytes() == done.data


def test_unknown_preset_is_refused(named):
    with pytest.raises(DefinitionError, match="other"):
        deidentify(encode(".png", named), key=KEY, preset="other")
