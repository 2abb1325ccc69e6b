"""QR codes as SVG. The home of segno."""

from __future__ import annotations

import io

from cephstd.errors import ExportError, MissingExtraError

try:
    import segno
except ImportError as error:
    raise MissingExtraError("QR codes need segno.", hint="pip install 'cephstd[report]'") from error

MOST_IN_ONE = 1300
"""Bytes that a telephone still reads from one code of five centimetres."""
MOST_CODES = 16


def draw_codes(text: str) -> tuple[str, ...]:
    """SVG of the QR codes that hold `text`: one, or several of a structured append where one would be too dense.

    Parameters
    ----------
    text : str
        E.g. a digest, or an envelope's JSON.

    Returns
    -------
    tuple of str
        In the order in which they are read.

    Raises
    ------
    ExportError
        When `text` is longer than sixteen codes hold.

    Examples
    --------
    >>> [code[:4] for code in draw_codes("sha256:e3b0c442")]
    ['<svg']
    """
    data = text.encode()
    parts = -(-len(data) // MOST_IN_ONE)
    if parts > MOST_CODES:
        raise ExportError(f"Expected at most {MOST_CODES * MOST_IN_ONE} bytes for QR codes, found {len(data)}.")
    made = [segno.make_qr(data, error="m")] if parts <= 1 else segno.make_sequence(data, error="m", symbol_count=parts)
    return tuple(_svg(code) for code in made)


def _svg(code: segno.QRCode) -> str:
    with io.BytesIO() as out:
        code.save(out, kind="svg", border=2, xmldecl=False, svgns=True, omitsize=True, nl=False)
        return out.getvalue().decode()
