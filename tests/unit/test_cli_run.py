"""``archsim run`` and ``archsim compare`` as a user meets them, on small networks and small chips."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from archsim import __version__
from archsim.explore import compare as comparing
from archsim.explore.run import Design
from archsim.sim import compiled as compiled_engine
from archsim.sim import reference
from archsim.spec.loader import load_chip
from archsim.workload import load_graph
from tests.networks import CONVOLUTIONS, DENSE, RUN_KEYS, small, text

Command = Callable[..., tuple[int, str, str]]
WALL = ("compile_s", "simulate_s", "wall_s")
SMALL = [word for key in small(8) for word in ("--set", key)]


@pytest.fixture(autouse=True)
def _in_a_folder_with_two_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled_engine: None) -> None:
    monkeypatch.delenv("ARCHSIM_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(text(CONVOLUTIONS, (3, 8, 8), "small"))
    Path("dense.yaml").write_text(text(DENSE, (128,), "dense"))
    Path("steps.yaml").write_text(text(({"lstm": 16},), (16,), "steps", sequence=4))


def run_json(call: Command, *words: str, images: int = 3) -> dict[str, Any]:
    code, out, err = call("run", *words, *SMALL, "--images", str(images), "--json", "-")
    assert (code, err) == (0, "")
    value = json.loads(out)
    assert isinstance(value, dict)
    return value


# -- run ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("chip", ["isaac-ce", "puma"])
def test_the_json_of_run_holds_every_promised_key(call: Command, chip: str) -> None:
    value = run_json(call, chip, "small.yaml")
    for key, kind in RUN_KEYS.items():
        assert type(value[key]) is kind, key
    assert (value["chip"], value["workload"], value["chips"], value["images"]) == (chip, "small", 1, 3)
    assert (value["throughput_unit"], value["detail"], value["version"]) == ("image", "core", __version__)
    assert {"tops", "power_w", "area_mm2", "tops_per_w", "tops_per_mm2"} <= set(value["peak"])
    assert {"cells", "time"} <= set(value["utilisation"])
    assert set(value["bottleneck"]) >= {"layer", "reason"}
    assert set(value["replication"]) == {"one", "two", "last"}
    energy = value["energy_j_per_inference"]
    assert sum(value["energy_breakdown_j"].values()) == pytest.approx(energy, rel=1e-12)
    assert value["average_power_w"] * value["interval_s"] == pytest.approx(energy, rel=1e-12)
    assert value["energy_always_on_j_per_inference"] >= energy > 0
    assert value["energy_breakdown_j"]["chip.hyper_transport"] > 0
    assert {"chip-in", "chip-out"} <= set(value["bytes_by_link_kind"])
    assert value["steady_latency_s"] >= value["latency_s"] > 0
    assert value["throughput_per_s"] == pytest.approx(1 / value["interval_s"])


def test_a_sequence_is_counted_as_one_inference_of_its_steps(call: Command) -> None:
    value = run_json(call, "isaac-ce", "steps.yaml")
    assert value["throughput_unit"] == "sequence"
    more = run_json(call, "isaac-ce", "steps.yaml", "--set", "workload.sequence=8")
    assert more["macs"] == 2 * value["macs"]
    assert more["latency_s"] > value["latency_s"]


def test_run_prints_its_tables_and_writes_json_to_a_file(call: Command) -> None:
    code, out, err = call("run", "isaac-ce", "small.yaml", *SMALL, "--images", "2", "--json", "r.json")
    assert (code, err) == (0, "")  # no progress where there is no terminal
    assert out.startswith("small on 1 × isaac-ce  (")
    for title in ("Result", "Energy", "Links", "Layers"):
        assert f"\n{title} " in out
    assert json.loads(Path("r.json").read_text())["workload"] == "small"


def test_two_runs_give_the_same_bytes_apart_from_wall_clock(call: Command) -> None:
    def once() -> str:
        value = run_json(call, "puma", "small.yaml")
        return json.dumps({key: value[key] for key in value if key not in WALL})

    assert once() == once()


def test_both_engines_give_the_same_json_apart_from_engine_and_wall_clock(call: Command) -> None:
    both = []
    for engine in ("simpy", "compiled"):
        value = run_json(call, "isaac-ce", "small.yaml", "--engine", engine)
        assert value.pop("engine") == engine
        both.append({key: value[key] for key in value if key not in WALL})
    assert both[0] == both[1]


def test_energy_and_interval_of_a_steady_network_do_not_hang_on_the_number_of_images(call: Command) -> None:
    few, many = (run_json(call, "isaac-ce", "dense.yaml", images=images) for images in (4, 12))
    for key in ("interval_s", "energy_j_per_inference", "latency_s"):
        assert few[key] == pytest.approx(many[key], rel=1e-12)
    assert few["interval_spread"] == 0


@pytest.mark.parametrize(("given", "chips"), [("fit", 1), ("1", 1), ("3", 3)])
def test_chips_fit_or_a_number(call: Command, given: str, chips: int) -> None:
    assert run_json(call, "isaac-ce", "dense.yaml", "--chips", given)["chips"] == chips


def test_factors_for_layers_one_of_each_or_balanced(call: Command) -> None:
    def copies(*words: str) -> dict[str, int]:
        found = run_json(call, "isaac-ce", "small.yaml", *words)["replication"]
        assert isinstance(found, dict)
        return found

    assert copies("--replicate", "one=4", "--replicate", "two=2") == {"one": 4, "two": 2, "last": 1}
    assert copies("--replicate", "none") == {"one": 1, "two": 1, "last": 1}
    assert copies()["one"] > 4


def test_a_layer_in_component_detail_is_named(call: Command) -> None:
    value = run_json(call, "isaac-ce", "small.yaml", "--component-detail", "two")
    assert value["detail"] == "component: two"
    assert value["events"] > run_json(call, "isaac-ce", "small.yaml")["events"]


def test_idle_tiles_are_counted_unless_told_otherwise(call: Command) -> None:
    counted = run_json(call, "puma", "dense.yaml")["energy_j_per_inference"]
    assert run_json(call, "puma", "dense.yaml", "--idle-tiles")["energy_j_per_inference"] == counted
    without = run_json(call, "puma", "dense.yaml", "--no-idle-tiles")
    assert without["energy_j_per_inference"] < counted
    assert without["idle_tiles_counted"] is False


def test_set_reaches_the_chip_and_with_its_prefix_the_workload(call: Command) -> None:
    plain = run_json(call, "isaac-ce", "dense.yaml")
    fewer = run_json(call, "isaac-ce", "dense.yaml", "--set", "tile.core.components.adc.bits=6")
    ratio = fewer["energy_breakdown_j"]["core.adc"] / plain["energy_breakdown_j"]["core.adc"]
    assert ratio == pytest.approx(1.20 / 1.67)
    assert run_json(call, "isaac-ce", "dense.yaml", "--set", "workload.input=[64]")["macs"] == 64 * 16
    assert len({value["config_hash"] for value in (plain, fewer)}) == 2


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--chips", "0"], "--chips: expected 'fit' or a number of at least 1, got '0'"),
        (["--chips", "two"], "--chips: expected 'fit' or a number of at least 1, got 'two'"),
        (["--chips", "²"], "--chips: expected 'fit' or a number of at least 1, got '²'"),
        (["--chips", "-1"], "--chips: expected 'fit' or a number of at least 1, got '-1'"),
        (["--chips", "999999999"], "chips: expected 1 to 131072 of 8 tiles each, got 999999999"),
        (["--images", "20000"], "images: expected 1 to 10000, got 20000"),
        (["--engine", "simpi"], "engine: expected compiled or simpy, got 'simpi'; did you mean 'simpy'?"),
        (["--replicate", "one"], "--replicate: expected LAYER=N or none, got 'one'"),
        (["--replicate", "one=²"], "--replicate: expected LAYER=N or none, got 'one=²'"),
        (["--replicate", "on=2"], "replication: no layer with weights named 'on'; did you mean 'one'?"),
        (["--replicate", "one=65"], "replication: one has 64 windows and takes 1 to 64 copies, got 65"),
        (
            ["--component-detail", "on"],
            "component detail: small has no layer 'on'; did you mean 'one'? (layers with weights: one, two, last)",
        ),
        (["--out", "small.yaml"], "cannot write into 'small.yaml': 'small.yaml' is not a folder"),
    ],
)
def test_a_bad_value_is_one_clear_message_and_exit_code_two(call: Command, words: list[str], message: str) -> None:
    assert call("run", "isaac-ce", "small.yaml", *SMALL, *words) == (2, "", f"archsim: {message}\n")


@pytest.mark.parametrize(
    "words",
    [["run"], ["run", "isaac-ce"], ["run", "isaac-ce", "small.yaml", "--images", "0"], ["compare", "isaac-ce"]],
)
def test_a_command_that_lacks_something_shows_its_usage(call: Command, words: list[str]) -> None:
    code, out, err = call(*words)
    assert (code, out) == (2, "")
    assert "Usage: " in err


def test_a_network_that_does_not_fit_the_board_is_refused(call: Command) -> None:
    code, out, err = call("run", "isaac-ce", "mlp-l4", *SMALL, "--chips", "1")
    assert (code, out) == (2, "")
    # 1024·1024 + 1024·2048 + 2048·1024 + 1024·10 in blocks of 128 × 16: 8·64 + 8·128 + 16·64 + 8·1
    assert err.startswith(
        "archsim: mlp-l4 does not fit 1 × isaac-ce: it needs 2568 arrays in whole cores, the board has 768, 1800 too "
        "few. 4 chips hold it once; "
    )


def test_a_name_that_nothing_has_is_refused(call: Command) -> None:
    code, out, err = call("run", "isac-ce", "small.yaml")
    assert (code, out) == (2, "")
    assert "isaac-ce" in err
    code, _, err = call("run", "isaac-ce", "vgg61")
    assert code == 2
    assert "vgg19" in err


# -- files --------------------------------------------------------------------------------------


def test_out_holds_configuration_statistics_and_tables(call: Command) -> None:
    words = ["--set", "tile.core.components.adc.bits=6", "--set", "workload.input=[3, 9, 9]", "--replicate", "one=4"]
    code, out, _ = call("run", "isaac-ce", "small.yaml", *SMALL, *words, "--images", "2", "--out", "o", "--json", "-")
    assert code == 0
    value = json.loads(out)
    expected = {"resolved.yaml", "stats.txt"}
    tables = ("result", "ledger", "links", "layers", "loading", "loading_ledger")
    expected |= {f"{name}.{end}" for name in tables for end in ("csv", "md")}
    assert {path.name for path in Path("o").iterdir()} == expected

    resolved = yaml.safe_load(Path("o/resolved.yaml").read_text())
    assert list(resolved) == ["chip", "workload", "run"]
    for name in ("chip", "workload"):
        Path(f"{name}.yaml").write_text(yaml.safe_dump(resolved[name]))
    again = Design(load_chip("chip.yaml"), *load_graph("workload.yaml"))
    assert again.config_hash == value["config_hash"]
    assert again.chip.model.tile.core.the("adc")[1].bits == 6  # type: ignore[attr-defined]
    assert resolved["run"]["replication"] == {"one": 4}
    assert resolved["run"]["images"] == 2

    stats = [line.split(" ") for line in Path("o/stats.txt").read_text().splitlines()]
    figures = {line[0]: (line[1], line[-1]) for line in stats}
    assert not {"compile_s", "simulate_s", "wall_s"} & set(figures), "a clock has no place in the files of a run"
    assert figures["latency_s"] == (repr(value["latency_s"]), "s")
    assert figures["energy_j_per_inference"] == (repr(value["energy_j_per_inference"]), "J")
    assert figures["config_hash"] == (value["config_hash"], "-")
    with Path("o/ledger.csv").open(newline="") as stream:
        total = sum(float(row["total_j"]) for row in csv.DictReader(stream))
    assert total == pytest.approx(value["energy_j_per_inference"], rel=1e-12)


def test_an_interrupt_in_the_engine_leaves_no_file_and_no_traceback(
    call: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reference, "run", interrupted)
    before = sorted(Path().iterdir())
    words = ["--engine", "simpy", "--out", "o", "--json", "r.json"]
    for command in (["run", "isaac-ce", "small.yaml"], ["compare", "isaac-ce", "--workload", "small.yaml"]):
        code, out, _ = call(*command, *SMALL, *words)
        assert code != 0
        assert out == ""
        assert sorted(Path().iterdir()) == before


def test_an_interrupt_while_writing_leaves_every_file_whole(call: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from archsim.report import files

    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fdopen", interrupted)
    code, _, _ = call("run", "isaac-ce", "small.yaml", *SMALL, "--images", "1", "--out", "o")
    assert code != 0
    assert list(Path("o").iterdir()) == []


# -- compare ------------------------------------------------------------------------------------


def compare(call: Command, *words: str) -> tuple[int, str, str]:
    return call("compare", "isaac-ce", "puma", "--workload", "small.yaml", "--workload", "dense.yaml", *SMALL,
                "--images", "2", "--jobs", "1", *words)  # fmt: skip


def test_the_json_of_compare_is_a_list_of_runs_in_order(call: Command) -> None:
    code, out, err = compare(call, "--json", "-")
    assert code == 0
    runs = json.loads(out)
    order = [("small", "isaac-ce"), ("small", "puma"), ("dense", "isaac-ce"), ("dense", "puma")]
    assert [(run["workload"], run["chip"]) for run in runs] == order
    for run in runs:
        for key, kind in RUN_KEYS.items():
            assert type(run[key]) is kind, key
    lines = err.splitlines()
    assert [line.split(": ")[0] for line in lines] == [f"{work} on 1 × {chip}" for work, chip in order]


def test_compare_uses_as_many_processes_as_it_is_told(call: Command) -> None:
    assert compare(call, "--jobs", "2", "--json", "-")[0] == 0
    assert call("compare", "puma", "--workload", "small.yaml", "--jobs", "0")[0] == 2


def test_compare_prints_a_table_and_the_ratios(call: Command) -> None:
    code, out, _ = compare(call)
    assert code == 0
    assert "Comparison" in out
    assert "Relative to isaac-ce" in out
    assert "geometric mean" in out


def test_the_line_of_each_run_appears_as_soon_as_it_is_ready(
    call: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real, before = comparing.run_design, []

    def run_design(design: Any, chips: Any, options: Any) -> Any:
        before.append(len(capsys.readouterr().err.splitlines()))
        return real(design, chips, options)

    monkeypatch.setattr(comparing, "run_design", run_design)
    assert compare(call)[0] == 0
    assert before == [0, 1, 1, 1]  # lines that were new before each run


def test_compare_takes_a_number_of_chips_for_all(call: Command) -> None:
    code, out, _ = compare(call, "--chips", "2", "--json", "-")
    assert code == 0
    assert [run["chips"] for run in json.loads(out)] == [2, 2, 2, 2]


def test_compare_writes_its_tables_and_a_folder_a_run(call: Command) -> None:
    assert compare(call, "--out", "o")[0] == 0
    names = {path.name for path in Path("o").iterdir()}
    folders = {f"{chip}-{work}" for chip in ("isaac-ce", "puma") for work in ("small", "dense")}
    assert names == folders | {"comparison.csv", "comparison.md", "ratios.csv", "ratios.md"}
    with Path("o/comparison.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 4
    assert all(float(row["latency_s"]) > 0 for row in rows)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--engine", "gpu"], "engine: expected compiled or simpy, got 'gpu'"),
        (["--chips", "999999999"], "chips: expected 1 to 131072 of 8 tiles each, got 999999999"),
        (["--out", "small.yaml"], "cannot write into 'small.yaml': 'small.yaml' is not a folder"),
    ],
)
def test_compare_refuses_bad_values_before_it_runs_anything(call: Command, words: list[str], message: str) -> None:
    assert compare(call, *words) == (2, "", f"archsim: {message}\n")


def test_the_compiled_engine_is_the_default_where_it_can_run(call: Command) -> None:
    assert callable(compiled_engine.run)
    assert run_json(call, "isaac-ce", "dense.yaml")["engine"] == "compiled"
