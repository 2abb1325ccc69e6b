from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cephstd.core.image import Radiograph, Source, state_calibration
from cephstd.core.steps import Chain
from cephstd.errors import InputError
from cephstd.imaging.effects import (
    Clip,
    Collimate,
    Cut,
    Gamma,
    Mirror,
    Negative,
    Noise,
    Quantize,
    QuarterTurn,
    Sample,
    SimulatedDevice,
    Tilt,
    load_devices,
)
from cephstd.imaging.normalizer import standardize
from cephstd.imaging.phantom import draw_phantom
from cephstd.imaging.simulator import simulate

PHANTOM = draw_phantom(np.random.default_rng(21), (484, 600), 0.4)
DEVICES = load_devices(Path(__file__).parents[3] / "benchmarks" / "simulated_devices.toml")


def film(pixels: np.ndarray = PHANTOM.pixels, bits: int = 16, **fields: object) -> Radiograph:
    about = {"file_sha256": "", "pixel_sha256": "", "decoder": "", "width_px": 484, "height_px": 600, "bits": bits}
    source = Source(format="array", **about)  # type: ignore[arg-type]
    return Radiograph(pixels=pixels, source=source, **{"calibration": state_calibration(0.4), **fields})  # type: ignore[arg-type]


def run(*effects: object, seed: int = 3, of: Radiograph | None = None):
    return simulate(of or film(), SimulatedDevice(name="x", effects=effects), np.random.default_rng(seed))  # type: ignore[arg-type]


def test_there_are_twelve_devices() -> None:
    assert len(DEVICES) == 12


@pytest.mark.parametrize("name", DEVICES)
def test_a_point_goes_where_the_chain_says(name: str) -> None:
    """The film with and without a smooth spot, through the same device: the difference is the spot."""
    rows, columns = np.mgrid[:600, :484]
    spot = (250.3, 320.6)
    shape = np.exp(-((columns - spot[0]) ** 2 + (rows - spot[1]) ** 2) / (2 * 6.0**2))
    base = (PHANTOM.pixels * 0.5).astype(np.uint16)
    marked = base + (0.3 * 65535 * shape).astype(np.uint16)
    before, after = (simulate(film(p), DEVICES[name], np.random.default_rng(7)) for p in (base, marked))
    weights = np.abs(after.film.pixels.astype(float) - before.film.pixels)
    weights = np.clip(weights - 0.12 * weights.max(), 0.0, None)
    y, x = np.mgrid[: weights.shape[0], : weights.shape[1]]
    found = np.array([(weights * x).sum(), (weights * y).sum()]) / weights.sum()
    scale = np.sqrt(abs(np.linalg.det(after.chain.matrix)))
    assert found == pytest.approx(after.chain.forward([spot])[0], abs=0.5 * scale)
    assert after.film.size == after.chain.size


@pytest.mark.parametrize("name", DEVICES)
def test_every_device_gives_a_film_that_can_be_standardized(name: str) -> None:
    made = simulate(film(), DEVICES[name], np.random.default_rng(5))
    normal = standardize(made.film)
    assert normal.spacing_mm == pytest.approx(0.1, rel=2e-3)
    assert not any("frontal" in warning for warning in normal.warnings)
    nasion, sella = (normal.chain.forward(made.chain.forward([PHANTOM.landmarks_px[k]]))[0] for k in ("N", "S"))
    known = np.subtract(PHANTOM.landmarks_px["N"], PHANTOM.landmarks_px["S"]) * 0.4
    assert np.hypot(*(nasion - sella)) * normal.spacing_mm == pytest.approx(np.hypot(*known), rel=2e-3)
    assert nasion[0] > sella[0]


@pytest.mark.parametrize(
    ("effects", "bits", "dtype"),
    [((Quantize(bits=8),), 8, np.uint8), ((Quantize(bits=12),), 12, np.uint16), ((), 16, np.uint16)],
)
def test_bits_decide_range_and_dtype(effects: tuple, bits: int, dtype: type) -> None:
    made = run(*effects).film
    assert (made.source.bits, made.pixels.dtype) == (bits, dtype)
    assert (1 << bits) * 0.8 < made.pixels.max() < (1 << bits)


