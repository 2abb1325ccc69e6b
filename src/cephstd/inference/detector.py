"""Finds landmarks on a standard image, with their covariance, and withholds what it cannot judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from cephstd.core.image import Normalized
from cephstd.core.landmarks import (
    Landmark,
    LandmarkSet,
    ModelFacts,
    Review,
    absent_landmark,
    place_landmark,
    round_landmark,
)
from cephstd.core.recipe import DEFAULT_MODEL
from cephstd.core.steps import Affine, Chain
from cephstd.inference.canvas import place_on_canvas, turn_canvas
from cephstd.inference.catalog import load_catalog
from cephstd.inference.contracts import output_names
from cephstd.inference.decoder import Decoded, decode
from cephstd.inference.gate import Flags, Gate, Verdict
from cephstd.inference.leveller import find_tilt, level_step
from cephstd.inference.notice import log_terms
from cephstd.inference.session import Session
from cephstd.inference.shape import ShapeJudge

SURE_SCORE = 0.5
"""Points with at least this score tell a head's tilt, whatever score a caller asks for."""


class Detector:
    """A landmark model, loaded once and used for many films; safe to share between threads.

    Parameters
    ----------
    model : str
        Name in the model catalog.
    device : str
        ``auto``, ``cpu``, ``cuda`` or the name of an ONNX Runtime provider.
    models : path, optional
        Folder with another ``manifest.toml``; default: the bundled models.
    threads : int, optional
        Threads inside one run; default: all physical cores.
    min_score : float, optional
        Points with a lower score are withheld as ``low_confidence``; default: the model's own threshold.
    accepted_licences : tuple of str
        Licences of weights that the caller accepts; an added model runs under no other.
    strict_device : bool
        Raise where ``auto`` would fall back from a GPU to the CPU; a device named otherwise never falls back.

    Raises
    ------
    UnknownModelError, ModelUnavailable, ModelIntegrityError, ProviderError, LicenceError, InferenceError

    Notes
    -----
    The bundled weights are for research and non-commercial use; nothing here is a medical device. The first detector of
    a model in a process logs its terms to the logger ``cephstd`` (level INFO).
    """

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        device: str = "auto",
        models: str | Path | None = None,
        threads: int | None = None,
        min_score: float | None = None,
        accepted_licences: tuple[str, ...] = (),
        strict_device: bool = False,
    ) -> None:
        catalog = load_catalog(models)
        self.entry = catalog.entry(model)
        catalog.require_licence(self.entry, accepted_licences)
        self.min_score = self.entry.min_score if min_score is None else min_score
        self.prior = catalog.shape_prior(self.entry)
        self.gate = Gate(self.entry.landmarks, min_score=self.min_score, judge=self._judge())
        self._session = Session(catalog.weights(self.entry), device=device, threads=threads, strict=strict_device)
        log_terms(self.entry.name, self.entry.version, self.entry.licence_weights)
        scale = [self.entry.covariance_scale.get(id, 1.0) for id in self.entry.landmarks]
        floor = [self.entry.covariance_floor_px2.get(id, (0.0, 0.0, 0.0)) for id in self.entry.landmarks]
        self._covariance_scale = np.array(scale)[:, None, None]
        self._covariance_floor = np.array(floor)[:, [[0, 1], [1, 2]]]

    def _judge(self) -> ShapeJudge | None:
        if self.prior is None or self.entry.shape is None:
            return None
        return ShapeJudge(self.prior, self.entry.landmarks, most_distance2=self.entry.shape.most_distance2)

    @property
    def model_facts(self) -> ModelFacts:
        """Name, digest, licences and the provider that really runs."""
        return self.entry.facts(provider_requested=self._session.device, provider_ran=self._session.provider)

    @property
    def threads(self) -> int:
        """Threads inside one run; 0 means all physical cores."""
        return self._session.threads

    def __call__(self, normal: Normalized) -> LandmarkSet:
        """Landmarks of one film, in source pixels, in the order of the model's scheme.

        A head that the first look finds tilted by more than the model's ``upright`` contract allows is turned upright
        on the canvas and looked at once more; only the second look counts then. Points of low score, and points that
        no face has where the others lie, are absent for ``low_confidence``; the set's warnings say which and why.

        Raises
        ------
        InferenceError
            When the graph fails or its output breaks the contract.
        """
        decoded, chain = self.look(normal)
        source_px = chain.inverse(decoded.points_px[0])
        inside = np.all((source_px >= -0.5) & (source_px <= np.array(chain.source_size) - 0.5), axis=1)
        verdict = self.gate(decoded.points_px[0], None if decoded.score is None else decoded.score[0], inside)
        return LandmarkSet(
            landmarks=self._landmarks(decoded, chain, inside, verdict),
            scheme=self.entry.scheme,
            model=self.model_facts,
            warnings=verdict.warnings,
        )

    def look(self, normal: Normalized) -> tuple[Decoded, Chain]:
        """What the graph says of a film before anything is withheld, and the way from source px to the canvas.

        Raises
        ------
        InferenceError
            When the graph fails or its output breaks the contract.
        """
        image, chain = place_on_canvas(normal, self.entry.input)
        decoded = self.decode(image[None])
        step = self._level(decoded)
        if step is None:
            return decoded, chain
        return self.decode(turn_canvas(image, step, self.entry.input)[None]), chain.then(step)

    def _level(self, decoded: Decoded) -> Affine | None:
        """The turn after which the head is upright; None when it is upright enough, or its tilt is not known."""
        entry, points = self.entry, decoded.points_px[0]
        if entry.upright is None:
            return None
        sure = [
            row
            for row, id in enumerate(entry.landmarks)
            if id and (decoded.score is None or decoded.score[0, row] >= SURE_SCORE)
        ]
        tilt_deg = find_tilt(points[sure], tuple(entry.landmarks[row] for row in sure), entry.upright)
        if tilt_deg is None or abs(tilt_deg) < entry.upright.least_deg:
            return None
        return level_step(points[sure], tilt_deg, entry.input.size_px)

    def decode(self, images: npt.NDArray[np.float32]) -> Decoded:
        """What the graph says of canvases.

        Parameters
        ----------
        images : ndarray of float32, shape (n, channels, height, width)

        Returns
        -------
        Decoded
            On the canvas; covariances as the graph gives them.

        Raises
        ------
        InferenceError
            When the graph fails or its output breaks the contract.
        """
        entry = self.entry
        outputs = self._session.run(output_names(entry.output), {entry.input.name: images})
        return decode(
            outputs,
            entry.output,
            films=len(images),
            landmarks=len(entry.landmarks),
            size_px=entry.input.size_px,
        )

    def _landmarks(self, decoded: Decoded, chain: Chain, inside: Flags, verdict: Verdict) -> tuple[Landmark, ...]:
        points = chain.inverse(decoded.points_px[0])
        covariances = None
        if decoded.covariance_px2 is not None:
            calibrated = decoded.covariance_px2[0] * self._covariance_scale + self._covariance_floor
            covariances = chain.inverse_covariance(calibrated)
        withheld = verdict.low_score | verdict.no_face
        marks = []
        for index, id in enumerate(self.entry.landmarks):
            if not id:
                continue
            (x, y), score = points[index], None if decoded.score is None else float(decoded.score[0, index])
            if not inside[index]:
                marks.append(absent_landmark(id, "outside the image", score=score))
            elif withheld[index]:
                marks.append(absent_landmark(id, "low_confidence", score=score))
            else:
                review: Review = "provisional" if id in self.entry.provisional else "none"
                covariance = None if covariances is None else covariances[index]
                marks.append(
                    place_landmark(id, x, y, state="detected", covariance_px2=covariance, score=score, review=review)
                )
        return tuple(map(round_landmark, marks))


def detect(
    normal: Normalized,
    *,
    model: str = DEFAULT_MODEL,
    device: str = "auto",
    models: str | Path | None = None,
    min_score: float | None = None,
    accepted_licences: tuple[str, ...] = (),
    strict_device: bool = False,
) -> LandmarkSet:
    """Landmarks of one film: exactly ``Detector(model, ...)(normal)``; for many films keep one `Detector`.

    Parameters
    ----------
    normal : Normalized
        Standard image of the film.
    model, device, models, min_score, accepted_licences, strict_device
        As for `Detector`.

    Returns
    -------
    LandmarkSet
        In source pixels; points that were not found are absent with a reason.

    Raises
    ------
    UnknownModelError, ModelUnavailable, ModelIntegrityError, ProviderError, LicenceError, InferenceError
    """
    detector = Detector(
        model,
        device=device,
        models=models,
        min_score=min_score,
        accepted_licences=accepted_licences,
        strict_device=strict_device,
    )
    return detector(normal)
