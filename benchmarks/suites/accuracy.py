"""Accuracy as a benchmark: it is followed from commit to commit like speed, and has a unit."""

from __future__ import annotations

import numpy as np

import cephstd as cs

from . import inputs

FILMS = 20


class Composite:
    """Default model on the composite film that ships; its landmarks are approximate, so watch for change."""

    timeout = 120

    def setup(self):
        film = cs.read(inputs.COMPOSITE_DICOM)
        found = cs.detect(cs.normalize(film)).points_px
        stated = inputs.sample_points(inputs.COMPOSITE_DICOM)
        self.spacing_mm = film.calibration.spacing_mm[0]
        self.errors_px = [float(np.hypot(*np.subtract(found[id], stated[id]))) for id in stated if id in found]
        self.absent = len(stated) - len(self.errors_px)

    def track_mre(self):
        return float(np.mean(self.errors_px)) * self.spacing_mm

    track_mre.unit = "mm"

    def track_absent(self):
        return self.absent

    track_absent.unit = "landmarks"


class Films:
    """Protocol model on real films that it has not learned from; skipped where they do not lie beside the checkout."""

    timeout = 600

    def setup_cache(self):
        from cephstd.evaluation.dataset import load_dataset
        from cephstd.evaluation.evaluator import evaluate_model

        try:
            dataset = load_dataset(inputs.DATASET).limit(FILMS)
        except cs.InputError:
            return None
        return evaluate_model(dataset, cs.Detector(inputs.PROTOCOL_MODEL), resamples=0).score.all

    def setup(self, score):
        if score is None:
            raise NotImplementedError("the real films are not beside this checkout")

    def track_mre(self, score):
        return score.mre_mm

    track_mre.unit = "mm"

    def track_within_2_mm(self, score):
        return score.sdr_percent["2"]

    track_within_2_mm.unit = "%"

    def track_absent(self, score):
        return score.absent

    track_absent.unit = "points"
