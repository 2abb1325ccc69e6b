"""Layouts of labelled sets as data: where a set keeps its films, labels and scales, and how its points are called."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec

from cephstd.errors import DefinitionError
from cephstd.knowledge.formula import suggest
from cephstd.knowledge.loader import MAX_FILE_BYTES

Form = Literal["points", "wide", "isbi", "aariz", "cl-detection", "cl-detection-json"]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Version = Annotated[int, msgspec.Meta(ge=1)]

SCHEMES: Mapping[str, str] = MappingProxyType(
    {"isbi": "isbi19", "aariz": "aariz29", "cl-detection": "cl38", "cl-detection-json": "cl38"}
)
"""Form of a labels file -> scheme whose points it holds; the other forms use ids of the dictionary."""


class SpacingTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A CSV with the scale of each film.

    Attributes
    ----------
    table : str
        Its path in the set's folder.
    film, mm : str
        Columns with the film's id, and with mm per pixel.
    """

    table: str
    film: str
    mm: str


class LayoutDefinition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one labelled set lies in its folder.

    Attributes
    ----------
    licence : str
        Terms of films and labels, as whoever gives them states; goes into the card of a model.
    form : str
        How a labels file is written: ``points`` (a CSV row per point), or one of `cephstd.export.foreign_tables`.
    films : str
        Path of a film in the set's folder, with ``{image_id}``, perhaps ``{split}``; ``*`` stands for any suffix.
        One that ends in ``.mha`` is a stack of all films, and an image_id is a place in it, first = 1.
    labels : str
        Path of the labels: a file, or a folder with one file per film; perhaps with ``{split}`` and ``{annotator}``.
    splits, annotators : tuple of str
        What may stand for ``{split}`` and ``{annotator}``; the points of several annotators are averaged. For the form
        ``points`` they are values of its columns of these names.
    spacing_mm : float or None
        Scale of all films.
    spacing : SpacingTable or None
        Where each film's own scale stands.
    label_scale, label_offset_px : float
        ``x_film = x_label * label_scale + label_offset_px``, for pixel centres, the same in y.
    ids : dict of str to str
        Name in the labels -> landmark id, for the form ``points``.
    """

    id: str
    name: str
    licence: str
    form: Form
    films: str
    labels: str
    source: str = ""
    note: str = ""
    version: Version = 1
    splits: tuple[str, ...] = ()
    annotators: tuple[str, ...] = ()
    spacing_mm: Positive | None = None
    spacing: SpacingTable | None = None
    label_scale: Positive = 1.0
    label_offset_px: float = 0.0
    ids: dict[str, str] = {}

    @property
    def is_stack(self) -> bool:
        """Whether all films lie in one file."""
        return self.films.endswith(".mha")


@cache
def load_layouts() -> Mapping[str, LayoutDefinition]:
    """Every layout that ships: id -> definition.

    >>> load_layouts()["aariz"].annotators
    ('Senior Orthodontists', 'Junior Orthodontists')
    """
    place = resources.files("cephstd.knowledge").joinpath("layouts")
    files = sorted((item for item in place.iterdir() if item.name.endswith(".toml")), key=lambda item: item.name)
    found = [_decode(item.read_bytes(), item.name) for item in files]
    return MappingProxyType({layout.id: layout for layout in found})


def load_layout(which: str, base: Path = Path()) -> LayoutDefinition:
    """A layout by id, or by path of a TOML file of one's own.

    Parameters
    ----------
    which : str
        ``aariz``, or any text that ends in ``.toml``.
    base : Path
        Folder that such a path starts from.

    Raises
    ------
    DefinitionError
        When no layout has this id, or the file cannot be read or says what it may not.
    """
    if which.endswith(".toml"):
        path = base / which
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise DefinitionError(f"{path.name}: expected at most {MAX_FILE_BYTES} bytes of layout.")
            return _decode(path.read_bytes(), path.name)
        except OSError as error:
            raise DefinitionError(f"{path.name}: expected a readable TOML file of a layout.") from error
    known = load_layouts()
    if which not in known:
        raise DefinitionError(
            f"Expected one of the layouts {', '.join(known)}, or a path that ends in .toml; found {which!r}.",
            hint=suggest(which, known),
        )
    return known[which]


def _decode(data: bytes, name: str) -> LayoutDefinition:
    try:
        layout = msgspec.toml.decode(data, type=LayoutDefinition)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DefinitionError(f"{name}: no layout: {error}.") from error
    if not layout.is_stack and "{image_id}" not in layout.films:
        raise DefinitionError(f"{name}: expected {{image_id}} in films, found {layout.films!r}.")
    return layout
