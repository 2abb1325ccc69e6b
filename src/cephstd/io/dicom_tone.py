"""From stored samples to the tone that the file presents, as one table over all stored values.

What the source pixels are, and why: a presentation transform (VOI LUT, or a window of any shape) is what the device's
maker shows to people and what landmarks were learnt on, so the first one of the file is applied after the modality
transform. Without one the stored samples are kept: a linear rescale alone changes nothing that a later tone step would
not undo. A transform that would leave almost nothing of the picture is a wrong tag; it is reported and not applied.
The sense of the samples is never turned here: MONOCHROME1, an INVERSE presentation shape or a falling rescale without
a window mark the film as inverted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cephstd.core.arrays import FloatArray, Pixels
from cephstd.io.dicom_file import Tags
from cephstd.io.dicom_pixels import Layout

FEWEST_LEVELS = 16
"""A transform that leaves fewer grey levels of a picture that had more is not usable."""

LARGEST_CLIPPED_SHARE = 0.9
"""Nor is one that sends a larger share of the pixels to its ends; air and collimation alone stay well below."""

WINDOW_FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
_TOP = 65535


@dataclass(frozen=True, slots=True)
class Curve:
    """Output (uint8 or uint16) for every stored value, its significant bits, and a name for the record."""

    table: Pixels
    bits: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tone:
    """Samples after the file's transforms, their significant bits, and what was done."""

    pixels: Pixels
    bits: int
    inverted: bool
    facts: dict[str, str]
    warnings: tuple[str, ...]


def apply_tone(samples: Pixels, layout: Layout, tags: Tags) -> Tone:
    """Apply modality and presentation transforms to stored `samples`, and make pixel padding black.

    Parameters
    ----------
    samples : ndarray of uint8 or uint16, shape (height, width)
        Stored bits; signed samples as two's complement within `layout.stored` bits.
    """
    values = sample_values(layout)
    padding = _padding(tags, layout, values)
    counts = np.bincount(samples.ravel(), minlength=values.size)
    counts[padding] = 0
    warnings: list[str] = []
    modality, lut_bits, falling = _modality(values, tags)
    curve = _presentation(modality, tags, warnings)
    if curve and not _is_usable(curve.table, counts):
        warnings.append("The window or VOI table of the file would leave almost no grey levels; it was not applied.")
        curve = None
    # A presentation transform shows modality values as they are meant to be seen, whichever way they run.
    falling = falling and curve is None
    if curve is None and lut_bits:
        curve = Curve(_to_container(modality, lut_bits), lut_bits, "modality table")
    if curve is None:
        curve = Curve(_to_container(values - values.min(), layout.stored), layout.stored, "stored samples")
    inverted = _is_inverted(layout, tags, warnings) != falling
    table = _blacken(curve.table, padding, counts, inverted=inverted)
    facts = {"tone": curve.name}
    if padding.size:
        facts["pixel_padding"] = "black"
    return Tone(
        pixels=samples if np.array_equal(table, np.arange(table.size)) else np.take(table, samples),
        bits=curve.bits,
        inverted=inverted,
        facts=facts,
        warnings=tuple(warnings),
    )


def sample_values(layout: Layout) -> FloatArray:
    """Number that each stored bit pattern 0..2**stored - 1 stands for."""
    patterns = np.arange(1 << layout.stored, dtype=np.float64)
    if layout.signed:
        patterns[patterns.size // 2 :] -= patterns.size
    return patterns


def window_fractions(values: FloatArray, center: float, width: float, function: str) -> FloatArray | None:
    """Output of a window as a fraction of the range, or None for an impossible width (PS3.3 C.11.2.1.2 and .3).

    >>> window_fractions(np.array([0.0, 50.0, 100.0]), 50.0, 100.0, "LINEAR_EXACT").tolist()
    [0.0, 0.5, 1.0]
    """
    if function == "SIGMOID" and width > 0:
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700))))
    if function == "LINEAR_EXACT" and width > 0:
        return np.clip((values - center) / width + 0.5, 0, 1)
    if function not in ("SIGMOID", "LINEAR_EXACT") and width > 1:
        return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)
    return None


def _modality(values: FloatArray, tags: Tags) -> tuple[FloatArray, int, bool]:
    """Modality values, bits of the table that made them (0 = none did), and whether they fall as samples rise."""
    for item in tags.items("ModalityLUTSequence")[:1]:
        found = _read_table(item, tags)
        if found:
            first, entries, bits = found
            return _look_up(values, first, entries), bits, False
    slope, intercept = tags.number("RescaleSlope"), tags.number("RescaleIntercept")
    if not slope or intercept is None:
        return values, 0, False
    return values * slope + intercept, 0, slope < 0


