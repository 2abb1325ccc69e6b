"""Worker processes: given jobs, watched, and replaced when one dies or hangs."""

from __future__ import annotations

import multiprocessing as mp
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

import msgspec

from cephstd.batch.worker import AHEAD, READY, Answer, Job, Setup, work
from cephstd.errors import ModelError

MAX_SILENT_DEATHS = 3
"""Workers in a row that may die before they are ready, for each that should be there; then none can live here."""
DIED, TIMEOUT = "worker_died", "timeout"
Body = Callable[[Connection, Setup], None]


class Lost(msgspec.Struct, frozen=True, kw_only=True):
    """A job whose worker ended before it answered.

    Attributes
    ----------
    number : int
    alone : bool
        True when the worker had no other job: then this one is the cause.
    reason : str
        How the process ended.
    code : str
        ``worker_died`` or ``timeout``.
    """

    number: int
    alone: bool
    reason: str
    code: str


class _Worker:
    """One process, its connection, and the jobs that it has not answered."""

    def __init__(self, context: Any, setup: Setup, body: Body) -> None:
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=body, args=(theirs, setup), daemon=True)
        self.process.start()
        theirs.close()
        self.jobs: dict[int, float] = {}
        self.reserved = False
        self.ready = False

    def end(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.join()
        self.process.close()


class Pool:
    """As many workers as asked for, for as long as the run goes on.

    Parameters
    ----------
    setup : Setup
    count : int
        Processes.
    timeout_s : float
        A worker that owes an answer for longer is ended.
    body : callable
        What a process runs.
    """

    def __init__(self, setup: Setup, count: int, *, timeout_s: float, body: Body = work) -> None:
        self._body = body
        self._context = _context()
        self._setup = setup
        self._timeout_s = timeout_s
        self._silent_deaths = 0
        self._workers = [self._start() for _ in range(count)]

    def _start(self) -> _Worker:
        return _Worker(self._context, self._setup, self._body)

    @property
    def process_ids(self) -> list[int]:
        """Of the processes that are there now."""
        return [worker.process.pid for worker in self._workers if worker.process.pid]

    @property
    def busy(self) -> bool:
        """Whether an answer is owed."""
        return any(worker.jobs for worker in self._workers)

    def submit(self, job: Job, *, alone: bool = False) -> bool:
        """Give a job to the worker that has least to do; false when all have enough.

        Parameters
        ----------
        job : Job
        alone : bool
            Whether the worker must have no other job until this one is answered.
        """
        room = 1 if alone else AHEAD + 1
        free = [worker for worker in self._workers if not worker.reserved and len(worker.jobs) < room]
        if not free:
            return False
        worker = min(free, key=lambda one: len(one.jobs))
        worker.jobs[job.number] = time.monotonic()
        worker.reserved = alone
        # a worker that has died is found by `collect`, with this job among those that it owes
        with suppress(BrokenPipeError, ConnectionResetError):
            worker.connection.send(job)
        return True

    def collect(self, wait_s: float) -> Iterator[Answer | Lost]:
        """Answers that have come, and jobs whose worker is gone; waits for the first of them for `wait_s` at most.

        Raises
        ------
        CephError
            When a worker says that no film can be worked on.
        ModelError
            When workers die before they are ready.
        """
        watched: dict[Any, _Worker] = {}
        for worker in self._workers:
            watched[worker.connection] = watched[worker.process.sentinel] = worker
        stirred = {id(watched[item]): watched[item] for item in wait(list(watched), wait_s)}
        for worker in stirred.values():
            yield from self._drain(worker)
            if not worker.process.is_alive():
                yield from self._drain(worker)
                yield from self._replace(worker, DIED, _how_it_ended(worker.process.exitcode))
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.jobs and now - min(worker.jobs.values()) > self._timeout_s:
                yield from self._replace(worker, TIMEOUT, f"It gave no answer for {self._timeout_s:g} s.")

    def _drain(self, worker: _Worker) -> Iterator[Answer]:
        # what a process wrote before it died is still there; a message that it had not finished is not
        with suppress(EOFError, OSError):
            while worker.connection.poll():
                answer = worker.connection.recv()
                if isinstance(answer, BaseException):
                    raise answer
                if answer == READY:
                    worker.ready, self._silent_deaths = True, 0
                    worker.jobs = dict.fromkeys(worker.jobs, time.monotonic())
                    continue
                worker.jobs.pop(answer.number, None)
                # those behind it are worked on from now
                worker.jobs = dict.fromkeys(worker.jobs, time.monotonic())
                worker.reserved = worker.reserved and bool(worker.jobs)
                yield answer

    def _replace(self, worker: _Worker, code: str, reason: str) -> Iterator[Lost]:
        owed = list(worker.jobs)
        self._silent_deaths += not worker.ready
        worker.end()
        self._workers.remove(worker)
        if self._silent_deaths >= MAX_SILENT_DEATHS * (len(self._workers) + 1):
            raise ModelError(f"Worker processes end before they can work. {reason}", hint="Run 'cephstd doctor'.")
        self._workers.append(self._start())
        for number in owed:
            yield Lost(number=number, alone=len(owed) == 1, reason=reason, code=code)

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        for worker in self._workers:
            worker.end()


def _context() -> Any:
    """How processes start: on Linux from a clean server that has the libraries loaded, elsewhere each anew."""
    if sys.platform != "linux":
        return mp.get_context("spawn")
    context = mp.get_context("forkserver")
    context.set_forkserver_preload([work.__module__])
    return context


def _how_it_ended(code: int | None) -> str:
    if code is not None and code < 0:
        return f"Its process was ended by signal {-code}."
    return f"Its process ended with exit code {code}."
