"""No edit of a record goes unseen: every single-byte edit of a small one, and many edits of any place and length."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cephstd.audit.verifier import verify
from cephstd.core.digest import digest_value
from cephstd.core.image import Calibration, Device, Quality, Source
from cephstd.core.landmarks import Landmark
from cephstd.core.measures import Measure
from cephstd.core.recipe import Recipe
from cephstd.core.record import Content, NormalizedFacts, Run, decode_record, seal
from cephstd.core.steps import FlipX, Window
from cephstd.errors import RecordError

DIGEST = "sha256:" + "7" * 64
RECIPE = Recipe(analysis="steiner")
LANDMARKS = (
    Landmark(id="S", x_px=10.5, y_px=2.125, state="placed", cov_xx=1.0, cov_xy=0.25, cov_yy=2.0),
    Landmark(id="Ba", state="absent", reason="hidden by the ruler"),
)
SEALED = seal(
    Content(
        source=Source(
            format="png", file_sha256=DIGEST, pixel_sha256=DIGEST, decoder="x 1", width_px=40, height_px=30, bits=8
        ),
        device=Device(manufacturer="Größe"),
        calibration=Calibration(basis="user_stated", row_mm=0.1, column_mm=0.1, relative_sd=0.01),
        normalized=NormalizedFacts(
            source_width_px=40,
            source_height_px=30,
            steps=(FlipX(), Window(low=0.5, high=250.0, method="quantile")),
            pixel_sha256=DIGEST,
            spacing_mm=0.1,
            quality=Quality(verdict="diagnostic"),
        ),
        model=None,
        scheme="custom",
        landmarks=LANDMARKS,
        analysis="steiner",
        measures=(Measure(id="SNA", definition_version=1, unit="deg", reason="missing: N, A"),),
        recipe=RECIPE,
        recipe_digest=digest_value(RECIPE),
    ),
    Run(created="2025-04-16T09:30:00Z"),
)
DATA = SEALED.to_bytes()
# decode_record parses, so the cost of a loop is bytes times record length: three edits of each place are enough here,
# the bits that a flip takes change from place to place
INSERTED = b' 0"\n'


def refused(data: bytes) -> bool:
    try:
        verify(data)
    except RecordError:
        return True
    return False


def test_the_record_itself_is_accepted():
    assert verify(DATA).record == SEALED
    assert len(DATA) > 2000


def test_every_flipped_byte_is_refused():
    for place in range(len(DATA)):
        flipped = bytearray(DATA)
        flipped[place] ^= 1 << (place % 8)
        assert refused(bytes(flipped)), f"bit {place % 8} of byte {place}: {DATA[place - 20 : place + 20]!r}"


def test_every_deleted_byte_is_refused():
    for place in range(len(DATA)):
        assert refused(DATA[:place] + DATA[place + 1 :]), f"byte {place}: {DATA[place - 20 : place + 20]!r}"


def test_every_inserted_byte_is_refused():
    for place in range(len(DATA) + 1):
        one = INSERTED[place % len(INSERTED)]
        assert refused(DATA[:place] + bytes([one]) + DATA[place:]), f"{one:#x} before byte {place}"


def test_every_pair_of_neighbours_swapped_is_refused():
    for place in range(len(DATA) - 1):
        first, second = DATA[place : place + 1], DATA[place + 1 : place + 2]
        if first != second:
            assert refused(DATA[:place] + second + first + DATA[place + 2 :]), f"bytes {place} and {place + 1}"


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(DATA)), st.integers(0, 40), st.binary(max_size=40))
def test_any_replaced_stretch_is_refused(start, length, piece):
    edited = DATA[:start] + piece + DATA[start + length :]
    assert edited == DATA or refused(edited)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(DATA) - 1))
def test_any_truncation_is_refused(length):
    assert refused(DATA[:length])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_give_a_record_error_and_nothing_else(data):
    with pytest.raises(RecordError):
        decode_record(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Path of every value inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


PLACES = places(json.loads(DATA))[1:]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), JSON)
def test_any_value_in_the_place_of_another_is_refused(place, value):
    plain = json.loads(DATA)
    parent = plain
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    edited = json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    data = edited.encode("utf-8", "surrogatepass")
    assert data == DATA or refused(data)
