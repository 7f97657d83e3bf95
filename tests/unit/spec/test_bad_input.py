"""Bad input ends in one message that lists every mistake and exit code 2, without a traceback and in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from archsim.cli import main

CHIP = "schema: 1\nkind: chip\nname: mine\nextends: isaac-ce\n"
ISAAC = ["archsim", "show", "isaac-ce"]
FILE = ["archsim", "show", "f.yaml"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHSIM_PATH", raising=False)
    monkeypatch.chdir(tmp_path)


def refused(command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of the message of ``command``, which must end with exit code 2 and print nothing else."""
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as caught:
        main()
    out, err = capsys.readouterr()
    assert caught.value.code == 2
    assert out == ""
    assert "Traceback" not in err
    return err.splitlines()


CASES: dict[str, tuple[str | bytes, list[str]]] = {
    "a misspelt key": (
        CHIP + "tils: 84\n",
        ["f.yaml:5:1: tils: unknown key; did you mean 'tiles'?"],
    ),
    "a misspelt key far inside": (
        CHIP + "tile: {core: {components: {adc: {bit: 6}}}}\n",
        ["f.yaml:5:34: tile.core.components.adc.bit: unknown key; did you mean 'bits'?"],
    ),
    "a missing unit": (
        CHIP + "tile: {core: {components: {adc: {power: 16}}}}\n",
        [
            "f.yaml:5:41: tile.core.components.adc.power: expected a power such as '20.7 mW', "
            "got a plain number: 16"
        ],
    ),
    "a missing unit in a text": (
        CHIP + "tile: {core: {components: {adc: {power: '16'}}}}\n",
        ["f.yaml:5:41: tile.core.components.adc.power: expected a power such as '20.7 mW', got '16' without a unit"],
    ),
    "a wrong unit": (
        CHIP + "tile: {core: {cycle: 100 mm2}}\n",
        [
            "f.yaml:5:22: tile.core.cycle: expected a time such as '100 ns', "
            "got the unit 'mm2', which is a unit of area"
        ],
    ),
    "a negative size": (
        CHIP + "tile: {core: {components: {crossbar: {rows: -128}}}}\n",
        ["f.yaml:5:45: tile.core.components.crossbar.rows: expected at least 1, got -128"],
    ),
    "a negative area": (
        CHIP + "tile: {core: {components: {crossbar: {area: -1 mm2}}}}\n",
        ["f.yaml:5:45: tile.core.components.crossbar.area: expected an area of 0 or more, got -1 mm2"],
    ),
    "not a number, and infinity": (
        CHIP + "tiles: .inf\ntile: {core: {count: .nan, components: {adc: {power: nan W, static_share: .nan}}}}\n",
        [
            "f.yaml:5:8: tiles: expected a whole number, got inf",
            "f.yaml:6:22: tile.core.count: expected a whole number, got nan",
            "f.yaml:6:54: tile.core.components.adc.power: expected a power such as '20.7 mW', got 'nan W'",
            "f.yaml:6:75: tile.core.components.adc.static_share: expected a finite number, got nan",
        ],
    ),
    "a number too large to compute with": (
        CHIP + "tiles: 1" + "0" * 30 + "\ntile: {core: {cycle: 1e999 s}}\n",
        [
            "f.yaml:5:8: tiles: expected at most 65536, got 1" + "0" * 30,
            "f.yaml:6:22: tile.core.cycle: expected a time such as '100 ns', got '1e999 s', "
            "which is too large to compute with",
        ],
    ),
    "an empty file": ("", ["f.yaml: the file is empty; expected 'schema: 1' and 'kind: …'"]),
    "a file of blank lines": ("\n \n\n", ["f.yaml: the file is empty; expected 'schema: 1' and 'kind: …'"]),
    "duplicate keys": (
        CHIP + "tiles: 1\ntiles: 2\nnoc: {rows: 1, rows: 2}\n",
        [
            "f.yaml:6:1: the key 'tiles' stands here again, first at line 5",
            "f.yaml:7:16: the key 'rows' stands here again, first at line 7",
        ],
    ),
    "a file that extends itself": (
        "schema: 1\nkind: chip\nextends: f.yaml\n",
        ["f.yaml:3:10: the files refer to each other: f.yaml -> f.yaml"],
    ),
    "aliases within aliases": (
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
        [
            "f.yaml:1:4: anchors are not supported, got &a; write the value out",
            "f.yaml:2:4: anchors are not supported, got &b; write the value out",
            "f.yaml:2:8: aliases are not supported, got *a; write the value out",
        ],
    ),
    "an alias of itself": (
        "a: &a [*a]\n",
        [
            "f.yaml:1:4: anchors are not supported, got &a; write the value out",
            "f.yaml:1:8: aliases are not supported, got *a; write the value out",
        ],
    ),
    "a merge key": (
        CHIP + "noc: {<<: {rows: 3}}\n",
        [
            "f.yaml:5:7: noc.<<: unknown key; the keys here are assumed, bandwidth, chip_link, columns, "
            "concentration, energy, failed_links, failed_tiles, flit, graph, link_cycles, router, routing, rows, "
            "shape, source, topology"
        ],
    ),
    "an object of Python": (
        "!!python/object/apply:os.system ['touch owned']\n",
        ["f.yaml:1:1: tags are not supported, got 'tag:yaml.org,2002:python/object/apply:os.system'"],
    ),
    "a binary file": (
        bytes(range(256)) * 10,
        ["f.yaml: expected a YAML file in UTF-8, got the byte 0x80 at offset 128"],
    ),
    "a file with control characters": (
        b"\x00\x01\x02\x03",
        ["f.yaml: not valid YAML: control characters are not allowed"],
    ),
    "another encoding": (
        "title: Zürich\n".encode("latin-1"),
        ["f.yaml: expected a YAML file in UTF-8, got the byte 0xfc at offset 8"],
    ),
    "UTF-16": (
        "kind: chip\n".encode("utf-16"),
        ["f.yaml: expected a YAML file in UTF-8, got the byte 0xff at offset 0"],
    ),
    "deep nesting": ("[" * 900, ["f.yaml:1:49: nested more than 48 levels deep"]),
    "very deep mappings": ("{a: " * 500_000, ["f.yaml:1:190: nested more than 48 levels deep"]),
    "several documents": (CHIP + "---\n" + CHIP, ["f.yaml:5:1: a second document begins here; a file holds one"]),
    "a list": ("- 1\n", ["f.yaml:1:1: expected a mapping with 'schema: 1' and 'kind: …'"]),
    "keys that are no text": (CHIP + "[1, 2]: 3\n", ["f.yaml:5:1: a key must be text, got [1, 2]"]),
    "no YAML": (CHIP + "tiles: [1\n", ["f.yaml:6:1: not valid YAML: did not find expected ',' or ']'"]),
    "another version of the schema": (CHIP.replace("1", "7", 1), ["f.yaml:1:9: schema: expected 1, got 7"]),
    "a kind that there is not": (
        "schema: 1\nkind: chps\n",
        ["f.yaml:2:1: expected kind: chip, tile or workload, got kind: chps; did you mean 'chip'?"],
    ),
    "a component kind that there is not": (
        CHIP + "components: {x: {kind: addc}}\n",
        ["f.yaml:5:17: components.x: unknown component kind 'addc'; did you mean 'adc'?"],
    ),
    "a published figure that is none": (
        CHIP + "published: [{metric: peak.topss, value: 1, source: s, status: assumed},\n"
        "  {metric: peak, value: 1, source: s, status: assumed}]\n",
        [
            "f.yaml:5:22: published.0.metric: no metric 'peak.topss'; did you mean 'peak.tops'?",
            "f.yaml:6:12: published.1.metric: no metric 'peak'; did you mean 'peak.tops'?",
        ],
    ),
    "another reading that cannot be": (
        CHIP + "readings: [{name: n, why: w, set: {tile.core.components.adc.bts: 7, tile.core.count: 0}}]\n",
        [
            "f.yaml:5:30: readings.0.set: tile.core.components.adc.bts: unknown key; did you mean 'bits'?",
            "f.yaml:5:30: readings.0.set: tile.core.count: expected at least 1, got 0",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file(case: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text, expected = CASES[case]
    Path("f.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    lines = refused(FILE, monkeypatch, capsys)
    assert lines == ["archsim: " + expected[0], *expected[1:]]
    assert not Path("owned").exists()


def test_a_ring_of_files(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Path("f.yaml").write_text("schema: 1\nkind: chip\nextends: g.yaml\n")
    Path("g.yaml").write_text("schema: 1\nkind: chip\nextends: f.yaml\n")
    assert refused(FILE, monkeypatch, capsys) == [
        "archsim: g.yaml:3:10: the files refer to each other: f.yaml -> g.yaml -> f.yaml"
    ]


def test_a_folder(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    Path("f.yaml").mkdir()
    assert refused(FILE, monkeypatch, capsys) == [
        "archsim: f.yaml: expected a YAML file, got something that is no file"
    ]


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device without end")
def test_a_device_that_never_ends(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(["archsim", "show", "/dev/zero"], monkeypatch, capsys) == [
        "archsim: /dev/zero: expected a YAML file, got something that is no file"
    ]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ([*ISAAC[:2], "isac-ce"], "no chip, tile or workload named 'isac-ce'; did you mean 'isaac-ce'?"),
        ([*ISAAC[:2], "xyzzy"], "no chip, tile or workload named 'xyzzy'; 'archsim list' shows all names"),
        ([*ISAAC[:2], "nowhere/f.yaml"], "no file at 'nowhere/f.yaml'"),
        ([*ISAAC[:2], ""], "no chip, tile or workload named ''; 'archsim list' shows all names"),
        (
            [*ISAAC, "--set", "tile.core.components.adc.bts=6"],
            "--set tile.core.components.adc.bts=6: tile.core.components.adc.bts: unknown key; did you mean 'bits'?",
        ),
        (
            [*ISAAC, "--set", "tiles"],
            "--set tiles: expected dotted.key=value, such as tile.core.components.adc.bits=6",
        ),
        ([*ISAAC, "--json", "nowhere/f.json"], "cannot write 'nowhere/f.json': No such file or directory"),
        ([*ISAAC, "--json", "."], "cannot write '.': it is a folder"),
        (["archsim", "schema", "chp"], "no kind of file named 'chp'; did you mean 'chip'?; there are "),
    ],
)
def test_a_bad_command(
    command: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = refused(command, monkeypatch, capsys)
    assert line.startswith("archsim: " + message) if message.endswith(" ") else line == "archsim: " + message
    assert list(Path().iterdir()) == []


def test_all_wrong_overrides_are_listed_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused([*ISAAC, "--set", "tiles=-1", "--set", "nam=x"], monkeypatch, capsys) == [
        "archsim: --set nam=x: nam: unknown key; did you mean 'name'?",
        "--set tiles=-1: tiles: expected at least 1, got -1",
    ]


def test_a_component_package_that_cannot_be_imported_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "site" / "broken-0.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[archsim.components]\ngone = broken_nowhere:Gone\nodd = json:dumps\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    for kind, message in (
        ("gone", "which cannot be imported: ModuleNotFoundError(\"No module named 'broken_nowhere'\")"),
        ("odd", "expected a subclass of archsim.spec.component.Component"),
    ):
        value = {"gone": "broken_nowhere:Gone", "odd": "json:dumps"}[kind]
        Path("f.yaml").write_text(CHIP + f"components: {{x: {{kind: {kind}}}}}\n")
        done = subprocess.run([sys.executable, "-m", *FILE], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr == f"archsim: the component kind {kind!r} is registered as {value!r}, {message}\n"


# -- memory and time ----------------------------------------------------------------------------

MEGA = 1024 * 1024
LARGE = {
    "10 MB of nested aliases": lambda: (
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 100_000))
    ),
    "3 MB of nested aliases": lambda: (
        "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 90_000))
    ),
    "4 MB of anchors": lambda: "deviations:\n" + "- &a 1\n" * 550_000,
    "4 MB of the same key": lambda: "a: 1\n" * 800_000,
    "4 MB of keys": lambda: CHIP + "".join(f"k{n}: 1\n" for n in range(350_000)),
    "4 MB of list": lambda: CHIP + "deviations: [" + "1," * 2_000_000 + "]\n",
    "4 MB of rows": lambda: CHIP + "components:\n" + "".join(f"  r{n}: {{kind: x{n}}}\n" for n in range(150_000)),
    "4 MB of one name": lambda: CHIP + "tile: " + "x" * 4_000_000 + "\n",
    "4 MB of one key": lambda: CHIP + '? "' + "x" * 4_000_000 + '"\n: 1\n',
    "as many wrong rows as are read": lambda: (
        CHIP + "components:\n" + "".join(f"  r{n}: {{kind: bus, z{n}: 1}}\n" for n in range(1900))
    ),
    "as many wrong figures as are read": lambda: (
        CHIP + "published: [" + ", ".join("{metric: a, stat: 1, foo: 2, status: x}" for _ in range(5000)) + "]\n"
    ),
}

MEASURED = """
import json, re, sys, time
from archsim.cli import main
import archsim.spec.loader, archsim.report.hardware, archsim.report.workload

def peak_kib():
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1])

sys.argv = ["archsim", "show", "isaac-ce", "--json", "warm.json"]
sys.stdout = open("/dev/null", "w")
try:
    main()
except SystemExit:
    pass
before, start = peak_kib(), time.perf_counter()
sys.argv = ["archsim", "show", "f.yaml"]
try:
    main()
except SystemExit as end:
    code = end.code
print(json.dumps([code, peak_kib() - before, time.perf_counter() - start]), file=sys.__stdout__)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to measure memory")
@pytest.mark.parametrize("case", LARGE)
def test_a_large_bad_file_takes_little_memory_and_time_and_gives_a_short_message(case: str) -> None:
    import json

    Path("f.yaml").write_text(LARGE[case]())
    done = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    code, kib, seconds = json.loads(done.stdout)
    assert code == 2
    assert kib < 50 * 1024
    assert seconds < 20
    assert "Traceback" not in done.stderr
    assert 0 < len(done.stderr) < 40_000