def _presentation(modality: FloatArray, tags: Tags, warnings: list[str]) -> Curve | None:
    """The first VOI table, else the first window; None when neither changes more than scale and offset."""
    for item in tags.items("VOILUTSequence")[:1]:
        found = _read_table(item, tags)
        if found:
            first, entries, bits = found
            return Curve(_to_container(_look_up(modality, first, entries), bits), bits, "VOI table")
        warnings.append("The VOI table of the file is damaged; it was not applied.")
    center, width = tags.number("WindowCenter"), tags.number("WindowWidth")
    if center is None or width is None:
        return None
    stated = tags.text("VOILUTFunction").upper()
    function = stated if stated in WINDOW_FUNCTIONS else "LINEAR"
    fractions = window_fractions(modality, center, width, function)
    if fractions is None:
        warnings.append(f"The window of the file has an impossible width ({width:g}); it was not applied.")
        return None
    clips = np.count_nonzero(fractions <= 0) > 1 or np.count_nonzero(fractions >= 1) > 1
    if function != "SIGMOID" and not clips:
        return None
    name = f"window {function.lower().replace('_', ' ')} {center:g}/{width:g}"
    return Curve(np.rint(fractions * _TOP).astype(np.uint16), 16, name)


def _read_table(item: Tags, tags: Tags) -> tuple[int, FloatArray, int] | None:
    """First mapped value, entries and bits per entry of a lookup table item; None when it is damaged."""
    descriptor = item.numbers("LUTDescriptor")
    data = item.value("LUTData")
    if len(descriptor) != 3 or data is None:
        return None
    # The descriptor may have been read with or without sign: counts have none, 0 stands for 65536.
    count, first, bits = int(descriptor[0]) % 65536 or 65536, int(descriptor[1]), int(descriptor[2])
    if isinstance(data, bytes):
        little = tags.dataset.original_encoding[1] is not False
        wide = len(data) >= 2 * count
        data = np.frombuffer(data[: count * (1 + wide)], dtype=("<u2" if little else ">u2") if wide else "u1")
    entries = np.atleast_1d(np.asarray(data, dtype=np.float64))[:count]
    if entries.size < count or not 8 <= bits <= 16 or entries.max() >= 1 << bits or entries.min() < 0:
        return None
    return first, entries, bits


def _look_up(values: FloatArray, first: int, entries: FloatArray) -> FloatArray:
    """Entries at `values`; those below the first or beyond the last mapped value take its entry (PS3.3 C.11.1.1)."""
    # A first value beyond 32767 under signed values was meant with a sign.
    start = first - 65536 if first > 32767 and values.min() < 0 else first
    places = np.clip(np.rint(values) - start, 0, entries.size - 1).astype(np.int64)
    return np.asarray(entries[places])


def _to_container(values: FloatArray, bits: int) -> Pixels:
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


def _is_usable(table: Pixels, counts: Pixels) -> bool:
    present = counts > 0
    if np.count_nonzero(present) < FEWEST_LEVELS:
        return True
    ends = (table == table.min()) | (table == table.max())
    return bool(
        np.unique(table[present]).size >= FEWEST_LEVELS and counts[ends].sum() <= LARGEST_CLIPPED_SHARE * counts.sum()
    )


def _padding(tags: Tags, layout: Layout, values: FloatArray) -> Pixels:
    """Stored bit patterns that are padding: Pixel Padding Value, up to its range limit."""
    edge = tags.number("PixelPaddingValue")
    if edge is None:
        return np.empty(0, dtype=np.int64)
    other = tags.number("PixelPaddingRangeLimit")
    # The value may have been read with the wrong sign.
    edges = [_with_sign(value, layout) for value in (edge, edge if other is None else other)]
    return np.flatnonzero((values >= min(edges)) & (values <= max(edges)))


def _with_sign(value: float, layout: Layout) -> float:
    half = 1 << (layout.allocated - 1)
    if layout.signed and value >= half:
        return value - 2 * half
    return value + 2 * half if not layout.signed and value < 0 else value


def _blacken(table: Pixels, padding: Pixels, counts: Pixels, *, inverted: bool) -> Pixels:
    if not padding.size or not counts.any():
        return table
    blackened = table.copy()
    present = table[counts > 0]
    blackened[padding] = present.max() if inverted else present.min()
    return blackened


def _is_inverted(layout: Layout, tags: Tags, warnings: list[str]) -> bool:
    """Whether high samples are dark; the two elements that say so are meant to agree (PS3.3 C.8.11.3.1)."""
    shape = tags.text("PresentationLUTShape").upper()
    by_photometric = layout.photometric == "MONOCHROME1"
    if shape in ("IDENTITY", "INVERSE") and (shape == "INVERSE") != by_photometric:
        warnings.append(
            f"Photometric interpretation ({layout.photometric}) and presentation shape ({shape}) contradict each "
            "other; the film was taken as inverted."
        )
    return by_photometric or shape == "INVERSE"
