"""Time and memory of all measures with uncertainty, of one film, and of the first call in a process."""

from __future__ import annotations

import cephstd as cs
from cephstd.geometry.measurer import Measurer
from cephstd.knowledge.loader import load_analysis

from . import inputs


class AllMeasures:
    """164 measures with standard deviations from one covariance per point, on every core."""

    params = (1_000, 10_000, 100_000)
    param_names = ("films",)
    timeout = 120

    def setup(self, films):
        self.ids, self.points, self.covariances = inputs.make_films(films)
        self.measurer = Measurer("all")
        self.run(self.points[:2], self.covariances[:2])

    def run(self, points, covariances):
        return self.measurer.over(points, self.ids, spacing_mm=inputs.MM_PER_PX, covariances_px2=covariances)

    def time_measure(self, films):
        self.run(self.points, self.covariances)

    def peakmem_measure(self, films):
        self.run(self.points, self.covariances)


class OneFilm:
    """40 measures of one film."""

    def setup(self):
        ids, points, covariances = inputs.make_films(1)
        self.marks = cs.LandmarkSet(
            landmarks=tuple(
                cs.place_landmark(id, *place, covariance_px2=covariance)
                for id, place, covariance in zip(ids, points[0], covariances[0], strict=True)
            )
        )
        self.calibration = cs.state_calibration(inputs.MM_PER_PX)
        self.measurer = Measurer([measure.id for measure in load_analysis("all").measures if measure.formula][:40])
        self.time_measure()

    def time_measure(self):
        self.measurer(self.marks, self.calibration)


class FirstCall:
    """From a fresh interpreter to the first measures, imports and planning included."""

    def timeraw_first_call(self):
        return """
        import numpy as np, cephstd as cs
        cs.measure_many(np.array([[[0.0, 0.0], [70.0, 0.0], [70.0, 60.0]]]), ("S", "N", "A"), "all", spacing_mm=1.0)
        """
