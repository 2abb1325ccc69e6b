from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pydicom.pixels
import pytest
from pydicom.dataset import Dataset

from cephstd.io.dicom_pixels import Layout
from cephstd.io.dicom_tone import sample_values, window_fractions
from cephstd.io.reader import read

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import dicom_bytes, dicom_film, dicom_set, grey_ramp

DEEP = grey_ramp(60, 70, top=4095, dtype=np.uint16)
TWELVE = {"BitsStored": 12, "HighBit": 11}


def lut(entries: np.ndarray, first: int, bits: int) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [entries.size % 65536, first, bits]
    item["LUTDescriptor"].VR = "US" if first >= 0 else "SS"
    item.LUTData = entries.astype("<u2").tobytes()
    item["LUTData"].VR = "OW"
    return item


def test_stored_samples_pass_unchanged():
    film = read(dicom_film(DEEP, **TWELVE))
    assert film.source.bits == 12
    assert np.array_equal(film.pixels, DEEP)


def test_linear_rescale_changes_no_sample():
    film = read(dicom_film(DEEP, **TWELVE, RescaleSlope=2, RescaleIntercept=-1000))
    assert np.array_equal(film.pixels, DEEP)
    assert not film.inverted


@pytest.mark.parametrize(("photometric", "inverted"), [("MONOCHROME2", True), ("MONOCHROME1", False)])
def test_falling_rescale_turns_the_sense(photometric, inverted):
    film = read(
        dicom_film(DEEP, **TWELVE, RescaleSlope=-1, RescaleIntercept=4095, PhotometricInterpretation=photometric)
    )
    assert film.inverted is inverted
    assert np.array_equal(film.pixels, DEEP)


def test_window_shows_falling_values_as_they_are_meant():
    film = read(dicom_film(DEEP, **TWELVE, RescaleSlope=-1, RescaleIntercept=4095, WindowCenter=2000, WindowWidth=900))
    assert not film.inverted
    assert film.pixels.flat[DEEP.argmin()] > film.pixels.flat[DEEP.argmax()]


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted", "warnings"),
    [
        ("MONOCHROME2", "IDENTITY", False, 0),
        ("MONOCHROME1", "INVERSE", True, 0),
        ("MONOCHROME1", "IDENTITY", True, 1),
        ("MONOCHROME2", "INVERSE", True, 1),
    ],
)
def test_presentation_shape(photometric, shape, inverted, warnings):
    film = read(dicom_film(PhotometricInterpretation=photometric, PresentationLUTShape=shape))
    assert (film.inverted, len(film.warnings)) == (inverted, warnings)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID", None])
@pytest.mark.parametrize("rescale", [{}, {"RescaleSlope": 0.5, "RescaleIntercept": -100}])
def test_window_agrees_with_pydicom(function, rescale):
    dataset = dicom_set(DEEP, **TWELVE, WindowCenter=800, WindowWidth=600, **rescale)
    if function:
        dataset.VOILUTFunction = function
    shown = pydicom.pixels.apply_windowing(pydicom.pixels.apply_modality_lut(DEEP, dataset), dataset)
    slope, intercept = rescale.get("RescaleSlope", 1), rescale.get("RescaleIntercept", 0)
    expected = (shown - intercept) / (4095 * slope) * 65535
    film = read(dicom_bytes(dataset))
    assert film.source.bits == 16
    assert np.abs(film.pixels - expected).max() <= 0.51 if function != "SIGMOID" else 1.0
    assert film.source.facts["tone"].startswith("window")


def test_window_that_clips_nothing_is_left_out():
    film = read(dicom_film(DEEP, **TWELVE, WindowCenter=2048, WindowWidth=4096))
    assert np.array_equal(film.pixels, DEEP)
    assert film.source.bits == 12


@pytest.mark.parametrize("window", [(60_000, 10), (-500, 100), (2000, 2)])
def test_window_that_leaves_nothing_is_not_applied(window):
    film = read(dicom_film(DEEP, **TWELVE, WindowCenter=window[0], WindowWidth=window[1]))
    assert np.array_equal(film.pixels, DEEP)
    assert "almost no grey levels" in film.warnings[0]


def test_window_of_impossible_width_is_not_applied():
    film = read(dicom_film(DEEP, **TWELVE, WindowCenter=2000, WindowWidth=0))
    assert np.array_equal(film.pixels, DEEP)
    assert "impossible width" in film.warnings[0]


def test_first_of_several_windows_is_applied():
    one = read(dicom_film(DEEP, **TWELVE, WindowCenter=1000, WindowWidth=900))
    many = read(dicom_film(DEEP, **TWELVE, WindowCenter=[1000, 3000], WindowWidth=[900, 50]))
    assert np.array_equal(one.pixels, many.pixels)


