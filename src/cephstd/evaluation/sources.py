"""Labelled films of any layout: where each lies, its points by id of the dictionary, its scale, what was left out."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from cephstd.errors import InputError
from cephstd.evaluation.labels import FilmLabels, Point, digest_files, read_foreign_labels, read_label_file
from cephstd.knowledge.layouts import SCHEMES, LayoutDefinition, load_layout
from cephstd.knowledge.loader import load_landmarks, load_scheme

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".dcm"})


class SourceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One labelled set that a training or an evaluation draws from."""

    layout: str
    """Id of a layout that ships, or path of a TOML file of one's own."""
    folder: str = "."
    """The set's folder, relative to the configuration file."""
    splits: list[str] = []
    """Of the layout's; a layout that names splits needs at least one."""
    annotators: list[str] = []
    """Whose points are averaged; empty takes all that the layout names."""
    spacing_mm: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """Scale of films for which the set has none."""
    leave_out: list[str] = []
    """Landmark ids that this set marks by another definition than is wanted: they count as not labelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledFilm:
    """One film and its labels.

    Attributes
    ----------
    path : Path
        Of the film's file, or of the stack that holds it.
    place : int or None
        Its place in the stack, first = 0; None for a file of its own.
    points_px : mapping
        Landmark id -> (x, y) in film px, (0, 0) the centre of the top-left pixel; what is not labelled is not in it.
    spacing_mm : float
        Millimetres per film px.
    """

    image_id: str
    path: Path
    place: int | None
    points_px: Mapping[str, Point]
    spacing_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSet:
    """The chosen films of one source, and what is to be known about its points.

    Attributes
    ----------
    films : tuple of LabelledFilm
        In the order of the labels, split by split.
    left_out : mapping
        Landmark id -> why none of its labels is used.
    differences : mapping
        Landmark id -> how the set's definition differs from the dictionary's.
    provisional : mapping
        Landmark id -> why whatever rests on it is provisional.
    labels_sha256 : str
        Digest over names and bytes of the labels files.
    """

    layout: LayoutDefinition
    splits: tuple[str, ...]
    annotators: tuple[str, ...]
    films: tuple[LabelledFilm, ...]
    left_out: Mapping[str, str]
    differences: Mapping[str, str]
    provisional: Mapping[str, str]
    labels_sha256: str


def read_source(source: SourceConfig, base: Path) -> LabelledSet:
    """Read the labels of a source and find its films.

    Parameters
    ----------
    source : SourceConfig
    base : Path
        Folder that its paths start from.

    Raises
    ------
    DefinitionError
        When the layout is unknown or not valid.
    InputError
        When a split or annotator is unknown, labels cannot be read, a film is missing or has no scale, or no film is
        left.
    """
    return read_layout(load_layout(source.layout, base), source, base / source.folder)


def read_layout(layout: LayoutDefinition, source: SourceConfig, folder: Path) -> LabelledSet:
    """As `read_source`, for a layout at hand and the set's folder."""
    splits, annotators = _chosen(layout, source)
    scheme = load_scheme(SCHEMES[layout.form]).landmark if layout.form in SCHEMES else ()
    left_out = {
        **{point.id: f"mapping on hold: {point.hold}" for point in scheme if point.hold},
        **dict.fromkeys(source.leave_out, "left out by the configuration"),
    }
    unknown = sorted(set(source.leave_out) - set(load_landmarks()))
    if unknown:
        raise InputError(f"leave_out names landmarks that the dictionary has not: {', '.join(unknown)}.")
    films: list[LabelledFilm] = []
    files: list[Path] = []
    maker = _FilmMaker(layout, source, folder, frozenset(left_out))
    # A CSV of points knows the split of each row; every other form has a file or folder for each split.
    for split in ("",) if layout.form == "points" else splits or ("",):
        paths = {name: folder / layout.labels.format(split=split, annotator=name) for name in annotators or ("",)}
        files += paths.values()
        if layout.form == "points":
            labels = read_label_file(folder / layout.labels, layout, splits=splits, annotators=annotators)
        else:
            labels = read_foreign_labels(paths, layout)
        films += maker.make(split, labels)
    if not films:
        raise InputError(
            f"{Path(layout.labels).name} holds no row or file with a split among {list(splits)} and an annotator among "
            f"{list(annotators)}."
        )
    return LabelledSet(
        layout=layout,
        splits=splits,
        annotators=annotators,
        films=tuple(films),
        left_out=left_out,
        differences={point.id: point.difference for point in scheme if point.difference and point.id not in left_out},
        provisional={point.id: point.provisional for point in scheme if point.provisional},
        labels_sha256=digest_files(dict.fromkeys(files), folder),
    )


