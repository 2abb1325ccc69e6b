"""What a graph expects and gives: the part of the manifest that lets anybody's ONNX file plug in without code."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Activation = Literal["none", "sigmoid", "softmax"]


class InputContract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the graph expects.

    Attributes
    ----------
    name : str
        Name of the graph's input, float32 of shape (N, channels, height, width).
    size_px : tuple of int
        (width, height) of the canvas.
    spacing_mm : float
        Isotropic scale of a calibrated film on the canvas; a film without scale is fitted into the canvas.
    tone : str
        Tone standardisation that the weights were trained on.
    channels : {1, 3}
        3 repeats the grey film.
    full : float
        Grey value of white: 1 for 0..1, 255 for 0..255.
    mean, sd : tuple of float
        ``(grey - mean) / sd`` enters the graph, per channel or one for all.
    """

    name: str
    size_px: tuple[Count, Count]
    spacing_mm: Positive
    tone: str
    facing: Literal["right"] = "right"
    polarity: Literal["bone-bright"] = "bone-bright"
    channels: Literal[1, 3] = 1
    full: Positive = 1.0
    mean: tuple[float, ...] = (0.0,)
    sd: tuple[Positive, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not {len(self.mean), len(self.sd)} <= {1, self.channels}:
            raise ValueError(f"mean and sd need one number, or {self.channels}")


class UprightContract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How landmarks lie on an upright head; a film tilted by more is turned and looked at once more.

    Attributes
    ----------
    least_deg : float
        Tilt from which a second look is worth its time.
    shape : dict of str to (float, float)
        Landmark -> mean x, y over many heads, in any unit and place; x right, y down, the face to the right.
    """

    least_deg: Positive
    shape: dict[str, tuple[float, float]]


class ShapeContract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which points no face has: what a `cephstd.inference.shape.ShapePrior` says, and from where it counts.

    Attributes
    ----------
    file, sha256
        The prior's JSON file beside the manifest and the digest that pins it.
    most_distance2 : float
        Squared Mahalanobis distance of a point from where the others put it, over which it is withheld.
    how : str
        On what that was chosen.
    """

    file: str
    sha256: str
    most_distance2: Positive
    how: str = ""


class PointsOutput(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="points"
):
    """The graph decodes by itself.

    Attributes
    ----------
    points : str
        Output of shape (N, k, 2): x, y.
    covariance : str
        Output of shape (N, k, 2, 2) in canvas px^2; empty where the graph has none: its points then have no doubt.
    score : str
        Output of shape (N, k) in 0..1; empty where the graph has none.
    unit : {"px", "share"}
        ``share``: 0 is the canvas's left or top edge, 1 its right or bottom edge.
    """

    points: str
    covariance: str = ""
    score: str = ""
    unit: Literal["px", "share"] = "px"


class HeatmapOutput(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="heatmap"
):
    """One map per landmark; the point is the centre of mass of a window around the highest pixel.

    Attributes
    ----------
    heatmap : str
        Output of shape (N, k, rows, columns).
    activation : {"none", "sigmoid", "softmax"}
        What turns the output into weights. Only ``softmax`` (over the map) is a probability of the place: its spread is
        the point's covariance and the window's share its score. Otherwise the score is the highest weight, cut to
        0..1, and the covariance is not known.
    stride_px : float
        Canvas px per heatmap px.
    origin_px : float
        Canvas px of the centre of heatmap px 0; (stride - 1) / 2 when the map covers the canvas.
    window_radius : int
        In heatmap px.
    """

    heatmap: str
    activation: Activation
    stride_px: Positive
    origin_px: float
    window_radius: Count = 4


class SimccOutput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="simcc"):
    """Two vectors per landmark, one along x and one along y; the point is each one's mean around its highest bin.

    Attributes
    ----------
    x, y : str
        Outputs of shape (N, k, bins).
    activation : {"none", "sigmoid", "softmax"}
        As for `HeatmapOutput`; with ``softmax`` the covariance is diagonal and the score the product of the shares.
    bins_per_px : float
        Bin b lies at canvas px ``b / bins_per_px``.
    window_radius : int
        In bins.
    """

    x: str
    y: str
    activation: Activation
    bins_per_px: Positive
    window_radius: Count = 8


OutputContract = PointsOutput | HeatmapOutput | SimccOutput


def output_names(contract: OutputContract) -> tuple[str, ...]:
    """Names of the graph's outputs that the contract reads, in the order in which the decoder takes them."""
    match contract:
        case PointsOutput():
            return tuple(name for name in (contract.points, contract.covariance, contract.score) if name)
        case HeatmapOutput():
            return (contract.heatmap,)
        case SimccOutput():
            return (contract.x, contract.y)
