from __future__ import annotations

import msgspec
import pytest

from cephstd.inference.catalog import ModelEntry, load_catalog
from cephstd.inference.contracts import HeatmapOutput
from cephstd.training.manifest import entry_text


class _Manifest(msgspec.Struct):
    model: tuple[ModelEntry, ...]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"intended_use": 'Say "no" \\ to\nlines, é too', "covariance_scale": {}, "upright": None, "results": ()},
        {"output": HeatmapOutput(heatmap="maps", activation="softmax", stride_px=2.0, origin_px=0.5)},
    ],
)
def test_an_entry_reads_as_it_was_written(change):
    entry = msgspec.structs.replace(load_catalog().entries[0], **change)
    text = entry_text(entry) + "\n" + entry_text(entry)
    assert msgspec.toml.decode(text, type=_Manifest).model == (entry, entry)
