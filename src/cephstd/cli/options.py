"""Options that several commands share, with the one wording of each."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

Films = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE|DIR",
        help="Films (DICOM, JPEG, PNG, TIFF, BMP; 8 or 16 bit), folders or ZIP archives of films, or - for one film "
        "from stdin.",
        show_default=False,
    ),
]
MmPerPx = Annotated[
    float | None,
    typer.Option(
        "--mm-per-px",
        metavar="X",
        help="Scale in millimetres per source pixel, stated by you, e.g. 0.1; replaces the file's own. Without any "
        "scale, lengths are absent; angles and ratios are not.",
        show_default=False,
    ),
]
CalibrationFile = Annotated[
    Path | None,
    typer.Option(
        "--calibration",
        metavar="FILE",
        help="TOML file that states the scale with its basis and uncertainty; instead of --mm-per-px.",
        show_default=False,
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="NAME", help="Landmark model; 'cephstd models list' shows them.", show_default=False
    ),
]
AcceptedLicences = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-licence",
        metavar="LICENCE",
        help="Licence of an added model's weights that you have read and accept; may be given several times. The "
        "bundled model needs none.",
        show_default=False,
    ),
]
ModelFolder = Annotated[
    Path | None,
    typer.Option(
        "--models",
        metavar="DIR",
        help="Folder with another manifest.toml and its weights; default: the bundled models.",
        show_default=False,
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="D",
        help="auto, cpu, cuda, or the name of an ONNX Runtime provider. auto falls back to the CPU, a named device "
        "does not.",
    ),
]
StrictDevice = Annotated[
    bool,
    typer.Option("--strict-device", help="Fail where auto would fall back from a GPU to the CPU."),
]
RecipeFile = Annotated[
    Path | None,
    typer.Option(
        "--recipe",
        metavar="FILE",
        help="TOML file with every choice that affects a result; options given beside it win.",
        show_default=False,
    ),
]
NormSets = Annotated[
    list[str] | None,
    typer.Option(
        "--norms",
        metavar="SET",
        help="Norm set that you chose for these patients; may be given several times. No population is ever inferred. "
        "'cephstd norms' shows them.",
        show_default=False,
    ),
]
NormsBy = Annotated[
    str | None,
    typer.Option(
        "--norms-by",
        metavar="NAME",
        help="Who chose the norm sets for these patients, as your site names that person; stored with every result.",
        show_default=False,
    ),
]
NormsEnlargement = Annotated[
    list[str] | None,
    typer.Option(
        "--norms-enlargement",
        metavar="SET=PERCENT",
        help="Enlargement of the films that a set's lengths come from, stated by you where print leaves it open, e.g. "
        "mcnamara=8; without it those lengths are not compared.",
        show_default=False,
    ),
]
RuleSets = Annotated[
    list[str] | None,
    typer.Option(
        "--rules",
        metavar="SET",
        help="Rule set that gives classes; may be given several times; none for no classes.  [default: all that ship]",
        show_default=False,
    ),
]
Age = Annotated[
    float | None,
    typer.Option("--age", metavar="Y", help="Age in years when the films were made, for norms.", show_default=False),
]
SexOption = Annotated[
    str | None, typer.Option("--sex", metavar="F|M", help="Sex of the patients, for norms.", show_default=False)
]
UncertaintyMethod = Annotated[
    str | None,
    typer.Option(
        "--uncertainty",
        metavar="METHOD",
        help="How standard deviations are obtained: first-order (derivatives) or monte-carlo (draws). Values for which "
        "first order fails say so.  [default: first-order]",
        show_default=False,
    ),
]
Draws = Annotated[
    int | None,
    typer.Option(
        "--draws", metavar="N", help="Draws of monte-carlo, 100 to 100000.  [default: 10000]", show_default=False
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", metavar="S", help="Seed of the draws; the same one gives the same.  [default: 0]", show_default=False
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No table and no progress on stderr; errors still show.")]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="When, e.g. 2025-04-16T09:30:00Z; default: this machine's clock.",
        show_default=False,
    ),
]


def now() -> datetime:
    """Time of the machine's clock, which enters reviews, signatures and logs here and nowhere else."""
    return datetime.now(UTC).replace(microsecond=0)
