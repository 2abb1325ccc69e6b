from __future__ import annotations

import numpy as np
import pytest

from cephstd.imaging.phantom import draw_phantom
from cephstd.inference.thumbnail import SIDE_PX, shrink_view
from cephstd.inference.viewer import Viewer

PHANTOM = draw_phantom(np.random.default_rng(3), size=(484, 600), spacing_mm=0.4).pixels


@pytest.fixture(scope="module")
def viewer() -> Viewer:
    return Viewer(device="cpu", threads=1)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("quarters", range(4))
def test_pose_and_grey_are_found_under_all_sixteen(viewer, quarters, mirrored, inverted):
    film = np.rot90(PHANTOM[:, ::-1] if mirrored else PHANTOM, quarters)
    verdict = viewer(np.ascontiguousarray(65535 - film if inverted else film))
    assert (verdict.facing, verdict.quarters) == ("left" if mirrored else "right", quarters)
    assert (verdict.inverted, verdict.accepted) == (inverted, True)


@pytest.mark.parametrize("picture", [np.zeros((300, 200), np.uint8), PHANTOM[:200], np.hstack([PHANTOM, PHANTOM])])
def test_what_is_no_whole_film_is_refused(viewer, picture):
    verdict = viewer(np.ascontiguousarray(picture))
    assert not verdict.accepted
    assert verdict.score < verdict.threshold


def test_a_thumbnail_keeps_the_film_whole_and_its_greys():
    view = shrink_view(np.tile(np.arange(400, dtype=np.uint16) * 100, (800, 1)))
    assert view.shape == (SIDE_PX, SIDE_PX)
    assert (view[:, :39] == 0.5).all()
    assert view[80, 40] < 0.02
    assert view[80, 119] > 0.98
