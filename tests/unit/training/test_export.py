from __future__ import annotations

import hashlib

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")
onnx = pytest.importorskip("onnx", reason="needs the train extra")
pytest.importorskip("onnxscript", reason="needs the train extra")

import onnxruntime  # noqa: E402

from cephstd.errors import InferenceError, InputError  # noqa: E402
from cephstd.training import export  # noqa: E402
from cephstd.training.checkpoint import averaged_model, joined_model, load_checkpoint  # noqa: E402
from cephstd.training.config import load_config  # noqa: E402
from cephstd.training.fit import fit_model  # noqa: E402
from cephstd.training.network import Ensemble, HeatmapNetwork, LandmarkModel, PointDecoder  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture
def checkpoint(training_set):
    return fit_model(load_config(training_set(epochs=3))).checkpoint


def test_the_file_says_what_torch_says_for_any_batch(checkpoint, tmp_path, rng):
    result = export.export_onnx(checkpoint, tmp_path / "model.onnx")
    content = result.path.read_bytes()
    assert result.sha256 == "sha256:" + hashlib.sha256(content).hexdigest()
    assert result.size_bytes == len(content)
    model, _ = averaged_model(load_checkpoint(checkpoint))
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    for films in (1, 3):
        image = rng.random((films, 1, 80, 64), dtype=np.float32)
        with torch.inference_mode():
            expected = [output.numpy() for output in model(torch.from_numpy(image))]
        points, covariance, score = session.run(["points", "covariance", "score"], {"image": image})
        assert points.shape == (films, 2, 2)
        assert covariance.shape == (films, 2, 2, 2)
        assert points.dtype == covariance.dtype == score.dtype == np.float32
        # the weights are stored in half precision
        np.testing.assert_allclose(points, expected[0], atol=0.05)
        np.testing.assert_allclose(covariance, expected[1], atol=0.1)
        np.testing.assert_allclose(score, expected[2], atol=0.005)


def test_the_file_is_pinned_and_depends_on_the_weights_only(checkpoint, tmp_path, root):
    first = export.export_onnx(checkpoint, tmp_path / "a.onnx")
    second = export.export_onnx(checkpoint, tmp_path / "b.onnx")
    assert first.sha256 == second.sha256
    graph = onnx.load(first.path)
    assert [(item.domain, item.version) for item in graph.opset_import] == [("", 18)]
    assert graph.ir_version == 10
    assert str(root).encode() not in first.path.read_bytes()


def test_large_weights_are_stored_in_half_precision(tmp_path):
    torch.manual_seed(0)
    network = HeatmapNetwork(2, (16, 16, 16, 16))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -1, 1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    model = LandmarkModel(network, PointDecoder(2)).eval()
    folded = export.fold_normalisation(model)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    image = torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(folded.network(image), model.network(image), rtol=1e-3, atol=1e-3)
    rounded = export.round_weights(folded)
    content = export.build_graph(rounded, (32, 32)).SerializeToString()
    assert len(content) < 2.6 * sum(parameter.numel() for parameter in network.parameters()) + 40_000
    assert export.largest_difference(rounded, content, (32, 32)) < 0.01


def test_a_graph_that_differs_from_torch_is_not_written(checkpoint, tmp_path, monkeypatch):
    build = export.build_graph

    def skewed(model, size_px):
        graph = build(model, size_px)
        with torch.no_grad():
            model.network.head.weight += 1.0
        return graph

    monkeypatch.setattr(export, "build_graph", skewed)
    with pytest.raises(InferenceError, match="agree with torch"):
        export.export_onnx(checkpoint, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_a_path_that_cannot_be_written_is_an_input_error(checkpoint, tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        export.export_onnx(checkpoint, tmp_path / "no" / "model.onnx")


def test_several_checkpoints_answer_with_the_mean_of_their_probabilities(training_set, tmp_path, rng):
    runs = []
    for epochs in (2, 3):
        config = training_set(epochs=epochs)
        config.write_text(config.read_text().replace('folder = "run"', f'folder = "run-{epochs}"'))
        runs.append(fit_model(load_config(config)).checkpoint)
    result = export.export_onnx(runs, tmp_path / "both.onnx")
    single = export.export_onnx(runs[0], tmp_path / "one.onnx")
    assert 1.5 * single.size_bytes < result.size_bytes < 2.5 * single.size_bytes
    networks = [averaged_model(load_checkpoint(run))[0].network for run in runs]
    image = torch.from_numpy(rng.random((2, 1, 80, 64), dtype=np.float32))
    with torch.inference_mode():
        means = sum(torch.softmax(network(image).flatten(2), -1) for network in networks) / 2
        joined = torch.softmax(Ensemble(networks)(image).flatten(2), -1)
        torch.testing.assert_close(joined, means)
        expected = joined_model([load_checkpoint(run) for run in runs])[0](image)
    session = onnxruntime.InferenceSession(result.path, providers=["CPUExecutionProvider"])
    points, _, score = session.run(["points", "covariance", "score"], {"image": image.numpy()})
    np.testing.assert_allclose(points, expected[0].numpy(), atol=0.05)
    np.testing.assert_allclose(score, expected[2].numpy(), atol=0.005)


def test_checkpoints_for_other_landmarks_do_not_fit_together(checkpoint):
    state = load_checkpoint(checkpoint)
    other = {**state, "config": state["config"].replace(b'"landmarks":["A","B"]', b'"landmarks":["B","A"]')}
    with pytest.raises(InputError, match="same landmarks"):
        joined_model([state, other])
    with pytest.raises(InputError, match="at least one"):
        joined_model([])
