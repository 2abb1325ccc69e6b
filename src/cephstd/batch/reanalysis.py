"""Analyses the films of earlier records, or of another system's points, anew, and sums up what changed and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec

from cephstd.batch.identifier import Identifier
from cephstd.batch.outcomes import Outcome
from cephstd.batch.planner import Plan
from cephstd.batch.register import Failure, PathRegister, RunLock, image_id, work_key
from cephstd.batch.results import LOCAL, Results, list_records, read_place
from cephstd.batch.tables import write_failures, write_stale_tables
from cephstd.core.recipe import Recipe
from cephstd.core.record import decode_record
from cephstd.core.tables import UNNAMED_SITE
from cephstd.errors import CephError, InputError
from cephstd.export.tables import FilmPoints
from cephstd.inference.catalog import load_catalog
from cephstd.inference.detector import Detector
from cephstd.io.store import write_bytes
from cephstd.pipeline.changes import Attribution, Flip
from cephstd.pipeline.normalizer import Normalizer
from cephstd.pipeline.reanalyzer import Baseline, Reanalysis, Reanalyzer, Shift

CHANGES = "changes"
COMMIT_FILMS = 16


class FilmChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What changed on one film, as kept in ``changes/IMAGE_ID.json``.

    Attributes
    ----------
    image_id, site, device : str
    previous : str or None
        record_digest of the earlier record.
    attributions, flips, shifts, notes
        As a `Reanalysis` has them.
    """

    image_id: str
    site: str
    device: str
    previous: str | None
    attributions: tuple[Attribution, ...]
    flips: tuple[Flip, ...]
    shifts: tuple[Shift, ...]
    notes: tuple[str, ...] = ()


class OldFilm(msgspec.Struct, frozen=True, kw_only=True):
    """A film to analyse anew: where it lies, what was said of it, and what the tables say beside.

    Attributes
    ----------
    path : str
        Empty when no file of it is known.
    image_id, site, date, attributes : str
    load : callable
        Gives the baseline.
    """

    path: str
    image_id: str
    site: str
    load: Callable[[], Baseline]
    date: str = ""
    attributes: str = ""


def films_of_batch(old: str | Path, films: Mapping[str, str]) -> Iterator[OldFilm]:
    """Films of a batch's output folder, by its current records.

    Parameters
    ----------
    old : str or Path
    films : mapping of str to str
        image_id -> path, for films that lie elsewhere than the folder's own map of paths says.

    Raises
    ------
    InputError
        When `old` is no output folder of a batch.
    """
    folder = Path(old)
    places = list(list_records(folder))
    known = dict(films)
    if (folder / LOCAL).is_dir():
        with closing(PathRegister(folder / LOCAL)) as paths:
            for place in places:
                there = [path for path in paths.paths_of(place.file_sha256) if Path(path).is_file()]
                if there:
                    known.setdefault(place.image_id, there[0])
    for place in places:
        yield OldFilm(
            path=known.get(place.image_id, ""),
            image_id=place.image_id,
            site=place.site or UNNAMED_SITE,
            load=lambda place=place: Baseline.from_record(decode_record(read_place(folder, place))),  # type: ignore[misc]
            date=place.date,
            attributes=place.attributes,
        )


def films_of_points(points: Iterable[FilmPoints], films: Mapping[str, str]) -> Iterator[OldFilm]:
    """Films of a table of points.

    Parameters
    ----------
    points : iterable of FilmPoints
    films : mapping of str to str
        What the table calls a film -> its path.
    """
    for film in points:
        yield OldFilm(
            path=films.get(film.image_id, ""),
            image_id=film.image_id,
            site=UNNAMED_SITE,
            load=lambda film=film: Baseline.from_points(film.marks, film.mm_per_px),  # type: ignore[misc]
        )


def name_films(plan: Plan, out: str | Path) -> dict[str, str]:
    """image_id, and file name without suffix, of the films of a plan -> path.

    Parameters
    ----------
    plan : Plan
    out : str or Path
        Output folder, whose map of paths remembers what was read.

    Raises
    ------
    InputError
        When two films have one name.
    """
    named: dict[str, str] = {}
    local = Path(out) / LOCAL
    local.mkdir(parents=True, exist_ok=True)
    with closing(PathRegister(local)) as paths:
        identify = Identifier(paths)
        for film in plan.films:
            known = identify(film.path, plan.recipes[film.recipe].budget)
            names = (Path(film.path).stem, image_id(known.file_sha256))
            for name in names if known.file_sha256 else names[:1]:
                if named.setdefault(name, film.path) != film.path and name == names[0]:
                    named[name] = ""  # two films of this name: neither is meant
        paths.commit()
    return {name: path for name, path in named.items() if path}


