"""Tables of other systems become points of the dictionary; what they leave open stays open."""

from __future__ import annotations

import json

import pytest

from cephstd.errors import InputError
from cephstd.export.foreign_tables import FORMS, import_points
from cephstd.knowledge.loader import load_scheme


def write_isbi(path, count=19):
    path.write_text("\n".join(f"{10 * n},{n}" for n in range(1, count + 1)) + "\n1\n2\n3\n1\n1\n1\n1\n1\n")
    return path


def test_isbi_text_in_the_order_of_the_challenge(tmp_path):
    write_isbi(tmp_path / "001.txt")
    write_isbi(tmp_path / "002.txt")
    first, second = import_points(tmp_path, "isbi")
    assert (first.image_id, second.image_id) == ("001", "002")
    assert [mark.id for mark in first.marks] == list(load_scheme("isbi19").ids)
    assert (first.marks["L1"].x_px, first.marks["L1"].y_px) == (110.0, 11.0)
    assert first.marks.scheme == "isbi19"


def test_isbi_text_that_is_too_short(tmp_path):
    with pytest.raises(InputError, match=r"short\.txt: expected 19 lines"):
        import_points(write_isbi(tmp_path / "short.txt", 9), "isbi")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="found none"):
        import_points(tmp_path / "empty", "isbi")


def test_aariz_by_symbol_or_by_order(tmp_path):
    values = [{"value": {"x": n, "y": 2 * n}} for n in range(1, 30)]
    path = tmp_path / "film.json"
    path.write_text(json.dumps({"landmarks": values}))
    (film,) = import_points(path, "aariz")
    assert (film.image_id, film.marks["S"].x_px) == ("film", 11.0)
    path.write_text(json.dumps({"landmarks": [{"symbol": "S", "value": {"x": 5, "y": 6}}]}))
    (film,) = import_points(tmp_path, "aariz")
    assert (film.marks["S"].x_px, film.marks["S"].y_px) == (5.0, 6.0)
    assert not film.marks["A"].is_present


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"landmarks": [{"symbol": "Q", "value": {"x": 1, "y": 1}}]}', '{"landmarks": [{"value": {"x": 1}}]}',
     '{"landmarks": [{"value": {"x": 1, "y": 1}}]}'],
)  # fmt: skip
def test_aariz_of_another_shape(tmp_path, text):
    path = tmp_path / "film.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"film\.json"):
        import_points(path, "aariz")


def test_cl_detection_with_scale_and_holds(tmp_path):
    names = [f"p{n}{axis}" for n in range(1, 39) for axis in "xy"]
    cells = [str(n) for n in range(1, 39) for _ in "xy"]
    path = tmp_path / "labels.csv"
    path.write_text(f"image file,spacing(mm),{','.join(names)}\nx/1.bmp,0.125,{','.join(cells)}\n")
    (film,) = import_points(path, "cl-detection")
    assert (film.image_id, film.mm_per_px) == ("1", 0.125)
    assert film.marks["N"].x_px == 2.0
    held = [point for point in load_scheme("cl38").landmark if point.hold]
    assert [point.index for point in held] == [30, 31, 37, 38]
    for point in held:
        assert film.marks[point.id].reason.startswith("mapping on hold: ")
    assert sum(mark.is_present for mark in film.marks) == 34


def test_wide_table_by_ids(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("image_id,mm_per_px,S_x,S_y,Gn_c_x,Gn_c_y\na,0.1,-1.5,2,,\n")
    (film,) = import_points(path, "wide")
    assert (film.marks["S"].x_px, film.mm_per_px) == (-1.5, 0.1)
    assert not film.marks["Gn_c"].is_present


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image_id,Q_x,Q_y\na,1,1\n", r"wide\.csv, line 2: .* found Q"),
        ("image_id,S_x,S_y\na,1,\n", "one coordinate of two"),
        ("image_id,S_x,S_y\na,one,2\n", "expected a number, found 'one'"),
        ("image_id,S_x,S_y\na,inf,2\n", "finite"),
        ("image,S_x,S_y\na,1,2\n", "expected image_id"),
    ],
)
def test_fault_of_a_wide_table_is_named(tmp_path, text, says):
    path = tmp_path / "wide.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=says):
        import_points(path, "wide")


def test_unknown_form_and_unreadable_file(tmp_path):
    with pytest.raises(InputError, match="cl-detection"):
        import_points(tmp_path, "dolphin")
    for form in FORMS:
        with pytest.raises(InputError):
            import_points(tmp_path / "none", form)
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="columns image file"):
        import_points(path, "cl-detection")


def test_cl_detection_json_by_film_and_number(tmp_path):
    path = tmp_path / "gt.json"
    marks = [{"name": "2", "scale": "0.1", "point": [5, 6, 2]}, {"name": "1", "scale": "0.125", "point": [3, 4, 1]}]
    path.write_text(json.dumps({"points": marks}))
    first, second = import_points(path, "cl-detection-json")
    assert (first.image_id, first.mm_per_px, second.image_id) == ("1", 0.125, "2")
    assert (second.marks["N"].x_px, second.marks["N"].y_px) == (5.0, 6.0)
    assert not first.marks["N"].is_present
    path.write_text('{"points": [{"name": "1", "point": [3, 4]}]}')
    with pytest.raises(InputError, match=r"gt\.json: expected JSON with points"):
        import_points(path, "cl-detection-json")
