"""Many machines: a batch's stages as Ray Data actors, in the place of the worker processes of one machine.

Ray Data schedules, moves the standard images and holds back the readers when the models are behind. Each film is a
block of its own, so that an actor or a machine that dies costs films that are given out again, never a record: records
are written by the one process that started the run, as on one machine.
"""

from __future__ import annotations

import logging
import os
import pickle
import queue
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import cv2
import ray
import ray.data
from ray.data import ActorPoolStrategy, DataContext

from cephstd import __version__
from cephstd.batch.pool import DIED, Lost
from cephstd.batch.worker import Answer, Bench, Job, Read, RunFault, Setup, read_job
from cephstd.errors import CephError, ModelError

WINDOW = 256
"""Films given to Ray Data at a time for each actor of a stage."""
LOOPBACK = "127.0.0.1"
HUNG_EXIT = 75

Row = dict[str, Any]


class ClusterPool:
    """A Ray cluster behind the interface of `cephstd.batch.pool.Pool`.

    Parameters
    ----------
    setup : Setup
    count : int
        Actors of each stage, at most.
    timeout_s : float
        An actor that takes longer for one film ends itself.
    address : str, optional
        Of a running cluster (``host:port``), all of whose machines have this version of cephstd and see the films
        under the same paths; default: Ray is started on this machine alone, on its loopback.

    Raises
    ------
    ModelError
        When no cluster answers at the address.
    """

    def __init__(self, setup: Setup, count: int, *, timeout_s: float, address: str | None = None) -> None:
        self._setup, self._count, self._timeout_s = setup, count, timeout_s
        self._owed: dict[int, Job] = {}
        self._waiting: list[Job] = []
        self._alone = False
        self._lost_before: set[int] = set()
        self._news: queue.Queue[Row | BaseException | None] = queue.Queue()
        self._pump: threading.Thread | None = None
        self._connected = not ray.is_initialized()
        if self._connected:
            _connect(address, count)

    def submit(self, job: Job, *, alone: bool = False) -> bool:
        """Put a job into the next window; false when that is full, or when another has to be worked on alone."""
        if self._pump is not None or self._alone or len(self._waiting) >= (1 if alone else WINDOW * self._count):
            return False
        self._waiting.append(job)
        self._alone = alone
        return True

    def collect(self, wait_s: float) -> Iterator[Answer | Lost]:
        """Answers that have come, and, at the end of a window, the jobs that have none.

        Raises
        ------
        CephError
            When an actor says that no film can be worked on.
        ModelError
            When Ray gives up.
        """
        if self._pump is None:
            if not self._waiting:
                time.sleep(wait_s)
                return
            self._start()
        deadline = time.monotonic() + wait_s
        while (left := deadline - time.monotonic()) > 0:
            try:
                news = self._news.get(timeout=left)
            except queue.Empty:
                return
            if news is None:
                yield from self._end_window()
                return
            yield self._answer(news)

    def _answer(self, news: Row | BaseException) -> Answer:
        if isinstance(news, CephError):
            raise news
        if isinstance(news, BaseException):
            raise ModelError(f"Ray ended the run: {type(news).__name__}.", hint="See Ray's own log.") from news
        answer: Answer | CephError = pickle.loads(news["answer"])
        if isinstance(answer, CephError):
            raise answer
        self._owed.pop(answer.number, None)
        return answer

    def _start(self) -> None:
        jobs, self._waiting = self._waiting, []
        self._owed = {job.number: job for job in jobs}
        rows = _pipeline(jobs, self._setup, min(self._count, len(jobs)), self._timeout_s)
        self._pump = threading.Thread(target=self._pass_on, args=(rows,), daemon=True)
        self._pump.start()

    def _pass_on(self, rows: ray.data.Dataset) -> None:
        try:
            for row in rows.iter_rows():
                self._news.put(row)
        except Exception as error:  # whatever Ray raises ends the run in the thread that asks for answers
            self._news.put(error)
        self._news.put(None)

    def _end_window(self) -> Iterator[Lost]:
        owed, alone = list(self._owed.values()), self._alone
        self._owed, self._alone, self._pump = {}, False, None
        reason = "The actor or the machine that worked on it ended, or it gave no answer in time."
        for job in owed:
            if alone or job.number in self._lost_before:
                yield Lost(number=job.number, alone=alone, reason=reason, code=DIED)
            else:
                # a machine that goes takes many films with it: they get one more window together
                self._lost_before.add(job.number)
                self._waiting.append(job)

    def close(self) -> None:
        """Leave the cluster; what is still being worked on is dropped."""
        if self._connected:
            ray.shutdown()


