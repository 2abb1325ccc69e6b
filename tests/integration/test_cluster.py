"""A batch on a Ray cluster of two nodes on this machine's loopback, one of which is killed at work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from cephstd.audit.ledger import Ledger
from cephstd.audit.verifier import verify

sys.path.insert(0, str(Path(__file__).parent))
from killed_batch import COMMAND, FILMS, KEYS, read_table, write_archive

pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(sys.platform != "linux", reason="Ray's test cluster of several nodes runs on Linux"),
]


# Ray's own name for the node's address is the machine's in the network: this switch keeps all of it on the loopback.
LOOPBACK = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_raylet_start_wait_time_s": "120",
    "OMP_NUM_THREADS": "1",
}

# The cluster lives in a program of its own: started, it prints its address; told so, it kills its second node.
CLUSTER = """
import sys
from ray.cluster_utils import Cluster
node = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 100 * 2**20}
cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
second = cluster.add_node(**node)
print("address", cluster.address, flush=True)
for line in sys.stdin:
    if line == "kill\\n":
        cluster.remove_node(second, allow_graceful=False)
        print("killed", flush=True)
cluster.shutdown()
"""

# Kills the second node once three films are done.
RUN = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from cephstd.batch.planner import plan_batch
from cephstd.batch.runner import run_batch
from cephstd.core.recipe import load_recipe
address, films, recipe, models, out = sys.argv[1:]
done = 0
def tell(outcome):
    global done
    done += outcome.status == "done"
    if done == 3:
        print("three", flush=True)
        sys.stdin.readline()
plan = plan_batch([films], recipe=load_recipe(recipe), site_from="folder")
summary = run_batch(plan, Path(out), clock=lambda: datetime.now(UTC), workers=2, models=models, engine="ray",
                    address=address, tell=tell)
import json
print("counts", json.dumps(summary.counts), flush=True)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def local(place: Path) -> Path:
    out = place / "local"
    done = subprocess.run(
        [sys.executable, "-m", "cephstd", *COMMAND.split(), str(out)], cwd=place, capture_output=True, check=False
    )
    assert done.returncode == 1, done.stderr.decode()  # one film is cut short
    return out


def program(source: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", source, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | LOOPBACK,
    )


def wait_for(process: subprocess.Popen[str], word: str) -> str:
    """Rest of the line that begins with `word`; Ray writes lines of its own in between."""
    for line in process.stdout:
        if line.startswith(word):
            return line.removeprefix(word).strip()
    pytest.fail(f"the program ended without saying {word!r}")


def test_a_node_that_dies_costs_nothing_and_the_content_is_the_local_one(place, local):
    pytest.importorskip("ray")
    out = place / "ray"
    with program(CLUSTER) as cluster:
        try:
            address = wait_for(cluster, "address")
            host = address.rpartition(":")[0]
            assert host == "127.0.0.1"
            names = (place / "films", place / "recipe.toml", place / "models", out)
            with program(RUN, address, *map(str, names)) as run:
                wait_for(run, "three")
                cluster.stdin.write("kill\n")
                cluster.stdin.flush()
                wait_for(cluster, "killed")
                run.stdin.write("go on\n")
                run.stdin.flush()
                counts = json.loads(wait_for(run, "counts"))
        finally:
            cluster.stdin.close()
    assert (counts["done"], counts["failed"], counts["quarantined"]) == (FILMS, 1, 0)
    lines = [line for path in sorted(out.glob("records/*.jsonl")) for line in path.read_bytes().splitlines()]
    assert len({verify(line).record.content.source.file_sha256 for line in lines}) == len(lines) == FILMS
    with Ledger(out / "log.sqlite") as log:
        assert log.audit().size == FILMS
    for name in (*KEYS, "failures"):
        assert_frame_equal(read_table(out, name), read_table(local, name))
