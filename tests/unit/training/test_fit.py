from __future__ import annotations

import csv
import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the train extra")

from rich.console import Console  # noqa: E402

from cephstd.errors import InputError  # noqa: E402
from cephstd.training.checkpoint import averaged_model, load_checkpoint  # noqa: E402
from cephstd.training.config import load_config  # noqa: E402
from cephstd.training.dataset import load_films  # noqa: E402
from cephstd.training.display import show_progress  # noqa: E402
from cephstd.training.fit import fit_model, predict_films  # noqa: E402

pytestmark = pytest.mark.torch

STILL = """
wide = 0.0
scale_min = 1.0
scale_max = 1.0
rotation_deg = 0.0
shift = 0.0
gamma_max = 1.0
window = 0.0
shading = 0.0
blur = 0.0
sharpen = 0.0
noise = 0.0
jpeg = 0.0
patches = 0.0
borders = 0.0
overlays = 0.0
"""


class Killed(Exception):
    pass


def test_it_learns_a_few_films_by_heart(training_set):
    loaded = load_config(training_set(epochs=40, augment=STILL))
    result = fit_model(loaded)
    model, config = averaged_model(load_checkpoint(result.checkpoint))
    for truth, points, _, _ in predict_films(model, load_films(loaded), config):
        np.testing.assert_allclose(points, truth, atol=1.5)


def test_a_killed_run_that_is_resumed_ends_with_the_same_weights(training_set, tmp_path):
    loaded = load_config(training_set(epochs=3))
    whole = load_checkpoint(fit_model(loaded).checkpoint)
    (tmp_path / "run").rename(tmp_path / "whole")

    log = tmp_path / "run" / "metrics.csv"

    def kill(step):
        if (step.epoch, step.step) == (1, 1):
            log.write_text(log.read_text() + "2,4,logged before the checkpoint,,,,\n")
            raise Killed

    with pytest.raises(Killed):
        fit_model(loaded, watch=kill)
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt")["epochs_done"] == 1
    resumed = load_checkpoint(fit_model(loaded).checkpoint)
    for part in ("network", "average"):
        for name, value in whole[part].items():
            assert torch.equal(value, resumed[part][name]), name
    with log.open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2", "3"]


def test_the_held_out_fold_is_measured(training_set):
    loaded = load_config(training_set(epochs=1, data="folds = 2\nheld_out_fold = 1\n"))
    result = fit_model(loaded)
    with result.metrics.open() as file:
        row = next(csv.DictReader(file))
    assert float(row["held_out_mre_mm"]) == result.held_out_mre_mm > 0
    assert int(row["step"]) == 1  # two of four films are left: one batch
    # a finished run that is started again answers at once and the same
    assert fit_model(loaded) == result


def test_the_average_trails_the_weights(training_set):
    state = load_checkpoint(fit_model(load_config(training_set(epochs=1))).checkpoint)
    name = "head.weight"
    assert not torch.equal(state["average"][name], state["network"][name])
    assert state["average"]["stem.1.num_batches_tracked"] == state["step_count"] == 2


def test_a_checkpoint_of_another_configuration_is_not_resumed(training_set):
    fit_model(load_config(training_set(epochs=1)))
    with pytest.raises(InputError, match="another configuration"):
        fit_model(load_config(training_set(epochs=2)))


def test_a_finished_run_is_not_overwritten_unasked(training_set):
    loaded = load_config(training_set(epochs=1))
    fit_model(loaded)
    with pytest.raises(InputError, match="resume"):
        fit_model(loaded, resume=False)


def test_no_film_to_train_on_is_an_input_error(training_set, tmp_path):
    path = training_set(data="folds = 2\nheld_out_fold = 0\n")
    labels = tmp_path / "labels.csv"
    lines = labels.read_text().splitlines(True)
    labels.write_text("".join(line for line in lines if line.startswith(("image_id", "0,"))))
    with pytest.raises(InputError, match="no film is left"):
        fit_model(load_config(path))


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the checkpoint ran code",))

    path = tmp_path / "trap.pt"
    path.write_bytes(pickle.dumps(Trap(), protocol=2))
    with pytest.raises(InputError, match="tensors and numbers only"):
        load_checkpoint(path)
    torch.save({"format": "cephstd.checkpoint/1", "trap": Trap()}, path)
    with pytest.raises(InputError, match="tensors and numbers only"):
        load_checkpoint(path)


@pytest.mark.parametrize(("state", "message"), [({"format": "other/1"}, "other/1"), ([1, 2], "None")])
def test_another_format_is_refused(tmp_path, state, message):
    torch.save(state, tmp_path / "other.pt")
    with pytest.raises(InputError, match=message):
        load_checkpoint(tmp_path / "other.pt")


def test_a_configuration_of_another_version_is_an_input_error():
    with pytest.raises(InputError, match="not one of this version"):
        averaged_model({"config": b'{"data": {}}', "average": {}})


def test_a_missing_checkpoint_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"none\.pt"):
        load_checkpoint(tmp_path / "none.pt")


def test_the_progress_is_one_line_per_epoch_without_a_terminal(training_set, capsys):
    with show_progress(Console(stderr=True, force_terminal=False)) as watch:
        fit_model(load_config(training_set(epochs=2)), watch=watch)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert [line.split(" loss ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
