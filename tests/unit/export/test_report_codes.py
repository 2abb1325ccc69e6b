"""QR codes: what a reader of them gets is what was written."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest

from cephstd.errors import ExportError
from cephstd.export.report_codes import MOST_IN_ONE, draw_codes


def rendered(svg: str) -> np.ndarray:
    """Pixels of an SVG of horizontal strokes, as segno writes them."""
    side = int(re.search(r'viewBox="0 0 (\d+)', svg)[1])
    picture = np.full((side, side), 255, dtype=np.uint8)
    x = y = 0.0
    for command, numbers in re.findall(r"([Mmh])([-\d. ]+)", re.search(r' d="([^"]+)"', svg)[1]):
        values = [float(number) for number in numbers.split()]
        if command == "h":
            picture[int(y), int(x) : int(x + values[0])] = 0
            x += values[0]
        else:
            x, y = values if command == "M" else (x + values[0], y + values[1])
    return cv2.copyMakeBorder(
        cv2.resize(picture, None, fx=6, fy=6, interpolation=cv2.INTER_NEAREST), *[24] * 4, 0, value=255
    )


def test_a_code_reads_back():
    text = "sha256:" + "0123456789abcdef" * 4
    (svg,) = draw_codes(text)
    assert cv2.QRCodeDetector().detectAndDecode(rendered(svg))[0] == text


def test_a_long_text_is_shared_by_several_codes():
    assert len(draw_codes("a" * MOST_IN_ONE)) == 1
    assert len(draw_codes("a" * (MOST_IN_ONE + 1))) == 2


def test_too_long_a_text_is_refused():
    with pytest.raises(ExportError, match="QR codes"):
        draw_codes("a" * 40_000)


def test_the_same_text_gives_the_same_code():
    assert draw_codes("record") == draw_codes("record")
