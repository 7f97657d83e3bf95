"""The command line as a user meets it: what is printed, what is written, and how soon it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from archsim import __version__, library
from archsim.cli import main
from archsim.spec.component import component_kinds
from archsim.spec.tree import parse, read_file


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHSIM_PATH", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def archsim(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["archsim", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        assert caught.value.code == 0, err
        assert err == ""
        return out

    return run


def test_version_and_help(archsim) -> None:  # type: ignore[no-untyped-def]
    assert archsim("--version") == f"archsim {__version__}\n"
    text = archsim("--help")
    for command in ("list", "show", "schema", "run", "trace", "compare"):
        assert f"  {command} " in text
        assert "--json FILE" in archsim(command, "--help")


def test_python_dash_m_archsim_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "archsim", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"archsim {__version__}\n"


HEAVY = ("pandas", "networkx", "matplotlib", "numba", "simpy", "scipy", "numpy", "pydantic", "yaml", "rich.table")


def test_help_and_version_import_none_of_the_heavy_libraries() -> None:
    code = f"""
import sys
from archsim.cli import main
for words in (["--help"], ["--version"]):
    sys.argv = ["archsim", *words]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_showing_a_chip_imports_none_of_the_libraries_that_only_a_run_needs() -> None:
    code = """
import sys
from archsim.cli import main
sys.argv = ["archsim", "show", "isaac-ce"]
try:
    main()
except SystemExit as end:
    assert end.code == 0
print([name for name in ("pandas", "networkx", "matplotlib", "numba", "simpy", "scipy") if name in sys.modules],
      file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


# -- list ---------------------------------------------------------------------------------------


def test_list_names_every_chip_tile_and_workload_with_title_and_file(archsim) -> None:  # type: ignore[no-untyped-def]
    text = archsim("list")
    assert "ISAAC-CE (Shafiee et al., ISCA 2016)" in text
    entries = json.loads(archsim("list", "--json", "-"))
    assert {"kind": "chip", "name": "puma", "title": "PUMA node (Ankit et al., ASPLOS 2019)",
            "file": str(Path("configs", "puma.yaml"))} in entries  # fmt: skip
    found = {(entry["kind"], entry["name"]) for entry in entries}
    shipped = {("workload", name) for name in library.trained()}
    assert found == shipped | {(kind, name) for kind in library.FOLDERS for name in library.names(kind)}
    for entry in entries:
        assert entry["name"] in text
        assert not entry["title"].startswith("not readable")


# -- show ---------------------------------------------------------------------------------------


def test_show_prints_a_table_like_the_papers_and_the_published_figures_beside_it(archsim) -> None:  # type: ignore[no-untyped-def]
    lines = archsim("show", "isaac-ce").splitlines()
    text = "\n".join(lines)
    assert lines[0] == "ISAAC-CE (Shafiee et al., ISCA 2016)"
    assert lines[1].startswith("peak 41.29 TOPS (2 operations a MAC), 65.81 W, 85.42 mm²: 0.6274 TOPS/W, 0.4833 TOPS")
    assert lines[2] == "one MVM in 2200 ns, a new one every 1600 ns; 16128 arrays hold 63 MiB"

    def row(*starts: str) -> list[str]:
        cells = [[cell.strip() for cell in line.strip("│┃").split("│")] for line in lines if "│" in line]
        return next(found for found in cells if tuple(found[: len(starts)]) == starts)

    assert row("core", "adc")[2:] == ["8", "type sar, bits 8, rate 1.28 GHz", "16", "0.0096", "verified_2src"]
    assert row("core", "total")[4:6] == ["24.08", "0.01312"]
    assert row("tile", "cores")[2:6] == ["12", "", "289", "0.1574"]
    assert row("tile", "total")[4:6] == ["329.8", "0.3723"]
    assert row("chip", "tiles")[2] == "168"
    assert row("chip", "total")[4:6] == ["6.581e+04", "85.42"]
    assert row("chip.power_w")[1:4] == ["65.8", "65.81", "1.000"]
    assert "unit column converted" in text
    assert "Deviations from the paper" in text
    assert "Assumed, no source gives it" in text


def test_show_prints_how_many_routers_the_tiles_of_puma_share(archsim) -> None:  # type: ignore[no-untyped-def]
    line = next(line for line in archsim("show", "puma").splitlines() if line.startswith("│ chip  │ router"))
    assert [cell.strip() for cell in line.split("│")][3:7:2] == ["34.5", "570.6"]


@pytest.mark.parametrize(("name", "top"), [("isaac-ce", "chip"), ("puma", "chip"), ("isaac", "tile")])
def test_the_json_of_show_holds_the_promised_keys(archsim, name: str, top: str) -> None:  # type: ignore[no-untyped-def]
    shown = json.loads(archsim("show", name, "--json", "-"))
    assert {"tops", "power_w", "area_mm2", "tops_per_w", "tops_per_mm2"} <= set(shown["peak"])
    for level in ("core", "tile", "chip")[: 2 + (top == "chip")]:
        assert set(shown[level]) == {"power_w", "area_mm2"}
    assert set(shown["power_breakdown_w"]) == set(shown["area_breakdown_mm2"])
    assert {f"{level}.{name}".count(".") for level in shown["power_breakdown_w"]} == {2}
    for figure in shown["published"]:
        assert {"metric", "paper", "archsim", "ratio", "source"} <= set(figure)
    assert (shown["kind"], shown["name"]) == (top, name)
    assert len(shown["config_hash"]) == 16


def test_json_goes_to_a_file_beside_the_table_or_alone_to_standard_output(archsim) -> None:  # type: ignore[no-untyped-def]
    table = archsim("show", "isaac-ce", "--json", "out.json")
    assert "From components to chip" in table
    assert json.loads(Path("out.json").read_text()) == json.loads(archsim("show", "isaac-ce", "--json", "-"))
    assert [path.name for path in Path().iterdir()] == ["out.json"]


def test_set_overrides_keys_and_may_be_repeated(archsim) -> None:  # type: ignore[no-untyped-def]
    keys = ["--set", "tile.core.components.adc.bits=6", "--set", "tiles=84"]
    shown = json.loads(archsim("show", "isaac-ce", *keys, "--json", "-"))
    assert shown["core"]["power_w"] == pytest.approx(24.08e-3 - 16e-3 * (1 - 1.20 / 1.67))
    assert shown["storage"]["arrays"] == 84 * 96


def test_words_of_a_file_are_printed_as_they_are(archsim) -> None:  # type: ignore[no-untyped-def]
    row = '{kind: lookup, rate: 1 GHz, power: 1 W, area: 1 mm2, source: "[/b]", status: assumed}'
    published = '{metric: "core.power_w", value: 1, source: "[link=x]", note: "[/]", status: assumed}'
    Path("f.yaml").write_text(
        "schema: 1\nkind: chip\nname: f\nextends: isaac-ce\ntitle: \"[red]x[/blue] \\e[31m\"\n"
        f'components: {{"[/b]": {row}}}\npublished: [{published}]\ndeviations: ["[/u]"]\n'
        'readings: [{name: "[/i]", why: "[/]", set: {tiles: 10}}]\n'
    )  # fmt: skip
    text = archsim("show", "f.yaml")
    for words in ("[red]x[/blue] \ufffd[31m", "[/b]", "[link=x] ([/])", "[/u]", "[/i]"):
        assert words in text
    assert "\x1b" not in text


def test_a_terminal_that_knows_only_ascii_still_gets_the_numbers() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "archsim", "show", "isaac-ce"], env=environment, capture_output=True, check=True
    )
    assert b"85.42 mm?: 0.6274 TOPS/W" in done.stdout


# -- schema -------------------------------------------------------------------------------------


def schema(archsim, *words: str) -> jsonschema.Draft202012Validator:  # type: ignore[no-untyped-def]
    value = json.loads(archsim("schema", *words))
    jsonschema.Draft202012Validator.check_schema(value)
    return jsonschema.Draft202012Validator(value)


def document(kind: str, name: str) -> Any:
    return read_file(library.find(kind, name)).plain()


@pytest.mark.parametrize("kind", library.FOLDERS)
def test_the_schema_takes_every_shipped_file(archsim, kind: str) -> None:  # type: ignore[no-untyped-def]
    alone, all_kinds = schema(archsim, kind), schema(archsim)
    for name in library.names(kind):
        for validator in (alone, all_kinds):
            assert list(validator.iter_errors(document(kind, name))) == [], name


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("chip", "{extends: isaac-ce, tile: {core: {components: {adc: {bits: 6}}}}}"),
        ("chip", "{extends: isaac-ce, tile: puma, tiles: 3}"),
        ("chip", "{extends: isaac-ce, readings: null}"),
        ("tile", "{extends: isaac, core: {components: {adc: {bits: 6}}}}"),
        ("tile", "{extends: isaac, components: {max_pool: null}}"),
    ],
)
def test_the_schema_takes_a_file_that_changes_parts_of_another(archsim, kind: str, text: str) -> None:  # type: ignore[no-untyped-def]
    value = parse(text, "f.yaml").plain() | {"schema": 1, "kind": kind, "name": "f"}
    for words in ([kind], []):
        assert list(schema(archsim, *words).iter_errors(value)) == []


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("chip", "isaac-ce", ["tils"], 3),
        ("chip", "isaac-ce", ["tiles"], "many"),
        ("chip", "isaac-ce", ["tiles"], 0),
        ("chip", "isaac-ce", ["kind"], "tile"),
        ("chip", "isaac-ce", ["noc", "topology"], "rink"),
        ("chip", "isaac-ce", ["components", "hyper_transport", "power"], "10.4"),
        ("chip", "isaac-ce", ["components", "hyper_transport", "power"], "10.4 mm2"),
        ("chip", "isaac-ce", ["components", "hyper_transport", "kind"], "chip-lnk"),
        ("tile", "isaac", ["core", "components", "adc", "bit"], 6),
        ("tile", "isaac", ["core", "components", "adc", "bits"], 60),
        ("tile", "isaac", ["core", "encoding", "scheme"], "none"),
        ("tile", "isaac", ["tecnology"], "32 nm"),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(archsim, kind, name, path, value) -> None:  # type: ignore[no-untyped-def]
    wrong = document(kind, name)
    place = wrong
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    for words in ([kind], []):
        assert list(schema(archsim, *words).iter_errors(wrong)) != []


def test_an_extending_file_with_a_misspelt_key_is_refused_by_the_schema_too(archsim) -> None:  # type: ignore[no-untyped-def]
    wrong = {"schema": 1, "kind": "tile", "extends": "isaac", "coer": {"count": 3}}
    assert list(schema(archsim, "tile").iter_errors(wrong)) != []


def test_the_schema_knows_every_registered_component_kind(archsim) -> None:  # type: ignore[no-untyped-def]
    rows = json.loads(archsim("schema", "tile"))["$defs"]["component"]["oneOf"]
    assert sorted(row["properties"]["kind"]["const"] for row in rows) == component_kinds()


def test_the_schema_is_written_to_a_file(archsim) -> None:  # type: ignore[no-untyped-def]
    archsim("schema", "chip", "--json", "chip.schema.json")
    assert json.loads(Path("chip.schema.json").read_text())["$schema"].startswith("https://json-schema.org/")
