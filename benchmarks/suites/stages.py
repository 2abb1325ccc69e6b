"""Time of each stage on one film, of many films at once, and of the import."""

from __future__ import annotations

import numpy as np

import cephstd as cs

from . import inputs


class Import:
    """``import cephstd`` in a fresh interpreter."""

    def timeraw_import(self):
        return "import cephstd"

    def timeraw_import_bare(self):
        return "pass"


class Stages:
    """One warm film, stage by stage."""

    timeout = 120

    def setup(self):
        self.dicom, self.jpeg = inputs.COMPOSITE_DICOM.read_bytes(), inputs.full_size_jpeg()
        self.film = cs.read(self.dicom)
        self.normal = cs.normalize(self.film)
        self.detector = cs.Detector()
        self.marks = self.detector(self.normal)
        self.measurer = cs.Measurer("all")
        self.values = self.measurer(self.marks, self.film.calibration)
        self.recipe = cs.Recipe()
        self.record = self.seal()
        self.analyzer = cs.Analyzer(self.recipe)

    def seal(self):
        return cs.record(self.film, self.normal, self.marks, self.values, recipe=self.recipe, created=inputs.CREATED)

    def time_read_dicom(self):
        cs.read(self.dicom)

    def time_read_jpeg_1935x2400(self):
        cs.read(self.jpeg)

    def time_normalize(self):
        cs.normalize(self.film)

    def time_detect(self):
        self.detector(self.normal)

    def time_measure_all(self):
        self.measurer(self.marks, self.film.calibration)

    def time_record(self):
        self.seal()

    def time_verify(self):
        cs.verify(self.record)

    def time_analyze_jpeg_1935x2400(self):
        self.analyzer(self.jpeg, created=inputs.CREATED)


class ManyFilms:
    """Measuring tables of films, with and without uncertainty."""

    params = (1_000, 100_000)
    param_names = ("films",)
    timeout = 120

    def setup(self, films):
        points = inputs.sample_points(inputs.COMPOSITE_DICOM)
        self.ids = tuple(points)
        rng = np.random.default_rng(7)
        spread = rng.normal(0.0, 3.0, size=(films, len(points), 2))
        self.points = np.array(list(points.values()))[None] + spread
        self.covariances = np.tile(np.eye(2), (len(points), 1, 1))
        cs.measure_many(self.points[:2], self.ids, "all", spacing_mm=0.15)

    def time_measure_many(self, films):
        cs.measure_many(self.points, self.ids, "all", spacing_mm=0.15)

    def time_measure_many_with_uncertainty(self, films):
        cs.measure_many(self.points, self.ids, "all", spacing_mm=0.15, covariances_px2=self.covariances)
