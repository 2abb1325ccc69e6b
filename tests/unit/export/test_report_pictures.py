"""Pictures of a report: bone bright, no burnt-in text, the whole film."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
from msgspec.structs import replace
from report_records import SAMPLES, changed, released

import cephstd as cs
from cephstd.core.steps import Invert
from cephstd.export import report_pictures as module
from cephstd.export.report_pictures import DOTS_PER_MM, draw_pictures


@pytest.fixture(scope="module")
def film() -> cs.Radiograph:
    return cs.read(SAMPLES / "composite_a.dcm")


@pytest.fixture(scope="module")
def content():
    return released("model").content


def grey(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED).astype(float)


def lettered(film: cs.Radiograph) -> cs.Radiograph:
    letters = np.zeros(film.pixels.shape, dtype=np.uint8)
    cv2.putText(letters, "DOE JOHN 1970", (850, 1350), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 3)
    pixels = np.where(letters > 0, np.uint16(4095), film.pixels)
    return dataclasses.replace(film, pixels=pixels)


def test_burnt_in_text_is_covered_unless_it_is_asked_for(film, content):
    named = lettered(film)
    plain, _ = draw_pictures(content, film, cover_text=False)
    shown, said = draw_pictures(content, named, cover_text=False)
    hidden, counted = draw_pictures(content, named, cover_text=True)
    size = grey(shown).shape
    x, y = (slice(int(at / of * side), int(to / of * side)) for at, to, of, side in (
        (840, 1170, film.size[0], size[1]), (1310, 1365, film.size[1], size[0])))  # fmt: skip
    assert np.abs(grey(shown) - grey(plain))[y, x].max() > 100
    assert np.abs(grey(hidden) - grey(plain))[y, x].max() < 40
    assert (said["covered"], counted["covered"]) == (None, 1)


def test_the_picture_is_that_of_the_sheet_and_bone_bright(film, content):
    data, drawings = draw_pictures(content, film, cover_text=False)
    wide, high = drawings["film"]["size"]
    assert grey(data).shape == (round(high * DOTS_PER_MM), round(wide * DOTS_PER_MM))
    steps = (*content.normalized.steps, Invert())
    dark = changed(released("model"), normalized=replace(content.normalized, steps=steps)).content
    inverted, _ = draw_pictures(dark, film, cover_text=False)
    assert np.corrcoef(grey(data).ravel(), grey(inverted).ravel())[0, 1] < -0.9


def test_the_overlay_names_the_records_model(film, content, monkeypatch):
    seen = []
    monkeypatch.setattr(module, "overlay", lambda film, marks, values, **rest: seen.append((marks, values, rest)))
    monkeypatch.setattr(module, "draw_png", lambda figure: b"png")
    assert module.draw_overlay(content, film, cover_text=False) == b"png"
    ((marks, values, rest),) = seen
    assert (marks.model.name, marks.model.weights_sha256) == (content.model.name, content.model.weights_sha256)
    assert (values.measures, rest["tracing"]) == (content.measures, True)


def test_a_name_that_lies_apart_is_led_to_its_point(film, content):
    _, drawings = draw_pictures(content, film, cover_text=False)
    places = {dot["id"]: dot["at"] for dot in drawings["tracing"]["dots"]}
    for label in drawings["tracing"]["labels"]:
        assert label["lead"] is None or label["lead"][0] in places.values()
