"""What is being done, on standard error: a spinner in a terminal, nothing where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["progress"]


@contextmanager
def progress(steps: int) -> Iterator[Callable[[str], None]]:
    """A function to be told each step as it begins; the bar counts ``steps`` of them."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda step: None
        return
    columns = (SpinnerColumn(), BarColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("loading", total=steps)
        begun = 0

        def report(step: str) -> None:
            nonlocal begun
            bar.update(task, completed=begun, description=step)
            begun += 1

        yield report
