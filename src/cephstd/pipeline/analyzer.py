"""Takes one film through all stages: read, normalize, detect, measure, record."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy.typing as npt

from cephstd.audit.recorder import record
from cephstd.core.image import Calibration, Device, Normalized, Radiograph, state_calibration
from cephstd.core.interpretation import Sex
from cephstd.core.landmarks import LandmarkSet, ModelFacts
from cephstd.core.measures import MeasureSet
from cephstd.core.recipe import Recipe
from cephstd.core.record import Record
from cephstd.errors import CalibrationError, InputError
from cephstd.geometry.measurer import Measurer
from cephstd.imaging.normalizer import standardize
from cephstd.inference.detector import Detector
from cephstd.io.reader import compare_scales, read
from cephstd.pipeline.scaler import scale_film

FilmSource = str | Path | bytes | BinaryIO | npt.NDArray[Any] | Radiograph
DEFAULT_RECIPE = Recipe()


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Every stage's result for one film: what a picture, a table or another measurement needs.

    Attributes
    ----------
    film : Radiograph
    normal : Normalized
    marks : LandmarkSet
        In source px.
    values : MeasureSet
        Unrounded.
    record : Record
        The same, sealed, rounded as the recipe says.
    """

    film: Radiograph
    normal: Normalized
    marks: LandmarkSet
    values: MeasureSet
    record: Record


def normalize(film: Radiograph | npt.NDArray[Any], *, calibration: Calibration | None = None) -> Normalized:
    """Standard image of a film: face right, bone bright, tone in the full 16 bit range.

    Parameters
    ----------
    film : Radiograph or ndarray of uint8 or uint16, shape (height, width)
        A film as read, or grey samples with bone bright.
    calibration : Calibration, optional
        Scale stated by a person, in place of the film's own.

    Returns
    -------
    Normalized
        With the chain of steps from source px, so that points go both ways.

    Raises
    ------
    InputError
        When an array is no grey image of uint8 or uint16, or the film cannot be brought to a standard image.

    Examples
    --------
    >>> import numpy as np
    >>> from cephstd.core.image import state_calibration
    >>> ramp = np.tile(np.arange(240, dtype=np.uint8), (300, 1))
    >>> normal = normalize(ramp, calibration=state_calibration(0.5))
    >>> normal.chain.source_size
    (240, 300)
    """
    return standardize(read_film(film, DEFAULT_RECIPE, calibration))


def read_film(source: FilmSource, recipe: Recipe, calibration: Calibration | None = None) -> Radiograph:
    """Read `source` as `recipe` says, with the scale that counts (`cephstd.pipeline.scaler.scale_film`).

    Parameters
    ----------
    source : path, bytes, binary file, ndarray of shape (height, width), or Radiograph
    recipe : Recipe
        Its budget, its stated scales (of the device, else of all films), and whether age and sex may pass.
    calibration : Calibration, optional
        Scale stated by a person, in place of the film's own.

    Raises
    ------
    InputError
        When the file cannot be read as a film.
    CalibrationError
        When `calibration` and the recipe's ``mm_per_px`` contradict each other, or a ruler the scale and the recipe
        refuses that.
    """
    return scale_film(_read_stated(source, recipe, calibration), recipe).film


def _read_stated(source: FilmSource, recipe: Recipe, calibration: Calibration | None) -> Radiograph:
    """The film with the scale that a person stated for it, else with its file's own."""
    stated = state_scale(recipe, calibration)
    if isinstance(source, Radiograph):
        stated = stated if calibration else _device_scale(recipe, source.device) or stated
        return source if stated is None else dataclasses.replace(source, calibration=stated)
    if recipe.device_scales and calibration is None:
        film = read(source, budget=recipe.budget, keep_age=recipe.keep_age, keep_sex=recipe.keep_sex)
        stated = _device_scale(recipe, film.device) or stated
        if stated is None:
            return film
        warnings = (*film.warnings, *compare_scales(stated, film.calibration))
        return dataclasses.replace(film, calibration=stated, warnings=warnings)
    return read(source, calibration=stated, budget=recipe.budget, keep_age=recipe.keep_age, keep_sex=recipe.keep_sex)


def _device_scale(recipe: Recipe, device: Device) -> Calibration | None:
    for scale in recipe.device_scales:
        if scale.fits(device.manufacturer, device.model):
            where = "stated in the recipe for the device"
            return state_calibration(scale.mm_per_px, relative_sd=scale.relative_sd, source=where)
    return None


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


