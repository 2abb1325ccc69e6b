"""One process of a batch: reads films ahead, finds, measures, seals, and sends records back.

It shares nothing with the others but the plan, and writes nothing: whatever becomes of it, the output is whole.
"""

from __future__ import annotations

import dataclasses
import queue
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal

import cv2
import msgspec
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from cephstd.core.image import Normalized, Radiograph
from cephstd.core.recipe import Recipe
from cephstd.core.record import Record, decode_record
from cephstd.errors import CephError, InputError, NotACephalogramError
from cephstd.pipeline.analyzer import Analyzer
from cephstd.pipeline.intake import read_film
from cephstd.pipeline.normalizer import Normalizer
from cephstd.pipeline.reanalyzer import remeasure

READ_ATTEMPTS = 4
FIRST_WAIT_S = 0.1
READY = "ready"
"""What a worker says first, once it can work."""
AHEAD = 1
"""Films that are read while the model works on another."""


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What every worker of a run is given.

    Attributes
    ----------
    recipe : Recipe
        One of the run's, whose model is loaded before the first film.
    models : str or None
        Folder of models; None takes the bundled ones.
    device : str
    threads : int
        Threads inside one model run.
    """

    recipe: Recipe
    models: str | None = None
    device: str = "auto"
    threads: int = 1


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One film to work on.

    Attributes
    ----------
    number : int
    path, file_sha256 : str
        The file, and what it must be.
    recipe : Recipe
    created : str
        Time that the record will bear.
    subject, previous : str or None
    age_years, sex : float or None, str or None
        Stated by a manifest, in place of the file's own.
    record : bytes
        The film's record under another recipe, where measuring its points anew is enough.
    reviewed : bytes
        The film's record under another recipe, where people have decided on it and the film has to be read anew.
    """

    number: int
    path: str
    file_sha256: str
    recipe: Recipe
    created: str
    subject: str | None = None
    previous: str | None = None
    age_years: float | None = None
    sex: Literal["F", "M"] | None = None
    record: bytes = b""
    reviewed: bytes = b""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a job: the canonical bytes of a record, or why there is none."""

    number: int
    record: bytes = b""
    status: str = "done"
    code: str = ""
    message: str = ""
    hint: str = ""


Read = tuple[Radiograph, Normalized] | Record
_Ahead = tuple[Job, Read | Exception] | None


def work(connection: Connection, setup: Setup) -> None:
    """Body of a worker process: answer jobs from `connection` until it closes.

    Parameters
    ----------
    connection : Connection
        Gives `Job` values and takes `Answer` values; an exception instead of an answer ends the run.
    setup : Setup
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and closes the connection
    _offer_to_the_system()
    cv2.setNumThreads(setup.threads)
    bench = Bench(setup)
    try:
        normalizer = bench.normalizer()
        bench.analyzer(setup.recipe)
    except RunFault as fault:
        connection.send(fault.__cause__)
        return
    ahead: queue.Queue[_Ahead] = queue.Queue(maxsize=AHEAD)
    with suppress(BrokenPipeError, ConnectionResetError):  # the parent has gone: there is nobody to work for
        connection.send(READY)
        threading.Thread(target=_read_ahead, args=(connection, ahead, normalizer), daemon=True).start()
        while (item := ahead.get()) is not None:
            job, read = item
            try:
                connection.send(bench.finish(job, read))
            except RunFault as fault:
                connection.send(fault.__cause__)


class RunFault(Exception):
    """What would befall every film alike, such as weights that are not there; its cause says what."""