def test_an_eight_bit_film_fills_the_same_range_as_a_sixteen_bit_one() -> None:
    eight = run(of=film((PHANTOM.pixels >> 8).astype(np.uint8), bits=8)).film.pixels
    assert np.abs(eight.astype(int) - PHANTOM.pixels).max() <= 257


def test_declared_and_silent_negatives_differ_only_in_the_files_word() -> None:
    said, silent = (run(Negative(declared=word)).film for word in (True, False))
    assert (said.pixels == silent.pixels).all()
    assert (said.inverted, silent.inverted) == (True, False)


def test_a_silent_mirror_states_no_orientation() -> None:
    assert run(Mirror(declared=False)).film.device.patient_orientation == ""
    assert run(Mirror(declared=True)).film.device.patient_orientation == "P\\F"


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_declared_turn_is_undone_by_the_standard_image(quarters: int) -> None:
    made = run(Mirror(declared=True), QuarterTurn(quarters=quarters, declared=True))
    straight = standardize(film())
    normal = standardize(made.film)
    points = list(PHANTOM.landmarks_px.values())
    assert normal.chain.forward(made.chain.forward(points)) == pytest.approx(straight.chain.forward(points))
    assert (normal.pixels == straight.pixels).all()


def test_spacing_follows_whole_pixels_and_turns() -> None:
    made = run(Sample(row_mm=0.37, column_mm=0.21), QuarterTurn(quarters=1, declared=False)).film
    assert made.calibration.spacing_mm == pytest.approx((484 * 0.4 / 922, 600 * 0.4 / 649))
    assert made.size == (649, 922)


def test_tilt_turns_clockwise_in_millimetres_even_where_pixels_are_oblong() -> None:
    made = run(Sample(row_mm=0.4, column_mm=0.2), Tilt(angle_deg=30.0))
    row_mm, column_mm = made.film.calibration.spacing_mm
    o, across, down = made.chain.forward([[242, 300], [292, 300], [242, 350]]) * (column_mm, row_mm)
    assert np.hypot(*(across - o)) == pytest.approx(50 * 0.4) == pytest.approx(np.hypot(*(down - o)))
    assert np.degrees(np.arctan2(*(across - o)[::-1])) == pytest.approx(30.0)


def test_gamma_and_clip_change_grey_as_stated() -> None:
    assert run(Gamma(value=2.0)).film.pixels[300, 200] == pytest.approx(
        (PHANTOM.pixels[300, 200] / 65535) ** 2 * 65535, abs=1
    )
    clipped = run(Clip(low=0.2, high=0.5)).film.pixels
    assert (clipped[PHANTOM.pixels < 0.19 * 65535] == 0).all()
    assert (clipped[PHANTOM.pixels > 0.51 * 65535] == 65535).all()


def test_collimation_keeps_the_size_and_cut_does_not() -> None:
    shares = {"left": 0.25, "top": 0.1, "right": 0.75, "bottom": 0.9}
    kept, cut = run(Collimate(**shares)), run(Cut(**shares))
    assert (kept.film.size, cut.film.size) == ((484, 600), (242, 480))
    assert kept.chain == Chain(source_size=(484, 600))
    assert not kept.film.pixels[:, :121].any()
    assert (kept.film.pixels[60:540, 121:363] == cut.film.pixels).all()


def test_chance_comes_from_the_caller_alone() -> None:
    one, again, other = (run(Noise(sd=0.05), seed=seed).film.pixels for seed in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


def test_the_file_hashes_of_the_original_are_dropped() -> None:
    assert run(Negative(declared=True)).film.source.pixel_sha256 == ""


def test_a_film_without_scale_or_with_dark_bone_is_refused() -> None:
    with pytest.raises(InputError, match="scale"):
        run(of=film(inverted=True))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[device]]\nname='a'\neffects=[{kind='melt'}]", "melt"),
        ("[[device]]\nname='a'\neffects=[{kind='jpeg', quality=400}]", "quality"),
        ("[[device]]\nname='a'\neffects=[]\n[[device]]\nname='a'\neffects=[]", "once"),
    ],
)
def test_a_wrong_device_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "devices.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        load_devices(path)


def test_an_absent_device_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml"):
        load_devices(tmp_path / "none.toml")
