"""Films without their persons: reading, cleaning, burnt-in text and writing in one place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cephstd.core.arrays import Pixels
from cephstd.core.digest import digest_bytes, pseudonym
from cephstd.core.recipe import Budget
from cephstd.errors import InputError
from cephstd.imaging.lettering import DOUBTFUL_CONTRASTS, find_burnt_in_text, mask_text
from cephstd.io.deidentify import PixelJudgement, PixelState, deidentify_dicom
from cephstd.io.raster import encode_png
from cephstd.io.reader import DEFAULT_BUDGET, load_bytes, read
from cephstd.io.sniff import sniff
from cephstd.io.store import write_bytes
from cephstd.knowledge.presets import load_preset

PRESET = "ceph-research"
DOUBTFUL_LETTERS = 4
FACE = (
    "A lateral film shows the profile of the face, by which a person may be known: this film is de-identified, not "
    "anonymous."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deidentified:
    """A film without its person.

    Attributes
    ----------
    name : str
        Keyed pseudonym of the file's content, with a suffix: a file name that gives nothing away.
    data : bytes
        The file.
    format : str
        ``dicom`` or ``png``.
    pixels : {"clean", "unsure"}
        Whether the file claims pixels without burnt-in text.
    masked : int
        Rows of text that were covered.
    options : tuple of str
        Codes of CID 7050 that a DICOM file claims.
    warnings : tuple of str
    """

    name: str
    data: bytes
    format: str
    pixels: PixelState
    masked: int
    options: tuple[str, ...]
    warnings: tuple[str, ...]


def deidentify(
    source: str | Path | bytes, *, key: bytes, preset: str = PRESET, budget: Budget = DEFAULT_BUDGET
) -> Deidentified:
    """Take the person out of a film.

    A DICOM file gets the Basic Profile of PS3.15 Annex E with the preset's options. Of any other picture only the grey
    samples are kept, as PNG. Rows of burnt-in text outside the head are covered; text over the head is left and said.

    Parameters
    ----------
    source : str, Path or bytes
        The film; it is not changed.
    key : bytes
        At least 16 secret bytes. Unique ids, the patient's id and the name become keyed pseudonyms: equal where they
        were equal, in all films under one key. Who has the key can link them to the originals.
    preset : str
        Name of a preset; ``ceph-research`` keeps age, sex, device and institution.
    budget : Budget
        What reading may cost.

    Returns
    -------
    Deidentified
        Written by `save_deidentified`.

    Raises
    ------
    InputError
        When the film cannot be read, or the key is too short.
    DefinitionError
        When there is no such preset.
    MissingExtraError
        When the extra ``dicom`` is not installed.

    Examples
    --------
    >>> import cv2, numpy as np
    >>> film = np.full((400, 600), 40, dtype=np.uint8)
    >>> _ = cv2.putText(film, "DOE, JANE 4711", (20, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 250, 2)
    >>> done = deidentify(cv2.imencode(".png", film)[1].tobytes(), key=b"sixteen bytes...")
    >>> done.masked, done.pixels
    (1, 'clean')
    """
    chosen = load_preset(preset)
    data = load_bytes(source, budget)
    kind = sniff(data)
    name = pseudonym(key, f"film {digest_bytes(data)}")
    if kind == "dicom":
        done = deidentify_dicom(data, preset=chosen, key=key, judge=judge_text, budget=budget)
        return _finish(f"{name}.dcm", done.data, "dicom", done.judgement, done.options)
    film = read(data, budget=budget)
    judgement = judge_text(film.pixels, "")
    return _finish(f"{name}.png", encode_png(judgement.mask(film.pixels)), "png", judgement, ())


def _finish(name: str, data: bytes, kind: str, judgement: PixelJudgement, options: tuple[str, ...]) -> Deidentified:
    return Deidentified(
        name=name,
        data=data,
        format=kind,
        pixels=judgement.state,
        masked=judgement.masked,
        options=options,
        warnings=(*judgement.reasons, FACE),
    )


def judge_text(pixels: Pixels, stated: str) -> PixelJudgement:
    """Find burnt-in text and say whether a film without it may be called clean.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16]
    stated : str
        ``YES`` or ``NO`` as the file says, ``detector`` where a digital detector made it, or an empty string.

    Returns
    -------
    PixelJudgement
        ``clean`` when nothing is left that looks like text, and the file does not speak against it: it says that there
        is none, comes from a detector, or the text that was found explains what it says.
    """
    boxes = find_burnt_in_text(pixels)
    outside = tuple(box for box in boxes if box.outside_head)
    left = find_burnt_in_text(mask_text(pixels, outside), contrasts=DOUBTFUL_CONTRASTS)
    reasons = []
    if len(outside) < len(boxes):
        reasons.append("What looks like text lies over the head; it was left, look at it.")
    if any(box.outside_head and box.letters >= DOUBTFUL_LETTERS for box in left):
        reasons.append("Faint marks that may be text were left; look at them.")
    if not boxes and stated == "YES":
        reasons.append("The file says that text is burnt in, and none was found.")
    if not boxes and stated == "":
        reasons.append("No text was found and the file does not say that there is none: handwriting is not seen.")
    return PixelJudgement(
        state="unsure" if reasons else "clean",
        masked=len(outside),
        reasons=tuple(reasons),
        mask=partial(mask_text, boxes=outside),
    )


def save_deidentified(done: Deidentified, folder: str | Path, *, source: str | Path | None = None) -> Path:
    """Write a de-identified film under its own name.

    Parameters
    ----------
    done : Deidentified
    folder : str or Path
        An existing folder.
    source : str or Path, optional
        The original, which is never overwritten.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    InputError
        When the original lies where the film would go.
    RecordError
        When it cannot be written.
    """
    target = Path(folder) / done.name
    if source is not None and target.exists() and Path(source).exists() and target.samefile(source):
        raise InputError("Expected another place for the output, found the original there.", hint="Give a new folder.")
    write_bytes(target, done.data)
    return target
