from __future__ import annotations

import io

import pytest

from cephstd.core.landmarks import LandmarkSet, absent_landmark, place_landmark
from cephstd.core.measures import Measure, MeasureSet
from cephstd.core.tables import MEASURE_COLUMNS, POINT_COLUMNS
from cephstd.errors import InputError
from cephstd.export.tables import MeasureWriter, PointWriter, read_points

MARKS = LandmarkSet(
    landmarks=(
        place_landmark("S", 10.5, -2.25, state="detected", covariance_px2=[[4, 1], [1, 2]], score=0.9),
        absent_landmark("N", "outside, the image", score=0.1),
    )
)


def written(marks: LandmarkSet, image_id: str = "film, one") -> str:
    stream = io.StringIO()
    PointWriter(stream).write(image_id, marks)
    return stream.getvalue()


def test_point_rows_have_the_columns_and_empty_cells_for_absent_numbers() -> None:
    lines = written(MARKS, "a").splitlines()
    assert lines[0] == ",".join(POINT_COLUMNS)
    assert lines[1] == "a,S,10.5,-2.25,detected,,0.9,4.0,1.0,2.0"
    assert lines[2] == 'a,N,,,absent,"outside, the image",0.1,,,'


def test_points_read_back_as_they_were_written() -> None:
    (film,) = read_points(written(MARKS))
    assert film.image_id == "film, one"
    assert film.marks.landmarks == MARKS.landmarks
    assert film.mm_per_px is None


def test_the_short_form_gives_placed_points_and_absences() -> None:
    films = read_points("\ufeffimage_id,landmark,x_px,y_px,mm_per_px\nb,S,1,2,0.1\na,N,,,\nb,N,-3,4,0.1\n")
    assert [(film.image_id, film.mm_per_px) for film in films] == [("b", 0.1), ("a", None)]
    assert films[0].marks.points_px == {"S": (1.0, 2.0), "N": (-3.0, 4.0)}
    assert films[0].marks["S"].state == "placed"
    assert films[1].marks["N"].reason == "absent in the table"


def test_measure_rows_are_not_rounded() -> None:
    values = MeasureSet(
        analysis="own",
        measures=(
            Measure(id="SNA", definition_version=1, unit="deg", value=81.123456789, sd=0.5),
            Measure(id="Wits", definition_version=1, unit="mm", reason="not calibrated"),
        ),
    )
    stream = io.StringIO()
    MeasureWriter(stream).write("a", values)
    assert stream.getvalue().splitlines() == [
        ",".join(MEASURE_COLUMNS),
        "a,SNA,81.123456789,0.5,deg,",
        "a,Wits,,,mm,not calibrated",
    ]


HEAD = "image_id,landmark,x_px,y_px,state,cov_xx,cov_xy,cov_yy,mm_per_px\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,x_px,y_px\n", "missing: landmark"),
        ("", "missing: image_id"),
        (HEAD + "a,S,1,2,,,,,\na,S,1,2,,,,,\n", "Line 3: landmark S of a occurs twice"),
        (HEAD + "a,S,one,2,,,,,\n", "Line 2: expected a number under x_px"),
        (HEAD + "a,S,nan,2,,,,,\n", "finite number"),
        (HEAD + "a,S,1,,,,,,\n", "one coordinate of two"),
        (HEAD + "a,S,1,2,absent,,,,\n", "found 'absent'"),
        (HEAD + "a,S,,,detected,,,,\n", "is detected and has no position"),
        (HEAD + "a,S,1,2,,1,,1,\n", "all of cov_xx"),
        (HEAD + "a,S,1,2,,1,9,1,\n", "positive semi-definite"),
        (HEAD + "a,S,1,2,,,,,0.1\na,N,1,2,,,,,0.2\n", "two scales"),
        (HEAD + ",S,1,2,,,,,\n", "empty cell"),
    ],
)
def test_a_wrong_table_is_one_clear_error(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_points(text)
