"""Places a standard image on a model's canvas."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from cephstd.core.image import Normalized
from cephstd.core.steps import Affine, Chain, Crop, Resize
from cephstd.inference.contracts import InputContract

FULL_RANGE = np.float32(1.0 / 65535.0)


def place_on_canvas(normal: Normalized, contract: InputContract) -> tuple[npt.NDArray[np.float32], Chain]:
    """Scale the film to the contract's spacing, centre it, fill the rest with black.

    A film without scale, or one too large for the canvas, is fitted into it instead.

    Parameters
    ----------
    normal : Normalized
    contract : InputContract

    Returns
    -------
    image : ndarray of float32, shape (channels, height, width)
        In the grey scale of the contract.
    chain : Chain
        Source px to canvas px.
    """
    width, height = normal.size
    canvas_width, canvas_height = contract.size_px
    scale = min(canvas_width / width, canvas_height / height)
    if normal.spacing_mm is not None:
        scale = min(scale, normal.spacing_mm / contract.spacing_mm)
    fitted = (max(1, round(width * scale)), max(1, round(height * scale)))
    left, top = (canvas_width - fitted[0]) // 2, (canvas_height - fitted[1]) // 2
    small = cv2.resize(normal.pixels, fitted, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    image = np.zeros((canvas_height, canvas_width), dtype=np.float32)
    np.multiply(small, FULL_RANGE, out=image[top : top + fitted[1], left : left + fitted[0]])
    steps = (
        Resize(width=fitted[0], height=fitted[1]),
        Crop(left=-left, top=-top, width=canvas_width, height=canvas_height),
    )
    return _scale_grey(image, contract), normal.chain.then(*steps)


def turn_canvas(image: npt.NDArray[np.float32], step: Affine, contract: InputContract) -> npt.NDArray[np.float32]:
    """Move a canvas of shape (channels, height, width) by `step`; what comes in from outside is black."""
    black = np.broadcast_to(-np.array(contract.mean) / np.array(contract.sd), contract.channels)
    matrix, size = np.array([step.row_x, step.row_y]), (step.width, step.height)
    turned = [
        cv2.warpAffine(channel, matrix, size, flags=cv2.INTER_CUBIC, borderValue=float(level))
        for channel, level in zip(image, black, strict=True)
    ]
    return np.stack(turned)


def _scale_grey(image: npt.NDArray[np.float32], contract: InputContract) -> npt.NDArray[np.float32]:
    """Channels of an image in 0..1; the plain contract takes it as it is."""
    if contract.channels == 1 and (contract.full, *contract.mean, *contract.sd) == (1.0, 0.0, 1.0):
        return image[None]
    channels = np.broadcast_to(image * np.float32(contract.full), (contract.channels, *image.shape))
    mean, sd = (np.array(values, dtype=np.float32)[:, None, None] for values in (contract.mean, contract.sd))
    scaled: npt.NDArray[np.float32] = (channels - mean) / sd
    return scaled
