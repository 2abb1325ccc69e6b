from __future__ import annotations

import sys
import threading
import warnings
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pydicom.data
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, get_frame

from cephstd.core.recipe import Budget
from cephstd.errors import CorruptImageError, NotACephalogramError, UnsupportedFormatError
from cephstd.io.dicom import decode_dicom
from cephstd.io.dicom_extended import decode_extended
from cephstd.io.dicom_facts import read_person
from cephstd.io.dicom_file import Tags, inflate, read_meta, read_tags
from cephstd.io.dicom_kind import check_kind
from cephstd.io.dicom_pixels import SYNTAXES
from cephstd.io.reader import read

sys.path.insert(0, str(Path(__file__).parents[2]))
from film_files import CR, DX, DX_RAW, SC, STORAGE, dicom_bytes, dicom_film, dicom_set, encode, grey_ramp

SYNTAX = "1.2.840.10008.1.2"
SHALLOW, DEEP = grey_ramp(60, 70), grey_ramp(60, 70, top=4095, dtype=np.uint16)


@pytest.mark.parametrize("syntax", ["", ".1", ".2", ".1.99"])
@pytest.mark.parametrize("pixels", [SHALLOW, DEEP, grey_ramp(5, 7)], ids=["8 bit", "16 bit", "odd"])
def test_uncompressed_syntaxes_are_exact(syntax, pixels):
    film = read(dicom_film(pixels, syntax=SYNTAX + syntax))
    assert np.array_equal(film.pixels, pixels)
    assert film.source.facts["transfer_syntax"] == SYNTAXES[SYNTAX + syntax][0]


@pytest.mark.parametrize("syntax", [".5", ".4.80", ".4.90"])
@pytest.mark.parametrize("pixels", [SHALLOW, DEEP], ids=["8 bit", "12 bit"])
def test_lossless_syntaxes_are_exact(syntax, pixels):
    bits = {} if pixels is SHALLOW else {"BitsStored": 12, "HighBit": 11}
    dataset = dicom_set(pixels, **bits)
    dataset.compress(SYNTAX + syntax, generate_instance_uid=False)
    film = read(dicom_bytes(dataset, SYNTAX + syntax))
    assert np.array_equal(film.pixels, pixels)


@pytest.mark.parametrize("syntax", [".4.201", ".4.202", ".4.203"])
def test_high_throughput_jpeg_2000_is_exact(root, syntax):
    """The stream is the ramp below, packed without loss by OpenJPH (imagecodecs 2026.3.6)."""
    stream = (root / "tests" / "data" / "ramp.htj2k").read_bytes()
    assert b"\xff\x50" in stream[:60]  # CAP: a Part 15 stream, not one of Part 1
    pixels = grey_ramp(64, 80, top=4095, dtype=np.uint16)
    film = read(dicom_bytes(dicom_set(pixels, BitsStored=12, HighBit=11), SYNTAX + syntax, frame=stream))
    assert np.array_equal(film.pixels, pixels)
    assert film.source.facts["transfer_syntax"].startswith("HTJ2K")


def test_damaged_high_throughput_stream_is_corrupt(root):
    stream = (root / "tests" / "data" / "ramp.htj2k").read_bytes()
    dataset = dicom_set(grey_ramp(64, 80, top=4095, dtype=np.uint16), BitsStored=12, HighBit=11)
    for damaged in (stream[:60], stream[:40] + bytes(200)):
        with pytest.raises(CorruptImageError):
            read(dicom_bytes(dataset, SYNTAX + ".4.201", frame=damaged))


@pytest.mark.parametrize("selection", [".4.57", ".4.70"])
@pytest.mark.parametrize("pixels", [SHALLOW, DEEP], ids=["8 bit", "16 bit"])
def test_jpeg_lossless_is_exact(tmp_path, selection, pixels):
    import gdcm

    source, target = tmp_path / "a.dcm", tmp_path / "b.dcm"
    source.write_bytes(dicom_film(pixels))
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(SYNTAX + selection)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    film = read(target)
    assert film.source.facts["transfer_syntax"].startswith("JPEG Lossless")
    assert np.array_equal(film.pixels, pixels)


