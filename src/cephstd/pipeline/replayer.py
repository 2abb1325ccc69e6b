"""Runs a recorded analysis again on its film and says whether the same comes out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cephstd.audit import recorder
from cephstd.audit.verifier import Verification, check_source_file, verify
from cephstd.core.image import Calibration, Normalized, Radiograph
from cephstd.core.landmarks import LandmarkSet
from cephstd.core.record import Content, Record, RecordedModel, seal
from cephstd.errors import DigestMismatch, ModelError, ModelUnavailable, ReplayMismatch, UnknownModelError
from cephstd.geometry.measurer import Measurer
from cephstd.imaging.normalizer import standardize
from cephstd.inference.detector import Detector
from cephstd.io.reader import read
from cephstd.pipeline.comparer import Difference, Tolerances, compare_contents
from cephstd.pipeline.human_points import keep_human_points
from cephstd.pipeline.intake import FilmSource, read_film
from cephstd.pipeline.normalizer import Normalizer
from cephstd.pipeline.scaler import find_profile

STATED_BASES = frozenset({"user_stated", "user_ruler"})
"""Scales that rest on a person's word: no file holds them, so a replay takes them from the record."""

DEFAULT_TOLERANCES = Tolerances()
SHOWN_DIFFERENCES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A record that came out again, within the tolerances.

    Attributes
    ----------
    record, again : Record
        The given record, and the one that the second run gave, with the first one's time and predecessor.
    same_result : bool
        True when both have the same content to the last digit; promised on one machine with the same number of
        threads only.
    largest : tuple of Difference
        The largest difference of each quantity; empty when nothing differs.
    tolerances : Tolerances
    notes : tuple of str
        What was taken from the record instead of computed, and what differs without being a fault.
    """

    record: Record
    again: Record
    same_result: bool
    largest: tuple[Difference, ...]
    tolerances: Tolerances
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        verdict = "the same result" if self.same_result else "the same result within the tolerances"
        differences = [f"largest difference: {difference}" for difference in self.largest]
        return "\n".join([f"replayed: {verdict}", *differences, *(f"note: {note}" for note in self.notes)])


def replay(
    record: Record | bytes | str | Path,
    source: FilmSource,
    *,
    models: str | Path | None = None,
    device: str = "auto",
    tolerances: Tolerances = DEFAULT_TOLERANCES,
) -> Replay:
    """Run the recorded recipe again on the recorded film and compare.

    The scale is read from the film again, except where it rests on a person's word or the file has none: then the
    record's is used. Landmarks that a person placed, moved or rejected are taken from the record; all others are
    detected again.

    Parameters
    ----------
    record : Record, bytes or path
    source : path, bytes, binary file, ndarray or Radiograph
        The film that the record was made from.
    models : path, optional
        Folder with another ``manifest.toml``; default: the bundled models.
    device : str
        As for `Analyzer`.
    tolerances : Tolerances
        What counts as the same.

    Returns
    -------
    Replay

    Raises
    ------
    SchemaError, NotCanonicalError, DigestMismatch, VerificationError
        When the record does not hold, or the film is another than the recorded one.
    ModelUnavailable
        When the recorded weights are not there: no such model, no file, or other weights under the model's name. That
        says nothing about the record.
    ModelIntegrityError
        When the file of weights is not the one that its manifest pins.
    ReplayMismatch
        When something differs by more than the tolerances; the message names what and by how much.
    """
    verification = verify(record)
    recorded, content = verification.record, verification.record.content
    detector = _recorded_detector(content, models=models, device=device, threads=recorded.run.threads)
    film, notes = _recorded_film(content, source)
    film = _with_recorded_person(content, film, notes)
    normal = _normalize_again(content, film, models, notes)
    found = detector(normal) if detector else LandmarkSet(landmarks=(), scheme=content.scheme)
    marks, kept = keep_human_points(content, found)
    if kept:
        notes.append(f"Taken from the record, because a person set them: {', '.join(kept)}.")
    values = Measurer(content.recipe.analysis)(marks, normal.calibration, uncertainty=content.uncertainty)
    again = recorder.record(
        film,
        normal,
        marks,
        values,
        recipe=content.recipe,
        created=recorded.run.created,
        subject=content.subject.pseudonym,
        previous=content.previous,
        threads=detector.threads if detector else 0,
    )
    if content.reviews:
        reviewed = recorder.with_earlier_reviews(again.content, content.earlier_reviews)
        again = seal(msgspec.structs.replace(reviewed, trail=content.trail), again.run)
    notes.extend(_changes(recorded, again))
    differences = compare_contents(content, again.content, tolerances)
    beyond = [difference for difference in differences if difference.exceeds]
    if beyond:
        raise ReplayMismatch(_mismatch(beyond))
    return Replay(
        record=recorded,
        again=again,
        # not the digests: those of an older record cover bytes without the members added since
        same_result=content == again.content,
        largest=_largest(differences),
        tolerances=tolerances,
        notes=tuple(notes),
    )


def verify_source(record: Record | bytes | str | Path, source: str | Path | bytes, **attested: Any) -> Verification:
    """`verify` with the film: its file's hash, then its decoded pixels.

    The film is decoded only after its hash proved it to be the recorded one.

    Parameters
    ----------
    record : Record, bytes or path
    source : path or bytes
        The film's file.
    **attested
        ``trust``, ``signatures``, ``proof`` and ``require``, as for `verify`.

    Returns
    -------
    Verification

    Raises
    ------
    SchemaError, NotCanonicalError, DigestMismatch, VerificationError
        When the record does not hold, or the film is another than the recorded one.
    InputError
        When the film's file cannot be read.
    """
    first = verify(record, source=source, **attested)
    recipe = first.record.content.recipe
    if not first.record.content.source.file_sha256:
        return first
    frame = first.record.content.source.frame
    film = read(source, budget=recipe.budget, keep_age=False, keep_sex=False, frame=frame)
    pixels = film.source
    return verify(first.record, source=source, pixel_sha256=pixels.pixel_sha256, decoder=pixels.decoder, **attested)


def _recorded_detector(content: Content, *, models: str | Path | None, device: str, threads: int) -> Detector | None:
    wanted = content.model
    if wanted is None:
        return None
    try:
        detector = Detector(
            wanted.name,
            device=device,
            models=models,
            threads=threads or None,
            min_score=content.recipe.min_score,
            accepted_licences=content.recipe.accepted_licences,
        )
    except UnknownModelError as error:
        raise ModelUnavailable(
            f"The recorded model {wanted.name} {wanted.version} is not in the catalog.",
            hint="Name the folder that holds it and its manifest with models=.",
        ) from error
    here = RecordedModel.from_facts(detector.model_facts)
    if here.weights_sha256 != wanted.weights_sha256:
        raise ModelUnavailable(
            f"The record was made with {wanted.name} {wanted.version}, weights {wanted.weights_sha256}; "
            f"that name stands for version {here.version}, weights {here.weights_sha256} here.",
            hint="Name the folder that holds the recorded weights and their manifest with models=.",
        )
    return detector


def _recorded_film(content: Content, source: FilmSource) -> tuple[Radiograph, list[str]]:
    recorded, recipe = content.calibration, content.recipe
    if isinstance(source, (str, Path, bytes)) and content.source.file_sha256:
        check_source_file(content.source, source)
    stated = recorded if recorded.basis in STATED_BASES else None
    film = read_film(source, recipe, stated, frame=content.source.frame)
    same_file = film.source.file_sha256 == content.source.file_sha256
    if not same_file or (not film.source.file_sha256 and film.source.pixel_sha256 != content.source.pixel_sha256):
        raise DigestMismatch("The record was made from another film than the given one.")
    if stated is None and _only_record_has_scale(recorded, film.calibration):
        stated, film = recorded, dataclasses.replace(film, calibration=recorded)
    if stated is None:
        return film, []
    return film, [f"The scale is the record's ({recorded.basis}): the file does not hold it."]


def _normalize_again(content: Content, film: Radiograph, models: str | Path | None, notes: list[str]) -> Normalized:
    """The standard image as recorded, with what the recorded view head sees now, where its weights are here."""
    recorded = content.normalized.view
    # what was recorded decides on the steps, so that a head that sees it otherwise is one difference and not many
    normal = standardize(film, recorded, refuse=False, profile=find_profile(film, content.recipe))
    if recorded is None:
        return normal
    with suppress(ModelError):
        normalizer = Normalizer(models=models)
        if normalizer.viewer_sha256 == recorded.weights_sha256:
            return dataclasses.replace(normal, view=normalizer.see(film))
    notes.append(f"What {recorded.viewer} saw is the record's: those weights are not here.")
    return normal


def _with_recorded_person(content: Content, film: Radiograph, notes: list[str]) -> Radiograph:
    """`film` with the recorded age and sex: norms depend on them, and a person may have stated them."""
    recorded = content.subject
    stated: dict[str, Any] = {}
    if recorded.age_years is not None and film.age_years != recorded.age_years:
        stated["age_years"] = recorded.age_years
    if recorded.sex is not None and film.sex != recorded.sex:
        stated["sex"] = recorded.sex
    if not stated:
        return film
    notes.append("Age or sex is the record's: the file says something else or nothing.")
    return dataclasses.replace(film, **stated)


def _only_record_has_scale(recorded: Calibration, found: Calibration) -> bool:
    return recorded.spacing_mm is not None and found.spacing_mm is None


def _changes(recorded: Record, again: Record) -> Iterable[str]:
    before, now = recorded.content, again.content
    if before.source.pixel_sha256 != now.source.pixel_sha256:
        yield f"The decoder gives other pixels ({before.source.decoder} then, {now.source.decoder} now)."
    if before.normalized.pixel_sha256 != now.normalized.pixel_sha256:
        yield "The standard image has other pixels than the recorded one."
    if recorded.run.provider_ran != again.run.provider_ran:
        yield f"The model ran on {recorded.run.provider_ran} then, on {again.run.provider_ran} now."
    if recorded.run.versions != again.run.versions:
        changed = sorted(dict(recorded.run.versions.items() ^ again.run.versions.items()))
        yield f"Other versions than recorded: {', '.join(changed)}."


def _largest(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    largest: dict[tuple[str, str], Difference] = {}
    for difference in differences:
        key = (difference.quantity, difference.unit)
        if key not in largest or difference.amount > largest[key].amount:
            largest[key] = difference
    return tuple(largest.values())


def _mismatch(beyond: list[Difference]) -> str:
    shown = "; ".join(map(str, beyond[:SHOWN_DIFFERENCES]))
    more = len(beyond) - SHOWN_DIFFERENCES
    return f"The second run differs from the record: {shown}" + (f"; and {more} more." if more > 0 else ".")
