from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cephstd.training.viewer_archive import collect_pictures  # noqa: E402
from cephstd.training.viewer_export import export_viewer  # noqa: E402
from cephstd.training.viewer_fit import draw_phantoms  # noqa: E402
from cephstd.training.viewer_negatives import FAMILIES, draw_negative  # noqa: E402
from cephstd.training.viewer_network import ViewModel, ViewNetwork, seen_as  # noqa: E402
from cephstd.training.viewer_samples import ViewFilm, crop_to_face, pose_view  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("version", range(8))
def test_answers_are_turned_back_as_the_view_was_laid(version):
    grid = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for pose in range(8):
        laid = pose_view(pose_view(grid, pose, False), version, False)
        assert np.array_equal(laid, pose_view(grid, seen_as(version)[pose], False))


def test_a_turned_view_gets_the_same_answer():
    torch.manual_seed(1)
    model = ViewModel(ViewNetwork()).eval()
    view = torch.rand(1, 1, 160, 160)
    with torch.inference_mode():
        accept, pose, inverted = model(view)
        turned_accept, turned_pose, turned_inverted = model(1.0 - view.rot90(1, dims=(2, 3)))
    assert torch.allclose(accept, turned_accept, atol=1e-5)
    assert torch.allclose(inverted, 1.0 - turned_inverted, atol=1e-5)
    assert torch.allclose(pose, turned_pose[:, list(seen_as(1))], atol=1e-5)


def test_the_graph_says_what_torch_says():
    assert len(export_viewer(ViewNetwork())) < 1_000_000


def test_kinds_of_pictures_serve_one_purpose_each(rng):
    kinds = [family for families in FAMILIES.values() for family in families]
    assert len(set(kinds)) == len(kinds)
    films, pictures = draw_phantoms(2, rng), [np.full((40, 50), 9, np.uint8)]
    for family in kinds:
        drawn = draw_negative(family, films, pictures, rng)
        assert drawn.dtype == np.uint8
        assert drawn.ndim == 2
    assert sum(len(found) for found in collect_pictures("report").values()) >= 100


def test_a_crop_to_the_face_keeps_all_of_it():
    pixels = np.zeros((120, 100), np.uint8)
    pixels[40:90, 30:80] = 255
    cropped = crop_to_face(ViewFilm(pixels=pixels, face=(0.3, 1 / 3, 0.8, 0.75)))
    assert cropped.sum() == pixels.sum()
    assert cropped.size < 0.7 * pixels.size
