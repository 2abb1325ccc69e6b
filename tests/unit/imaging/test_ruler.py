from __future__ import annotations

import cv2
import numpy as np
import pytest

from cephstd.errors import InputError
from cephstd.imaging.phantom import draw_phantom, draw_ruler
from cephstd.imaging.ruler import find_ruler

SIZE = (600, 800)


def film_with_ruler(spacing_mm: float = 0.1, pitch_mm: float = 1.0, angle_deg: float = 0.0) -> np.ndarray:
    """Cloudy grey with a drawn ruler, turned about the film's centre."""
    rng = np.random.default_rng(5)
    cloud = cv2.resize(rng.random((6, 5)), SIZE, interpolation=cv2.INTER_CUBIC) * 0.3
    drawn, _ = draw_ruler(
        SIZE,
        spacing_mm,
        x_mm=SIZE[0] * spacing_mm / 2,
        top_mm=SIZE[1] * spacing_mm * 0.2,
        length_mm=round(SIZE[1] * spacing_mm * 0.6 / pitch_mm) * pitch_mm,
        pitch_mm=pitch_mm,
    )
    turn = cv2.getRotationMatrix2D((SIZE[0] / 2, SIZE[1] / 2), angle_deg, 1.0)
    drawn = cv2.warpAffine(drawn, turn, SIZE, flags=cv2.INTER_CUBIC)
    grey = np.clip(np.maximum(cloud, drawn) + rng.normal(0, 0.01, drawn.shape), 0, 1)
    return np.rint(grey * 65535).astype(np.uint16)


@pytest.mark.parametrize("angle_deg", [0.0, 4.0, 30.0, 45.0, 90.0, -120.0, 180.0])
def test_a_ruler_is_found_whichever_way_it_lies(angle_deg):
    found = find_ruler(film_with_ruler(angle_deg=angle_deg))
    assert found is not None
    assert found.period_px == pytest.approx(10.0, rel=0.004)
    assert found.ticks >= 30
    assert found.residual_px < 0.4
    (x0, y0), (x1, y1) = found.line
    drawn = np.degrees(np.arctan2(y1 - y0, x1 - x0)) - (90.0 - angle_deg)
    assert abs((drawn + 90.0) % 180.0 - 90.0) < 1.5
    assert np.hypot(x1 - x0, y1 - y0) == pytest.approx((found.ticks - 1) * found.period_px, rel=1e-6)


@pytest.mark.parametrize(("spacing_mm", "pitch_mm"), [(0.1, 0.5), (0.1, 1.7), (0.1, 2.0), (0.1, 4.0), (0.137, 1.0)])
def test_the_period_is_that_of_the_ticks(spacing_mm, pitch_mm):
    found = find_ruler(film_with_ruler(spacing_mm, pitch_mm))
    assert found is not None
    assert found.period_px == pytest.approx(pitch_mm / spacing_mm, rel=0.003)
    assert abs(found.period_px - pitch_mm / spacing_mm) < 3 * found.period_sd_px


def test_a_negative_shows_the_same_ruler():
    bright = film_with_ruler()
    found, dark = find_ruler(bright), find_ruler(65535 - bright)
    assert found is not None
    assert dark is not None
    assert dark.period_px == pytest.approx(found.period_px, abs=0.01)


def test_phantoms_carry_a_ruler_of_known_pitch():
    phantom = draw_phantom(np.random.default_rng(2))
    found = find_ruler(phantom.pixels)
    assert found is not None
    assert found.period_px * phantom.spacing_mm == pytest.approx(1.0, rel=0.005)


def test_a_phantom_without_its_ruler_has_none():
    phantom = draw_phantom(np.random.default_rng(2))
    left = round(float(phantom.ruler_px[:, 0].min())) - 10
    assert find_ruler(phantom.pixels[:, :left].copy()) is None


def uneven(rng: np.random.Generator) -> np.ndarray:
    film = np.full((500, 400), 60, np.uint8)
    for y in np.cumsum(rng.uniform(8, 16, 30)).astype(int):
        film[y : y + 4, 200:220] = 220
    return film


