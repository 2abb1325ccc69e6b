"""One standard for every lateral cephalogram: normalize, detect, measure, record, verify.

Not a medical device. The bundled weights are for research and non-commercial use.
"""

from __future__ import annotations

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)

__version__ = "0.1.0"
