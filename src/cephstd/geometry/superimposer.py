"""Serial films laid over one another, with the error that their landmarks and scales carry into every displacement.

Films are compared in millimetres: a rigid motion (turn and shift, no change of size, since size is growth) carries the
later film onto the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import msgspec
import numpy as np
import numpy.typing as npt

from cephstd.core.arrays import FloatArray
from cephstd.core.image import Calibration
from cephstd.core.landmarks import LandmarkSet
from cephstd.errors import CalibrationError, InputError, OrientationError, UnknownLandmarkError
from cephstd.geometry.displacements import Covariances, Spread
from cephstd.geometry.program import ANTERIOR_PAIRS, SUPERIOR_PAIRS
from cephstd.geometry.registration import METHODS, MOTIONS, ComplexArray, Motion, Registration
from cephstd.knowledge.formula import suggest

CHI2_95 = MappingProxyType({1: 3.841458820694124, 2: 5.991464547107979})
FLAT_MM2 = 1e-12  # variance below which a direction is fixed by the registration itself


class Shift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a landmark of the later film lies from its place on the first.

    Attributes
    ----------
    landmark : str
    anterior_mm, superior_mm : float or None
        Along the axes of the first film's face (Frankfort horizontal, else 7 degrees below S-N); None when absent.
    sd_anterior_mm, sd_superior_mm, correlation : float or None
        First-order, from the landmarks of both films and both scales; None when a covariance that it needs is unknown.
        The correlation is also None where the registration fixes a direction.
    distance_mm : float or None
    moved : bool or None
        Whether the displacement lies outside its 95 % region; None when that is unknown.
    provisional : bool
        True when it rests on a provisional point.
    reason : str
        Why the displacement or its verdict is absent; empty otherwise.
    """

    landmark: str
    anterior_mm: float | None = None
    superior_mm: float | None = None
    sd_anterior_mm: float | None = None
    sd_superior_mm: float | None = None
    correlation: float | None = None
    distance_mm: float | None = None
    moved: bool | None = None
    provisional: bool = False
    reason: str = ""


