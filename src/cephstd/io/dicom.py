"""A DICOM file to grey samples with everything it says of scale, device and tone.

pydicom warns through Python's warning filters, which belong to the whole process. What matters here is checked and
worded by this library, so pydicom's own sentences are silenced while it works; a lock keeps threads from mixing up the
filters.
"""

from __future__ import annotations

import threading
import warnings

from cephstd.core.arrays import Pixels
from cephstd.core.image import Calibration
from cephstd.core.recipe import Budget
from cephstd.errors import CorruptImageError, UnsupportedFormatError
from cephstd.io.decoded import Decoded
from cephstd.io.dicom_facts import read_device, read_facts, read_person, read_scale_tags
from cephstd.io.dicom_file import DEFLATED, EXPLICIT_LITTLE, Meta, Tags, bare_syntax, inflate, read_meta, read_tags
from cephstd.io.dicom_kind import Kind, check_kind
from cephstd.io.dicom_pixels import SYNTAXES, Layout, decode_samples, read_layout
from cephstd.io.dicom_scale import calibrate
from cephstd.io.dicom_tone import Tone, apply_tone

ASPECT_TOLERANCE = 0.01

_FILTERS = threading.Lock()


def decode_dicom(data: bytes, budget: Budget) -> Decoded:
    """Decode a DICOM film.

    Raises
    ------
    UnsupportedFormatError
        When the object holds no picture, several frames, or a transfer syntax that is not read.
    NotACephalogramError
        When the file says that it shows something else, or its picture is in colour.
    BudgetExceededError
        When it would unfold to more than the budget allows.
    CorruptImageError
        When it is damaged or cut off.
    """
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _decode(data, budget)


def _decode(data: bytes, budget: Budget) -> Decoded:
    meta = read_meta(data)
    _check_syntax(meta.transfer_syntax or EXPLICIT_LITTLE)
    if meta.transfer_syntax == DEFLATED:
        data = inflate(data, meta, budget)
    tags = read_tags(data, budget)
    syntax = _settle_syntax(tags, meta)
    kind = check_kind(tags, meta.sop_class)
    if not tags.has("PixelData"):
        raise CorruptImageError("Expected pixel data in a DICOM image, found none.")
    layout = read_layout(tags, budget)
    samples, decoder = decode_samples(tags, layout, syntax, budget)
    tone = apply_tone(samples, layout, tags) if layout.is_grey else _merge_colour(samples)
    calibration, scale_warnings = calibrate(read_scale_tags(tags))
    age_years, sex = read_person(tags)
    stated = meta.transfer_syntax or syntax
    return Decoded(
        pixels=tone.pixels,
        bits=tone.bits,
        decoder=decoder,
        inverted=tone.inverted,
        calibration=calibration,
        device=read_device(tags, kind),
        age_years=age_years,
        sex=sex,
        facts=read_facts(tags, kind) | tone.facts | _storage_facts(layout, stated),
        warnings=(*kind.warnings, *tone.warnings, *scale_warnings, *_observe(tags, kind, calibration)),
    )


def _settle_syntax(tags: Tags, meta: Meta) -> str:
    """The transfer syntax that decoding follows; written into a data set that came without meta information."""
    dataset = tags.dataset
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", "")) or meta.transfer_syntax or bare_syntax(dataset)
    _check_syntax(syntax)
    dataset.file_meta.TransferSyntaxUID = syntax
    return syntax


def _check_syntax(syntax: str) -> None:
    if syntax not in SYNTAXES:
        raise UnsupportedFormatError(
            "Expected a DICOM transfer syntax for single images, found a video, private or unknown one.",
            hint="Export the film again, e.g. as Explicit VR Little Endian.",
        )


def _merge_colour(samples: Pixels) -> Tone:
    from cephstd.io.channels import merge_channels

    grey, colour_warnings = merge_channels(samples[..., 2::-1].copy())
    return Tone(
        pixels=grey,
        bits=8 * grey.dtype.itemsize,
        inverted=False,
        facts={"tone": "grey of three channels"},
        warnings=colour_warnings,
    )


def _storage_facts(layout: Layout, syntax: str) -> dict[str, str]:
    return {
        "transfer_syntax": SYNTAXES[syntax][0],
        "photometric": layout.photometric,
        "bits_allocated": str(layout.allocated),
        "bits_stored": str(layout.stored),
        "pixel_representation": "signed" if layout.signed else "unsigned",
    }


def _observe(tags: Tags, kind: Kind, calibration: Calibration) -> tuple[str, ...]:
    """Sentences on what a reader of the result should know."""
    found = []
    if tags.text("BurnedInAnnotation").upper() == "YES":
        found.append("The file says that text is burnt into the image; it may name the patient.")
    if tags.text("PresentationIntentType").upper() == "FOR PROCESSING" or kind.name.endswith("for processing"):
        found.append("The image is marked for processing: it does not have the tone its maker shows.")
    aspect = tags.numbers("PixelAspectRatio")
    if calibration.row_mm is None and len(aspect) == 2 and aspect[1] > 0:
        ratio = aspect[0] / aspect[1]
        if abs(ratio - 1) > ASPECT_TOLERANCE:
            found.append(
                f"The file states pixels that are not square (height {ratio:.3g} times width); without a calibration "
                "its angles are wrong."
            )
    return tuple(found)