def _connect(address: str | None, count: int) -> None:
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            ray.init(num_cpus=count, include_dashboard=False, _node_ip_address=LOOPBACK, **quiet)
        else:
            ray.init(address=address, **quiet)
    except Exception as error:  # Ray raises a dozen unrelated types
        raise ModelError(
            f"No Ray cluster answers: {type(error).__name__}.",
            hint="Start one (ray start --head), or give its address.",
        ) from error


def _pipeline(jobs: list[Job], setup: Setup, count: int, timeout_s: float) -> ray.data.Dataset:
    """Read with the processors, find with the devices that the models run on."""
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # what an actor took with it is given out again by the run
    models: dict[str, Any] = {"num_gpus": 1} if setup.device not in ("auto", "cpu") else {"num_cpus": 0.5}
    # A task is not tried again by Ray itself: a film that ends actors would end them for ever.
    fate = {"max_restarts": -1, "max_task_retries": 0, "fn_constructor_args": (setup, __version__, timeout_s)}
    actors = ActorPoolStrategy(min_size=1, max_size=count, max_tasks_in_flight_per_actor=2)
    rows = ray.data.from_items([{"job": pickle.dumps(job)} for job in jobs], override_num_blocks=len(jobs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # how an actor's fate is given changes after Ray 2.63
        rows = rows.map(Reader, compute=actors, num_cpus=0.5, **fate)
        return rows.map(Finder, compute=actors, **models, **fate)


class _Stage:
    """What the actors of both stages have: a bench, and a watch that ends the actor when a film hangs."""

    def __init__(self, setup: Setup, version: str, timeout_s: float) -> None:
        if version != __version__:
            raise RuntimeError(f"this machine has cephstd {__version__}, the run was started with {version}")
        cv2.setNumThreads(setup.threads)
        self._bench = Bench(setup)
        self._timeout_s = timeout_s

    def _watched(self) -> threading.Timer:
        watch = threading.Timer(self._timeout_s, os._exit, (HUNG_EXIT,))
        watch.daemon = True
        watch.start()
        return watch


class Reader(_Stage):
    """First stage, on processors: the film and its standard image."""

    def __init__(self, setup: Setup, version: str, timeout_s: float) -> None:
        super().__init__(setup, version, timeout_s)
        self._normalizer = self._bench.normalizer()

    def __call__(self, row: Row) -> Row:
        """``job`` -> ``read``: job and standard image, or the exception that reading raised."""
        job: Job = pickle.loads(row["job"])
        watch = self._watched()
        read: Read | Exception
        try:
            read = read_job(job, self._normalizer)
        except Exception as error:  # whatever one film does, the others go on
            read = error
        watch.cancel()
        return {"read": pickle.dumps((job, read))}


class Finder(_Stage):
    """Second stage, on the model's device: landmarks, values, the sealed record."""

    def __init__(self, setup: Setup, version: str, timeout_s: float) -> None:
        super().__init__(setup, version, timeout_s)
        self._fault: BaseException | None = None
        try:
            self._bench.analyzer(setup.recipe)
        except RunFault as fault:
            self._fault = fault.__cause__

    def __call__(self, row: Row) -> Row:
        """``read`` -> ``answer``: an `Answer`, or the error that ends the run."""
        job, read = pickle.loads(row["read"])
        answer: Answer | BaseException | None = self._fault
        if answer is None:
            watch = self._watched()
            try:
                answer = self._bench.finish(job, read)
            except RunFault as fault:
                answer = fault.__cause__
            watch.cancel()
        return {"answer": pickle.dumps(answer)}
