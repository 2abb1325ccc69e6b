"""Sets of several layouts in one training: one scale, faces to the right, points that a set lacks without a label."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from cephstd.errors import InputError
from cephstd.training.config import load_config
from cephstd.training.dataset import faces_left, load_films, read_sets
from cephstd.training.stack import read_stack

sys.path.insert(0, str(Path(__file__).parents[2]))
from layout_sets import write_aariz

HEAD = """
[data]
landmarks = {landmarks}
spacing_mm = 1.0
[[data.source]]
layout = "aariz"
folder = "Aariz"
splits = ["train"]
{more}
[optimizer]
epochs = 1
[run]
folder = "run"
"""
WIDE = """
[[data.source]]
layout = "wide-csv"
folder = "own"
spacing_mm = 0.5
"""


@pytest.fixture
def drawn(tmp_path, rng):
    return write_aariz(tmp_path / "Aariz", rng, films={"train": 2}, spacings_mm=(0.5, 1.0))


@pytest.fixture
def write(tmp_path):
    """Writes a configuration and gives it loaded."""

    def write(landmarks=("S", "N"), more=""):
        (tmp_path / "t.toml").write_text(HEAD.format(landmarks=list(landmarks), more=more))
        return load_config(tmp_path / "t.toml")

    return write


def write_own(tmp_path, text):
    (tmp_path / "own" / "films").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "own/films/a.png"), np.tile(np.arange(40, dtype=np.uint8), (60, 1)))
    (tmp_path / "own/labels.csv").write_text(text)


def test_films_of_other_scales_are_brought_to_one(drawn, write):
    fine, coarse = load_films(write())
    assert fine.pixels.shape == coarse.pixels.shape == (240, 194)
    for film, spacing in ((fine, 0.5), (coarse, 1.0)):
        for point, id in zip(film.points_px, ("S", "N"), strict=True):
            expected = (np.array(drawn[film.image_id].landmarks_px[id]) + 0.5) * spacing - 0.5
            np.testing.assert_allclose(point, expected, atol=1e-6)


def test_a_point_that_a_set_lacks_is_not_labelled_there(drawn, write, tmp_path):
    write_own(tmp_path, "image_id,S_x,S_y,U1A_x,U1A_y\na,9,20,30,50\n")
    films = load_films(write(("S", "N", "U1A"), WIDE))
    assert [film.image_id for film in films] == ["aariz/train0", "aariz/train1", "wide-csv/a"]
    assert np.isnan(films[0].points_px).all(axis=1).tolist() == [False, False, True]
    assert np.isnan(films[2].points_px).all(axis=1).tolist() == [False, True, False]
    np.testing.assert_allclose(films[2].points_px[2], [14.75, 24.75])


def test_a_landmark_that_no_label_teaches_is_refused_with_the_reason(drawn, write, tmp_path):
    (tmp_path / "gt").mkdir()
    with pytest.raises(InputError, match=r"U1A \(no film has it\)"):
        read_sets(write(("S", "U1A")))
    with pytest.raises(InputError, match=r"N \(left out by the configuration\)"):
        read_sets(write(("S", "N"), 'leave_out = ["N"]'))


def test_a_face_to_the_left_is_turned_with_its_points(drawn, write, tmp_path):
    write_own(tmp_path, "image_id,S_x,S_y,N_x,N_y\na,29,20,9,20\n")
    film = load_films(write(more=WIDE))[2]
    # 40 px of 0.5 mm become 20 of 1 mm: S at 14.25, from the other side at 19 - 14.25
    np.testing.assert_allclose(film.points_px, [[4.75, 9.75], [14.75, 9.75]])
    assert film.pixels[5, 0] > film.pixels[5, -1]
    assert not faces_left({"S": (1.0, 1.0)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[[data.source]]\nlayout", 'labels = "l.csv"\n[[data.source]]\nlayout'), "go together"),
        (('[[data.source]]\nlayout = "aariz"\nfolder = "Aariz"\nsplits = ["train"]', ""), "source"),
        (('"aariz"', '"aariz"\nformat = "x"'), "format"),
    ],
)
def test_a_configuration_without_films_is_refused(write, tmp_path, change, message):
    write()
    path = tmp_path / "t.toml"
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(InputError, match=message):
        load_config(path)


def write_stack(path, films, *, deflated, kind="MET_UCHAR"):
    count, height, width, channels = films.shape
    head = (
        f"ObjectType = Image\nNDims = 3\nCompressedData = {deflated}\nDimSize = {width} {height} {count}\n"
        f"ElementNumberOfChannels = {channels}\nElementType = {kind}\nElementDataFile = LOCAL\n"
    )
    data = films.tobytes()
    path.write_bytes(head.encode() + (zlib.compress(data) if deflated else data))


@pytest.mark.parametrize("deflated", [False, True])
def test_a_stack_is_read_film_by_film_without_its_padding(tmp_path, rng, deflated):
    films = np.zeros((3, 30, 40, 3), np.uint8)
    films[0, :20, :40] = rng.integers(1, 255, (20, 40, 1))
    films[2, :30, :25] = rng.integers(1, 255, (30, 25, 1))
    write_stack(tmp_path / "s.mha", films, deflated=deflated)
    read = dict(read_stack(tmp_path / "s.mha", {0, 2}))
    np.testing.assert_array_equal(read[0], films[0, :20, :, 0])
    np.testing.assert_array_equal(read[2], films[2, :, :25, 0])


def test_a_stack_that_is_none_or_too_short_is_an_input_error(tmp_path):
    path = tmp_path / "s.mha"
    write_stack(path, np.ones((2, 4, 4, 1), np.uint8), deflated=False)
    path.write_bytes(path.read_bytes()[:-1])
    for places, message in (({1}, "ends before"), ({2}, "holds 2 films, the labels name film 3")):
        with pytest.raises(InputError, match=message):
            list(read_stack(path, places))
    write_stack(path, np.ones((1, 4, 4, 1), np.uint8), deflated=False, kind="MET_DOUBLE")
    with pytest.raises(InputError, match="8 or 16 bit"):
        list(read_stack(path, {0}))
    write_stack(path, np.ones((1, 4, 4, 1), np.uint8), deflated=True)
    path.write_bytes(path.read_bytes().partition(b"LOCAL\n")[0] + b"LOCAL\ndamaged data")
    with pytest.raises(InputError, match="damaged"):
        list(read_stack(path, {0}))


def test_films_of_a_stack_meet_their_labels(write, tmp_path, rng):
    films = np.zeros((2, 60, 80, 3), np.uint8)
    films[:, 1:50, 1:70] = rng.integers(30, 255, (2, 49, 69, 1))
    write_stack(tmp_path / "train_stack.mha", films, deflated=True)
    points = [
        f'{{"name": "{name}", "scale": "{scale}", "point": [{x}, 10, {film}]}}'
        for film, scale in ((1, 1.0), (2, 0.5))
        for name, x in ((1, 20), (2, 50))
    ]
    (tmp_path / "train-gt.json").write_text(f'{{"points": [{", ".join(points)}]}}')
    path = tmp_path / "t.toml"
    write()
    text = path.read_text().replace(
        'layout = "aariz"\nfolder = "Aariz"\nsplits = ["train"]', 'layout = "cl-detection-2023"'
    )
    path.write_text(text)
    first, second = load_films(load_config(path))
    assert first.pixels.shape == (50, 70)
    assert second.pixels.shape == (25, 35)
    assert first.points_px.tolist() == [[20.0, 10.0], [50.0, 10.0]]
    np.testing.assert_allclose(second.points_px, [[9.75, 4.75], [24.75, 4.75]])
