"""Labels of a set in any layout: per film the points of the wanted annotators, averaged, by id of the dictionary."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cephstd.core.digest import digest_bytes
from cephstd.errors import InputError
from cephstd.export.foreign_tables import import_points
from cephstd.knowledge.layouts import LayoutDefinition
from cephstd.knowledge.loader import load_landmarks

Point = tuple[float, float]


@dataclass(slots=True, kw_only=True)
class FilmLabels:
    """Points of one film by every annotator that marked it, in label px.

    Attributes
    ----------
    marks : dict
        Landmark id -> annotator -> (x, y).
    mm_per_px : float or None
        Scale that stands beside the labels.
    """

    marks: dict[str, dict[str, Point]] = field(default_factory=dict)
    mm_per_px: float | None = None

    def mean(self) -> dict[str, Point]:
        """Landmark id -> mean over the annotators that marked it."""
        return {id: _mean(list(points.values())) for id, points in self.marks.items()}


def _mean(points: Sequence[Point]) -> Point:
    if len(points) == 1:
        return points[0]
    return math.fsum(x for x, _ in points) / len(points), math.fsum(y for _, y in points) / len(points)


def read_label_file(
    path: Path, layout: LayoutDefinition, *, splits: Collection[str], annotators: Collection[str]
) -> dict[str, FilmLabels]:
    """Labels of the form ``points``: a CSV with a row per point.

    Parameters
    ----------
    splits, annotators : collection of str
        Values of the columns ``split`` and ``annotator`` that count; empty takes all.

    Returns
    -------
    dict
        image_id -> labels, in the file's order; films that the column same_film_as calls another's copy are left out.

    Raises
    ------
    InputError
        When the file cannot be read, lacks a column, names an unknown landmark or holds no number where one belongs.
    """
    films: dict[str, FilmLabels] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for row in csv.DictReader(file):
                if (splits and row["split"] not in splits) or (annotators and row["annotator"] not in annotators):
                    continue
                if row.get("same_film_as"):
                    continue
                id = layout.ids.get(row["landmark"], row["landmark"])
                if id not in load_landmarks():
                    raise InputError(f"{path.name}: expected landmarks of the dictionary, found {id!r}.")
                film = films.setdefault(row["image_id"], FilmLabels(mm_per_px=_scale(row)))
                film.marks.setdefault(id, {})[row.get("annotator") or ""] = _number(row["x_px"]), _number(row["y_px"])
    except OSError as error:
        raise InputError(f"cannot read the labels {path.name}: {error.strerror}") from error
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise InputError(f"{path.name}: missing column or bad number: {error}") from error
    return films


def _scale(row: Mapping[str, str]) -> float | None:
    return _number(row["mm_per_px"]) if row.get("mm_per_px") else None


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not finite")
    return number


def read_foreign_labels(paths: Mapping[str, Path], layout: LayoutDefinition) -> dict[str, FilmLabels]:
    """Labels of any other form.

    Parameters
    ----------
    paths : mapping
        Annotator -> file, or folder of files.

    Raises
    ------
    InputError
        As `cephstd.export.foreign_tables.import_points`.
    """
    films: dict[str, FilmLabels] = {}
    for annotator, path in paths.items():
        if not path.exists():
            raise InputError(f"Expected labels in {path.name}, found no such file or folder.")
        for found in import_points(path, layout.form):
            film = films.setdefault(found.image_id, FilmLabels(mm_per_px=found.mm_per_px))
            for mark in found.marks:
                if mark.x_px is not None and mark.y_px is not None:
                    film.marks.setdefault(mark.id, {})[annotator] = mark.x_px, mark.y_px
    return films


def digest_files(paths: Iterable[Path], folder: Path) -> str:
    """Digest over names and bytes of label files; of a folder, over all that lie in it.

    Raises
    ------
    InputError
        When one cannot be read.
    """
    try:
        lines = sorted(
            f"{os.path.relpath(path, folder)} {digest_bytes(path.read_bytes())}\n" for path in _listed(paths)
        )
    except OSError as error:
        raise InputError(f"cannot read the labels: {error.strerror}") from error
    return digest_bytes("".join(lines).encode())


def _listed(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from sorted(path.iterdir()) if path.is_dir() else [path]
