"""The pixels of each step: one pure function per step of ``cephstd.core.steps``.

A step's matrix says where pixel centres go; the functions here put the samples there. Agreement tests move a blob
through both and compare.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cephstd.core.arrays import PIXEL_DTYPES, Pixels
from cephstd.core.steps import Affine, AnyStep, Chain, Crop, FlipX, Invert, Resize, Tone, Turn, Window
from cephstd.errors import InputError

FULL_RANGE = 65535
"""Largest sample after a Window step."""
ANTIALIAS = 0.4
"""Standard deviation of the blur before an Affine that shrinks, in units of sqrt(1/s^2 - 1) source px."""


def apply_step(pixels: Pixels, step: AnyStep) -> Pixels:
    """Move or map the samples of an image by one step.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16]
        Left unchanged.
    step : FlipX, Turn, Crop, Resize, Affine, Invert, Window or Tone

    Returns
    -------
    ndarray [shape=(height', width')]
        Of the same dtype, except that a Window always gives uint16 in 0..65535. Its size is ``step.out_size``.

    Raises
    ------
    InputError
        When `pixels` is no grey uint8 or uint16 image, or the step asks for an impossible size.

    See Also
    --------
    apply_chain : all steps of a chain.

    Examples
    --------
    >>> import numpy as np
    >>> from cephstd.core.steps import Window
    >>> apply_step(np.array([[10, 20, 30]], dtype=np.uint8), Window(low=10.0, high=30.0, method="stated")).tolist()
    [[0, 32768, 65535]]
    """
    if pixels.ndim != 2 or pixels.size == 0 or pixels.dtype not in PIXEL_DTYPES:
        raise InputError(f"Expected a grey uint8 or uint16 image, found {pixels.dtype} of shape {pixels.shape}.")
    size = step.out_size((pixels.shape[1], pixels.shape[0]))
    if min(size) < 1:
        raise InputError(f"Expected a step that leaves an image, found {size[0]} x {size[1]} px after {step!r}.")
    try:
        return _OPERATIONS[type(step)](pixels, step)
    except cv2.error as error:
        raise InputError(f"The step {step!r} cannot be applied to {pixels.shape[1]} x {pixels.shape[0]} px.") from error


def apply_chain(pixels: Pixels, chain: Chain) -> Pixels:
    """Apply every step of `chain`, in order.

    Parameters
    ----------
    pixels : ndarray [shape=(height, width), dtype=uint8 or uint16]
        Of the size that the chain starts from.
    chain : Chain

    Returns
    -------
    ndarray
        Of the size ``chain.size``; `pixels` itself when the chain is empty.

    Raises
    ------
    InputError
        When the sizes differ, or as `apply_step`.
    """
    found = (pixels.shape[1], pixels.shape[0]) if pixels.ndim == 2 else pixels.shape
    if found != chain.source_size:
        raise InputError(f"Expected the film of {chain.source_size} px that the chain starts from, found {found}.")
    for step in chain.steps:
        pixels = apply_step(pixels, step)
    return pixels


def _flip_x(pixels: Pixels, step: FlipX) -> Pixels:
    return np.asarray(cv2.flip(pixels, 1))


def _turn(pixels: Pixels, step: Turn) -> Pixels:
    return np.ascontiguousarray(np.rot90(pixels, step.quarters % 4))


def _crop(pixels: Pixels, step: Crop) -> Pixels:
    height, width = pixels.shape
    out = np.zeros((step.height, step.width), dtype=pixels.dtype)
    left, top = max(step.left, 0), max(step.top, 0)
    right, bottom = min(step.left + step.width, width), min(step.top + step.height, height)
    if left < right and top < bottom:
        inside = pixels[top:bottom, left:right]
        out[top - step.top : bottom - step.top, left - step.left : right - step.left] = inside
    return out


def _resize(pixels: Pixels, step: Resize) -> Pixels:
    # One axis at a time: OpenCV's area mean keeps centres only where it shrinks, a cubic aliases there.
    for target in ((step.width, pixels.shape[0]), (step.width, step.height)):
        height, width = pixels.shape
        if target != (width, height):
            shrinks = target[0] < width or target[1] < height
            pixels = cv2.resize(pixels, target, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return pixels


def _affine(pixels: Pixels, step: Affine) -> Pixels:
    matrix = np.array([step.row_x, step.row_y])
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale <= 0.0:
        raise InputError(f"Expected an affine step that can be undone, found {step!r}.")
    if scale < 1.0:
        sigma = ANTIALIAS * float(np.sqrt(scale**-2 - 1.0))
        pixels = cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.warpAffine(pixels, matrix, (step.width, step.height), flags=cv2.INTER_CUBIC))


def _invert(pixels: Pixels, step: Invert) -> Pixels:
    return np.asarray(cv2.bitwise_not(pixels))


def _window(pixels: Pixels, step: Window) -> NDArray[np.uint16]:
    if not step.high > step.low:
        raise InputError(f"Expected a window with high above low, found {step.low:g}..{step.high:g}.")
    values = np.arange(np.iinfo(pixels.dtype).max + 1, dtype=np.float64)
    share = np.clip((values - step.low) / (step.high - step.low), 0.0, 1.0)
    return _look_up(pixels, np.rint(share * FULL_RANGE).astype(np.uint16))


def _tone(pixels: Pixels, step: Tone) -> Pixels:
    if not step.odds > 0.0:
        raise InputError(f"Expected a tone step with positive odds, found {step.odds:g}.")
    top = np.iinfo(pixels.dtype).max
    share = np.arange(top + 1, dtype=np.float64) / top
    return _look_up(pixels, np.rint(share / (share + (1.0 - share) / step.odds) * top).astype(pixels.dtype))


def _look_up(pixels: Pixels, table: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(table[pixels] if pixels.dtype == np.uint16 else cv2.LUT(pixels, table))


_OPERATIONS: dict[type, Callable[[Pixels, Any], Pixels]] = {
    FlipX: _flip_x,
    Turn: _turn,
    Crop: _crop,
    Resize: _resize,
    Affine: _affine,
    Invert: _invert,
    Window: _window,
    Tone: _tone,
}
