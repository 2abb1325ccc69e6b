"""JPEG Extended frames of 12 bits, which pydicom's own plugins leave out, decoded by GDCM."""

from __future__ import annotations

import gdcm
import numpy as np

from cephstd.core.arrays import Pixels
from cephstd.errors import CorruptImageError

_SYNTAX = "1.2.840.10008.1.2.4.51"
_BITS = 12


def decode_extended(frame: bytes, rows: int, columns: int) -> Pixels:
    """Samples (uint16) of a grey 12-bit JPEG Extended (process 4) frame, shape (rows, columns).

    Raises
    ------
    CorruptImageError
        When GDCM cannot decode the frame.
    """
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.GetPIType("MONOCHROME2")
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(_SYNTAX)))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, _BITS, _BITS - 1, 0))
    buffer = image.GetBuffer()
    # GDCM hands bytes over as text with surrogate escapes.
    data = buffer.encode("utf-8", "surrogateescape") if isinstance(buffer, str) else bytes(buffer or b"")
    if len(data) != 2 * rows * columns:
        raise CorruptImageError("The 12-bit JPEG frame cannot be decoded: it is damaged.")
    return np.frombuffer(data, dtype="<u2").reshape(rows, columns).astype(np.uint16)
