"""Eight-bit DCT frames of DICOM files, decoded by OpenCV: its decoder takes damaged streams without harm."""

from __future__ import annotations

import cv2
import numpy as np

from cephstd.core.arrays import Pixels
from cephstd.errors import CorruptImageError

VERSION = str(cv2.__version__)


def decode_dct(stream: bytes) -> Pixels:
    """Samples (uint8) of an 8-bit baseline, extended or progressive stream.

    Returns
    -------
    ndarray of uint8
        Shape (height, width) for one component, (height, width, 3) with red first for three.

    Raises
    ------
    CorruptImageError
        When the stream cannot be decoded.
    """
    try:
        pixels: Pixels | None = cv2.imdecode(np.frombuffer(stream, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise CorruptImageError("The JPEG stream of the DICOM file is damaged.") from error
    if pixels is None or pixels.dtype != np.uint8:
        raise CorruptImageError("The JPEG stream of the DICOM file is damaged.")
    return np.ascontiguousarray(pixels[..., ::-1]) if pixels.ndim == 3 else pixels
