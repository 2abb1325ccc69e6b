from __future__ import annotations

from pathlib import Path

import pytest
from batch_values import A, B, failure, place

from cephstd.batch.register import PathRegister, Register, RunLock, image_id, work_key
from cephstd.errors import InputError, RecordError


@pytest.fixture
def register(tmp_path: Path):
    with Register(tmp_path / "register.sqlite") as made:
        yield made


def test_key_depends_on_file_recipe_and_weights():
    keys = {work_key(*digests) for digests in [(A, A, A), (B, A, A), (A, B, A), (A, A, B)]}
    assert len(keys) == 4


def test_later_record_of_a_film_takes_the_place_of_the_earlier(register):
    register.add(place(1))
    register.add(place(2, part=2))
    register.add(place(3, B))
    assert [item.key for item in register.places()] == ["key2", "key3"]
    assert [item.key for item in register.places(superseded=True)] == ["key1", "key2", "key3"]
    assert register.current(A).key == "key2"
    assert not register.find("key1").current
    assert register.count() == 3


def test_former_record_can_come_back(register):
    register.add(place(1))
    register.add(place(2, part=2))
    for part in (1, 2):
        register.refresh(part)
    register.restore("key1")
    assert [item.key for item in register.places()] == ["key1"]
    assert register.stale_parts() == [1, 2]
    register.refresh(1)
    register.restore("key1")
    assert register.stale_parts() == [2]


def test_decision_on_a_record_is_the_record_of_its_work(register):
    register.add(place(1))
    register.add(place(2, part=2, key="key1:reviewed"))
    register.add(place(3, part=3, key="key12"))
    assert register.find("key1").key == "key1:reviewed"
    register.add(place(4, part=4, key="other"))
    register.restore("key1")
    assert [item.key for item in register.places()] == ["key1:reviewed"]


def test_superseding_makes_both_files_stale(register):
    register.add(place(1))
    register.refresh(1)
    register.add(place(2, part=2))
    assert register.stale_parts() == [1, 2]


def test_same_work_is_never_added_twice(register):
    register.add(place(1))
    with pytest.raises(Exception, match="UNIQUE"):
        register.add(place(1, record_digest=B))


def test_name_finds_any_digest_and_the_current_record_of_a_film(register):
    register.add(place(1, record_digest="sha256:" + "1" * 64))
    register.add(place(2, record_digest="sha256:" + "2" * 64))
    assert [item.key for item in register.match("1" * 8)] == ["key1"]
    assert [item.key for item in register.match("sha256:" + "1" * 64)] == ["key1"]
    assert [item.key for item in register.match(image_id(A))] == ["key2"]
    assert [item.key for item in register.match("a" * 6)] == ["key2"]
    assert register.match("%" * 6) == register.match("______") == []


def test_a_film_has_one_failure_and_a_record_ends_it(register):
    register.fail(failure("key1"))
    register.fail(failure("key2", message="Still cut short."))
    register.fail(failure("unread-7", ""))
    register.fail(failure("unread-8", ""))
    assert [item.key for item in register.failures()] == ["unread-7", "unread-8", "key2"]
    register.add(place(2))
    register.forget("unread-7")
    assert [item.key for item in register.failures()] == ["unread-8"]


def test_site_that_a_crash_lost_is_settled_once(register):
    register.add(place(1, site=""))
    register.refresh(1)
    register.settle("key1", site="north", date="2019-01-02", attributes="x")
    assert register.stale_parts() == [1]
    register.settle("key1", site="south", date="", attributes="")
    assert (register.find("key1").site, register.find("key1").date) == ("north", "2019-01-02")


def test_equal_pixels_in_different_files_are_one_group(register):
    register.add(place(1, A))
    register.add(place(2, B))
    register.add(place(3, "sha256:" + "d" * 64, pixel_sha256=A))
    assert register.duplicates() == [(image_id(A), image_id(B))]


def test_what_was_not_committed_is_gone(tmp_path):
    for commits in (False, True):
        with Register(tmp_path / "r.sqlite") as register:
            register.add(place(1))
            if commits:
                register.commit()
        with Register(tmp_path / "r.sqlite") as register:
            assert register.count() == commits
            assert register.end_of(1) == (200 if commits else 0)


def test_another_file_is_no_register(tmp_path):
    (tmp_path / "r.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(RecordError, match="register of the output folder"):
        Register(tmp_path / "r.sqlite")


def test_path_is_known_until_its_file_changes(tmp_path):
    paths = PathRegister(tmp_path)
    number = paths.keep("a.png", 10, 20, A)
    assert paths.known_digest("a.png", 10, 20) == A
    assert paths.known_digest("a.png", 10, 21) == paths.known_digest("a.png", 11, 20) == ""
    assert paths.keep("a.png", 11, 21, B) == number != paths.keep("b.png", 1, 1, B)
    assert paths.paths_of(B) == ["a.png", "b.png"]
    paths.close()


def test_one_run_at_a_time(tmp_path):
    lock = RunLock(tmp_path / "local")
    with pytest.raises(InputError, match="Another run"):
        RunLock(tmp_path / "local")
    lock.close()
    RunLock(tmp_path / "local").close()


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="cannot be written"):
        RunLock(tmp_path / "file" / "local")
