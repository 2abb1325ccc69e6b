"""A labelled set of films, described by a TOML file: where films and labels lie and how one maps to the other."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy.typing as npt

from cephstd.core.arrays import FloatArray, check_points
from cephstd.core.digest import digest_bytes
from cephstd.errors import InputError

PointsPx = Mapping[str, tuple[float, float]]


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
        Digest of the labels file.
    """

    spec: DatasetSpec
    truth_px: Mapping[str, PointsPx]
    film_paths: Mapping[str, Path]
    twins_left_out: tuple[str, ...]
    labels_sha256: str

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
        return Dataset(
            spec=self.spec,
            truth_px={id: self.truth_px[id] for id in chosen},
            film_paths={id: self.film_paths[id] for id in chosen},
            twins_left_out=self.twins_left_out,
            labels_sha256=self.labels_sha256,
        )

    def to_label_px(self, points_px: PointsPx) -> dict[str, tuple[float, float]]:
        """Points of one film in image px -> the same points in label px."""
        if not points_px:
            return {}
        moved = self.spec.labels.to_image.inverse(list(points_px.values()))
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
    spec = _read_spec(path)
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
    )


def _read_bytes(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"The {what} {path.name} cannot be read: {error.strerror}.") from error


def _read_spec(path: Path) -> DatasetSpec:
    try:
        spec = msgspec.toml.decode(_read_bytes(path, "dataset file"), type=DatasetSpec)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"The dataset file {path.name} is not valid: {error}.") from error
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