class Superimposition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A later film laid over the first.

    Attributes
    ----------
    method : str
        One of `METHODS`.
    registered_on : tuple of str
        Landmarks that decided the motion.
    matrix : 3 x 3 nested tuple of float
        Source px of the later film to source px of the first, for column vectors (x, y, 1).
    turn_deg : float
        How far the later film was turned, seen with the face to the right; + = anterior towards superior.
    turn_sd_deg : float or None
        None when a covariance that it needs is unknown.
    mirrored : bool
        True when the films face opposite sides; the later one was mirrored.
    axes : 2 x 2 nested tuple of float
        Anterior and superior unit vectors of the first film, each as x right and y down.
    residual_mm : float
        Root mean square distance of the registered landmarks after the motion.
    shifts : tuple of Shift
        Every landmark of either film.
    """

    method: str
    registered_on: tuple[str, ...]
    matrix: tuple[tuple[float, float, float], ...]
    turn_deg: float
    turn_sd_deg: float | None
    mirrored: bool
    axes: tuple[tuple[float, float], tuple[float, float]]
    residual_mm: float
    shifts: tuple[Shift, ...]

    def __getitem__(self, landmark: str) -> Shift:
        for shift in self.shifts:
            if shift.landmark == landmark:
                return shift
        raise KeyError(landmark)

    def place(self, points_px: npt.ArrayLike) -> FloatArray:
        """Points (n, 2) of the later film in source px of the first."""
        points = np.asarray(points_px, dtype=np.float64)
        matrix = np.array(self.matrix)
        placed: FloatArray = points @ matrix[:2, :2].T + matrix[:2, 2]
        return placed


def superimpose(
    films: Sequence[LandmarkSet],
    calibrations: Sequence[Calibration],
    method: str = "SN",
    *,
    landmarks: Sequence[str] = (),
) -> tuple[Superimposition, ...]:
    """Lay every later film over the first.

    Parameters
    ----------
    films : sequence of LandmarkSet
        Two or more, the earliest first, each in its own source px.
    calibrations : sequence of Calibration
        One for each film.
    method : str
        ``SN``, ``BaN``, ``cranial_base``, ``maxilla``, ``mandible``, ``fit`` or ``robust``; see `METHODS`.
    landmarks : sequence of str
        For ``fit`` and ``robust``: at least two to fit; default: every landmark that both films have.

    Returns
    -------
    tuple of Superimposition
        One for each film after the first. Landmarks and scales of two films count as independent.

    Raises
    ------
    InputError
        When there are fewer than two films, the method is unknown, a landmark that it needs is absent, or the points
        that register coincide.
    CalibrationError
        When a film has no scale that allows millimetres.
    OrientationError
        When the landmarks of a film do not show which way it faces.
    UnknownLandmarkError
        When a chosen landmark is in none of the films.

    Notes
    -----
    Least squares: Schonemann and Carroll (1970), without scaling. ``robust`` minimises the sum of
    ``sqrt(r^2 + (2 mm)^2)`` over the distances r by reweighting, so that one landmark that moved by itself, by growth
    or by error, does not drag the others along.

    Examples
    --------
    >>> from cephstd.core.image import state_calibration
    >>> from cephstd.core.landmarks import landmark_set
    >>> first = landmark_set({"S": (100, 100), "N": (800, 100), "Pog": (700, 1100)})
    >>> later = landmark_set({"S": (150, 120), "N": (860, 120), "Pog": (760, 1180)})
    >>> (laid,) = superimpose([first, later], [state_calibration(0.1)] * 2)
    >>> laid["N"].distance_mm, laid["Pog"].superior_mm is not None
    (1.0, True)
    """
    if len(films) < 2 or len(films) != len(calibrations):
        raise InputError(
            f"Expected two or more films with one calibration each, found {len(films)} and {len(calibrations)}."
        )
    registration = _choose(method, landmarks)
    known = {id for film in films for id in film.ids}
    for id in landmarks:
        if id not in known:
            raise UnknownLandmarkError(f"Expected landmarks of these films, found {id!r}.", hint=suggest(id, known))
    faces = [
        _Face.read(film, scale, number) for number, (film, scale) in enumerate(zip(films, calibrations, strict=True), 1)
    ]
    return tuple(_lay(method, registration, faces[0], later) for later in faces[1:])


def _choose(method: str, landmarks: Sequence[str]) -> Registration:
    if method not in METHODS:
        raise InputError(f"Expected one of {', '.join(METHODS)}, found {method!r}.", hint=suggest(method, METHODS))
    registration = METHODS[method]
    if not landmarks:
        return registration
    if registration.landmarks:
        raise InputError(
            f"The method {method} has its own landmarks.", hint="Choose landmarks with the methods fit and robust."
        )
    chosen = tuple(dict.fromkeys(landmarks))
    return Registration(landmarks=chosen, needed=chosen, kind=registration.kind, meaning=registration.meaning)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Face:
    """One film in mm: points, their covariances (None = unknown), the axes of the face, the scale."""

    marks: LandmarkSet
    points: dict[str, complex]
    covariances: dict[str, FloatArray | None]
    anterior: complex
    superior: complex
    spacing: FloatArray  # x, y
    scale_sd: float

    @property
    def hand(self) -> float:
        """+1 when superior lies a quarter turn from anterior in the sense of x towards y, else -1."""
        return 1.0 if (self.anterior.conjugate() * self.superior).imag > 0 else -1.0

    @classmethod
    def read(cls, marks: LandmarkSet, calibration: Calibration, number: int) -> _Face:
        if calibration.spacing_mm is None:
            raise CalibrationError(
                f"Films are laid over one another in millimetres; film {number} has no scale ({calibration.basis}).",
                hint="State its scale, e.g. with state_calibration(0.1).",
            )
        spacing = np.array(calibration.spacing_mm[::-1], dtype=np.float64)
        used = [mark for mark in marks if mark.is_present and mark.review != "rejected"]
        points = {
            mark.id: complex(mark.x_px * spacing[0], mark.y_px * spacing[1])
            for mark in used
            if mark.x_px is not None and mark.y_px is not None
        }
        covariances = {
            mark.id: None if mark.covariance_px2 is None else mark.covariance_px2 * np.outer(spacing, spacing)
            for mark in used
        }
        anterior, superior = _find_axes(points, number)
        return cls(
            marks=marks,
            points=points,
            covariances=covariances,
            anterior=anterior,
            superior=superior,
            spacing=spacing,
            scale_sd=calibration.relative_sd,
        )

    @property
    def axes(self) -> FloatArray:
        """Rows: anterior and superior unit vectors as x, y."""
        return np.array([[axis.real, axis.imag] for axis in (self.anterior, self.superior)])

    def find_covariances(self, ids: Sequence[str]) -> Covariances:
        """Covariances of `ids`, mm^2."""
        return [self.covariances[id] for id in ids]

    def is_provisional(self, ids: Sequence[str]) -> bool:
        return any(id in self.marks and self.marks[id].review == "provisional" for id in ids)


def _find_axes(points: dict[str, complex], number: int) -> tuple[complex, complex]:
    """Anterior and superior unit vectors of a face, as the measures find them."""
    along = next(((p, q) for p, q in ANTERIOR_PAIRS if p in points and q in points), None)
    above = next(((p, q) for p, q in SUPERIOR_PAIRS if p in points and q in points), None)
    side = 0.0
    if along is not None and above is not None:
        anterior = points[along[1]] - points[along[0]]
        up = points[above[0]] - points[above[1]]
        side = (anterior.conjugate() * up).imag
    if side == 0.0:
        raise OrientationError(
            f"Expected landmarks that show anterior and superior, found none on film {number}.",
            hint="Po and Or, or S and N, with one of Me, Pog, B, A are enough.",
        )
    anterior /= abs(anterior)
    superior = anterior * (1j if side > 0 else -1j)
    if along == ("S", "N"):  # the horizontal lies 7 degrees below S-N in front
        tilt = np.exp(-1j * np.radians(7.0) * (1.0 if side > 0 else -1.0))
        anterior, superior = complex(anterior * tilt), complex(superior * tilt)
    return anterior, superior


def _lay(method: str, registration: Registration, first: _Face, later: _Face) -> Superimposition:
    both = tuple(id for id in first.marks.ids if id in first.points and id in later.points)
    lacking = [id for id in registration.needed if id not in both]
    if lacking:
        raise InputError(
            f"{method} needs {', '.join(registration.needed)} on both films; missing: {', '.join(lacking)}.",
            hint="Choose another method, or place the points.",
        )
    on = tuple(id for id in (registration.landmarks or both) if id in both)
    if len(on) < 2:
        raise InputError(f"{method} needs two landmarks that both films have, found {len(on)}.")
    mirrored = first.hand != later.hand
    a = np.array([first.points[id] for id in both])
    b = np.array([later.points[id] for id in both])
    at = np.array([both.index(id) for id in on])
    register = MOTIONS[registration.kind]

    def move(a: ComplexArray, b: ComplexArray) -> tuple[ComplexArray, Motion]:
        """Displacements (batch, n) and the motion of each row."""
        seen = -b.conjugate() if mirrored else b
        turn, anchor, pivot = register(a[:, at], seen[:, at])
        shifts = anchor[:, None] + turn[:, None] * (seen - pivot[:, None]) - a
        return shifts, (turn, anchor, pivot)

    shifts, (turn, anchor, pivot) = move(a[None], b[None])
    if not np.isfinite(turn).all():
        raise InputError(f"{method} needs landmarks at different places, found {', '.join(on)} at one.")
    spread = Spread.differentiate(move, a, b, turn[0])
    known = (first.find_covariances(both), later.find_covariances(both))
    scale_sds = (first.scale_sd, later.scale_sd)
    turn_sd = spread.turn_sd(known, scale_sds)
    rests = any(face.is_provisional(on) for face in (first, later))
    found = []
    for id in dict.fromkeys((*first.marks.ids, *later.marks.ids)):
        if id not in both:
            where = [name for name, face in (("first", first), ("later", later)) if id not in face.points]
            found.append(Shift(landmark=id, reason=f"absent on the {' and the '.join(where)} film"))
            continue
        k = both.index(id)
        covariance = spread.covariance(k, known, scale_sds)
        provisional = rests or first.is_provisional((id,)) or later.is_provisional((id,))
        found.append(_state_shift(id, first.axes, complex(shifts[0, k]), covariance, provisional=provisional))
    return Superimposition(
        method=method,
        registered_on=on,
        matrix=_matrix((turn[0], anchor[0] - turn[0] * pivot[0]), first.spacing, later.spacing, mirrored=mirrored),
        turn_deg=float(np.degrees(np.angle(turn[0])) * first.hand),
        turn_sd_deg=None if turn_sd is None else float(np.degrees(turn_sd)),
        mirrored=mirrored,
        axes=((first.anterior.real, first.anterior.imag), (first.superior.real, first.superior.imag)),
        residual_mm=float(np.sqrt((np.abs(shifts[0, at]) ** 2).mean())),
        shifts=tuple(found),
    )


def _state_shift(
    id: str, axes: FloatArray, shift_mm: complex, covariance: FloatArray | None, *, provisional: bool
) -> Shift:
    """One displacement in the axes of the first face, with its verdict."""
    shift = axes @ (shift_mm.real, shift_mm.imag)
    plain = Shift(
        landmark=id,
        anterior_mm=float(shift[0]),
        superior_mm=float(shift[1]),
        distance_mm=float(np.hypot(*shift)),
        provisional=provisional,
        reason="unknown covariance of a landmark",
    )
    if covariance is None:
        return plain
    turned = axes @ covariance @ axes.T
    sds = np.sqrt(np.clip(np.diag(turned), 0.0, None))
    variances, directions = np.linalg.eigh(turned)
    free = variances > FLAT_MM2
    score = float(((directions.T @ shift)[free] ** 2 / variances[free]).sum())
    return msgspec.structs.replace(
        plain,
        sd_anterior_mm=float(sds[0]),
        sd_superior_mm=float(sds[1]),
        correlation=float(turned[0, 1] / (sds[0] * sds[1])) if free.all() else None,
        moved=score > CHI2_95[int(free.sum())] if free.any() else None,
        reason="" if free.any() else "held by the registration",
    )


def _matrix(
    motion: tuple[complex, complex], first_mm: FloatArray, later_mm: FloatArray, *, mirrored: bool
) -> tuple[tuple[float, float, float], ...]:
    """The motion z -> turn * z + shift in mm, between source pixels of both films."""
    turn, shift = motion
    rotation = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    seen = np.diag([-1.0, 1.0]) if mirrored else np.eye(2)
    linear = np.diag(1.0 / first_mm) @ rotation @ seen @ np.diag(later_mm)
    offset = np.array([shift.real, shift.imag]) / first_mm
    (xx, xy), (yx, yy) = linear.tolist()
    return ((xx, xy, float(offset[0])), (yx, yy, float(offset[1])), (0.0, 0.0, 1.0))
