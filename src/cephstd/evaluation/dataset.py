"""A labelled set of films, described by a TOML file: where films and labels lie and how one maps to the other."""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
import numpy.typing as npt

from cephstd.core.arrays import FloatArray, check_points
from cephstd.core.digest import digest_bytes
from cephstd.errors import InputError
from cephstd.evaluation.sources import SourceConfig, read_source

PointsPx = Mapping[str, tuple[float, float]]
_Spec = TypeVar("_Spec")
SOURCE_MM = 0.1
"""Millimetres per label px of a set whose films have scales of their own."""


class FilmFiles(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the films lie; `folder` is relative to the TOML file.

    Attributes
    ----------
    pattern : str
        File name of one film, with ``{image_id}`` in it.
    mm_per_px : float or None
        Scale stated for the films when they are analysed; None analyses them without a scale.
    """

    folder: str
    pattern: str
    mm_per_px: float | None = None


class LabelColumns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names of the columns of the labels file; an empty name says that there is no such column."""

    image_id: str = "image_id"
    landmark: str = "landmark"
    x_px: str = "x_px"
    y_px: str = "y_px"
    split: str = ""
    annotator: str = ""
    same_film_as: str = ""


class LabelToImage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``image = label * scale + offset_px``, for pixel centres, the same in x and y."""

    scale: float = 1.0
    offset_px: float = 0.0

    def forward(self, points_px: npt.ArrayLike) -> FloatArray:
        """Label px (n, 2) -> image px."""
        return check_points(points_px) * self.scale + self.offset_px

    def inverse(self, points_px: npt.ArrayLike) -> FloatArray:
        """Image px (n, 2) -> label px."""
        return (check_points(points_px) - self.offset_px) / self.scale


class LabelFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A CSV with one row per point; `file` is relative to the TOML file.

    Attributes
    ----------
    mm_per_px : float
        Millimetres per label pixel: the scale that errors are reported in.
    ids : dict of str to str
        Label name -> landmark id of the dictionary, where the two differ.
    """

    file: str
    mm_per_px: float
    split: str = ""
    annotator: str = ""
    columns: LabelColumns = LabelColumns()
    to_image: LabelToImage = LabelToImage()
    ids: dict[str, str] = {}


class DatasetSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a dataset's TOML file says.

    Attributes
    ----------
    licence : str
        Terms of films and labels; repeated in every result.
    twins : str
        ``leave_out`` films that the labels call the same film as another, or ``keep`` them.
    unreliable : tuple of str
        Landmark ids without which the score is given once more.
    """

    name: str
    licence: str
    films: FilmFiles
    labels: LabelFile
    twins: Literal["leave_out", "keep"] = "leave_out"
    unreliable: tuple[str, ...] = ()


class SourceSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a dataset's TOML file says of a set in a layout: ``[source]`` in place of ``[films]`` and ``[labels]``.

    Attributes
    ----------
    licence : str
        Empty takes the words of the layout.
    """

    name: str
    source: SourceConfig
    licence: str = ""
    unreliable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Films and labels of one split, ready to be scored.

    Attributes
    ----------
    truth_px : mapping
        image_id -> landmark id -> (x, y) in LABEL px.
    film_paths : mapping
        image_id -> the film's file.
    twins_left_out : tuple of str
        Image ids that were left out because the same film occurs elsewhere.
    labels_sha256 : str
        Digest of the labels file, or over all of them.
    keys : tuple of str
        ``dataset/split`` of what is in it, as a model's `seen` names films that it learned from.
    film_mm_per_px : mapping
        image_id -> mm per film px, of a set whose films have scales of their own; empty for any other.
    """

    spec: DatasetSpec
    truth_px: Mapping[str, PointsPx]
    film_paths: Mapping[str, Path]
    twins_left_out: tuple[str, ...]
    labels_sha256: str
    keys: tuple[str, ...]
    film_mm_per_px: Mapping[str, float] = field(default_factory=dict)

    @property
    def landmarks(self) -> tuple[str, ...]:
        """Every labelled landmark id, in the order of the labels file."""
        return tuple(dict.fromkeys(id for points in self.truth_px.values() for id in points))

    def limit(self, count: int | None) -> Dataset:
        """The first `count` films by id; None keeps all.

        Raises
        ------
        InputError
            When `count` is below 1.
        """
        if count is None:
            return self
        if count < 1:
            raise InputError(f"Expected a limit of at least one film, found {count}.")
        chosen = sorted(self.truth_px)[:count]
        return replace(
            self,
            truth_px={id: self.truth_px[id] for id in chosen},
            film_paths={id: self.film_paths[id] for id in chosen},
        )

    def spacing_mm(self, image_id: str) -> float | None:
        """Millimetres per px of a film, as they are stated when it is analysed; None for a film without a scale."""
        return self.film_mm_per_px.get(image_id, self.spec.films.mm_per_px)

    def to_label_px(self, image_id: str, points_px: PointsPx) -> dict[str, tuple[float, float]]:
        """Points of one film in image px -> the same points in label px."""
        if not points_px:
            return {}
        own = self.film_mm_per_px.get(image_id)
        mapping = self.spec.labels.to_image if own is None else LabelToImage(scale=SOURCE_MM / own)
        moved = mapping.inverse(list(points_px.values()))
        return {id: (float(x), float(y)) for id, (x, y) in zip(points_px, moved, strict=True)}


def load_dataset(path: str | Path, *, split: str | None = None, annotator: str | None = None) -> Dataset:
    """Read a dataset's TOML file and its labels; `split` and `annotator` replace those of the file.

    Raises
    ------
    InputError
        When a file is absent or no TOML or CSV, a key or column is unknown or missing, a coordinate is no finite
        number, a point is labelled twice, or nothing is left of the split.
    """
    path = Path(path)
    text = _read_bytes(path, "dataset file")
    if _is_source(text):
        return _load_source(path, _decode(text, SourceSpec, path), split=split, annotator=annotator)
    spec = _check_spec(_decode(text, DatasetSpec, path))
    chosen = {"split": split, "annotator": annotator}
    labels = msgspec.structs.replace(spec.labels, **{key: value for key, value in chosen.items() if value is not None})
    _check_columns_are_named(labels)
    spec = msgspec.structs.replace(spec, labels=labels)
    data = _read_bytes(path.parent / labels.file, "labels file")
    rows = _chosen_rows(_read_rows(data, labels), labels)
    twins = _twins(rows, labels) if spec.twins == "leave_out" else frozenset()
    truth = _truth(rows, labels, twins)
    if not truth:
        raise InputError(
            f"Expected labels of split {labels.split!r} by annotator {labels.annotator!r}, found none.",
            hint="Check the split, the annotator and the column names in the dataset's TOML file.",
        )
    folder = path.parent / spec.films.folder
    return Dataset(
        spec=spec,
        truth_px=truth,
        film_paths={id: folder / spec.films.pattern.replace("{image_id}", id) for id in truth},
        twins_left_out=tuple(sorted(twins)),
        labels_sha256=digest_bytes(data),
        keys=(f"{spec.name}/{labels.split}",),
    )


def _load_source(path: Path, spec: SourceSpec, *, split: str | None, annotator: str | None) -> Dataset:
    """A set in a layout, its labels in px of 0.1 mm."""
    chosen = {"splits": split, "annotators": annotator}
    source = msgspec.structs.replace(spec.source, **{key: [name] for key, name in chosen.items() if name is not None})
    found = read_source(source, path.parent)
    layout, splits = found.layout, " + ".join(found.splits)
    if layout.is_stack:
        raise InputError(
            f"Expected films in files of their own, found the stack of {layout.id}: unpack it to score it."
        )
    return Dataset(
        spec=DatasetSpec(
            name=spec.name,
            licence=spec.licence or layout.licence,
            films=FilmFiles(folder=source.folder, pattern=layout.films),
            labels=LabelFile(
                file=layout.labels, mm_per_px=SOURCE_MM, split=splits, annotator=" + ".join(found.annotators)
            ),
            unreliable=spec.unreliable,
        ),
        truth_px={
            film.image_id: {id: _to_source_px(point, film.spacing_mm) for id, point in film.points_px.items()}
            for film in found.films
        },
        film_paths={film.image_id: film.path for film in found.films},
        twins_left_out=(),
        labels_sha256=found.labels_sha256,
        keys=tuple(f"{layout.id}/{name}" for name in found.splits or ("",)),
        film_mm_per_px={film.image_id: film.spacing_mm for film in found.films},
    )


def _to_source_px(point: tuple[float, float], spacing_mm: float) -> tuple[float, float]:
    return point[0] * spacing_mm / SOURCE_MM, point[1] * spacing_mm / SOURCE_MM


def _is_source(text: bytes) -> bool:
    """Whether a dataset file has a table ``[source]``; one that is no TOML has none, and its reader says so."""
    try:
        return "source" in tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False


def _read_bytes(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"The {what} {path.name} cannot be read: {error.strerror}.") from error


def _decode(text: bytes, kind: type[_Spec], path: Path) -> _Spec:
    try:
        return msgspec.toml.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"The dataset file {path.name} is not valid: {error}.") from error


def _check_spec(spec: DatasetSpec) -> DatasetSpec:
    if "{image_id}" not in spec.films.pattern:
        raise InputError(f"Expected {{image_id}} in the film pattern, found {spec.films.pattern!r}.")
    if not spec.labels.to_image.scale > 0 or not spec.labels.mm_per_px > 0:
        raise InputError("Expected a positive label-to-image scale and positive mm per label pixel.")
    return spec


def _check_columns_are_named(labels: LabelFile) -> None:
    for key, value, column in (
        ("split", labels.split, labels.columns.split),
        ("annotator", labels.annotator, labels.columns.annotator),
    ):
        if value and not column:
            raise InputError(f"The {key} {value!r} was asked for and the dataset names no {key} column.")


def _read_rows(data: bytes, labels: LabelFile) -> list[dict[str, str]]:
    try:
        reader = csv.DictReader(data.decode("utf-8-sig").splitlines())
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The labels file is no CSV in UTF-8: {error}.") from error
    wanted = [column for column in msgspec.structs.astuple(labels.columns) if column]
    missing = [column for column in wanted if column not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"Expected columns {', '.join(wanted)} in the labels file, missing: {', '.join(missing)}.")
    return rows


def _chosen_rows(rows: Iterable[dict[str, str]], labels: LabelFile) -> list[dict[str, str]]:
    columns = labels.columns
    filters = [(columns.split, labels.split), (columns.annotator, labels.annotator)]
    return [row for row in rows if all(row[column] == value for column, value in filters if column and value)]


def _twins(rows: Iterable[dict[str, str]], labels: LabelFile) -> frozenset[str]:
    column = labels.columns.same_film_as
    return frozenset(row[labels.columns.image_id] for row in rows if column and row[column])


def _truth(
    rows: Iterable[dict[str, str]], labels: LabelFile, left_out: frozenset[str]
) -> dict[str, dict[str, tuple[float, float]]]:
    columns = labels.columns
    truth: dict[str, dict[str, tuple[float, float]]] = {}
    for row in rows:
        image_id = row[columns.image_id]
        if image_id in left_out:
            continue
        landmark = labels.ids.get(row[columns.landmark], row[columns.landmark])
        points = truth.setdefault(image_id, {})
        if landmark in points:
            raise InputError(
                f"Landmark {landmark} of film {image_id} is labelled twice.",
                hint="Choose one annotator with --annotator or in the dataset's TOML file.",
            )
        points[landmark] = (_coordinate(row, columns.x_px), _coordinate(row, columns.y_px))
    return truth


def _coordinate(row: dict[str, str], column: str) -> float:
    try:
        value = float(row[column])
    except (TypeError, ValueError) as error:
        raise InputError(f"Expected a number in column {column} of the labels, found {row[column]!r}.") from error
    if not math.isfinite(value):
        raise InputError(f"Expected a finite number in column {column} of the labels, found {row[column]!r}.")
    return value
