"""A writer killed at any moment leaves a log that verifies, and each record wholly there or not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from cephstd.audit.ledger import Ledger
from cephstd.audit.verifier import verify

GOLDEN = Path(__file__).parents[1] / "records" / "0.1.0" / "without_scale_or_model.record.json"
WRITER = """
import sys
from pathlib import Path
import msgspec
from cephstd.audit.ledger import Ledger
from cephstd.audit.verifier import verify
from cephstd.core.digest import digest_value
from cephstd.core.record import seal
from cephstd.io.store import write_bytes

golden, folder = verify(Path(sys.argv[1])).record, Path(sys.argv[2])
# its recipe is sealed anew, with the members that were added since
content = msgspec.structs.replace(golden.content, recipe_digest=digest_value(golden.content.recipe))
with Ledger(folder / "log.sqlite", name="north") as log:
    print("ready", flush=True)
    for number in range(100_000):
        time = f"2025-04-{1 + number // 86400:02d}T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"
        made = seal(content, msgspec.structs.replace(golden.run, created=time))
        write_bytes(folder / f"{number}.record.json", made.to_bytes())
        log.append([made], at=time)
        print(number, made.record_digest, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the signal is POSIX's")
def test_killed_writer_leaves_a_log_that_verifies_and_whole_records(tmp_path: Path, rng: np.random.Generator, counts):
    for number in range(counts(5, 50)):
        folder = tmp_path / str(number)
        folder.mkdir()
        command = [sys.executable, "-c", WRITER, str(GOLDEN), str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
            time.sleep(float(rng.uniform(0.005, 0.4)))
            writer.send_signal(signal.SIGKILL)
            said = writer.stdout.read().splitlines()
        assert writer.returncode == -signal.SIGKILL
        done = [line.split()[1] for line in said if len(line.split()) == 2 and len(line.split()[1]) == 71]
        whole = {verify(path).record.record_digest for path in folder.glob("*.record.json")}
        with Ledger(folder / "log.sqlite") as log:
            size = log.audit().size
            assert all(log.find(digest) for digest in done), "what was said to be logged is in the log"
            assert sum(bool(log.find(digest)) for digest in whole) == size, (
                "whatever is in the log has its whole record"
            )
        assert len(done) <= size <= len(whole) <= len(done) + 1
        assert size <= len(done) + 1