class Bench:
    """The analyzers of a worker: one for each recipe, models shared.

    Parameters
    ----------
    setup : Setup
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._made: dict[Recipe, Analyzer] = {}

    def normalizer(self) -> Normalizer:
        """What makes standard images.

        Raises
        ------
        RunFault
            When the view head cannot be used.
        """
        try:
            return Normalizer(models=self._setup.models)
        except CephError as error:
            raise RunFault from error

    def analyzer(self, recipe: Recipe) -> Analyzer:
        """The analyzer for `recipe`, with a model that is already loaded where there is one.

        Raises
        ------
        RunFault
            When the model or the analysis cannot be used.
        """
        if recipe not in self._made:
            akin = (made for made in self._made if (made.model, made.min_score) == (recipe.model, recipe.min_score))
            first = next(akin, None)
            try:
                self._made[recipe] = self._load(recipe) if first is None else self._made[first].with_recipe(recipe)
            except CephError as error:
                raise RunFault from error
        return self._made[recipe]

    def _load(self, recipe: Recipe) -> Analyzer:
        return Analyzer(recipe, device=self._setup.device, models=self._setup.models, threads=self._setup.threads)

    def finish(self, job: Job, read: Read | Exception) -> Answer:
        """Second half of a job: find, measure and seal, or say why not.

        Raises
        ------
        RunFault
            When the model or the analysis cannot be used for any film.
        """
        if isinstance(read, Exception):
            return explain(job, read)
        try:
            if isinstance(read, Record):
                made = remeasure(read, job.recipe, created=job.created)
            else:
                film, normal = read
                previous = decode_record(job.reviewed) if job.reviewed else job.previous
                made = (
                    self.analyzer(job.recipe)
                    .finish(film, normal, created=job.created, subject=job.subject, previous=previous, take_over=True)
                    .record
                )
        except (CephError, MemoryError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            return explain(job, error)
        return Answer(number=job.number, record=made.to_bytes())


def read_job(job: Job, normalizer: Normalizer) -> Read:
    """First half of a job: the film and its standard image, or the record whose points are measured anew.

    A file that the system could not read is tried again, with growing waits.

    Raises
    ------
    NotACephalogramError
        When the picture is no lateral cephalogram and the recipe refuses such.
    InputError
        When the film cannot be read, or its file is another than planned.
    """
    if job.record:
        return decode_record(job.record)
    for attempt in Retrying(
        retry=retry_if_exception(is_passing),
        stop=stop_after_attempt(READ_ATTEMPTS),
        wait=wait_exponential(FIRST_WAIT_S),
        reraise=True,
    ):
        with attempt:
            film = read_film(Path(job.path), job.recipe)
    if film.source.file_sha256 != job.file_sha256:
        raise InputError("The file changed while the batch was at work.", hint="Run the batch again.")
    stated = {"age_years": job.age_years, "sex": job.sex}
    kept = {name: value for name, value in stated.items() if value is not None}
    if kept:
        film = dataclasses.replace(film, **kept)  # type: ignore[arg-type]  # two fields of two types
    return film, normalizer(film, job.recipe)


def is_passing(error: BaseException) -> bool:
    """Whether the system could not read a file, which may pass: a share that is away, too many open files."""
    cause = error.__cause__ if isinstance(error, InputError) else error
    return isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError | PermissionError)


def explain(job: Job, error: Exception) -> Answer:
    """Why a job gave no record; the sentence of a fault of ours stays out, since it may quote the file."""
    refused = isinstance(error, NotACephalogramError)
    if isinstance(error, CephError):
        message = str(error.args[0]) if error.args else ""
        return Answer(
            number=job.number,
            status="refused" if refused else "failed",
            code=error.code,
            message=message,
            hint=error.hint,
        )
    if isinstance(error, MemoryError):
        return Answer(number=job.number, status="quarantined", code="out_of_memory", message="Memory ran out.")
    message = f"{type(error).__name__} inside cephstd."
    return Answer(number=job.number, status="failed", code="internal", message=message, hint="Please report it.")


def _read_ahead(connection: Connection, ahead: queue.Queue[_Ahead], normalizer: Normalizer) -> None:
    while True:
        try:
            job: Job = connection.recv()
        except (EOFError, OSError):
            ahead.put(None)
            return
        read: Read | Exception
        try:
            read = read_job(job, normalizer)
        except Exception as error:  # whatever one film does, the others go on
            read = error
        ahead.put((job, read))


def _offer_to_the_system() -> None:
    """On Linux: when memory runs out, let the system end this process and not the one that keeps the records."""
    if sys.platform == "linux":
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
