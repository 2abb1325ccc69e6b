"""Which DICOM transfer syntaxes this installation can decode."""

from __future__ import annotations

from pydicom.pixels import get_decoder

from cephstd.io.dicom_pixels import OPENCV, SYNTAXES

BUILT_IN = "built in"


def list_codecs() -> dict[str, str]:
    """Name of every transfer syntax that is read -> the decoder that is installed for it, empty where it is absent.

    >>> list_codecs()["Explicit VR Little Endian"]
    'built in'
    """
    return {name: _find_decoder(syntax, plugin) for syntax, (name, plugin) in SYNTAXES.items()}


def _find_decoder(syntax: str, plugin: str) -> str:
    if not plugin:
        return BUILT_IN
    # OpenCV is no plugin of pydicom: this library calls it itself, and cannot be installed without it.
    return plugin if plugin == OPENCV or plugin in get_decoder(syntax).available_plugins else ""
