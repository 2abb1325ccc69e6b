from __future__ import annotations

import csv
import io

import polars as pl
import pytest
from simulated_fleet import write_table

from cephstd.errors import InputError
from cephstd.fleet.worklist import count_reasons, list_tasks, write_tasks


@pytest.fixture
def out(tmp_path):
    tables = tmp_path / "out" / "tables"
    ids = ["flip", "gap", "poor", "rests", "near", "doubt", "fine", "done"]
    write_table(
        tables,
        "films",
        "north",
        pl.DataFrame(
            {
                "image_id": ids,
                "quality": ["non-diagnostic" if name in ("poor", "done") else "diagnostic" for name in ids],
                "review": [None] * 7 + ["accepted"],
            }
        ),
    )
    write_table(
        tables,
        "policies",
        "north",
        pl.DataFrame(
            {
                "image_id": ["gap", "fine", "fine"],
                "policy": ["baseline"] * 3,
                "rule": ["scale", "scale", "view"],
                "severity": ["required", "advised", "required"],
                "status": ["fail", "fail", "waived"],
                "faults": ["No scale.", "No scale.", "No view."],
            }
        ),
    )
    write_table(
        tables,
        "classes",
        "north",
        pl.DataFrame(
            {
                "image_id": ["rests", "near", "doubt", "fine", "fine"],
                "rule": ["sagittal.anb"] * 5,
                "measure": ["ANB"] * 5,
                "value": [6.0, 4.1, 4.1, 2.0, None],
                "label": ["Class II"] * 4 + [None],
                "threshold": [4.0] * 5,
                "other_side": [0.01, 0.4, 0.4, 0.01, None],
                "provisional": [True, False, False, False, False],
            }
        ),
    )
    write_table(
        tables,
        "landmarks",
        "north",
        pl.DataFrame(
            {
                "image_id": ["doubt", "near"],
                "landmark": ["A", "Or"],  # Or has no part in ANB
                "score": [0.2, 0.2],
                "state": ["detected"] * 2,
            }
        ),
    )
    (tmp_path / "out" / "flips.csv").write_text(
        "image_id,rule,measure,before,after,before_value,after_value,probability,cause\n"
        "flip,sagittal.anb,ANB,Class I,Class II,3.9,4.2,0.6,model\n",
        encoding="utf-8",
    )
    return tmp_path / "out"


def test_each_reason_puts_its_film_on_the_list_in_order(out):
    tasks = list_tasks(out)
    assert [task.image_id for task in tasks] == ["flip", "gap", "poor", "done", "rests", "doubt", "near"]
    assert [task.rank for task in tasks] == list(range(1, 8))
    why = {task.image_id: task.why for task in tasks}
    assert why["flip"] == ("flip",)
    assert why["gap"] == ("policy",)
    assert why["rests"] == ("provisional",)
    assert why["near"] == ("near_threshold",)
    assert count_reasons(tasks) == {
        "flip": 1, "policy": 1, "non_diagnostic": 2, "provisional": 1, "near_threshold": 2
    }  # fmt: skip


def test_reasons_are_sentences_with_the_numbers(out):
    said = {task.image_id: task.reasons[0] for task in list_tasks(out)}
    assert said["flip"] == (
        "By sagittal.anb, this film was Class I and is Class II since it was analysed anew; mostly because of: model."
    )
    assert said["gap"] == "Rule scale of policy baseline fails. No scale."
    assert said["near"] == (
        "By sagittal.anb, this film is Class II with ANB = 4.1; chance is 40 % that the true value lies beyond 4.0, in "
        "another class."
    )
    assert said["doubt"] == said["near"] + " The model was not sure of A."


def test_several_reasons_add_up(out):
    rows = pl.read_csv(out / "flips.csv")
    rows.with_columns(image_id=pl.lit("near")).write_csv(out / "flips.csv")
    first = list_tasks(out)[0]
    assert (first.image_id, first.why, len(first.reasons)) == ("near", ("flip", "near_threshold"), 2)


def test_csv_guards_what_looks_like_a_formula(out):
    path = out / "tables" / "films" / "site=north"
    path.rename(path.with_name("site=%3D1%2B1"))
    rows = list(csv.DictReader(io.StringIO(write_tasks(list_tasks(out)))))
    assert rows[0]["site"] == "'=1+1"
    assert rows[0]["reasons"].startswith("By sagittal.anb, this film was")
    assert rows[0]["date"] == ""


def test_tables_alone_do(out):
    assert "flip" not in [task.image_id for task in list_tasks(out / "tables")]


def test_a_folder_without_tables_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="found none"):
        list_tasks(tmp_path)
