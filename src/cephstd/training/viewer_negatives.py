"""Pictures made to be refused: parts of films, collages, windows on screens, drawings, and what only looks like a head.

Every family has one purpose, so that the reported test holds kinds of pictures that nobody has looked at before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from cephstd.training.viewer_archive import Grey, Purpose
from cephstd.training.viewer_covers import blank_beyond_a_line, blank_sectors, hidden_faces
from cephstd.training.viewer_samples import Rng, ViewFilm, random_view, vary_look

SIDE_PX = 300
Draw = Callable[[Sequence[ViewFilm], Sequence[Grey], Rng], Grey]


def draw_negative(family: str, films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    """One picture of a family; `films` and `pictures` are what it may be put together from."""
    for families in FAMILIES.values():
        if family in families:
            return families[family](films, pictures, rng)
    raise KeyError(family)


def _pick(films: Sequence[ViewFilm], rng: Rng) -> ViewFilm:
    return films[int(rng.integers(len(films)))]


def _part(film: ViewFilm, box: tuple[float, float, float, float], rng: Rng) -> Grey:
    """A rectangle of a film, as shares of the *face*, from 0 (left, top) to 1 (right, bottom)."""
    left, top, right, bottom = film.face
    height, width = film.pixels.shape
    x = np.clip([left + share * (right - left) for share in box[::2]], 0.0, 1.0) * width
    y = np.clip([top + share * (bottom - top) for share in box[1::2]], 0.0, 1.0) * height
    part = film.pixels[int(y[0]) : max(int(y[1]), int(y[0]) + 8), int(x[0]) : max(int(x[1]), int(x[0]) + 8)]
    return vary_look(np.ascontiguousarray(part), rng)


FAR = 9.0
"""Beyond the film's border, however large the film."""