def few(rng: np.random.Generator) -> np.ndarray:
    film = np.full((500, 400), 60, np.uint8)
    for tick in range(5):
        film[100 + 14 * tick : 105 + 14 * tick, 200:220] = 220
    return film


def letters(rng: np.random.Generator) -> np.ndarray:
    film = np.full((500, 400), 60, np.uint8)
    cv2.putText(film, "SN03058 R 17-04-2021", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 230, 2)
    return film


@pytest.mark.parametrize("draw", [uneven, few, letters])
def test_what_only_looks_like_a_ruler_is_none(draw, rng):
    assert find_ruler(draw(rng)) is None


@pytest.mark.parametrize("film", [np.zeros((400, 300), np.uint8), np.full((3, 3), 7, np.uint16)])
def test_nothing_is_no_ruler(film):
    assert find_ruler(film) is None


def test_noise_is_no_ruler(rng):
    assert find_ruler(rng.integers(0, 256, (700, 500)).astype(np.uint8)) is None


def test_colour_is_refused():
    with pytest.raises(InputError):
        find_ruler(np.zeros((40, 30, 3), np.uint8))


def strongest_period(film: np.ndarray, line) -> float:
    """Period of the grey along a line by its Fourier transform: by another way than the search's."""
    (first, last) = np.array(line)
    length = float(np.hypot(*(last - first)))
    along = (last - first) / length
    places = np.arange(-9.0, length + 9.0, 0.1)
    across = np.array([-along[1], along[0]])
    points = first + places[:, None, None] * along + np.linspace(-4, 4, 17)[:, None] * across
    grey = cv2.remap(film, *np.moveaxis(points.astype(np.float32), 2, 0), cv2.INTER_CUBIC).astype(float).mean(axis=1)
    grey = (grey - np.convolve(np.pad(grey, 92, "edge"), np.full(185, 1 / 185), "valid")) * np.hanning(len(grey))
    periods = np.arange(17.5, 19.2, 0.002)
    waves = [np.exp(-2j * np.pi * harmonic * places / periods[:, None]) @ grey for harmonic in (1, 2, 3)]
    return float(periods[np.argmax(sum(np.abs(wave) ** 2 for wave in waves))])


def is_turned(film: np.ndarray) -> bool:
    """Whether the plate went through its scanner the other way round: its serial number is at the bottom right."""
    upright, turned = film[10:50, 20:260], film[-50:-10, -260:-20]
    return bool(np.abs(np.diff(turned.astype(int))).mean() > np.abs(np.diff(upright.astype(int))).mean())


# What one millimetre of the same ruler is, px, by the way of the plate through its scanner. In 75 films of this device
# the halves do not overlap (medians 18.38 and 18.19): the scale falls by 0.4 px per 1000 px along the plate.
UPRIGHT_PX, TURNED_PX = 18.42, 18.17


@pytest.mark.films
def test_the_ruler_of_real_films(shared_data, counts):
    paths = sorted((shared_data / "isbi2015" / "originals").glob("*.jpg"))[:: counts(3, 1)]
    turned = 0
    for path in paths:
        film = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        found = find_ruler(film)
        assert found is not None, path.name
        assert found.period_px == pytest.approx(TURNED_PX if is_turned(film) else UPRIGHT_PX, rel=0.01), path.name
        assert found.period_px == pytest.approx(strongest_period(film, found.line), rel=0.003), path.name
        assert found.ticks in (9, 10)
        assert find_ruler(film[:, : int(min(x for x, _ in found.line)) - 30].copy()) is None
        turned += is_turned(film)
    assert turned / len(paths) == 0.25


@pytest.mark.films
def test_no_ruler_where_it_was_removed(shared_data, counts):
    """Every n-th training film with the head-holder's region painted over; all of them in the nightly run."""
    for number in range(1, 151, counts(15, 1)):
        film = cv2.imread(str(shared_data / "isbi2015" / "images" / f"{number:03d}.jpg"), cv2.IMREAD_GRAYSCALE)
        rows, columns = int(0.6 * film.shape[0]), int(0.74 * film.shape[1])
        film[:rows, columns:] = film[rows, columns:]
        assert find_ruler(film) is None, number