def test_jpeg_baseline_is_what_its_decoder_gives():
    frame = encode(".jpg", SHALLOW)
    film = read(dicom_bytes(dicom_set(SHALLOW), SYNTAX + ".4.50", frame=frame))
    expected = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(film.pixels, expected)
    assert film.source.decoder == f"opencv {cv2.__version__}"


def test_near_lossless_and_lossy_jpeg_2000_are_close():
    for syntax, options in ((".4.81", {"jls_error": 2}), (".4.91", {"j2k_cr": [4]})):
        dataset = dicom_set(SHALLOW)
        dataset.compress(SYNTAX + syntax, generate_instance_uid=False, **options)
        film = read(dicom_bytes(dataset, SYNTAX + syntax))
        assert np.abs(film.pixels.astype(int) - SHALLOW).mean() < 8


def shipped(name: str) -> Dataset:
    return pydicom.dcmread(Path(pydicom.data.__file__).parent / "test_files" / name)


def test_twelve_bit_jpeg_extended_is_decoded():
    dataset = shipped("JPGExtended.dcm")
    dataset.Modality, dataset.BodyPartExamined, dataset.SOPClassUID = "OT", "", SC
    film = read(dicom_bytes(dataset, SYNTAX + ".4.51"))
    # Values of this file in pydicom's own tests, by another codec.
    assert film.pixels[420, 140] == 244
    assert film.pixels[230, 120] == 95


def test_damaged_extended_frame_is_corrupt():
    frame = get_frame(shipped("JPGExtended.dcm").PixelData, 0, number_of_frames=1)
    with pytest.raises(CorruptImageError):
        decode_extended(frame, 10, 10)


def test_twelve_bits_of_another_precision_than_stated():
    """The stream of this file is signed where its header is not (a known fault of one maker)."""
    dataset = shipped("J2K_pixelrep_mismatch.dcm")
    raw = dataset.pixel_array
    dataset.SOPClassUID, dataset.Modality = DX, "DX"
    for keyword in ("WindowCenter", "WindowWidth", "PixelPaddingValue"):
        if keyword in dataset:
            del dataset[keyword]
    film = read(dicom_bytes(dataset, SYNTAX + ".4.90"))
    assert np.array_equal(film.pixels.astype(int) - film.pixels.min(), raw.astype(int) - raw.min())


