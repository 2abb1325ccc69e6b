"""A chain undone gives the point it started from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cephstd.core.steps import Affine, Chain, Crop, FlipX, Invert, Resize, Tone, Turn, Window

sides = st.integers(1, 3000)
shifts = st.floats(-500, 500)
steps = st.one_of(
    st.just(FlipX()),
    st.just(Invert()),
    st.just(Window(low=1.0, high=2.0, method="test")),
    st.just(Tone(odds=0.7, method="test")),
    st.builds(Turn, quarters=st.integers(-5, 5)),
    st.builds(Crop, left=st.integers(-300, 300), top=st.integers(-300, 300), width=sides, height=sides),
    st.builds(Resize, width=st.integers(300, 3000), height=st.integers(300, 3000)),
    st.builds(
        lambda angle, scale, x, y, width, height: Affine(
            row_x=(scale * np.cos(angle), -scale * np.sin(angle), x),
            row_y=(scale * np.sin(angle), scale * np.cos(angle), y),
            width=width,
            height=height,
        ),
        st.floats(-3.2, 3.2),
        st.floats(0.2, 5.0),
        shifts,
        shifts,
        sides,
        sides,
    ),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=4), st.tuples(st.integers(300, 3000), st.integers(300, 3000)), shifts, shifts)
def test_inverse_undoes_forward(some: list, size: tuple[int, int], x: float, y: float) -> None:
    chain = Chain(source_size=size, steps=tuple(some))
    if np.linalg.cond(chain.matrix[:2, :2]) > 1e6:
        return
    assert chain.inverse(chain.forward([[x, y]]))[0] == pytest.approx([x, y], abs=1e-4)
