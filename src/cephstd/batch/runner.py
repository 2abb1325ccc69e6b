"""Works through a plan on one machine: each film exactly once, whatever happens to a process."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from cephstd.audit.recorder import format_time
from cephstd.batch.identifier import Identifier, Known
from cephstd.batch.outcomes import STATUSES, Outcome, Summary, outcome_of
from cephstd.batch.planner import Plan, PlannedFilm
from cephstd.batch.pool import TIMEOUT, Lost, Pool
from cephstd.batch.register import Failure, PathRegister, Place, RunLock, image_id, work_key
from cephstd.batch.results import LOCAL, PART_RECORDS, REGISTER, Results, open_register, read_place
from cephstd.batch.tables import write_failures, write_stale_tables
from cephstd.batch.worker import Answer, Job, Setup
from cephstd.core.recipe import Recipe
from cephstd.core.record import decode_record
from cephstd.errors import CephError
from cephstd.inference.catalog import load_catalog
from cephstd.io.archive import holding_file
from cephstd.pipeline.reanalyzer import needs_film

COMMIT_S = 1.0
COMMIT_RECORDS = 32
WAIT_S = 0.2
MAX_DEATHS = 3
"""Processes that a film may end, the last of them with no other film, before it is put aside."""
DEFAULT_TIMEOUT_S = 300.0


Engine = Literal["local", "ray"]


class Workers(Protocol):
    """What a run gives jobs to: processes of this machine, or a cluster."""

    def submit(self, job: Job, *, alone: bool = False) -> bool:
        """Take a job, or say that there is no room for it."""
        ...

    def collect(self, wait_s: float) -> Iterator[Answer | Lost]:
        """What has become of jobs."""
        ...

    def close(self) -> None:
        """End all work."""
        ...


class _Task(msgspec.Struct, kw_only=True):
    film: PlannedFilm
    file_sha256: str
    key: str
    job: Job
    deaths: int = 0


def run_batch(
    plan: Plan,
    out: str | Path,
    *,
    clock: Callable[[], datetime],
    workers: int | None = None,
    models: str | Path | None = None,
    device: str = "auto",
    timeout_s: float = DEFAULT_TIMEOUT_S,
    retry: bool = False,
    part_records: int = PART_RECORDS,
    engine: Engine = "local",
    address: str | None = None,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> Summary:
    """Analyse every film of a plan that has not been analysed under its recipe, and write records and tables.

    Parameters
    ----------
    plan : Plan
    out : str or Path
        Output folder; made when absent, taken up where it is one.
    clock : callable
        Gives the time, with its zone, that a new record bears.
    workers : int, optional
        Processes; default: one for each processor that this process may use.
    models : str or Path, optional
        Folder with another ``manifest.toml``; default: the bundled models.
    device : str
        As for `Analyzer`.
    timeout_s : float
        A film that takes longer is put aside.
    retry : bool
        Whether films that were refused, failed or put aside by an earlier run are tried again.
    part_records : int
        Records in one file.
    engine : {"local", "ray"}
        ``ray`` works on a cluster: `workers` actors of each stage, wherever Ray puts them; needs the extra `cluster`.
    address : str, optional
        Of a running Ray cluster; default: Ray is started on this machine alone.
    tell : callable
        Is called with the `Outcome` of each film.

    Returns
    -------
    Summary

    Raises
    ------
    InputError
        When another run is at work in the folder.
    ModelError, DefinitionError
        When a recipe's model or analysis cannot be used.
    RecordError
        When the folder cannot be written.
    """
    catalog = load_catalog(models)
    weights = [catalog.entry(recipe.model).sha256 for recipe in plan.recipes]
    count = workers or available_processors()
    setup = Setup(
        recipe=plan.recipes[0],
        models=None if models is None else str(models),
        device=device,
        threads=max(1, available_processors() // count),
    )
    folder = Path(out)
    with (
        closing(RunLock(folder / LOCAL)),
        closing(PathRegister(folder / LOCAL)) as paths,
        closing(Results(folder, part_records=part_records)) as results,
    ):
        run = _Run(plan, weights, results, paths, clock=clock, retry=retry, tell=tell)
        return run.work(lambda: _start_pool(engine, setup, count, timeout_s, address))


def _start_pool(engine: Engine, setup: Setup, count: int, timeout_s: float, address: str | None) -> Workers:
    if engine == "local":
        return Pool(setup, count, timeout_s=timeout_s)
    from cephstd.batch.cluster import ClusterPool

    return ClusterPool(setup, count, timeout_s=timeout_s, address=address)


def count_done(plan: Plan, out: str | Path, *, models: str | Path | None = None) -> dict[str, int]:
    """Films by site that a run would not work on, as far as that is known without reading a film.

    Parameters
    ----------
    plan : Plan
    out : str or Path
        Output folder; need not exist, and nothing is written to it.
    models : str or Path, optional
        As for `run_batch`.

    Raises
    ------
    UnknownModelError
        When a recipe's model is not in the catalog.
    """
    catalog = load_catalog(models)
    weights = [catalog.entry(recipe.model).sha256 for recipe in plan.recipes]
    digests = [recipe.digest for recipe in plan.recipes]
    folder, counts = Path(out), dict.fromkeys((film.site for film in plan.films), 0)
    if not ((folder / REGISTER).is_file() and (folder / LOCAL).is_dir()):
        return counts
    with open_register(folder) as register, closing(PathRegister(folder / LOCAL)) as paths:
        for film in plan.films:
            with suppress(OSError, ValueError):
                state = holding_file(Path(film.path)).stat()
                digest = paths.known_digest(film.path, state.st_size, state.st_mtime_ns)
                key = work_key(digest, digests[film.recipe], weights[film.recipe])
                counts[film.site] += bool(digest) and bool(register.find(key) or register.failure(key))
    return counts


def available_processors() -> int:
    """Processors that this process may use; fewer than the machine has where a container or a user says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Run:
    def __init__(
        self,
        plan: Plan,
        weights: list[str],
        results: Results,
        paths: PathRegister,
        *,
        clock: Callable[[], datetime],
        retry: bool,
        tell: Callable[[Outcome], None],
    ) -> None:
        self._plan, self._weights, self._results, self._paths = plan, weights, results, paths
        # once for each recipe and not for each film: one with many device profiles is long
        self._digests = [recipe.digest for recipe in plan.recipes]
        self._clock, self._retry, self._tell = clock, retry, tell
        self._identify = Identifier(paths)
        self._tasks: dict[int, _Task] = {}
        self._seen: set[str] = set()
        self._suspects: deque[_Task] = deque()
        self._counts: dict[str, dict[str, int]] = {}
        self._unsaved, self._saved_at = 0, time.monotonic()

    def work(self, start: Callable[[], Workers]) -> Summary:
        """Go through the plan; `start` is called once there is a film to work on."""
        began = time.monotonic()
        tasks = self._tasks_to_do()
        held = next(tasks, None)
        if held is not None:
            pool = start()
            try:
                self._loop(pool, held, tasks)
            finally:
                self._save()
                pool.close()
        self._save()
        write_stale_tables(self._results.folder, self._results.register)
        write_failures(self._results.folder, self._results.register)
        register = self._results.register
        counts = {status: sum(site.get(status, 0) for site in self._counts.values()) for status in STATUSES}
        return Summary(
            films=len(self._plan.films),
            counts=counts,
            sites=self._counts,
            seconds=time.monotonic() - began,
            recovered=self._results.recovered,
            duplicates=tuple(register.duplicates()),
            records=register.count(),
        )

    def _loop(self, pool: Workers, held: _Task | None, tasks: Iterator[_Task]) -> None:
        while held is not None or self._tasks or self._suspects:
            # a film that has ended a process is given to one that does nothing else, so that it harms no other
            while self._suspects and self._give(pool, self._suspects[0], alone=True):
                self._suspects.popleft()
            while held is not None and self._give(pool, held):
                held = next(tasks, None)
            for news in pool.collect(WAIT_S):
                self._take(news)
            self._save_sometimes()

    def _give(self, pool: Workers, task: _Task, *, alone: bool = False) -> bool:
        given = pool.submit(task.job, alone=alone)
        if given:
            self._tasks[task.job.number] = task
        return given

    def _tasks_to_do(self) -> Iterator[_Task]:
        for number, film in enumerate(self._plan.films):
            task = self._consider(number, film)
            if task is not None:
                yield task
            self._save_sometimes()

    def _consider(self, number: int, film: PlannedFilm) -> _Task | None:
        """The work that a film needs; None when it has been told what became of it."""
        recipe, weights = self._plan.recipes[film.recipe], self._weights[film.recipe]
        recipe_digest = self._digests[film.recipe]
        known = self._identify(film.path, recipe.budget)
        if known.error is not None:
            self._fail_unread(film, known, recipe_digest, known.error)
            return None
        if known.number:
            self._results.register.forget(_unread_name(known))
        key = work_key(known.file_sha256, recipe_digest, weights)
        if known.file_sha256 in self._seen:
            self._say(Outcome(image_id=image_id(known.file_sha256), site=film.site, status="duplicate"))
            return None
        self._seen.add(known.file_sha256)
        register = self._results.register
        place = register.find(key)
        if place is not None:
            if not place.site:
                register.settle(key, site=film.site, date=film.date, attributes=film.attributes)
            if not place.current:
                register.restore(key)
            self._tell_done("kept", film, place)
            return None
        failure = register.failure(key)
        if failure is not None and not self._retry:
            self._say(outcome_of(failure))
            return None
        current = register.current(known.file_sha256)
        record, reviewed = self._records_that_serve(recipe, weights, current) if current else (b"", b"")
        job = Job(
            number=number,
            path=film.path,
            file_sha256=known.file_sha256,
            recipe=recipe,
            created=format_time(self._clock()),
            subject=film.subject,
            age_years=film.age_years,
            sex=film.sex,
            previous=current.record_digest if current else None,
            record=record,
            reviewed=reviewed,
        )
        return _Task(film=film, file_sha256=known.file_sha256, key=key, job=job)

    def _records_that_serve(self, recipe: Recipe, weights: str, current: Place) -> tuple[bytes, bytes]:
        """The film's record as `record` of a job where its points will do, or as `reviewed` where people set some."""
        data = read_place(self._results.folder, current)
        content = decode_record(data).content
        same_model = content.model is not None and content.model.weights_sha256 == weights
        if same_model and not needs_film(content.recipe, recipe):
            return data, b""
        return b"", data if content.reviews else b""

    def _take(self, news: Answer | Lost) -> None:
        task = self._tasks.pop(news.number)
        if isinstance(news, Lost):
            task.deaths += 1
            # what took too long alone would do so again; a death may have been the system's doing
            enough = task.deaths >= MAX_DEATHS or news.code == TIMEOUT
            if not (news.alone and enough):
                self._suspects.append(task)
                return
            hint = "Look at the file; 'cephstd batch --retry' tries it again."
            news = Answer(number=news.number, status="quarantined", code=news.code, message=news.reason, hint=hint)
        if news.status != "done":
            self._fail_task(task, news)
            return
        record = decode_record(news.record)
        film = task.film
        self._tell_done(
            "done", film, self._results.append(record, site=film.site, date=film.date, attributes=film.attributes)
        )
        self._unsaved += 1

    def _fail_task(self, task: _Task, answer: Answer) -> None:
        failure = Failure(
            key=task.key,
            image_id=image_id(task.file_sha256),
            file_sha256=task.file_sha256,
            site=task.film.site,
            recipe_digest=task.job.recipe.digest,
            status=answer.status,
            code=answer.code,
            message=answer.message,
            hint=answer.hint,
            attempts=max(1, task.deaths),
        )
        self._results.register.fail(failure)
        self._unsaved += 1
        self._say(outcome_of(failure))

    def _fail_unread(self, film: PlannedFilm, known: Known, recipe_digest: str, error: CephError) -> None:
        """A file of which not even the digest is known: it is tried again by every run."""
        name = _unread_name(known)
        failure = Failure(
            key=name,
            image_id=name,
            file_sha256="",
            site=film.site,
            recipe_digest=recipe_digest,
            status="failed",
            code=error.code,
            message=str(error.args[0]),
            hint=error.hint,
        )
        self._results.register.fail(failure)
        self._unsaved += 1
        self._say(outcome_of(failure))

    def _tell_done(self, status: str, film: PlannedFilm, place: Place) -> None:
        self._say(Outcome(image_id=place.image_id, site=film.site, status=status, record_digest=place.record_digest))

    def _say(self, outcome: Outcome) -> None:
        site = self._counts.setdefault(outcome.site, {})
        site[outcome.status] = site.get(outcome.status, 0) + 1
        self._tell(outcome)

    def _save_sometimes(self) -> None:
        if self._unsaved >= COMMIT_RECORDS or time.monotonic() - self._saved_at > COMMIT_S:
            self._save()
            # tables of a record file are written once it is full, so that rows of one file at most are in memory
            write_stale_tables(self._results.folder, self._results.register, but=self._results.part)

    def _save(self) -> None:
        self._results.commit()
        self._paths.commit()
        self._unsaved, self._saved_at = 0, time.monotonic()


def _unread_name(known: Known) -> str:
    return f"unread-{known.number}"
