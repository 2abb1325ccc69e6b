"""Analyses a film anew and says of every value that changed which factor changed it, and by how much."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from cephstd.audit.recorder import record, record_measures
from cephstd.core.image import UNDETERMINED, Calibration, Normalized, state_calibration
from cephstd.core.landmarks import LandmarkSet
from cephstd.core.recipe import Recipe
from cephstd.core.record import Record
from cephstd.errors import DigestMismatch, InputError
from cephstd.geometry.measurer import Measurer
from cephstd.inference.detector import Detector
from cephstd.interpretation.interpreter import Interpreter
from cephstd.pipeline.changes import Attribution, Flip, Stages, attribute, find_flips
from cephstd.pipeline.human_points import take_over_human_points
from cephstd.pipeline.intake import FilmSource, read_film
from cephstd.pipeline.normalizer import Normalizer

MEASURING_CHOICES = frozenset(
    {
        "analysis",
        "value_decimals",
        "accepted_licences",
        "norms",
        "rules",
        "norms_by",
        "norm_enlargements",
        "uncertainty",
    }
)
"""Choices of a recipe that bear on values alone: with the others the same, the points stay the same."""


def needs_film(old: Recipe, new: Recipe) -> bool:
    """Whether more than the measures can change between two recipes, so that the film has to be read again.

    >>> needs_film(Recipe(), Recipe(analysis="steiner")), needs_film(Recipe(), Recipe(mm_per_px=0.1))
    (False, True)
    """
    changed = {name for name in Recipe.__struct_fields__ if getattr(old, name) != getattr(new, name)}
    return not changed <= MEASURING_CHOICES


def remeasure(record: Record, recipe: Recipe, *, created: datetime | str) -> Record:
    """Successor of a record with the measures of another recipe, from the recorded points and scale.

    Parameters
    ----------
    record : Record
    recipe : Recipe
        Differs from the recorded one in choices that bear on measures alone (`needs_film` is false).
    created : datetime or str
        When, from the caller's clock, with its time zone.

    Returns
    -------
    Record
        The content that an analysis of the film under `recipe` gives, but for its predecessor.

    Raises
    ------
    InputError
        When the recipe asks for more than other measures.
    DefinitionError
        When the analysis is unknown.
    """
    content = record.content
    if needs_film(content.recipe, recipe):
        raise InputError("Expected a recipe that changes measures alone.", hint="Analyse the film under this recipe.")
    marks = LandmarkSet(landmarks=content.landmarks, scheme=content.scheme)
    values = Measurer(recipe.analysis)(marks, content.calibration, uncertainty=recipe.uncertainty)
    return record_measures(record, values, recipe=recipe, created=created)


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What a film was said to show before: a record, or the points of another system.

    Attributes
    ----------
    marks : LandmarkSet
        In source px.
    calibration : Calibration
    record : Record or None
        None for points of another system: then there are no values to compare with but those that today's definitions
        give for these points.
    """

    marks: LandmarkSet
    calibration: Calibration
    record: Record | None = None

    @classmethod
    def from_record(cls, old: Record) -> Baseline:
        """The points and the scale of a record."""
        content = old.content
        marks = LandmarkSet(landmarks=content.landmarks, scheme=content.scheme)
        return cls(marks=marks, calibration=content.calibration, record=old)

    @classmethod
    def from_points(cls, marks: LandmarkSet, mm_per_px: float | None) -> Baseline:
        """Points of another system, with the scale that it states, if any.

        Raises
        ------
        CalibrationError
            When the scale is impossible.
        """
        scale = (
            UNDETERMINED if mm_per_px is None else state_calibration(mm_per_px, source="stated in a table of points")
        )
        return cls(marks=marks, calibration=scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How far a landmark lies from where it was.

    Attributes
    ----------
    landmark : str
    x_px, y_px : float
        New minus old, source px.
    x_mm, y_mm : float or None
        The same in mm of the new scale; None without one.
    """

    landmark: str
    x_px: float
    y_px: float
    x_mm: float | None
    y_mm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reanalysis:
    """A film analysed anew, beside what was said before.

    Attributes
    ----------
    record : Record
        The successor.
    attributions : tuple of Attribution
        One for every value that changed, came or went.
    flips : tuple of Flip
        Classes that changed: for a clinician to look at.
    shifts : tuple of Shift
        Landmarks that both sides have, whether moved or not.
    notes : tuple of str
        What could not be told apart, and why.
    """

    record: Record
    attributions: tuple[Attribution, ...]
    flips: tuple[Flip, ...]
    shifts: tuple[Shift, ...]
    notes: tuple[str, ...] = ()


class Reanalyzer:
    """Analyses films under a new recipe and attributes what changed, one factor at a time, in the order of
    `cephstd.pipeline.changes.FACTORS`.

    Parameters
    ----------
    recipe : Recipe
    detector : Detector
        Of the recipe's model.
    old_detectors : mapping of str to Detector
        By digest of weights: models of earlier records, to tell the effect of the standard image from that of the
        model.
    normalizer : Normalizer, optional
        Default: one with the bundled view head.
    """

    def __init__(
        self,
        recipe: Recipe,
        detector: Detector,
        old_detectors: Mapping[str, Detector] | None = None,
        *,
        normalizer: Normalizer | None = None,
    ) -> None:
        self.recipe = recipe
        self._normalize = normalizer or Normalizer()
        self._detect = detector
        self._old = dict(old_detectors or {})
        self._measure = Measurer(recipe.analysis)
        self._interpret = Interpreter(
            recipe.norms,
            recipe.rules,
            norms_by=recipe.norms_by,
            enlargements={one.set: one.percent for one in recipe.norm_enlargements},
        )

    @property
    def weights_sha256(self) -> str:
        """Digest of the weights of the recipe's model."""
        return self._detect.model_facts.weights_sha256

    def __call__(self, old: Record | Baseline, source: FilmSource, *, created: datetime | str) -> Reanalysis:
        """Analyse one film anew.

        Points that a person placed, moved or rejected are taken over, and the acceptance of points that lie where they
        lay. Decisions stay with the record that they were made on: the successor lists them as earlier reviews and has
        none of its own yet.

        Parameters
        ----------
        old : Record or Baseline
        source : path, bytes, binary file, ndarray or Radiograph
            The film.
        created : datetime or str
            When, from the caller's clock, with its time zone.

        Returns
        -------
        Reanalysis

        Raises
        ------
        DigestMismatch
            When the film is another than the record's.
        NotACephalogramError
            When the picture is no lateral cephalogram and the recipe refuses such.
        InputError
            When the film cannot be read or used, or the time has no zone.
        InferenceError
            When the model's output breaks its contract.
        """
        before = Baseline.from_record(old) if isinstance(old, Record) else old
        frame = before.record.content.source.frame if before.record is not None else None
        film = read_film(source, self.recipe, frame=frame)
        if before.record is not None and film.source.file_sha256 != before.record.content.source.file_sha256:
            raise DigestMismatch("The record was made from another film than the given one.")
        normal = self._normalize(film, self.recipe)
        marks = self._with_human_points(before, self._detect(normal))
        old_model_marks, notes = self._marks_of_old_model(before, normal, marks)
        values = self._measure(marks, normal.calibration, uncertainty=self.recipe.uncertainty)
        made = record(
            film,
            normal,
            marks,
            values,
            recipe=self.recipe,
            created=created,
            subject=before.record.content.subject.pseudonym if before.record else None,
            previous=before.record,
            threads=self._detect.threads,
        )
        old_points = self._measure(before.marks, before.calibration)
        stages = Stages(
            recorded=tuple(before.record.content.measures) if before.record else tuple(old_points),
            decimals=before.record.content.recipe.value_decimals if before.record else None,
            old=tuple(old_points),
            calibrated=tuple(self._measure(before.marks, normal.calibration)),
            normalized=None if old_model_marks is None else tuple(self._measure(old_model_marks, normal.calibration)),
            modelled=tuple(values),
            final=made.content.measures,
        )
        attributions = tuple(attribute(stages))
        return Reanalysis(
            record=made,
            attributions=attributions,
            flips=tuple(self._flips(before, stages, made, attributions)),
            shifts=tuple(_shifts(before.marks, made)),
            notes=notes,
        )

    def _with_human_points(self, before: Baseline, found: LandmarkSet) -> LandmarkSet:
        return take_over_human_points(before.record.content, found) if before.record else found

    def _marks_of_old_model(
        self, before: Baseline, normal: Normalized, marks: LandmarkSet
    ) -> tuple[LandmarkSet | None, tuple[str, ...]]:
        """Points of the old model on today's standard image; None where that model is not here."""
        if before.record is None or before.record.content.model is None:
            return None, ("The old points are of no model known here: normalization and model are one factor.",)
        old_recipe, weights = before.record.content.recipe, before.record.content.model.weights_sha256
        if weights == self.weights_sha256 and old_recipe.min_score == self.recipe.min_score:
            return marks, ()
        detector = self._old.get(weights)
        if detector is None:
            name = before.record.content.model.name
            return None, (
                f"The old model {name}, with its least score, is not here: normalization and model are one factor.",
            )
        return self._with_human_points(before, detector(normal)), ()

    def _flips(
        self, before: Baseline, stages: Stages, made: Record, attributions: Iterable[Attribution]
    ) -> Iterator[Flip]:
        content = made.content
        # today's rules on the old values: a class that differs already here differs because of the rules
        ruled = self._interpret(
            stages.recorded,
            age_years=content.subject.age_years,
            sex=content.subject.sex,
            basis=before.calibration.basis,
        )
        recorded = before.record.content.interpretation if before.record else ruled
        yield from find_flips(recorded.outcomes, ruled.outcomes, content.interpretation.outcomes, attributions)


def _shifts(old: LandmarkSet, made: Record) -> Iterator[Shift]:
    before = {mark.id: mark for mark in old}
    spacing = made.content.calibration.spacing_mm
    for mark in made.content.landmarks:
        was = before.get(mark.id)
        if was is None or was.x_px is None or was.y_px is None or mark.x_px is None or mark.y_px is None:
            continue
        x, y = mark.x_px - was.x_px, mark.y_px - was.y_px
        yield Shift(
            landmark=mark.id,
            x_px=x,
            y_px=y,
            x_mm=x * spacing[1] if spacing else None,
            y_mm=y * spacing[0] if spacing else None,
        )
