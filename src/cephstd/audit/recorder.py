"""Writes the record of one analysed film."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from types import MappingProxyType

import msgspec

from cephstd.audit.consistency import contradictions, is_utc_time
from cephstd.core.digest import digest_pixels, digest_value
from cephstd.core.image import Normalized, Radiograph
from cephstd.core.landmarks import Landmark, LandmarkSet, ModelFacts, round_landmark
from cephstd.core.measures import Measure, MeasureSet
from cephstd.core.recipe import NormEnlargement, Recipe
from cephstd.core.record import (
    NOTICES,
    Content,
    NormalizedFacts,
    Record,
    RecordedModel,
    Run,
    Subject,
    seal,
)
from cephstd.core.trail import ReviewEvent
from cephstd.errors import InputError
from cephstd.interpretation.interpreter import Interpreter

NOT_OF_THIS_RECORD = (
    "People have reviewed an earlier record of this film: the decisions under earlier_reviews were made on the records "
    "that they name, not on this one."
)
AGE_DECIMALS = 1
"""Years with more decimals, beside the date of the film, would give the day of birth."""

# One of the distributions of a row is installed; the first that is found counts.
DISTRIBUTIONS = MappingProxyType(
    {
        "cephstd": ("cephstd",),
        "numpy": ("numpy",),
        "numba": ("numba",),
        "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
        "opencv": ("opencv-python-headless", "opencv-python"),
        "pydicom": ("pydicom",),
    }
)


@lru_cache(maxsize=1)
def environment() -> MappingProxyType[str, str]:
    """Versions of what computes: Python, this library and the libraries under it; nothing that names a machine."""
    found = {"python": platform.python_version()}
    for name, distributions in DISTRIBUTIONS.items():
        for distribution in distributions:
            try:
                found[name] = metadata.version(distribution)
                break
            except metadata.PackageNotFoundError:
                continue
    return MappingProxyType(found)


def machine() -> str:
    """Operating system and processor family, e.g. ``"Linux x86_64"``; never a host name."""
    return f"{platform.system()} {platform.machine()}".strip()


def record(
    film: Radiograph,
    normal: Normalized,
    marks: LandmarkSet,
    values: MeasureSet,
    *,
    recipe: Recipe,
    created: datetime | str,
    subject: str | None = None,
    previous: Record | str | None = None,
    threads: int = 0,
) -> Record:
    """Seal what was found on a film into a record.

    Parameters
    ----------
    film : Radiograph
        The film as read.
    normal : Normalized
        Its standard image.
    marks : LandmarkSet
        Landmarks in source px, of the recipe's model or stated by a person.
    values : MeasureSet
        Measures of the recipe's analysis, taken with ``normal.calibration``.
    recipe : Recipe
        The choices that led here.
    created : datetime or str
        When, from the caller's clock: a datetime with a time zone, or RFC 3339 text; stored in UTC.
    subject : str, optional
        Keyed pseudonym of the person (`cephstd.core.digest.pseudonym`), 32 or more hex digits; never a name or id.
    previous : Record or str, optional
        Predecessor of the same film, or its ``record_digest``. Decisions of persons on a record that is given stay with
        it: they are listed as earlier reviews, and nobody has decided on the new record yet.
    threads : int
        Threads inside one model run; 0 means the library's default.

    Returns
    -------
    Record
        Values and standard deviations rounded to ``recipe.value_decimals``.

    Raises
    ------
    InputError
        When the time has no zone, the subject is no pseudonym, the predecessor is of another film, or the parts
        contradict each other (another film, another model or analysis than the recipe's, a value that is NaN).
    SchemaError
        When a field holds a value of another type than declared.
    """
    when = format_time(created)
    if normal.source != film.source:
        raise InputError(
            "Expected the standard image of the same film, found one of another.",
            hint="Give record() the film that normalize() was given.",
        )
    content = Content(
        source=film.source,
        device=film.device,
        calibration=normal.calibration,
        normalized=_normalized_facts(film, normal),
        model=RecordedModel.from_facts(marks.model) if marks.model else None,
        scheme=marks.scheme,
        landmarks=tuple(map(round_landmark, marks)),
        analysis=values.analysis,
        measures=tuple(_rounded_measure(measure, recipe.value_decimals) for measure in values),
        recipe=recipe,
        recipe_digest=digest_value(recipe),
        subject=_subject(film, recipe, subject),
        previous=_predecessor(previous, film),
        warnings=(*film.warnings, *marks.warnings),
        notices=_notices(marks.model),
    )
    if isinstance(previous, Record):
        content = with_earlier_reviews(content, previous.content.reviews)
    run = Run(
        created=when,
        versions=dict(environment()),
        machine=machine(),
        provider_requested=marks.model.provider_requested if marks.model else "",
        provider_ran=marks.model.provider_ran if marks.model else "",
        threads=threads,
    )
    return _seal_consistent(content, run)


def succeed(
    previous: Record, landmarks: Iterable[Landmark], measures: Iterable[Measure], *, event: ReviewEvent
) -> Record:
    """Seal the successor of `previous` that a review leaves; nothing of `previous` is edited.

    Parameters
    ----------
    previous : Record
        The reviewed record.
    landmarks : iterable of Landmark
        All landmarks, the changed ones among them.
    measures : iterable of Measure
        All measures; their values are rounded as the recipe says.
    event : ReviewEvent
        The decision; its time becomes that of the successor.

    Returns
    -------
    Record
        Which names `previous` by its digest and has the event at the end of its trail. Where the model ran is taken
        from `previous`; versions are those of this software.

    Raises
    ------
    InputError
        When the parts contradict each other.
    """
    before = previous.content
    content = msgspec.structs.replace(
        before,
        landmarks=tuple(map(round_landmark, landmarks)),
        measures=tuple(_rounded_measure(measure, before.recipe.value_decimals) for measure in measures),
        # the recipe anew: its digest covers what is stored, and an older recipe lacks the fields added since
        recipe_digest=digest_value(before.recipe),
        previous=previous.record_digest,
        trail=(*before.trail, event),
    )
    run = msgspec.structs.replace(previous.run, created=event.at, versions=dict(environment()), machine=machine())
    return _seal_consistent(content, run)


def record_measures(previous: Record, values: MeasureSet, *, recipe: Recipe, created: datetime | str) -> Record:
    """Seal the successor of `previous` whose measures were taken anew, of the same points and the same scale.

    Parameters
    ----------
    previous : Record
    values : MeasureSet
        Measures of the recipe's analysis on the landmarks and the calibration of `previous`.
    recipe : Recipe
        Differs from that of `previous` in choices that bear on measures alone.
    created : datetime or str
        When, from the caller's clock, with its time zone.

    Returns
    -------
    Record
        Which names `previous` by its digest. Where the model ran is taken from `previous`. Decisions on `previous` are
        listed as earlier reviews: nobody has seen these measures yet.

    Raises
    ------
    InputError
        When the time has no zone or the parts contradict each other.
    """
    content = msgspec.structs.replace(
        with_earlier_reviews(previous.content, previous.content.reviews),
        analysis=values.analysis,
        measures=tuple(_rounded_measure(measure, recipe.value_decimals) for measure in values),
        recipe=recipe,
        recipe_digest=digest_value(recipe),
        previous=previous.record_digest,
        trail=(),
    )
    run = msgspec.structs.replace(
        previous.run, created=format_time(created), versions=dict(environment()), machine=machine()
    )
    return _seal_consistent(content, run)


def with_earlier_reviews(content: Content, reviews: tuple[ReviewEvent, ...]) -> Content:
    """`content` with decisions that people made on earlier records of the film, and the warning that they are such."""
    if not reviews:
        return content
    warnings = tuple(dict.fromkeys((*content.warnings, NOT_OF_THIS_RECORD)))
    return msgspec.structs.replace(content, warnings=warnings, earlier_reviews=reviews)


def _seal_consistent(content: Content, run: Run) -> Record:
    """Seal `content` with what the recipe's norms and rules say of its values as they are recorded."""
    interpreter = _load_interpreter(
        content.recipe.norms, content.recipe.rules, content.recipe.norms_by, content.recipe.norm_enlargements
    )
    said = interpreter(
        content.measures,
        age_years=content.subject.age_years,
        sex=content.subject.sex,
        basis=content.calibration.basis,
    )
    sealed = seal(msgspec.structs.replace(content, interpretation=said), run)
    faults = contradictions(sealed.content, sealed.run)
    if faults:
        raise InputError("The parts do not make a record: " + " ".join(faults))
    return sealed


@lru_cache(maxsize=16)
def _load_interpreter(
    norms: tuple[str, ...], rules: tuple[str, ...], norms_by: str, enlargements: tuple[NormEnlargement, ...]
) -> Interpreter:
    for name in (*norms, *rules):
        if name.endswith(".toml"):
            raise InputError(f"Expected sets that ship, since a record names no files; found {name!r:.80}.")
    return Interpreter(norms, rules, norms_by=norms_by, enlargements={one.set: one.percent for one in enlargements})


def format_time(moment: datetime | str) -> str:
    """`moment` as RFC 3339 in UTC, e.g. ``2025-04-16T09:30:00Z``.

    >>> format_time("2025-04-16T11:30:00+02:00")
    '2025-04-16T09:30:00Z'

    Raises
    ------
    InputError
        When the text is no time, or the time has no zone.
    """
    if isinstance(moment, str):
        if is_utc_time(moment):
            return moment
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError as error:
            raise InputError(
                f"Expected a time as RFC 3339, found {moment!r:.60}.", hint="Write e.g. 2025-04-16T09:30:00Z."
            ) from error
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise InputError(
            f"Expected a time with its zone, found {moment!r:.60}.",
            hint="Give a datetime with tzinfo, e.g. datetime.now(timezone.utc), or text that ends with Z.",
        )
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _normalized_facts(film: Radiograph, normal: Normalized) -> NormalizedFacts:
    width, height = normal.chain.source_size
    return NormalizedFacts(
        source_width_px=width,
        source_height_px=height,
        steps=normal.chain.steps,
        pixel_sha256=digest_pixels(normal.pixels),
        spacing_mm=normal.spacing_mm,
        quality=normal.quality,
        warnings=tuple(text for text in normal.warnings if text not in film.warnings),
        view=normal.view,
    )


def _rounded_measure(measure: Measure, decimals: int) -> Measure:
    if measure.value is None:
        return measure
    sd = None if measure.sd is None else round(float(measure.sd), decimals)
    return msgspec.structs.replace(measure, value=round(float(measure.value), decimals), sd=sd)


def _subject(film: Radiograph, recipe: Recipe, pseudonym: str | None) -> Subject:
    age = film.age_years if recipe.keep_age else None
    return Subject(
        pseudonym=pseudonym,
        age_years=None if age is None else round(float(age), AGE_DECIMALS),
        sex=film.sex if recipe.keep_sex else None,
    )


def _predecessor(previous: Record | str | None, film: Radiograph) -> str | None:
    if not isinstance(previous, Record):
        return previous
    before, now = previous.content.source, film.source
    same = before.file_sha256 == now.file_sha256 if now.file_sha256 else before.pixel_sha256 == now.pixel_sha256
    if not same:
        raise InputError("Expected a predecessor of the same film, found a record of another file.")
    return previous.record_digest


def _notices(model: ModelFacts | None) -> tuple[str, ...]:
    if model is None:
        return NOTICES
    terms = f"Model {model.name} {model.version}, weights under {model.licence_weights}: {model.intended_use}"
    return (*NOTICES, terms)
