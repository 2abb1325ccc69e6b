from __future__ import annotations

from pathlib import Path

import pytest

from cephstd.cli.films import FilmJob, list_films, may_be_film, name_apart, stem_of, work_on
from cephstd.errors import CorruptImageError, InputError


@pytest.mark.parametrize(
    ("file", "stem"),
    [
        ("a/film.dcm", "film"),
        ("film", "film"),
        ("1.2.840.113619.17", "1.2.840.113619.17"),
        ("1.2.840.17.dcm", "1.2.840.17"),
        ("-", "stdin"),
    ],
)
def test_stem(file: str, stem: str) -> None:
    assert stem_of(file) == stem


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/x.png", "b/x.png", "c/x.dcm"], ["x", "x-2", "x-3"]),
        (["x.png", "y.png"], ["x", "y"]),
        (["a/x.png", "b/x.png", "x-2.png"], ["x", "x-3", "x-2"]),
        (["a/x.png", "b/X.png"], ["x", "X-2"]),
    ],
)
def test_no_two_films_share_a_name(files: list[str], names: list[str]) -> None:
    assert name_apart(files) == names


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    for name in ("film.PNG", "b/film.jpg"):
        (tmp_path / name).write_bytes(b"broken")
    (tmp_path / "IM0001").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "film.overlay.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "notes.txt").write_text("no film")
    (tmp_path / "film.record.json").write_text("{}")
    return tmp_path


def test_a_folder_gives_its_films_and_says_what_it_skipped(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = list_films([folder])
    assert [Path(job.file).relative_to(folder).as_posix() for job in jobs] == ["IM0001", "b/film.jpg", "film.PNG"]
    assert [job.name for job in jobs] == ["IM0001", "film", "film-2"]
    told = " ".join(capsys.readouterr().err.split())
    assert "3 files in the given folders are no images" in told
    assert "numbered" in told


def test_a_named_file_is_never_skipped(folder: Path) -> None:
    named = [folder / "notes.txt", folder / "absent.png"]
    assert [Path(job.file) for job in list_films(named)] == named


def test_a_file_given_twice_is_one_film(folder: Path) -> None:
    assert len(list_films([folder / "film.PNG", folder])) == 3


def test_overlays_are_results_and_no_films(folder: Path) -> None:
    assert not may_be_film(folder / "film.overlay.png")


def test_no_film_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least one film"):
        list_films([tmp_path])
    with pytest.raises(InputError, match="once"):
        list_films([Path("-"), Path("-")])


def test_one_failure_never_stops_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    def work(job: FilmJob) -> str:
        if job.name == "b":
            raise CorruptImageError("The file is cut short.")
        if job.name == "c":
            raise ZeroDivisionError("a fault of ours")
        return job.name.upper()

    jobs = [FilmJob(file=f"{name}.png", name=name) for name in "abcd"]
    outcomes = list(work_on(jobs, work))
    assert [outcome.result for outcome in outcomes] == ["A", None, None, "D"]
    assert [type(outcome.error).__name__ for outcome in outcomes[1:3]] == ["CorruptImageError", "ZeroDivisionError"]
    told = capsys.readouterr().err
    assert "error: b.png: The file is cut short. [corrupt_image]" in told
    assert "c.png" in told
