"""A DICOM file to grey samples with everything it says of scale, device and tone.

pydicom warns through Python's warning filters, which belong to the whole process. What matters here is checked and
worded by this library, so pydicom's own sentences are silenced while it works; a lock keeps threads from mixing up the
filters.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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


@contextmanager
def silence_pydicom() -> Iterator[None]:
    """No warning of pydicom, for one thread at a time."""
    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decode_dicom(data: bytes, budget: Budget, frame: int | None = None) -> Decoded:
    """Decode a DICOM film, of several frames the one that is chosen, counted from 1.

    Raises
    ------
    UnsupportedFormatError
        When the object holds no picture, several frames of which none was chosen, or a transfer syntax that is not
        read.
    InputError
        When there is no frame of that number.
    NotACephalogramError
        When the file says that it shows something else, or its picture is in colour.
    BudgetExceededError
        When it would unfold to more than the budget allows.
    CorruptImageError
        When it is damaged or cut off.
    """
    with silence_pydicom():
        return _decode(data, budget, frame)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A DICOM film with its samples as stored.

    Attributes
    ----------
    data : bytes
        The file, its data set inflated.
    tags : Tags
    kind : Kind
    layout : Layout
    samples : ndarray
        As `cephstd.io.dicom_pixels.decode_samples` gives them.
    decoder : str
    syntax : str
        Transfer syntax that the file states, or the one it was found to have.
    """

    data: bytes
    tags: Tags
    kind: Kind
    layout: Layout
    samples: Pixels
    decoder: str
    syntax: str


def unpack_dicom(data: bytes, budget: Budget, frame: int | None = None) -> Stored:
    """Stored samples of a DICOM film, with its tags; raises as `decode_dicom` does.

    Only for callers that silence pydicom's warnings themselves.
    """
    meta = read_meta(data)
    _check_syntax(meta.transfer_syntax or EXPLICIT_LITTLE)
    if meta.transfer_syntax == DEFLATED:
        data = inflate(data, meta, budget)
    tags = read_tags(data, budget)
    syntax = _settle_syntax(tags, meta)
    kind = check_kind(tags, meta.sop_class)
    if not tags.has("PixelData"):
        raise CorruptImageError("Expected pixel data in a DICOM image, found none.")
    layout = read_layout(tags, budget, frame)
    samples, decoder = decode_samples(tags, layout, syntax, budget)
    stated = meta.transfer_syntax or syntax
    return Stored(data=data, tags=tags, kind=kind, layout=layout, samples=samples, decoder=decoder, syntax=stated)


def _decode(data: bytes, budget: Budget, frame: int | None) -> Decoded:
    stored = unpack_dicom(data, budget, frame)
    tags, kind, layout = stored.tags, stored.kind, stored.layout
    tone = show_samples(stored)
    calibration, scale_warnings = calibrate(read_scale_tags(tags))
    age_years, sex = read_person(tags)
    return Decoded(
        pixels=tone.pixels,
        bits=tone.bits,
        decoder=stored.decoder,
        inverted=tone.inverted,
        calibration=calibration,
        device=read_device(tags, kind),
        age_years=age_years,
        sex=sex,
        facts=read_facts(tags, kind) | tone.facts | _storage_facts(layout, stored.syntax),
        warnings=(*kind.warnings, *tone.warnings, *scale_warnings, *_observe(tags, kind, calibration)),
        label=tags.label(),
    )


def show_samples(stored: Stored) -> Tone:
    """Grey samples as the file wants them looked at."""
    if stored.layout.is_grey:
        return apply_tone(stored.samples, stored.layout, stored.tags)
    return _merge_colour(stored.samples)


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
    several = {"frame": f"{layout.frame} of {layout.frames}"} if layout.frames > 1 else {}
    return several | {
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
