"""The films a command was given: found, named apart, and worked on so that one failure never stops the others."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from cephstd.cli.rendering import say, say_error, show_progress
from cephstd.errors import InputError

STDIN = "-"
STDIN_NAME = "stdin"
OVERLAY_SUFFIX = ".overlay.png"
RECORD_SUFFIX = ".record.json"

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmJob:
    """One film to work on.

    Attributes
    ----------
    file : str
        As the user would write it; ``-`` for stdin.
    name : str
        File name without suffix; numbered where several films of the run share it.
    """

    file: str
    name: str

    def source(self, max_bytes: int) -> Path | bytes:
        """What `cephstd.read` takes; at most `max_bytes` and one more are taken from stdin."""
        return sys.stdin.buffer.read(max_bytes + 1) if self.file == STDIN else Path(self.file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[Result]):
    """What became of one film: a result or an error."""

    job: FilmJob
    result: Result | None = None
    error: Exception | None = None


def list_films(files: Sequence[Path]) -> tuple[FilmJob, ...]:
    """Films among `files` and inside its folders; same names are numbered, and the user is told.

    Raises
    ------
    InputError
        When there is no film at all, or stdin is named twice.
    """
    from cephstd.io.reader import discover

    texts = [str(file) for file in files]
    if texts.count(STDIN) > 1:
        raise InputError("Expected stdin (-) once, found it twice.")
    found: dict[str, None] = {}
    skipped = 0
    for text in texts:
        members = [STDIN] if text == STDIN else [str(path) for path in discover([text])]
        kept = [member for member in members if member == text or may_be_film(Path(member))]
        skipped += len(members) - len(kept)
        found.update(dict.fromkeys(kept))
    if skipped:
        say(f"note: {skipped} files in the given folders are no images and were skipped.")
    if not found:
        raise InputError(
            "Expected at least one film, found none.", hint="Give image files or a folder that holds some."
        )
    jobs = tuple(FilmJob(file=file, name=name) for file, name in zip(found, name_apart(found), strict=True))
    renamed = sum(job.name != stem_of(job.file) for job in jobs)
    if renamed:
        say(f"note: {renamed} films share their name with another one and are numbered: name-2, name-3, ...")
    return jobs


def may_be_film(path: Path) -> bool:
    """Whether a member of a folder is a film worth reading; an overlay that a run left there is a result."""
    from cephstd.io import sniff

    return not path.name.endswith(OVERLAY_SUFFIX) and sniff.may_be_film(path)


def stem_of(file: str) -> str:
    """File name without its suffix; what has no letter is no suffix, so that ``1.2.840.17`` stays whole."""
    path = Path(file)
    if file == STDIN:
        return STDIN_NAME
    return path.stem if any(map(str.isalpha, path.suffix)) else path.name


def name_apart(files: Iterable[str]) -> list[str]:
    """A name for each file that no other has, also where the file system ignores case.

    >>> name_apart(["a/film.png", "b/film.png", "b/Film-2.png"])
    ['film', 'film-3', 'Film-2']
    """
    stems = [stem_of(file) for file in files]
    taken = {stem.casefold() for stem in stems}
    given: set[str] = set()
    names = []
    for stem in stems:
        name, number = stem, 1
        while name.casefold() in given or (number > 1 and name.casefold() in taken):
            number += 1
            name = f"{stem}-{number}"
        given.add(name.casefold())
        names.append(name)
    return names


def work_on(
    jobs: Sequence[FilmJob], work: Callable[[FilmJob], Result], *, quiet: bool = False
) -> Iterator[Outcome[Result]]:
    """Call `work` for each film, in order; an error is an outcome like any other and is told on stderr."""
    failed = 0
    with show_progress(len(jobs), quiet=quiet) as advance:
        for job in jobs:
            try:
                outcome = Outcome(job=job, result=work(job))
            except Exception as error:  # whatever one film does, the others go on
                failed += 1
                outcome = Outcome(job=job, error=error)
                say_error(error, about=job.file)
            yield outcome
            advance(failed)
