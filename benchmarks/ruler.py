"""What the ruler in each film of a folder measures, beside a Fourier transform of the grey along it, as a table.

Usage: ruler.py FOLDER [--expected-px P] [--write FILE]

The transform shares nothing with the search but the line that the ruler lies on: a period that both give is one of the
film, not of a method. FOLDER holds films of one device, for example `originals` of the ISBI 2015 challenge.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from cephstd.imaging.ruler import Ruler, find_ruler
from cephstd.io.reader import read

SUFFIXES = (".jpg", ".png", ".tif", ".dcm")
PER_PX = 4
PADDED = 1 << 18
REACH = 0.15
"""Of the period that the search found: in this range the strongest wave is looked for."""


def wave_px(pixels: np.ndarray, ruler: Ruler) -> float:
    """Period of the strongest wave in the grey along the ruler's line, near the ruler's period."""
    first, last = np.array(ruler.line)
    count = int(np.hypot(*(last - first)) * PER_PX)
    points = np.linspace(first, last, count).astype(np.float32)
    grey = cv2.remap(pixels.astype(np.float32), points[None, :, 0], points[None, :, 1], cv2.INTER_LINEAR)[0]
    grey = grey - cv2.GaussianBlur(grey[None], (0, 0), 2.0 * ruler.period_px * PER_PX)[0]
    power = np.abs(np.fft.rfft(grey * np.hanning(count), PADDED))
    near = PADDED / PER_PX / ruler.period_px
    low, high = int(near * (1.0 - REACH)), int(near * (1.0 + REACH)) + 1
    return PADDED / PER_PX / float(low + np.argmax(power[low:high]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--expected-px", type=float, default=18.42)
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    lines = [
        f"| film | ticks | period, px | sd | Fourier, px | off {options.expected_px:g} px, % |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for path in sorted(path for path in options.folder.iterdir() if path.suffix.lower() in SUFFIXES):
        pixels = read(path).pixels
        ruler = find_ruler(pixels)
        if ruler is None:
            lines.append(f"| {path.stem} | none | | | | |")
            continue
        off = 100.0 * (ruler.period_px / options.expected_px - 1.0)
        numbers = f"{ruler.period_px:.3f} | {ruler.period_sd_px:.4f} | {wave_px(pixels, ruler):.3f} | {off:+.2f}"
        lines.append(f"| {path.stem} | {ruler.ticks} | {numbers} |")
    text = "\n".join(lines)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
