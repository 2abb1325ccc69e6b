"""Progress bar of a running training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cephstd.training.fit import Progress as Step


@contextmanager
def show_progress(console: Console | None = None) -> Iterator[Callable[[Step], None]]:
    """Draw a bar with epoch, loss and time left; yields what `fit_model` takes as `watch`.

    Parameters
    ----------
    console : rich.console.Console, optional
        Where to draw; by default standard error. When it is no terminal, one line is printed per epoch instead.

    Yields
    ------
    callable
        Takes a `cephstd.training.fit.Progress`.
    """
    console = console or Console(stderr=True)
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("train", total=None, epoch="", loss=float("nan"))

        def watch(step: Step) -> None:
            label = f"{step.epoch + 1}/{step.epochs}"
            done = step.epoch * step.steps + step.step + 1
            bar.update(task, total=step.epochs * step.steps, completed=done, epoch=label, loss=step.loss)
            if not console.is_terminal and step.step + 1 == step.steps:
                console.print(f"epoch {label} loss {step.loss:.3f}")

        yield watch
