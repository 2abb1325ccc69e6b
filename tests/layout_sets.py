"""Small sets of drawn films in the layouts that labelled sets come in."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from cephstd.imaging.phantom import Phantom, draw_phantom
from cephstd.knowledge.loader import load_scheme


def aariz_symbols() -> dict[str, str]:
    """Landmark id -> the data set's symbol."""
    return {point.id: point.label.rpartition("(")[2].rstrip(")") for point in load_scheme("aariz29").landmark}


def write_aariz(
    folder: Path,
    rng: np.random.Generator,
    *,
    films: dict[str, int],
    spacings_mm: tuple[float, float] = (0.4, 0.5),
    complete: bool = False,
) -> dict[str, Phantom]:
    """Write films as Aariz lays them: two annotators 2 px apart, films of two scales by turns.

    Parameters
    ----------
    folder : Path
        Made.
    films : dict of str to int
        How many of each split.
    complete : bool
        Put the points that a drawn film lacks in a row below sella, so that all 29 are labelled.

    Returns
    -------
    dict of str to Phantom
        image_id -> what was drawn; its landmarks lie in the middle of the two annotators.
    """
    symbols, drawn, rows = aariz_symbols(), {}, ["cephalogram_id,machine,image_format,pixel_size,mode"]
    for split, count in films.items():
        pictures = folder / split / "Cephalograms"
        labels = folder / split / "Annotations" / "Cephalometric Landmarks"
        pictures.mkdir(parents=True)
        for number in range(count):
            image_id, spacing, suffix = f"{split}{number}", spacings_mm[number % 2], ("png", "jpg")[number % 2]
            size = round(194.0 / spacing), round(240.0 / spacing)
            film = drawn[image_id] = draw_phantom(rng, size=size, spacing_mm=spacing)
            cv2.imwrite(str(pictures / f"{image_id}.{suffix}"), (film.pixels >> 8).astype(np.uint8))
            rows.append(f"{image_id},Drawn,{suffix},{spacing},{split.capitalize()}")
            for annotator, off in (("Senior Orthodontists", -1.0), ("Junior Orthodontists", 1.0)):
                points = dict(film.landmarks_px)
                if complete:
                    x, y = points["S"]
                    lacking = [id for id in symbols if id not in points]
                    points |= {id: (x + n * 5.0 / spacing, y + 20.0 / spacing) for n, id in enumerate(lacking)}
                marks = [
                    {"title": id, "symbol": symbols[id], "value": {"x": x + off, "y": y}}
                    for id, (x, y) in points.items()
                ]
                (labels / annotator).mkdir(parents=True, exist_ok=True)
                path = labels / annotator / f"{image_id}.json"
                path.write_text(json.dumps({"ceph_id": image_id, "landmarks": marks}))
    (folder / "cephalogram_machine_mappings.csv").write_text("\n".join(rows) + "\n")
    return drawn
