"""Progress is for people at a terminal, and on standard error only."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from archsim.report import progress as module
from archsim.report.progress import progress


def test_nothing_is_drawn_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(3) as report:
        report("compiling")
    assert capsys.readouterr() == ("", "")


def test_a_terminal_is_shown_each_step_and_left_clean(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = io.StringIO()
    asked: list[dict[str, object]] = []

    def terminal(**options: object) -> Console:
        asked.append(options)
        return Console(file=stream, force_terminal=True, width=100, color_system=None)

    monkeypatch.setattr(module, "Console", terminal)
    with progress(2) as report:
        report("compiling onto 2 chips")
        report("[/b].yaml: one inference")
    assert asked == [{"stderr": True}]
    drawn = stream.getvalue()
    assert "[/b].yaml: one inference" in drawn  # a file may be called that
    assert drawn.rstrip().endswith("\x1b[2K")  # the last line is wiped
    assert capsys.readouterr() == ("", "")


def test_an_interrupt_passes_through_and_leaves_the_terminal_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(module, "Console", lambda **options: Console(file=stream, force_terminal=True, width=100))

    def interrupted() -> None:
        with progress(2) as report:
            report("compiling")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert stream.getvalue().count("\x1b[?25h") == 1  # the cursor is back
