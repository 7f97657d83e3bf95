"""Everything that the documentation shows is run: commands with what they print, files, and Python.

In README.md and docs/*.md, in order and in one folder a document:

* a ``yaml``, ``toml`` or ``python`` block whose first line is ``# file: NAME`` is written to that file;
* a ``python`` block without that line is executed;
* in a ``console`` block each line ``$ archsim …`` is run and must succeed; the lines below it must be printed, in that
  order (``…`` stands for anything left out);
* every other command must stand in a block after a comment ``<!-- not run: why -->``.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import pytest

from archsim.cli import main
from archsim.spec.tree import parse

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENTS = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]

FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]+?) -->\s*\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
FILE = re.compile(r"# file: (\S+)\n")
LEFT_OUT = ("…", "...")


class Block(NamedTuple):
    language: str
    body: str
    line: int
    skipped: bool


def blocks(document: Path) -> Iterator[Block]:
    text = document.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("body")) + 1
        yield Block(match["language"], match["body"], line, match["reason"] is not None)


def commands(body: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block, each with the lines that it is said to print."""
    command, printed = "", []
    for line in body.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            if command:
                yield command, printed
            command, printed = line[2:], []
        else:
            printed.append(line)
    if command:
        yield command, printed


def write_file(folder: Path, name: str, body: str) -> None:
    path = folder / name
    assert path.resolve().is_relative_to(folder.resolve())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body, encoding="utf-8")
    if path.name == "pyproject.toml":
        stand_in_for_install(path)


def stand_in_for_install(project: Path) -> None:
    """What ``pip install`` of a project of plain modules comes to: its entry points can be found beside it."""
    about = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
    info = project.parent / f"{about['name']}-{about['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n")
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())])
        for group, entries in about.get("entry-points", {}).items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups) + "\n")


def run_command(command: str, printed: list[str], folder: Path, where: str) -> None:
    words = shlex.split(command)
    environment = {key: value for key, value in os.environ.items() if key not in ("ARCHSIM_PATH", "COLUMNS")}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    assert words[0] == "archsim", f"{where}: {command!r} is not run; say why in a comment <!-- not run: … -->"
    installed = [str(path.parent) for path in folder.rglob("pyproject.toml")]
    done = in_new_process(words, folder, environment, installed) if installed else here(words, folder, environment)
    assert done.code == 0, f"{where}: {command!r} ended with {done.code}\n{done.stderr}"
    lines = iter(" ".join(line.split()) for line in done.stdout.splitlines())  # columns may be wider or narrower
    for expected in (" ".join(line.split()) for line in printed):
        if expected and expected not in LEFT_OUT:
            assert expected in lines, (
                f"{where}: {command!r} does not print, there or at all:\n{expected}\n{done.stdout}"
            )


class Done(NamedTuple):
    code: object
    stdout: str
    stderr: str


def in_new_process(words: list[str], folder: Path, environment: dict[str, str], installed: list[str]) -> Done:
    """As a user's shell runs it, with what is ``installed``."""
    environment = {**environment, "PYTHONPATH": os.pathsep.join([*installed, environment.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return Done(done.returncode, done.stdout, done.stderr)


def here(words: list[str], folder: Path, environment: dict[str, str]) -> Done:
    """The same in this process, where archsim and its libraries are loaded already."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(sys, "argv", words),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
    return Done(code, out.getvalue(), err.getvalue())


SLOW = ("merrikh-bayat.md", "studies.md")
"""Documents whose commands train networks or start clusters."""

RUN = [pytest.param(path, id=path.name, marks=[pytest.mark.slow] if path.name in SLOW else []) for path in DOCUMENTS]


@pytest.mark.parametrize("document", RUN)
def test_what_the_document_shows_works(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks(document):
        where = f"{document.name}:{block.line}"
        file = FILE.match(block.body)
        if file:
            write_file(tmp_path, file[1], block.body)
        elif block.language == "yaml":
            parse(block.body, where)
        elif block.skipped:
            continue
        elif block.language == "python":
            exec(compile("\n" * (block.line - 1) + block.body, str(document), "exec"), names)
        elif block.language == "console":
            for command, printed in commands(block.body):
                run_command(command, printed, tmp_path, where)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_block_is_of_a_language_that_is_not_checked(document: Path) -> None:
    for block in blocks(document):
        known = ("console", "yaml", "toml", "python", "text", "json")
        assert block.language in known, f"{document.name}:{block.line}: ```{block.language}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name}: {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_python_name_in_the_text_is_there(document: Path) -> None:
    """``archsim.spec.component`` in running text names a module, or something in one."""
    import importlib

    for name in set(re.findall(r"`(archsim(?:\.\w+)+)(?:\(.*?\))?`", document.read_text(encoding="utf-8"))):
        if name == "archsim.components":  # also the entry-point group
            continue
        module, rest = name, []
        while True:
            try:
                place: object = importlib.import_module(module)
                break
            except ModuleNotFoundError:
                module, _, last = module.rpartition(".")
                rest.insert(0, last)
        for step in rest:
            assert hasattr(place, step), f"{document.name}: {name}"
            place = getattr(place, step)


def test_the_layers_are_described_in_the_order_in_which_the_linter_holds_them() -> None:
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = [layer.strip("()") for layer in contracts["contracts"][0]["layers"] if "__main__" not in layer]
    text = (CHECKOUT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (`archsim.*?) \|", text, re.MULTILINE)
    described = [name for row in table for name in re.findall(r"`(archsim\.\w+)`", row)]
    assert described == layers


def test_the_readme_sets_up_with_two_commands() -> None:
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^\$ pip install \. && archsim ", text, re.MULTILINE)
    assert "\n$ pip install -e '.[dev]' && pytest -n auto\n" in text


def test_the_checks_themselves_find_what_does_not_work(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="is not run; say why"):
        run_command("rm -r .", [], tmp_path, "here")
    with pytest.raises(AssertionError, match="ended with 2"):
        run_command("archsim show isac-ce", [], tmp_path, "here")
    with pytest.raises(AssertionError, match="does not print"):
        run_command("archsim --version", ["archsim 0.0.0"], tmp_path, "here")
    found = list(commands("$ a \\\n  b\nx\n…\n$ c\n"))
    assert found == [("a    b", ["x", "…"]), ("c", [])]
