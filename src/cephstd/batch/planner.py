"""Which films a run is about, of which site each is, and by which recipe it is analysed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from cephstd.batch.manifest import SUFFIXES, ManifestRow, read_manifest
from cephstd.core.devices import DeviceProfile
from cephstd.core.recipe import Recipe, load_recipe
from cephstd.core.tables import UNNAMED_SITE
from cephstd.errors import InputError
from cephstd.io.archive import is_archive_file
from cephstd.io.dicomdir import DICOMDIR, list_dicomdir
from cephstd.io.reader import discover
from cephstd.io.sniff import may_be_film

SiteRule = Literal["one", "folder", "manifest"]
ONE_SITE = "all"


class PlannedFilm(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One film of a plan.

    Attributes
    ----------
    path : str
    site : str
    recipe : int
        Index among the plan's recipes.
    subject : str or None
        Keyed pseudonym of the person.
    age_years : float or None
    sex : str or None
    date, attributes : str
        As the manifest gives them.
    """

    path: str
    site: str
    recipe: int = 0
    subject: str | None = None
    age_years: float | None = None
    sex: Literal["F", "M"] | None = None
    date: str = ""
    attributes: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Films to work on and the recipes that they are worked on by.

    Attributes
    ----------
    films : tuple of PlannedFilm
        Each file once, in the order of the sources.
    recipes : tuple of Recipe
    skipped : int
        Members of folders that are no images.
    """

    films: tuple[PlannedFilm, ...]
    recipes: tuple[Recipe, ...]
    skipped: int = 0


class SiteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds at one site: keys of a table ``[sites.NAME]``.

    Attributes
    ----------
    recipe : str
        TOML file of a recipe, beside the file of sites; default: the run's recipe.
    mm_per_px : float or None
        Scale of all films of the site whose device has no scale in `devices`; None takes each file's own.
    devices : tuple of DeviceProfile
        Profiles of the site's devices, before those of the recipe.
    """

    recipe: str = ""
    mm_per_px: float | None = None
    devices: tuple[DeviceProfile, ...] = ()


class _SiteFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sites: dict[str, SiteSettings]


def load_sites(path: str | Path, recipe: Recipe) -> dict[str, Recipe]:
    """Recipe of each site, from a TOML file.

    Parameters
    ----------
    path : str or Path
        TOML with a table ``[sites.NAME]`` per site; its keys are the attributes of `SiteSettings`.
    recipe : Recipe
        The run's recipe: for sites that name none of their own.

    Returns
    -------
    dict of str to Recipe

    Raises
    ------
    InputError
        When the file, or a recipe that it names, cannot be read or is not valid.
    """
    file = Path(path)
    try:
        stated = msgspec.toml.decode(file.read_bytes(), type=_SiteFile)
    except OSError as error:
        raise InputError(f"The file of sites cannot be read: {error.strerror}.", hint="Give a TOML file.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"The file of sites is not valid: {error}.", hint="[sites.NAME] with recipe, mm_per_px, devices."
        ) from error
    return {name: _site_recipe(settings, file.parent, recipe) for name, settings in stated.sites.items()}


def _site_recipe(settings: SiteSettings, folder: Path, default: Recipe) -> Recipe:
    recipe = load_recipe(folder / settings.recipe) if settings.recipe else default
    changes: dict[str, object] = {}
    if settings.mm_per_px is not None:
        changes["mm_per_px"] = settings.mm_per_px
    if settings.devices:
        changes["devices"] = (*settings.devices, *recipe.devices)
    return msgspec.structs.replace(recipe, **changes)


def plan_batch(
    sources: Sequence[str | Path],
    *,
    recipe: Recipe,
    sites: Mapping[str, Recipe] | None = None,
    site_from: SiteRule | None = None,
) -> Plan:
    """List the films of `sources`; nothing is opened but indexes, and files whose suffix says nothing.

    Parameters
    ----------
    sources : sequence of str or Path
        Folders, globs, films, ZIP archives, a DICOMDIR, or manifests (CSV, Parquet).
    recipe : Recipe
        For films of sites that `sites` does not name.
    sites : mapping of str to Recipe, optional
        As `load_sites` gives it.
    site_from : str, optional
        ``one``: all films are of one site; ``folder``: the first folder below a source names the site; ``manifest``:
        its column does. Default: ``manifest`` for manifests, else ``one``, since a folder's name may be a person's.

    Returns
    -------
    Plan

    Raises
    ------
    InputError
        When a source cannot be listed, or there is no film at all.
    """
    recipes: dict[Recipe, int] = {recipe: 0}
    films: dict[str, PlannedFilm] = {}
    skipped = 0
    for source in map(str, sources):
        for row in _expand(source, site_from):
            if row is None:
                skipped += 1
                continue
            path = str(row.path)
            wanted = (sites or {}).get(row.site, recipe)
            films.setdefault(path, _planned(row, path, recipes.setdefault(wanted, len(recipes))))
    if not films:
        raise InputError(
            "Expected at least one film, found none.", hint="Give folders, globs, a DICOMDIR, or a manifest of films."
        )
    return Plan(films=tuple(films.values()), recipes=tuple(recipes), skipped=skipped)


def _planned(row: ManifestRow, path: str, recipe: int) -> PlannedFilm:
    return PlannedFilm(
        path=path,
        site=row.site or UNNAMED_SITE,
        recipe=recipe,
        subject=row.pseudonym,
        age_years=row.age,
        sex=row.sex,
        date=row.date,
        attributes=row.attributes,
    )


def _expand(source: str, rule: SiteRule | None) -> Iterator[ManifestRow | None]:
    """Films of one source; None for a file that was left out because it is no image."""
    path = Path(source)
    if path.suffix.lower() in SUFFIXES and not path.is_dir():
        yield from _of_manifest(path, rule)
    elif path.name == DICOMDIR and path.is_file():
        yield from _placed(list_dicomdir(path), path.parent, rule)
    elif path.is_dir() or is_archive_file(path):
        members = discover([path])
        kept = [member for member in members if member.name != DICOMDIR and may_be_film(member)]
        yield from (None for _ in range(len(members) - len(kept)))
        yield from _placed(kept, path, rule)
    elif any(map(_is_pattern, path.parts)) and not path.exists():
        fixed = next(place for place, part in enumerate(path.parts) if _is_pattern(part))
        top, pattern = Path(*path.parts[:fixed]), str(Path(*path.parts[fixed:]))
        # what a pattern names is meant, but for folders
        yield from _placed(sorted(file for file in top.glob(pattern) if not file.is_dir()), top, rule)
    else:
        yield from _placed([path], path.parent, rule)


def _is_pattern(part: str) -> bool:
    return not set("*?[").isdisjoint(part)


def _of_manifest(path: Path, rule: SiteRule | None) -> Iterator[ManifestRow]:
    for row in read_manifest(path):
        if rule in (None, "manifest"):
            yield row
        else:
            yield msgspec.structs.replace(row, site=_site_of(row.path, path.parent, rule))


def _placed(paths: Iterable[Path], top: Path, rule: SiteRule | None) -> Iterator[ManifestRow]:
    if rule == "manifest":
        raise InputError("The site was to come from a manifest's column, and a source is no manifest.")
    for path in paths:
        yield ManifestRow(path=path, site=_site_of(path, top, rule or "one"))


def _site_of(path: Path, top: Path, rule: SiteRule) -> str:
    if rule == "one":
        return ONE_SITE
    below = path.relative_to(top).parts if path.is_relative_to(top) else path.parts[-2:]
    return below[0] if len(below) > 1 else ""
