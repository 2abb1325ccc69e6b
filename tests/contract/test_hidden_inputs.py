"""The library takes what it depends on as arguments: no environment, clock, chance or network of its own."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.source

# Dotted names that may not be used, as they are spelled after `import x` or `from x import y`.
HIDDEN = {
    "os.environ": "environment",
    "os.getenv": "environment",
    "os.putenv": "environment",
    "datetime.now": "clock",
    "datetime.utcnow": "clock",
    "datetime.today": "clock",
    "date.today": "clock",
    "time.time": "clock",
    "time.time_ns": "clock",
    "time.localtime": "clock",
    "time.gmtime": "clock",
    "uuid.uuid1": "chance",
    "uuid.uuid4": "chance",
    "os.urandom": "chance",
    "np.random.rand": "chance",
    "np.random.randn": "chance",
    "np.random.normal": "chance",
    "np.random.seed": "chance",
}
HIDDEN_MODULES = {
    "random": "chance",
    "secrets": "chance",
    "socket": "network",
    "urllib.request": "network",
    "http.client": "network",
    "requests": "network",
    "httpx": "network",
}
# The command line is where a clock and an environment may enter; it passes them in.
FREE = ("cli",)


def hidden_inputs(tree: ast.AST) -> list[str]:
    """What `tree` takes without being given it, one line each."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            spelled = ast.unparse(node)
            found += [f"{node.lineno}: {name}" for name in HIDDEN if spelled == name or spelled.endswith(f".{name}")]
            if spelled.endswith("random.default_rng"):
                found += _unseeded(tree, node)
        elif isinstance(node, ast.Import):
            found += [f"{node.lineno}: {alias.name}" for alias in node.names if alias.name in HIDDEN_MODULES]
        elif isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            if node.module in HIDDEN_MODULES:
                found.append(f"{node.lineno}: {node.module}")
            found += [f"{node.lineno}: {name}" for name in sorted(names & HIDDEN.keys())]
    return found


def _unseeded(tree: ast.AST, function: ast.Attribute) -> list[str]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.func is function]
    return [f"{call.lineno}: generator without a seed" for call in calls if not (call.args or call.keywords)]


def test_library_has_no_hidden_inputs(root: Path):
    source = root / "src" / "cephstd"
    found = []
    for path in sorted(source.rglob("*.py")):
        if path.relative_to(source).parts[0] in FREE:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(source)}:{line}" for line in hidden_inputs(tree)]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "import os\nhome = os.environ['HOME']",
        "from os import getenv",
        "import datetime\nnow = datetime.datetime.now()",
        "from time import time",
        "import random",
        "import numpy as np\nrng = np.random.default_rng()",
        "from urllib.request import urlopen",
    ],
)
def test_hidden_input_is_seen(code):
    assert hidden_inputs(ast.parse(code))


def test_seeded_generator_is_allowed():
    assert hidden_inputs(ast.parse("import numpy as np\nrng = np.random.default_rng(seed)")) == []