def test_damaged_streams_of_every_codec_are_corrupt(rng):
    for syntax in (".5", ".4.80", ".4.90"):
        dataset = dicom_set(SHALLOW)
        dataset.compress(SYNTAX + syntax, generate_instance_uid=False)
        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
        data = dicom_bytes(dicom_set(SHALLOW), SYNTAX + syntax, frame=frame[: len(frame) // 8 * 2])
        with pytest.raises(CorruptImageError):
            read(data)
    with pytest.raises(CorruptImageError):
        read(dicom_bytes(dicom_set(SHALLOW), SYNTAX + ".4.90", frame=rng.bytes(200)))


def test_grey_film_in_three_channels():
    for sop_class in (SC, STORAGE + "7.4"):
        film = read(dicom_film(np.stack([SHALLOW] * 3, -1), sop_class=sop_class))
        assert np.array_equal(film.pixels, SHALLOW)
        assert not film.inverted


def test_bare_data_set_without_meta_information():
    for syntax in ("", ".1"):
        whole = dicom_film(DEEP, syntax=SYNTAX + syntax)
        bare = whole[read_meta(whole).end :]
        film = read(bare)
        assert np.array_equal(film.pixels, DEEP)
        assert film.source.facts["transfer_syntax"] == SYNTAXES[SYNTAX + syntax][0]


@pytest.mark.parametrize("sop_class", [CR, DX, DX_RAW, SC, STORAGE + "7.2", STORAGE + "7.3"])
def test_accepted_classes(sop_class):
    film = read(dicom_film(sop_class=sop_class, NumberOfFrames=1))
    assert film.source.facts["sop_class"]
    assert any("for processing" in warning for warning in film.warnings) is (sop_class == DX_RAW)


FRAMES = np.stack([np.roll(DEEP, shift, axis=1) for shift in (0, 3, 7)])


@pytest.mark.parametrize("syntax", ["", ".1", ".1.99", ".2", ".5", ".4.80", ".4.90"])
def test_one_frame_of_several(syntax):
    dataset = dicom_set(DEEP, sop_class=STORAGE + "7.3", NumberOfFrames=3, PixelData=FRAMES.tobytes())
    if syntax in (".5", ".4.80", ".4.90"):
        dataset.file_meta.TransferSyntaxUID = SYNTAX + ".1"
        dataset.compress(SYNTAX + syntax, generate_instance_uid=False)
    data = dicom_bytes(dataset, SYNTAX + syntax)
    for frame, pixels in enumerate(FRAMES, start=1):
        film = read(data, frame=frame)
        assert np.array_equal(film.pixels, pixels)
        assert film.source.facts["frame"] == f"{frame} of 3"
    with pytest.raises(UnsupportedFormatError, match="found 3"):
        read(data)


@pytest.mark.parametrize("extended", [False, True])
def test_one_of_several_jpeg_frames(extended):
    streams = [encode(".jpg", pixels.astype(np.uint8)) for pixels in FRAMES]
    dataset = dicom_set(DEEP.astype(np.uint8), sop_class=STORAGE + "7.2", NumberOfFrames=3)
    if extended:
        packed = encapsulate_extended(streams)
        dataset.PixelData, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = packed
    else:
        dataset.PixelData = encapsulate(streams)
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    data = dicom_bytes(dataset, SYNTAX + ".4.50")
    for frame, stream in enumerate(streams, start=1):
        assert np.array_equal(read(data, frame=frame).pixels, read(stream).pixels)


def test_object_that_does_not_say_what_it_is():
    film = read(dicom_film(SOPClassUID=None, Modality="CR"))
    assert film.device.modality == "CR"
    tags = read_tags(dicom_film(SOPClassUID=None), Budget())
    assert "does not say" in check_kind(tags, "").warnings[0]


def test_combined_unit_that_names_the_other_picture():
    film = read(dicom_film(Modality="PX", SeriesDescription="Ceph lateral"))
    assert "description was followed" in film.warnings[0]


@pytest.mark.parametrize(
    ("tags", "view", "source"),
    [
        ({"ViewPosition": "LL"}, "left lateral", "(0018,5101) View Position"),
        ({"ViewPosition": "OTHER"}, "", ""),
        ({}, "", ""),
    ],
)
def test_view_and_its_source(tags, view, source):
    device = read(dicom_film(**tags)).device
    assert (device.view, device.view_source) == (view, source)


def view_code(value: str) -> list[Dataset]:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", "view"
    return [item]


def test_coded_view_comes_before_the_position():
    film = read(dicom_film(ViewCodeSequence=view_code("399198007"), ViewPosition="LL"))
    assert film.device.view == "right lateral"
    with pytest.raises(NotACephalogramError):
        read(dicom_film(ViewCodeSequence=view_code("272479007")))


def test_device_facts():
    film = read(
        dicom_film(
            Manufacturer="Maker",
            ManufacturerModelName="Ceph 3",
            SoftwareVersions=["1.2", "b7"],
            Modality="DX",
            PatientOrientation=["A", "F"],
            ImageLaterality="U",
            BurnedInAnnotation="YES",
            FieldOfViewHorizontalFlip="YES",
            FieldOfViewRotation=90,
            LossyImageCompression="01",
        )
    )
    device = film.device
    assert (device.manufacturer, device.model, device.software) == ("Maker", "Ceph 3", "1.2 b7")
    assert (device.modality, device.patient_orientation, device.laterality) == ("DX", "A\\F", "U")
    assert device.burned_in_annotation == "YES"
    assert any("burnt into" in warning for warning in film.warnings)
    assert film.source.facts["field_of_view_flipped"] == "YES"
    assert film.source.facts["field_of_view_rotation_deg"] == "90"
    assert film.source.facts["lossy"] == "yes"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"AcquisitionDate": "20240305", "StudyDate": "20230101"}, ("2024-03-05", "(0008,0022) Acquisition Date")),
        ({"AcquisitionDateTime": "20240305101500.1+0100"}, ("2024-03-05", "(0008,002A) Acquisition DateTime")),
        ({"AcquisitionDate": "20241305", "ContentDate": "20240306"}, ("2024-03-06", "(0008,0023) Content Date")),
        ({"StudyDate": "20230101"}, ("2023-01-01", "(0008,0020) Study Date")),
        ({}, ("", "")),
    ],
)
def test_date_of_exposure_and_its_source(tags, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an impossible date is part of the test
        data = dicom_film(**tags)
    device = read(data).device
    assert (device.acquisition_date, device.acquisition_date_source) == expected


def test_date_of_a_scan_is_no_date_of_exposure():
    film = read(dicom_film(sop_class=SC, DateOfSecondaryCapture="20240305", ContentDate="20240305"))
    assert film.device.acquisition_date == ""
    assert film.source.facts["scan_date"] == "2024-03-05"


@pytest.mark.parametrize(
    ("tags", "age"),
    [
        ({"PatientAge": "012Y"}, 12.0),
        ({"PatientAge": "030M"}, 2.5),
        ({"PatientBirthDate": "20100301", "AcquisitionDate": "20240901"}, 14.5),
        ({"PatientBirthDate": "20100301"}, None),
        ({"PatientBirthDate": "20250301", "AcquisitionDate": "20240901"}, None),
        ({}, None),
    ],
)
def test_age(tags, age):
    assert read(dicom_film(**tags)).age_years == age


@pytest.mark.parametrize(("stated", "sex"), [("F", "F"), ("m", "M"), ("O", None), ("", None)])
def test_sex(stated, sex):
    dataset = Dataset()
    dataset.PatientSex = "F"
    dataset["PatientSex"]._value = stated
    assert read_person(Tags(dataset))[1] == sex


def test_scale_of_the_file():
    calibration = read(dicom_film(ImagerPixelSpacing=[0.143, 0.139])).calibration
    assert (calibration.basis, calibration.row_mm, calibration.column_mm) == ("detector_plane", 0.143, 0.139)


def test_pixel_aspect_without_a_scale_is_told():
    film = read(dicom_film(sop_class=SC, PixelAspectRatio=[3, 2]))
    assert "height 1.5 times width" in film.warnings[0]


def test_malformed_values_read_as_absent():
    dataset = Dataset()
    dataset.add_new(0x00281050, "DS", "1.5")
    dataset["WindowCenter"]._value = "not a number"
    tags = Tags(dataset)
    assert tags.number("WindowCenter") is None
    assert tags.numbers("WindowWidth") == ()
    assert tags.text("Modality") == ""
    assert tags.items("ViewCodeSequence") == ()


def test_meta_information_is_walked():
    data = dicom_film()
    meta = read_meta(data)
    assert (meta.transfer_syntax, meta.sop_class) == (SYNTAX + ".1", DX)
    assert data[meta.end : meta.end + 2] == b"\x08\x00"
    assert read_meta(data[:140]).transfer_syntax == ""


def test_inflating_keeps_the_data_set():
    flat, deflated = dicom_film(DEEP), dicom_film(DEEP, syntax=SYNTAX + ".1.99")
    meta = read_meta(deflated)
    unfolded = inflate(deflated, meta, Budget())
    assert unfolded[read_meta(unfolded).end :][-DEEP.nbytes :] == flat[-DEEP.nbytes :]


def test_stated_image_bounds_what_is_unfolded():
    """A small image with much more behind it is a bomb, whatever the budget."""
    from cephstd.errors import BudgetExceededError

    dataset = dicom_set(SHALLOW)
    dataset.PixelData = bytes(40 * 2**20)
    with pytest.raises(BudgetExceededError):
        read(dicom_bytes(dataset, SYNTAX + ".1.99"))


def test_decoding_leaves_the_callers_warning_filters_alone():
    before = list(warnings.filters)
    threads = [threading.Thread(target=decode_dicom, args=(dicom_film(), Budget())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


@pytest.mark.parametrize(
    "tags",
    [
        {"BitsStored": 12},
        {"BitsAllocated": 8, "BitsStored": 9},
        {"HighBit": 3},
        {"SamplesPerPixel": 3},
        {"PhotometricInterpretation": "RGB"},
    ],
)
def test_layout_that_contradicts_itself(tags):
    with pytest.raises(CorruptImageError):
        read(dicom_film(**tags))


def test_other_depths_and_colour_models():
    with pytest.raises(UnsupportedFormatError, match="found 32"):
        read(dicom_film(BitsAllocated=32))
    with pytest.raises(UnsupportedFormatError, match="photometric"):
        read(dicom_film(PhotometricInterpretation="CMYK"))
