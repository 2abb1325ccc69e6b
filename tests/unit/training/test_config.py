from __future__ import annotations

import pytest

from cephstd.errors import InputError
from cephstd.training.config import load_config, select_fold


def test_paths_start_at_the_configuration_file(training_set, tmp_path):
    loaded = load_config(training_set())
    assert loaded.path(loaded.config.data.labels) == tmp_path / "labels.csv"


def test_an_unknown_key_is_refused(training_set):
    path = training_set(augment="rotation_degrees = 3")
    with pytest.raises(InputError, match="rotation_degrees"):
        load_config(path)


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        load_config(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size_px = [64, 80]", "size_px = [64, 72]", "divisible by 16"),
        ('["A", "B"]', '["A", "A"]', "once"),
        ('["A", "B"]', "[]", "at least one"),
        ("spacing_mm = 1.0\n\n", "spacing_mm = 1.0\nfolds = 2\nheld_out_fold = 2\n", "-1..1"),
        ("spacing_mm = 1.0\n\n", "spacing_mm = 1.0\nfolds = 1\nheld_out_fold = 0\n", "folds >= 2"),
        ("[augment]", "[augment]\nscale_min = 2.0", "scale_min"),
        ("[augment]", "[augment]\ngamma_max = 0.5", "gamma_max"),
        ("batch = 2", "batch = 0", "batch"),
        ('precision = "float32"', 'precision = "float16"', "precision"),
    ],
)
def test_contradictions_are_refused(training_set, old, new, message):
    path = training_set()
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        load_config(path)


def test_the_committed_configurations_are_valid(root):
    paths = sorted((root / "configs").glob("isbi19-*.toml"))
    assert paths
    for path in paths:
        assert len(load_config(path).config.data.landmarks) == 19


def test_a_fold_of_its_own_holds_other_films_out(training_set):
    loaded = load_config(training_set(data="folds = 2"))
    first, second = (select_fold(loaded, fold) for fold in (0, 1))
    assert [each.config.data.held_out_fold for each in (first, second)] == [0, 1]
    assert first.path(first.config.run.folder) != second.path(second.config.run.folder)
    with pytest.raises(InputError, match="held_out_fold"):
        select_fold(loaded, 2)
