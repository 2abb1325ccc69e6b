"""A PostgreSQL server of our own, on loopback, for as long as a test session needs it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

# PostgreSQL refuses to run as root; whichever of these is there takes its place.
UNPRIVILEGED = ("postgres", "nobody")
START_S = 60


class PostgresServer:
    """Starts on entering and stops on leaving; `programs` is the folder with ``initdb`` and ``postgres``."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        # not pytest's folder: the other user could not pass through it
        self.folder = Path(tempfile.mkdtemp(prefix="cephstd-postgres-"))
        self.account = None
        if os.geteuid() == 0:
            self.account = next(entry for entry in map(_account, UNPRIVILEGED) if entry)
            os.chown(self.folder, self.account.pw_uid, self.account.pw_gid)
        self.databases = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def __enter__(self) -> PostgresServer:
        data = self.folder / "data"
        self._run("initdb", "-D", data, "-U", "tester", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        command = [
            self.programs / "postgres", "-D", data, "-p", str(self.port), "-k", self.folder,
            "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=60",
        ]  # fmt: skip
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, **self._as())
        until = time.monotonic() + START_S
        while not self._answers():
            if time.monotonic() > until or self.process.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()}")
            time.sleep(0.1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.process.send_signal(signal.SIGQUIT)  # at once: what it holds is thrown away
        self.process.wait(START_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_database(self) -> str:
        """URL of an empty database."""
        self.databases += 1
        name = f"log{self.databases}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tester", name)
        return f"postgresql+psycopg://tester@127.0.0.1:{self.port}/{name}"

    def _answers(self) -> bool:
        asked = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(asked, check=False).returncode == 0

    def _run(self, program: str, *arguments: object) -> None:
        asked = [str(self.programs / program), *map(str, arguments)]
        subprocess.run(asked, check=True, capture_output=True, cwd=self.folder, **self._as())

    def _as(self) -> dict[str, object]:
        if self.account is None:
            return {}
        return {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}


def _account(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
