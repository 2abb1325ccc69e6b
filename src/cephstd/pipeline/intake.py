"""Reads a film as a recipe says, with the scale that counts and what a person stated."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, BinaryIO

import numpy.typing as npt

from cephstd.core.image import Calibration, Radiograph, state_calibration
from cephstd.core.interpretation import Sex
from cephstd.core.recipe import Recipe
from cephstd.errors import CalibrationError, InputError
from cephstd.io.reader import compare_scales, read
from cephstd.pipeline.scaler import find_profile, scale_film

FilmSource = str | Path | bytes | BinaryIO | npt.NDArray[Any] | Radiograph
DEFAULT_RECIPE = Recipe()


def read_film(
    source: FilmSource, recipe: Recipe, calibration: Calibration | None = None, *, frame: int | None = None
) -> Radiograph:
    """Read `source` as `recipe` says, with the scale that counts (`cephstd.pipeline.scaler.scale_film`).

    Parameters
    ----------
    source : path, bytes, binary file, ndarray of shape (height, width), or Radiograph
    recipe : Recipe
        Its budget, its stated scales (of the device's profile, else of all films), and whether age and sex may pass.
    calibration : Calibration, optional
        Scale stated by a person, in place of the film's own.
    frame : int, optional
        Which frame of a multi-frame DICOM file, counted from 1; not of a Radiograph, which is one already.

    Raises
    ------
    InputError
        When the file cannot be read as a film.
    CalibrationError
        When `calibration` and the recipe's ``mm_per_px`` contradict each other, or a ruler the scale and the recipe
        refuses that.
    """
    return scale_film(_read_stated(source, recipe, calibration, frame), recipe).film


def _read_stated(source: FilmSource, recipe: Recipe, calibration: Calibration | None, frame: int | None) -> Radiograph:
    """The film with the scale that a person stated for it, for its device or for all films, else with its own."""
    stated = state_scale(recipe, calibration)
    by_device = calibration is None and any(profile.mm_per_px is not None for profile in recipe.devices)
    if isinstance(source, Radiograph):
        film, stated = source, (_device_scale(source, recipe) if by_device else None) or stated
        return film if stated is None else dataclasses.replace(film, calibration=stated)
    read_with = None if by_device else stated
    film = read(
        source,
        calibration=read_with,
        budget=recipe.budget,
        keep_age=recipe.keep_age,
        keep_sex=recipe.keep_sex,
        frame=frame,
    )
    if not by_device:
        return film
    # which device it is, only the film that has been read says
    stated = _device_scale(film, recipe) or stated
    if stated is None:
        return film
    warnings = (*film.warnings, *compare_scales(stated, film.calibration))
    return dataclasses.replace(film, calibration=stated, warnings=warnings)


def _device_scale(film: Radiograph, recipe: Recipe) -> Calibration | None:
    profile = find_profile(film, recipe)
    if profile.mm_per_px is None:
        return None
    where = f"stated in device profile {profile.name}"
    return state_calibration(profile.mm_per_px, relative_sd=profile.relative_sd, source=where)


def state_person(film: Radiograph, recipe: Recipe, *, age_years: float | None, sex: Sex | None) -> Radiograph:
    """`film` with the age and sex that a person stated; what the file says is kept where nothing was stated.

    Raises
    ------
    InputError
        When something is stated that the recipe does not let into a record.
    """
    stated: dict[str, Any] = {}
    for name, value, kept in (("age_years", age_years, recipe.keep_age), ("sex", sex, recipe.keep_sex)):
        if value is None:
            continue
        if not kept:
            raise InputError(f"A stated {name} would stand in the record, and the recipe keeps none.")
        stated[name] = value
    return dataclasses.replace(film, **stated) if stated else film


def state_scale(recipe: Recipe, calibration: Calibration | None) -> Calibration | None:
    """The scale that a person stated, by argument or in the recipe; None when nobody did.

    Raises
    ------
    CalibrationError
        When both did and they differ, or the recipe's value is impossible.
    """
    if recipe.mm_per_px is None:
        return calibration
    stated = state_calibration(recipe.mm_per_px, source="stated in the recipe")
    if calibration is not None and calibration.spacing_mm != stated.spacing_mm:
        raise CalibrationError(
            f"The recipe states {recipe.mm_per_px:g} mm per pixel, the calibration gives {calibration.spacing_mm}.",
            hint="State the scale once.",
        )
    return calibration or stated
