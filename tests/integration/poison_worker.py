"""A worker process that films can harm: by their name they end it or take its memory."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

from cephstd.batch import worker
from cephstd.pipeline.normalizer import Normalizer

read_job = worker.read_job


def read_harmfully(job: worker.Job, normalizer: Normalizer) -> worker.Read:
    """`read_job`, but for films that are named after what they do."""
    name = Path(job.path).stem
    if name.startswith("segfault"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if name.startswith("hungry"):
        raise MemoryError
    if name.startswith("faulty"):
        raise ZeroDivisionError("a sentence that quotes Jane Roe")
    if name.startswith("once"):  # ends the first process that reads it, and no other
        mark = Path(job.path).with_suffix(".mark")
        if not mark.exists():
            mark.touch()
            os._exit(9)
    return read_job(job, normalizer)


def work(connection: Connection, setup: worker.Setup) -> None:
    """Body of the process, in place of `cephstd.batch.worker.work`."""
    worker.read_job = read_harmfully
    worker.work(connection, setup)


def stall(connection: Connection, setup: worker.Setup) -> None:
    """Body of a process that answers nothing."""
    connection.send(worker.READY)
    time.sleep(600)


def die(connection: Connection, setup: worker.Setup) -> None:
    """Body of a process that cannot live."""
    os._exit(7)