@pytest.mark.parametrize("first", [0, 100])
def test_voi_table_agrees_with_pydicom(first):
    entries = (np.linspace(0, 1, 3000) ** 2 * 1023).astype(np.uint16)
    dataset = dicom_set(DEEP, **TWELVE)
    dataset.VOILUTSequence = [lut(entries, first, 10)]
    data = dicom_bytes(dataset)
    film = read(data)
    assert film.source.bits == 10
    assert np.array_equal(film.pixels, pydicom.pixels.apply_voi_lut(DEEP, dataset))


def test_voi_table_comes_before_a_window():
    entries = np.arange(4096)[::-1].copy()
    dataset = dicom_set(DEEP, **TWELVE, WindowCenter=1000, WindowWidth=900)
    dataset.VOILUTSequence = [lut(entries, 0, 12)]
    film = read(dicom_bytes(dataset))
    assert np.array_equal(film.pixels, 4095 - DEEP)
    assert not film.inverted


def test_modality_table_agrees_with_pydicom():
    entries = (np.sqrt(np.linspace(0, 1, 4096)) * 65535).astype(np.uint16)
    dataset = dicom_set(DEEP, **TWELVE)
    dataset.ModalityLUTSequence = [lut(entries, 0, 16)]
    film = read(dicom_bytes(dataset))
    assert np.array_equal(film.pixels, pydicom.pixels.apply_modality_lut(DEEP, dataset))


def test_signed_voi_table():
    signed = DEEP.astype(np.int16) - 2048
    dataset = dicom_set(signed, **TWELVE)
    # Some writers leave the sign out: 63488 is -2048 in sixteen bits.
    for first in (-2048, 63488):
        dataset.VOILUTSequence = [lut(np.arange(4096)[::-1], first, 12)]
        assert np.array_equal(read(dicom_bytes(dataset)).pixels, 4095 - DEEP)


def test_damaged_table_is_not_applied():
    item = lut(np.arange(4096), 0, 12)
    item.LUTData = item.LUTData[:100]
    dataset = dicom_set(DEEP, **TWELVE)
    dataset.VOILUTSequence = [item]
    film = read(dicom_bytes(dataset))
    assert np.array_equal(film.pixels, DEEP)
    assert "damaged" in film.warnings[0]


@pytest.mark.parametrize("stored", [8, 10, 12, 15, 16])
def test_signed_samples_are_shifted(stored):
    half = 1 << (stored - 1)
    values = grey_ramp(60, 70, top=2 * half - 1, dtype=np.int32) - half
    film = read(dicom_film(values.astype(np.int16), BitsStored=stored, HighBit=stored - 1))
    assert np.array_equal(film.pixels, values + half)
    assert film.source.bits == stored


@pytest.mark.parametrize(("photometric", "blackest"), [("MONOCHROME2", np.min), ("MONOCHROME1", np.max)])
def test_padding_becomes_black(photometric, blackest):
    pixels = np.clip(DEEP, 5, 4000)
    pixels[:, :10] = 4095
    film = read(dicom_film(pixels, **TWELVE, PixelPaddingValue=4095, PhotometricInterpretation=photometric))
    assert np.all(film.pixels[:, :10] == blackest(pixels[:, 10:]))
    assert np.array_equal(film.pixels[:, 10:], pixels[:, 10:])


def test_padding_range_of_signed_samples():
    values = np.clip(DEEP.astype(np.int16) - 2048, -1500, 2000)
    values[:5] = -2048
    values[5:9] = -2000
    dataset = dicom_set(values, **TWELVE, PixelPaddingValue=-2048, PixelPaddingRangeLimit=-1990)
    film = read(dicom_bytes(dataset))
    assert np.all(film.pixels[:9] == values[9:].min() + 2048)


def test_overlays_in_spare_bits_are_cut_off():
    marked = DEEP | 0x8000
    assert np.array_equal(read(dicom_film(marked, **TWELVE)).pixels, DEEP)


def test_samples_that_sit_high_in_their_word():
    film = read(dicom_film(DEEP << 4, BitsStored=12, HighBit=15))
    assert np.array_equal(film.pixels, DEEP)


def test_sample_values_of_two_complement():
    layout = Layout(
        rows=1, columns=1, samples=1, photometric="MONOCHROME2", allocated=8, stored=3, high_bit=2, signed=True
    )
    assert sample_values(layout).tolist() == [0, 1, 2, 3, -4, -3, -2, -1]


def test_window_of_the_standard():
    # PS3.3 C.11.2.1.2.1: centre 2048, width 4096 leaves 0..4095 as it is; centre 0, width 1 is a threshold.
    values = np.arange(4096.0)
    assert window_fractions(values, 2048, 4096, "LINEAR") == pytest.approx(values / 4095)
    assert window_fractions(values, 0, 1, "LINEAR") is None
