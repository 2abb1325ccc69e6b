"""Takes one film through all stages: read, normalize, detect, measure, record."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cephstd.audit.recorder import record
from cephstd.core.image import Calibration, Normalized, Radiograph
from cephstd.core.interpretation import Sex
from cephstd.core.landmarks import LandmarkSet, ModelFacts
from cephstd.core.measures import MeasureSet
from cephstd.core.recipe import Recipe
from cephstd.core.record import Record
from cephstd.errors import InputError
from cephstd.geometry.measurer import Measurer
from cephstd.inference.detector import Detector
from cephstd.pipeline.human_points import take_over_human_points
from cephstd.pipeline.intake import DEFAULT_RECIPE, FilmSource, read_film, state_person
from cephstd.pipeline.normalizer import Normalizer


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
    strict_device : bool
        Raise where ``auto`` would fall back from a GPU to the CPU.

    Raises
    ------
    ModelError
        When the model or the view head is unknown, not there, not the pinned one, or cannot run.
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
        strict_device: bool = False,
    ) -> None:
        self.recipe = recipe
        self._measure = Measurer(recipe.analysis)
        self._normalize = Normalizer(models=models)
        self._detect = Detector(
            recipe.model,
            device=device,
            models=models,
            threads=threads,
            min_score=recipe.min_score,
            accepted_licences=recipe.accepted_licences,
            strict_device=strict_device,
        )

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
        NotACephalogramError
            When the picture is no lateral cephalogram and the recipe refuses such.
        InputError
            When the film cannot be read or used, the time has no zone, or age or sex is stated and the recipe keeps
            none.
        InferenceError
            When the model's output breaks its contract.
        """
        film = state_person(read_film(source, self.recipe, calibration), self.recipe, age_years=age_years, sex=sex)
        return self.finish(
            film, self._normalize(film, self.recipe), created=created, subject=subject, previous=previous
        )

    def finish(
        self,
        film: Radiograph,
        normal: Normalized,
        *,
        created: datetime | str,
        subject: str | None = None,
        previous: Record | str | None = None,
        take_over: bool = False,
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
        take_over : bool
            Whether points that people placed, moved or rejected on the record `previous` are taken over.

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
        if take_over and isinstance(previous, Record):
            marks = take_over_human_points(previous.content, marks)
        values = self._measure(marks, normal.calibration, uncertainty=self.recipe.uncertainty)
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
    strict_device: bool = False,
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
    device, models, strict_device
        As for `Analyzer`.

    Returns
    -------
    Record

    Raises
    ------
    CephError
        As for `Analyzer` and its call.
    """
    analyzer = Analyzer(recipe, device=device, models=models, strict_device=strict_device)
    return analyzer(
        source,
        created=created,
        calibration=calibration,
        subject=subject,
        previous=previous,
        age_years=age_years,
        sex=sex,
    ).record