def _halves_across(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    cut = rng.uniform(0.35, 0.62)
    return _part(_pick(films, rng), (-FAR, -FAR, cut, FAR) if rng.random() < 0.5 else (cut, -FAR, FAR, FAR), rng)


def _upper_halves(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    return _part(_pick(films, rng), (-FAR, -FAR, FAR, rng.uniform(0.3, 0.62)), rng)


def _lower_halves(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    return _part(_pick(films, rng), (-FAR, rng.uniform(0.38, 0.65), FAR, FAR), rng)


def _details(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    size = rng.uniform(0.15, 0.55)
    x, y = rng.uniform(-0.4, 1.2 - size), rng.uniform(-0.4, 1.1 - size)
    return _part(_pick(films, rng), (x, y, x + size, y + size), rng)


def _covered_halves(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    """A film of its full size of which a half is blank, as after a failed exposure or transfer."""
    film = _pick(films, rng)
    left, top, right, bottom = film.face
    height, width = film.pixels.shape
    x, y = (int(value) for value in ((left + right) / 2 * width, (top + bottom) / 2 * height))
    blank = ((0, 0, x, height), (x, 0, width, height), (0, 0, width, y), (0, y, width, height))[int(rng.integers(4))]
    shown = film.pixels.copy()
    shown[blank[1] : blank[3], blank[0] : blank[2]] = int(rng.choice([0, 0, 128, 255]))
    return vary_look(shown, rng)


def _diagonal_halves(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    shown = random_view(_pick(films, rng), rng)
    height, width = shown.shape
    rows, columns = np.mgrid[0:height, 0:width]
    lower = rows * width > columns * height
    rising = (height - rows) * width > columns * height
    shown[(lower, ~lower, rising, ~rising)[int(rng.integers(4))]] = 0
    return shown


def _mirrored_halves(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    half = _halves_across(films, pictures, rng)
    sides = (half, half[:, ::-1]) if rng.random() < 0.5 else (half[:, ::-1], half)
    return np.ascontiguousarray(np.hstack(sides))


def _grid(tiles: Sequence[Grey], rows: int, columns: int, rng: Rng) -> Grey:
    side = SIDE_PX // max(rows, columns)
    gap = int(rng.integers(0, 8))
    sheet = np.full((rows * (side + gap), columns * (side + gap)), int(rng.choice([0, 128, 255])), np.uint8)
    for place, tile in enumerate(tiles[: rows * columns]):
        scale = side / max(tile.shape)
        width, height = (max(1, int(length * scale)) for length in tile.shape[::-1])
        top, left = (place // columns) * (side + gap), (place % columns) * (side + gap)
        sheet[top : top + height, left : left + width] = cv2.resize(tile, (width, height), interpolation=cv2.INTER_AREA)
    return sheet


def _films_in_a_grid(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    rows, columns = ((1, 2), (2, 1), (2, 2))[int(rng.integers(3))]
    one = random_view(_pick(films, rng), rng)
    tiles = [one if rng.random() < 0.2 else random_view(_pick(films, rng), rng) for _ in range(rows * columns)]
    return _grid(tiles, rows, columns, rng)


def _film_beside_picture(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    tiles = [random_view(_pick(films, rng), rng), pictures[int(rng.integers(len(pictures)))]]
    if rng.random() < 0.5:
        tiles.reverse()
    return _grid(tiles, *((1, 2) if rng.random() < 0.6 else (2, 1)), rng)


def _contact_sheets(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    rows, columns = ((3, 3), (1, 3), (2, 3), (3, 2))[int(rng.integers(4))]
    return _grid([random_view(_pick(films, rng), rng) for _ in range(rows * columns)], rows, columns, rng)


def _place(desktop: Grey, film: Grey, share: float, rng: Rng) -> tuple[int, int, int, int]:
    """Put a film into a desktop so that it takes `share` of one side; returns its rectangle."""
    scale = share * min(desktop.shape[0] / film.shape[0], desktop.shape[1] / film.shape[1])
    width, height = (max(1, int(side * scale)) for side in film.shape[::-1])
    left = int(rng.integers(0, max(1, desktop.shape[1] - width)))
    top = int(rng.integers(0, max(1, desktop.shape[0] - height)))
    desktop[top : top + height, left : left + width] = cv2.resize(film, (width, height), interpolation=cv2.INTER_AREA)
    return left, top, width, height


def _write_lines(sheet: Grey, grey: int, rng: Rng, left: float = 0.02) -> None:
    height, width = sheet.shape
    for y in range(12, height, int(rng.integers(9, 22))):
        words = "".join(chr(int(code)) for code in rng.integers(97, 123, int(rng.integers(4, 40))))
        cv2.putText(sheet, words, (int(left * width), y), cv2.FONT_HERSHEY_PLAIN, rng.uniform(0.5, 0.9), grey, 1)


def _dark_screens(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    desktop = np.full((int(rng.integers(170, 300)), SIDE_PX), int(rng.integers(10, 70)), np.uint8)
    _write_lines(desktop, int(rng.integers(120, 230)), rng, left=rng.choice([0.02, 0.7]))
    left, top, width, _ = _place(desktop, random_view(_pick(films, rng), rng), rng.uniform(0.3, 0.68), rng)
    cv2.rectangle(desktop, (left, max(0, top - 9)), (left + width, top), int(rng.integers(80, 200)), -1)
    return desktop


def _light_screens(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    desktop = np.full((int(rng.integers(170, 300)), SIDE_PX), int(rng.integers(200, 256)), np.uint8)
    cv2.rectangle(desktop, (0, 0), (SIDE_PX, int(rng.integers(8, 24))), int(rng.integers(60, 160)), -1)
    _place(desktop, random_view(_pick(films, rng), rng), rng.uniform(0.3, 0.65), rng)
    for y in range(30, desktop.shape[0], 16):
        cv2.rectangle(desktop, (2, y), (int(rng.integers(20, 50)), y + 9), int(rng.integers(90, 180)), -1)
    return desktop


def _films_on_pictures(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    """A film laid on a picture, with no frame or one of its own, as screens and phones show it."""
    under = pictures[int(rng.integers(len(pictures)))]
    sides = (int(rng.integers(150, SIDE_PX + 1)), int(rng.integers(150, SIDE_PX + 1)))
    desktop = np.ascontiguousarray(vary_look(cv2.resize(under, sides, interpolation=cv2.INTER_AREA), rng))
    left, top, width, height = _place(desktop, random_view(_pick(films, rng), rng), rng.uniform(0.3, 0.68), rng)
    if rng.random() < 0.6:
        edge, thick = int(rng.integers(0, 256)), int(rng.integers(1, 6))
        cv2.rectangle(desktop, (left, top), (left + width, top + height), edge, thick)
    return desktop


def _windows_over_pictures(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    wallpaper = pictures[int(rng.integers(len(pictures)))]
    desktop = cv2.resize(wallpaper, (SIDE_PX, int(rng.integers(180, 300))), interpolation=cv2.INTER_AREA)
    left, top, width, height = _place(desktop, random_view(_pick(films, rng), rng), rng.uniform(0.35, 0.6), rng)
    cv2.rectangle(desktop, (left - 2, top - 10), (left + width + 2, top + height + 2), 235, 2)
    cv2.rectangle(desktop, (left - 2, top - 12), (left + width + 2, top), 235, -1)
    return desktop


def _shapes(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    sheet = np.full(rng.integers(150, 320, 2), int(rng.integers(0, 256)), np.uint8)
    for _ in range(int(rng.integers(1, 25))):
        x, y = (int(value) for value in rng.integers(0, 300, 2))
        axes = tuple(int(value) for value in rng.integers(3, 140, 2))
        grey, thick = int(rng.integers(0, 256)), int(rng.choice([-1, -1, 1, 3]))
        if rng.random() < 0.6:
            cv2.ellipse(sheet, (x, y), axes, int(rng.integers(0, 180)), 0, 360, grey, thick)
        else:
            cv2.rectangle(sheet, (x, y), (x + axes[0], y + axes[1]), grey, thick)
    return cv2.GaussianBlur(sheet, (0, 0), rng.uniform(0.3, 4.0)) if rng.random() < 0.6 else sheet


def _clouds(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    height, width = (int(side) for side in rng.integers(150, 320, 2))
    field = np.zeros((height, width), np.float32)
    for octave in range(1, int(rng.integers(2, 7))):
        side = 2**octave + 1
        coarse = rng.standard_normal((side, side)).astype(np.float32) / octave**0.7
        field += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    spread = float(field.max() - field.min())
    return np.rint((field - field.min()) / max(spread, 1e-6) * 255.0).astype(np.uint8)


def _texts(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    paper, ink = (250, 20) if rng.random() < 0.7 else (15, 230)
    sheet = np.full(rng.integers(150, 320, 2), paper, np.uint8)
    _write_lines(sheet, ink, rng)
    return sheet


def _round_skulls(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    """A head from the front: an oval with two orbits, symmetrical."""
    sheet = np.zeros((300, 260), np.float32)
    centre, middle = (130, 130), int(rng.integers(120, 150))
    cv2.ellipse(sheet, centre, (int(rng.integers(80, 105)), int(rng.integers(105, 125))), 0, 0, 360, 0.6, -1)
    cv2.ellipse(sheet, centre, (90, 115), 0, 0, 360, 0.95, int(rng.integers(4, 10)))
    for side in (-1, 1):
        cv2.ellipse(sheet, (130 + side * 40, middle), (24, 20), 0, 0, 360, 0.25, -1)
        cv2.ellipse(sheet, (130 + side * 40, middle), (24, 20), 0, 0, 360, 0.9, 2)
    cv2.ellipse(sheet, (130, middle + 40), (14, 24), 0, 0, 360, 0.2, -1)
    for tooth in range(-5, 6):
        cv2.ellipse(sheet, (130 + 9 * tooth, middle + 80), (4, 11), 0, 0, 360, 1.0, -1)
    cv2.ellipse(sheet, (130, middle + 60), (70, 55), 0, 20, 160, 0.9, 8)
    return vary_look((cv2.GaussianBlur(sheet, (0, 0), rng.uniform(1, 3)) * 255).astype(np.uint8), rng)


def _tooth_arches(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    """A panoramic view: two bent rows of teeth above a wide jaw."""
    sheet = np.full((170, 320), 0.2, np.float32)
    cv2.ellipse(sheet, (160, 20), (150, 125), 0, 10, 170, 0.6, int(rng.integers(16, 30)))
    for row, height in ((0, 14.0), (1, 16.0)):
        for tooth in range(-8, 9):
            x, y = 160 + tooth * 15.0, 66 + 34 * row - 0.0042 * (tooth * 15.0) ** 2 + rng.normal(0, 1.5)
            cv2.ellipse(sheet, (int(x), int(y)), (6, int(height)), 0, 0, 360, rng.uniform(0.7, 1.0), -1)
    return vary_look((cv2.GaussianBlur(sheet, (0, 0), rng.uniform(0.6, 2)) * 255).astype(np.uint8), rng)


def _hands(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    """A hand and wrist, as orthodontists also take: rays of rods from a palm."""
    sheet = np.zeros((300, 230), np.float32)
    for finger in range(5):
        angle = np.radians(-120 + 17 * finger + rng.normal(0, 3))
        start = np.array([115.0, 190.0])
        for length in (60, 38, 26, 18):
            stop = start + length * np.array([np.cos(angle), np.sin(angle)])
            for grey, thick in ((0.35, 20), (0.85, 8)):
                cv2.line(sheet, tuple(start.astype(int).tolist()), tuple(stop.astype(int).tolist()), grey, thick)
            start = stop + 4 * np.array([np.cos(angle), np.sin(angle)])
    for _ in range(8):
        cv2.circle(sheet, (int(rng.integers(90, 140)), int(rng.integers(190, 220))), 9, 0.8, -1)
    for x in (102, 128):
        cv2.line(sheet, (x, 225), (x, 299), 0.9, 14)
    return vary_look((cv2.GaussianBlur(sheet, (0, 0), rng.uniform(0.8, 2)) * 255).astype(np.uint8), rng)


def _photographs(films: Sequence[ViewFilm], pictures: Sequence[Grey], rng: Rng) -> Grey:
    """A real picture, or a part of it."""
    picture = pictures[int(rng.integers(len(pictures)))]
    if min(picture.shape) > 100 and rng.random() < 0.6:
        height, width = (int(rng.uniform(0.4, 1.0) * side) for side in picture.shape)
        top, left = (
            int(rng.integers(0, side - part + 1)) for side, part in zip(picture.shape, (height, width), strict=True)
        )
        picture = picture[top : top + height, left : left + width]
    scale = SIDE_PX / max(picture.shape)
    width, height = (max(8, int(side * scale)) for side in picture.shape[::-1])
    shown = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return vary_look(shown, rng) if rng.random() < 0.5 else np.asarray(shown)


FAMILIES: dict[Purpose, dict[str, Draw]] = {
    "fit": {
        "halves, left and right": _halves_across,
        "upper halves": _upper_halves,
        "details": _details,
        "covered halves": _covered_halves,
        "mirrored halves": _mirrored_halves,
        "films in a grid": _films_in_a_grid,
        "blank beyond a line": blank_beyond_a_line,
        "hidden faces": hidden_faces,
        "films on pictures": _films_on_pictures,
        "round skulls": _round_skulls,
        "dark screens": _dark_screens,
        "shapes": _shapes,
        "clouds": _clouds,
        "real pictures": _photographs,
    },
    "tune": {
        "lower halves": _lower_halves,
        "blank sectors": blank_sectors,
        "film beside picture": _film_beside_picture,
        "light screens": _light_screens,
        "texts": _texts,
    },
    "report": {
        "diagonal halves": _diagonal_halves,
        "contact sheets": _contact_sheets,
        "windows over pictures": _windows_over_pictures,
        "tooth arches": _tooth_arches,
        "hands": _hands,
    },
}
"""Purpose -> family -> how a picture of it is made. `report` families are seen by no training and no threshold."""