def reanalyze_films(
    films: Iterable[OldFilm],
    out: str | Path,
    *,
    recipe: Recipe,
    clock: Callable[[], datetime],
    models: str | Path | None = None,
    old_models: str | Path | None = None,
    device: str = "auto",
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> None:
    """Make successor records with a file of changes for each; what an earlier run has made is kept.

    Parameters
    ----------
    films : iterable of OldFilm
    out : str or Path
        Output folder, laid out as that of a batch, with ``changes/`` beside.
    recipe : Recipe
    clock : callable
        Gives the time, with its zone, that a new record bears.
    models, old_models : str or Path, optional
        Folders with a ``manifest.toml``: of the new recipe's model; of the models of earlier records.
    device : str
        As for `Analyzer`.
    tell : callable
        Is called with the `Outcome` of each film.

    Raises
    ------
    InputError
        When another run is at work in the folder.
    ModelError, DefinitionError
        When the recipe's model or analysis cannot be used.
    RecordError
        When the folder cannot be written.
    """
    accepted = recipe.accepted_licences
    detector = Detector(
        recipe.model, device=device, models=models, min_score=recipe.min_score, accepted_licences=accepted
    )
    old = _old_detectors(old_models, device, accepted)
    work = Reanalyzer(recipe, detector, old, normalizer=Normalizer(models=models))
    folder = Path(out)
    with closing(RunLock(folder / LOCAL)), closing(Results(folder)) as results:
        (folder / CHANGES).mkdir(exist_ok=True)
        for number, film in enumerate(films):
            tell(_one(film, work, results, clock))
            if number % COMMIT_FILMS == COMMIT_FILMS - 1:
                results.commit()
        results.commit()
        write_stale_tables(folder, results.register)
        write_failures(folder, results.register)


def _old_detectors(models: str | Path | None, device: str, accepted: tuple[str, ...]) -> dict[str, Detector]:
    if models is None:
        return {}
    entries = load_catalog(models).entries
    return {
        entry.sha256: Detector(entry.name, device=device, models=models, accepted_licences=accepted)
        for entry in entries
    }


def _one(film: OldFilm, work: Reanalyzer, results: Results, clock: Callable[[], datetime]) -> Outcome:
    weights = work.weights_sha256
    try:
        before = film.load()
        if before.record is not None:
            key = work_key(before.record.content.source.file_sha256, work.recipe.digest, weights)
            done = results.register.find(key)
            if done is not None:
                return Outcome(image_id=film.image_id, site=film.site, status="kept", record_digest=done.record_digest)
        if not film.path:
            raise InputError("The film's file is not known.", hint="Name the folder of the films with --films.")
        found = work(before.record or before, Path(film.path), created=clock())
    except CephError as error:
        return _failed(film, work.recipe, results, error)
    # the changes first: where the record lies, they lie too
    id = image_id(found.record.content.source.file_sha256)
    write_bytes(results.folder / CHANGES / f"{id}.json", msgspec.json.encode(_changes(id, film, found)))
    if results.register.find(work_key(found.record.content.source.file_sha256, work.recipe.digest, weights)):
        return Outcome(image_id=id, site=film.site, status="kept", record_digest=found.record.record_digest)
    results.append(found.record, site=film.site, date=film.date, attributes=film.attributes)
    return Outcome(image_id=id, site=film.site, status="done", record_digest=found.record.record_digest)


def _failed(film: OldFilm, recipe: Recipe, results: Results, error: CephError) -> Outcome:
    failure = Failure(
        key=f"reanalysis-{film.image_id}",
        image_id=film.image_id,
        file_sha256="",
        site=film.site,
        recipe_digest=recipe.digest,
        status="failed",
        code=error.code,
        message=str(error.args[0]),
        hint=error.hint,
    )
    results.register.fail(failure)
    return Outcome(
        image_id=film.image_id,
        site=film.site,
        status="failed",
        code=failure.code,
        message=failure.message,
        hint=failure.hint,
    )


def _changes(id: str, film: OldFilm, found: Reanalysis) -> FilmChanges:
    content = found.record.content
    return FilmChanges(
        image_id=id,
        site=film.site,
        device=f"{content.device.manufacturer} {content.device.model}".strip(),
        previous=content.previous,
        attributions=found.attributions,
        flips=found.flips,
        shifts=found.shifts,
        notes=found.notes,
    )
