"""Result files are there whole or not at all."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from archsim.errors import ArchsimError
from archsim.report.files import write_json, write_text


def test_a_file_is_written_and_nothing_else_stays_behind(tmp_path: Path) -> None:
    write_json(tmp_path / "r.json", {"µ": [1.5, None]})
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8")) == {"µ": [1.5, None]}
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_an_old_file_stays_as_it_was_when_writing_fails(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text("old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(file, float("nan"))
    with pytest.raises(UnicodeEncodeError):
        write_text(file, "new \ud800")
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


def test_where_nothing_can_be_written_is_an_archsim_error(tmp_path: Path) -> None:
    with pytest.raises(ArchsimError, match=r"^cannot write '.*nowhere/r.json': No such file or directory$"):
        write_text(tmp_path / "nowhere" / "r.json", "x")
    with pytest.raises(ArchsimError, match=r": it is a folder$"):
        write_text(tmp_path, "x")
    with pytest.raises(ArchsimError, match=r"^cannot write '.*: File name too long$"):
        write_text(tmp_path / ("x" * 300), "x")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    write_text(pipe, "hello")
    reader.join(10)
    assert got == ["hello"]
    assert pipe.is_fifo()