class Analyzer:
    """All stages for one recipe, loaded once and used for many films; safe to share between threads.

    Parameters
    ----------
    recipe : Recipe
        Every choice that affects the result.
    device : str
        ``auto``, ``cpu``, ``cuda`` or the name of an ONNX Runtime provider.
    models : path, optional
        Folder with another ``manifest.toml``; default: the bundled models.
    threads : int, optional
        Threads inside one model run; default: all physical cores.

    Raises
    ------
    ModelError
        When the model is unknown, not there, not the pinned one, or cannot run.
    DefinitionError
        When the analysis is unknown.

    Notes
    -----
    The bundled weights are for research and non-commercial use; nothing here is a medical device.
    """

    def __init__(
        self,
        recipe: Recipe = DEFAULT_RECIPE,
        *,
        device: str = "auto",
        models: str | Path | None = None,
        threads: int | None = None,
    ) -> None:
        self.recipe = recipe
        self._measure = Measurer(recipe.analysis)
        self._detect = Detector(recipe.model, device=device, models=models, threads=threads, min_score=recipe.min_score)

    def with_recipe(self, recipe: Recipe) -> Analyzer:
        """An analyzer for `recipe` that shares this one's loaded model.

        Parameters
        ----------
        recipe : Recipe
            Of the same model and the same least score.

        Returns
        -------
        Analyzer

        Raises
        ------
        InputError
            When the recipe needs another detector.
        DefinitionError
            When the analysis is unknown.
        """
        if (recipe.model, recipe.min_score) != (self.recipe.model, self.recipe.min_score):
            raise InputError(f"Expected a recipe for model {self.recipe.model} with the same least score.")
        made = copy.copy(self)
        made.recipe, made._measure = recipe, Measurer(recipe.analysis)
        return made

    @property
    def model_facts(self) -> ModelFacts:
        """Name, digest and licences of the model, and the provider that really runs."""
        return self._detect.model_facts

    def __call__(
        self,
        source: FilmSource,
        *,
        created: datetime | str,
        calibration: Calibration | None = None,
        subject: str | None = None,
        previous: Record | str | None = None,
        age_years: float | None = None,
        sex: Sex | None = None,
    ) -> Analysis:
        """Analyse one film.

        Parameters
        ----------
        source : path, bytes, binary file, ndarray of shape (height, width), or Radiograph
            The film's file, or the film.
        created : datetime or str
            When, from the caller's clock, with its time zone.
        calibration : Calibration, optional
            Scale stated by a person, in place of the film's own.
        subject : str, optional
            Keyed pseudonym of the person.
        previous : Record or str, optional
            Predecessor of the same film, or its ``record_digest``.
        age_years, sex : float, str, optional
            Of the patient when the film was made, stated by a person in place of the file's own; norms depend on them.

        Returns
        -------
        Analysis

        Raises
        ------
        InputError
            When the film cannot be read or used, the time has no zone, or age or sex is stated and the recipe keeps
            none.
        InferenceError
            When the model's output breaks its contract.
        """
        film = state_person(read_film(source, self.recipe, calibration), self.recipe, age_years=age_years, sex=sex)
        return self.finish(film, standardize(film), created=created, subject=subject, previous=previous)

    def finish(
        self,
        film: Radiograph,
        normal: Normalized,
        *,
        created: datetime | str,
        subject: str | None = None,
        previous: Record | str | None = None,
    ) -> Analysis:
        """The second half of a call, for callers that read the next film while the model works on this one.

        Parameters
        ----------
        film : Radiograph
            A film as read under the recipe (`read_film`).
        normal : Normalized
            Its standard image.
        created, subject, previous
            As for a call.

        Returns
        -------
        Analysis

        Raises
        ------
        InputError
            When the parts do not belong together, or the time has no zone.
        InferenceError
            When the model's output breaks its contract.
        """
        marks = self._detect(normal)
        values = self._measure(marks, normal.calibration)
        sealed = record(
            film,
            normal,
            marks,
            values,
            recipe=self.recipe,
            created=created,
            subject=subject,
            previous=previous,
            threads=self._detect.threads,
        )
        return Analysis(film=film, normal=normal, marks=marks, values=values, record=sealed)


def analyze(
    source: FilmSource,
    *,
    created: datetime | str,
    recipe: Recipe = DEFAULT_RECIPE,
    calibration: Calibration | None = None,
    subject: str | None = None,
    previous: Record | str | None = None,
    age_years: float | None = None,
    sex: Sex | None = None,
    device: str = "auto",
    models: str | Path | None = None,
) -> Record:
    """Record of one film: exactly ``Analyzer(recipe, ...)(source, ...).record``; for many films keep one `Analyzer`.

    Parameters
    ----------
    source, created
        As for a call of an `Analyzer`.
    recipe : Recipe
        As for `Analyzer`.
    calibration, subject, previous, age_years, sex
        As for a call of an `Analyzer`.
    device, models
        As for `Analyzer`.

    Returns
    -------
    Record

    Raises
    ------
    CephError
        As for `Analyzer` and its call.
    """
    analyzer = Analyzer(recipe, device=device, models=models)
    return analyzer(
        source,
        created=created,
        calibration=calibration,
        subject=subject,
        previous=previous,
        age_years=age_years,
        sex=sex,
    ).record