def _chosen(layout: LayoutDefinition, source: SourceConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Splits and annotators that the source wants, checked against those that the layout names."""
    if layout.splits and not source.splits:
        raise InputError(f"Expected splits of {layout.id} among {', '.join(layout.splits)}, found none.")
    for what, wanted, known in (
        ("split", source.splits, layout.splits),
        ("annotator", source.annotators, layout.annotators),
    ):
        for name in wanted:
            if name not in known and layout.form != "points":
                raise InputError(
                    f"Expected a {what} of {layout.id} ({', '.join(known) or 'it has none'}), found {name!r}."
                )
    return tuple(source.splits), tuple(source.annotators) or layout.annotators


class _FilmMaker:
    """Finds the film of each labels and brings these to its pixels."""

    def __init__(self, layout: LayoutDefinition, source: SourceConfig, folder: Path, left_out: frozenset[str]) -> None:
        self._layout, self._source, self._folder, self._left_out = layout, source, folder, left_out
        self._scales = _read_scales(layout, folder)
        # Labels of all splits together: which films a split has is told by its folder of films.
        self._filters = "{split}" in layout.films and "{split}" not in layout.labels

    def make(self, split: str, labels: Mapping[str, FilmLabels]) -> Iterator[LabelledFilm]:
        """Films of one split, in the order of the labels."""
        layout, scale, offset = self._layout, self._layout.label_scale, self._layout.label_offset_px
        pattern = self._folder / layout.films.replace("{split}", split)
        pictures = _pictures(pattern.parent) if pattern.suffix == ".*" else None
        for image_id, found in labels.items():
            path = self._find(pattern, image_id, pictures)
            if path is None:
                continue
            points = {id: point for id, point in found.mean().items() if id not in self._left_out}
            yield LabelledFilm(
                image_id=image_id,
                path=path,
                place=int(image_id) - 1 if layout.is_stack else None,
                points_px={id: (x * scale + offset, y * scale + offset) for id, (x, y) in points.items()},
                spacing_mm=self._spacing(image_id, found),
            )

    def _find(self, pattern: Path, image_id: str, pictures: Mapping[str, list[Path]] | None) -> Path | None:
        """The film's file; None where its absence says that it is of another split."""
        named = Path(str(pattern).replace("{image_id}", image_id))
        paths = [named] if pictures is None else pictures.get(named.name.removesuffix(".*"), [])
        there = [path for path in paths if path.exists()]
        if len(there) > 1:
            raise InputError(f"Film {image_id} is there twice: {', '.join(path.name for path in there)}.")
        if not there and not self._filters:
            raise InputError(f"{named.name} is missing or no picture: the film of labels of {self._layout.id}.")
        return there[0] if there else None

    def _spacing(self, image_id: str, found: FilmLabels) -> float:
        known = (found.mm_per_px, self._scales.get(image_id), self._layout.spacing_mm, self._source.spacing_mm)
        for spacing_mm in known:
            if spacing_mm is not None:
                return spacing_mm
        raise InputError(f"Film {image_id} of {self._layout.id} has no scale: state spacing_mm of its source.")


def _pictures(folder: Path) -> dict[str, list[Path]]:
    """Pictures of a folder by their names without suffix."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix.lower() in PICTURES:
            found.setdefault(path.stem, []).append(path)
    return found


def _read_scales(layout: LayoutDefinition, folder: Path) -> dict[str, float]:
    """The table of scales: image_id -> mm per px; empty when the layout has none, or the set comes without it."""
    table = layout.spacing
    if table is None or not (folder / table.table).exists():
        return {}
    try:
        with (folder / table.table).open(newline="", encoding="utf-8-sig") as file:
            scales = {row[table.film].strip(): float(row[table.mm]) for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{table.table}: expected columns {table.film} and {table.mm} with numbers.") from error
    wrong = sorted(film for film, mm in scales.items() if not 0.0 < mm < float("inf"))
    if wrong:
        raise InputError(f"{table.table}: expected mm per pixel above 0, found another for {', '.join(wrong[:3])}.")
    return scales
