from __future__ import annotations

import cv2
import numpy as np
import pytest

from cephstd.errors import InputError
from cephstd.imaging.lettering import TextBox, find_burnt_in_text, mask_text
from cephstd.imaging.phantom import draw_phantom, draw_ruler

SIZE = (1000, 1200)


def ground(seed: int = 3) -> np.ndarray:
    """Cloudy grey with noise, as behind the face of a film."""
    rng = np.random.default_rng(seed)
    cloud = cv2.resize(rng.random((5, 4)), SIZE, interpolation=cv2.INTER_CUBIC) * 60 + 60
    return np.clip(cloud + rng.normal(0, 2, cloud.shape), 0, 255).astype(np.uint8)


def write(film: np.ndarray, text: str, at: tuple[int, int], *, scale: float = 1.0, value: int = 250) -> np.ndarray:
    return cv2.putText(film.copy(), text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, value, max(1, round(2 * scale)))


def covers(box: TextBox, left: int, top: int, right: int, bottom: int) -> bool:
    return box.left <= left and box.top <= top and box.right >= right and box.bottom >= bottom


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("dark", [False, True])
def test_words_are_found_and_covered(scale, dark):
    film = write(ground(), "DOE JANE 4711", (30, 60), scale=scale)
    film = 255 - film if dark else film
    boxes = find_burnt_in_text(film)
    (wide, high), _ = cv2.getTextSize("DOE JANE 4711", cv2.FONT_HERSHEY_SIMPLEX, scale, max(1, round(2 * scale)))
    assert len(boxes) == 1
    assert covers(boxes[0], 34, 62 - high, 26 + wide, 58)
    assert boxes[0].outside_head


def test_nothing_of_the_words_is_left_under_the_mask():
    clean = ground()
    film = write(clean, "DOE JANE 4711", (30, 60))
    masked = mask_text(film, find_burnt_in_text(film))
    assert masked.max() <= clean.max()
    assert np.array_equal(masked[200:], film[200:])


@pytest.mark.parametrize("turn", [cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE])
def test_turned_words_are_found(turn):
    film = cv2.rotate(write(ground(), "DOE JANE 4711", (30, 60)), turn)
    assert len(find_burnt_in_text(film)) == 1


def test_sixteen_bit_inverted_films_are_the_same():
    film = write(ground(), "DOE JANE 4711", (30, 60)).astype(np.uint16) * 257
    assert find_burnt_in_text(65535 - film) == find_burnt_in_text(film)


def test_words_cut_by_the_border_are_found():
    film = write(ground(), "SN030581", (30, 60), scale=1.5)[32:]
    (box,) = find_burnt_in_text(film)
    assert (box.left, box.top) == (0, 0)


def test_words_over_busy_ground_far_from_the_border_are_over_the_head():
    rng = np.random.default_rng(1)
    film = ground()
    film[300:800, 200:800] = cv2.resize(rng.random((12, 15)) * 160, (600, 500), interpolation=cv2.INTER_CUBIC).clip(
        0, 200
    )
    (box,) = find_burnt_in_text(write(film, "DOE JANE 4711", (300, 600), scale=1.2, value=255))
    assert not box.outside_head


def test_a_ruler_is_no_text():
    drawn, _ = draw_ruler(SIZE, 0.1, x_mm=80.0, top_mm=10.0, length_mm=90.0)
    film = np.maximum(ground(), np.rint(drawn * 255).astype(np.uint8))
    assert find_burnt_in_text(film) == ()


@pytest.mark.parametrize("name", ["composite_c.jpg", "composite_b.tif", "phantom_a.png"])
def test_the_samples_and_their_rulers_have_no_text(samples, name):
    film = cv2.imread(str(samples / name), cv2.IMREAD_UNCHANGED)
    assert find_burnt_in_text(film) == ()


def test_a_phantom_head_has_no_text():
    film = draw_phantom(np.random.default_rng(4)).pixels
    assert find_burnt_in_text(film) == ()


@pytest.mark.films
def test_every_real_serial_number_is_found_and_nothing_else(shared_data):
    for path in sorted((shared_data / "isbi2015" / "originals").glob("*.jpg"))[::4]:
        film = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        boxes = find_burnt_in_text(film)
        assert [box.outside_head for box in boxes] == [True], path.name
        at_top = covers(boxes[0], 36, 12, 255, 45)
        turned = covers(boxes[0], 1935 - 255, 2400 - 45, 1935 - 36, 2400 - 12)
        assert at_top or turned, path.name


def test_no_grey_image_is_refused():
    with pytest.raises(InputError):
        find_burnt_in_text(np.zeros((4, 4, 3), dtype=np.uint8))
