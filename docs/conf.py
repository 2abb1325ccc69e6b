"""Manual of cephstd: Sphinx with MyST (prose), numpydoc (reference) and furo; warnings are errors."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path

import cephstd
from cephstd.core.tables import TABLES

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "ci"))

from cli_help import render_page  # noqa: E402  (beside the checks, since a test compares README with the same text)
from definition_pages import write_definitions  # noqa: E402
from speed_text import render_measurement_speed  # noqa: E402
from terminology_page import render_terminology  # noqa: E402

project = "cephstd"
author = "cephstd maintainers"
copyright = "2026, cephstd maintainers"
version = release = cephstd.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx_copybutton",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "generated/README.md", "generated/measurement_speed.md"]
html_theme = "furo"
html_title = f"cephstd {version}"
html_static_path: list[str] = []
html_show_sphinx = False
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints = "signature"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# Every example runs: from the root of the checkout, with results in a folder of their own.
doctest_test_doctest_blocks = "default"
doctest_default_flags = doctest.ELLIPSIS
doctest_global_setup = """
import os
import tempfile
os.chdir(ROOT)
out = tempfile.mkdtemp()
import cephstd as cs
import numpy as np
from cephstd import *
from cephstd.core.steps import Resize
""".replace("ROOT", repr(str(ROOT)))

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def render_tables() -> str:
    """The manual's page on the columns of the Parquet tables."""
    parts = [
        "# Tables across films",
        "",
        "Parquet files that `cephstd batch` writes, partitioned by site: `site` stands in the folder's name. A cell",
        "that says nothing is null. A number is a 64 bit float, a count a 64 bit integer.",
    ]
    for name, columns in TABLES.items():
        rows = [f"| `{column.name}` | {column.kind} | {column.meaning} |" for column in columns]
        parts += ["", f"## {name}", "", "| column | kind | meaning |", "|---|---|---|", *rows]
    return "\n".join(parts) + "\n"


def setup(app: object) -> None:
    """Write the pages that come from the program itself."""
    generated = HERE / "generated"
    generated.mkdir(exist_ok=True)
    (generated / "cli.md").write_text(render_page(), encoding="utf-8")
    write_definitions(generated)
    (generated / "measurement_speed.md").write_text(render_measurement_speed(), encoding="utf-8")
    (generated / "tables.md").write_text(render_tables(), encoding="utf-8")
    (generated / "terminology.md").write_text(render_terminology(), encoding="utf-8")
