from __future__ import annotations

import numpy as np
import pytest

from cephstd.errors import InputError
from cephstd.imaging.tone import standard_tone
from cephstd.training.config import NetworkConfig, load_config
from cephstd.training.dataset import canvas_matrix, load_films, split_films


def test_labels_lie_on_their_blobs(training_set, draw_blob):
    """Half-size films: x_film = x_label / 2 - 0.25, aliases applied, the other annotator ignored."""
    films = load_films(load_config(training_set()))
    assert [film.image_id for film in films] == ["0", "1", "2", "3"]
    for film in films:
        small, large = film.points_px

        def likeness(shift, film=film, small=small, large=large):
            drawn = draw_blob((64, 80), *(small + shift)) + draw_blob((64, 80), *(large + shift), sigma=4.0)
            toned = standard_tone(np.rint(np.clip(drawn, 0, 1) * 255).astype(np.uint8))
            return np.corrcoef(film.pixels.ravel(), toned.ravel())[0, 1]

        assert max((-0.5, -0.25, 0.0, 0.25, 0.5), key=likeness) == 0.0
        assert likeness(0.0) > 0.99


def test_a_missing_label_is_nan(training_set, tmp_path):
    path = training_set()
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "".join(line for line in labels.read_text().splitlines(True) if not line.startswith("2,train,mean,A"))
    )
    film = load_films(load_config(path))[2]
    assert np.isnan(film.points_px[0]).all()
    assert np.isfinite(film.points_px[1]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("Bee", "Sea"), "Sea"),
        (lambda text: text.replace("x_px", "x"), "x_px"),
        (lambda text: text.replace("train", "test"), "no row"),
        (lambda text: text + "9,train,mean,A,1,1\n", "9.png"),
        (lambda text: text + "0,train,mean,A,one,1\n", "one"),
    ],
)
def test_bad_labels_are_input_errors(training_set, tmp_path, change, message):
    path, labels = training_set(), tmp_path / "labels.csv"
    labels.write_text(change(labels.read_text()))
    with pytest.raises(InputError, match=message):
        load_films(load_config(path))


def test_each_film_is_held_out_once(training_set):
    films = load_films(load_config(training_set()))
    divisions = [split_films(films, 2, fold, seed=3) for fold in range(2)]
    assert sorted(film.image_id for _, held in divisions for film in held) == ["0", "1", "2", "3"]
    assert all(not {f.image_id for f in kept} & {f.image_id for f in held} for kept, held in divisions)
    assert [f.image_id for f in split_films(films, 2, 0, seed=3)[1]] == [f.image_id for f in divisions[0][1]]
    assert split_films(films, 5, -1, seed=3) == (films, [])


def test_a_film_lies_centred_on_the_canvas():
    matrix = canvas_matrix((967, 1200), 0.2, NetworkConfig())
    corners = np.array([[-0.5, -0.5, 1.0], [966.5, 1199.5, 1.0]]) @ matrix.T
    # 967 px of 0.2 mm are 580.2 canvas pixels: 2.1 stick out on either side; the height fits exactly
    np.testing.assert_allclose(corners, [[-0.5 - 2.1, -0.5], [575.5 + 2.1, 719.5]], atol=1e-9)
