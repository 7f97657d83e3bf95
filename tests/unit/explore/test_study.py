"""Studies from the file to the table: order, failures, what is kept and shared, and what a kill leaves."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from archsim.errors import ArchsimError
from archsim.explore import evaluate as evaluation
from archsim.explore import study as module
from archsim.explore import workers
from archsim.explore.store import FEW, Store
from archsim.explore.study import Summary, load_study, run_study
from archsim.explore.workers import ATTEMPTS, LOST, Item, work_off
from tests.kills import IN_PROC, MANY, kill_ten_times, killed, when_parts_are_there, workers_of
from tests.networks import DENSE, text

CHIPS = """\
schema: 1
kind: study
name: chips
designs: [isaac-ce, {chip: isaac-ce, name: coarse, set: {tile.core.components.adc.bits: 6}}]
parameters:
  tiles: [42, 168]
  tile.core.components.adc.rate: {from: 0.64 GHz, to: 1.28 GHz, step: +0.64}
objectives: {peak_tops_per_w: max, peak_tops: max}
"""

RUNS = """\
schema: 1
kind: study
name: runs
designs: [isaac-ce]
workloads: [net.yaml]
set: {tiles: 4, noc.columns: 1, noc.rows: 1}
parameters:
  tile.core.components.adc.rate: {from: 0.80 GHz, to: 1.28 GHz, step: +0.04}
options: {images: 2}
"""


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHSIM_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(text(DENSE, (128,), "net"))


def ran(content: str, out: str = "out", **options: Any) -> Summary:
    Path("s.yaml").write_text(content)
    return run_study(load_study("s.yaml"), Path(out), **options)


def tables(out: str) -> dict[str, bytes]:
    return {name: Path(out, name).read_bytes() for name in ("table.csv", "table.parquet", "breakdown.parquet")}


# -- the table ----------------------------------------------------------------------------------


def test_the_table_has_the_order_of_the_grid_the_last_parameter_fastest() -> None:
    summary = ran(CHIPS)
    labels = ("design", "tiles", "tile.core.components.adc.rate")
    assert [tuple(record[key] for key in labels) for record in summary.records] == [
        (design, tiles, rate)
        for design in ("isaac-ce", "coarse")
        for tiles in (42, 168)
        for rate in ("0.64 GHz", "1.28 GHz")
    ]
    with Path("out/table.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["tiles"] for row in rows] == ["42", "42", "168", "168"] * 2
    assert {(row["engine"], row["events"]) for row in rows} == {("none: roll-up of the chip", "0")}
    frame = pd.read_parquet("out/table.parquet")
    assert frame["peak_tops"].tolist() == [record["peak_tops"] for record in summary.records]
    assert summary.records[3]["peak_tops"] == pytest.approx(41.29, abs=0.005)


def test_parts_of_power_and_area_add_up_to_the_figures_of_the_chip() -> None:
    ran(CHIPS)
    table, parts = pd.read_parquet("out/table.parquet"), pd.read_parquet("out/breakdown.parquet")
    sums = parts.groupby("point")[["power_w", "area_mm2"]].sum()
    assert sums["power_w"].tolist() == pytest.approx(table["peak_power_w"].tolist(), rel=1e-12)
    assert sums["area_mm2"].tolist() == pytest.approx(table["chip_area_mm2"].tolist(), rel=1e-12)


def test_a_point_on_a_network_has_the_figures_of_a_run() -> None:
    summary = ran(RUNS)
    from archsim.explore.options import Options
    from archsim.explore.run import load_design, run_design

    words = ["tiles=4", "noc.columns=1", "noc.rows=1", 'tile.core.components.adc.rate="1.28 GHz"']
    run = run_design(load_design("isaac-ce", "net.yaml", words), None, Options(images=2))
    last = summary.records[-1]
    assert last["tile.core.components.adc.rate"] == "1.28 GHz"
    assert (last["engine"], last["events"], last["chips"]) == ("compiled", run.timing.events, 1)
    assert (last["latency_s"], last["energy_j"]) == (run.latency_s, run.energy_j)
    parts = pd.read_parquet("out/breakdown.parquet").query("point == 12")
    assert parts["energy_j"].sum() == pytest.approx(run.energy_j, rel=1e-12)


def test_chips_images_and_choices_can_be_varied() -> None:
    summary = ran(
        RUNS.split("parameters:", maxsplit=1)[0]
        + "parameters:\n  chips: [1, 2]\n  options.images: [1, 3]\n"
        + "  size: {choices: {small: {tile.core.count: 6}, large: {tile.core.count: 12}}}\n"
    )
    assert [(r["chips"], r["options.images"], r["size"]) for r in summary.records] == [
        (chips, images, size) for chips in (1, 2) for images in (1, 3) for size in ("small", "large")
    ]
    events = {record["options.images"]: record["events"] for record in summary.records}
    assert events[3] > events[1]


def test_boards_that_are_too_small_can_be_programmed_anew() -> None:
    Path("net.yaml").write_text(text(tuple({"dense": 256, "name": f"d{k}"} for k in range(6)), (256,), "net"))
    head = RUNS.split("set:", maxsplit=1)[0] + "set: {tiles: 1, noc.columns: 1, noc.rows: 1}\nchips: 1\n"
    summary = ran(head + "options: {images: 2}\nparameters: {options.reprogram: [false, true]}\n")
    refused, phased = summary.records
    assert refused["status"] == "failed"
    assert "--reprogram runs it in phases" in refused["reason"]
    assert phased["status"] == "ok"
    parts = pd.read_parquet("out/breakdown.parquet").query("point == 1")
    assert parts["energy_j"].sum() == pytest.approx(phased["energy_j"], rel=1e-12)
    wrong = ran(head + "parameters: {options.reprogram: [sometimes]}\n", "wrong").records[0]
    assert wrong["reason"] == "options.reprogram: expected true or false, got 'sometimes'"


def test_constraints_mark_points() -> None:
    summary = ran(CHIPS + "constraints: {peak_power_w: {at_most: 30}, peak_tops: {at_least: 8}}\n")
    for record in summary.records:
        assert record["feasible"] == (record["peak_power_w"] <= 30 and record["peak_tops"] >= 8)
    assert {record["feasible"] for record in summary.records} == {True, False}


def test_the_manifest_names_versions_seed_and_resolved_designs() -> None:
    ran(CHIPS)
    manifest = json.loads(Path("out/manifest.json").read_text())
    assert manifest["versions"]["archsim"] == module.__version__
    assert (manifest["seed"], manifest["points"], len(manifest["keys"])) == (0, 8, 8)
    assert "bits: 8" in manifest["designs"]["isaac-ce"]
    assert str(Path.cwd()) not in Path("out/manifest.json").read_text()


# -- failures -----------------------------------------------------------------------------------


def test_a_point_that_fails_is_a_row_with_its_reason_and_stops_no_other() -> None:
    summary = ran(
        RUNS.split("parameters:", maxsplit=1)[0]
        + "parameters:\n  tile.core.components.adc.bits: [8, 99]\n  tiles: [4, 0]\n  chips: [fit, 1]\n"
        + "  workload.input: [[128], [100000]]\n"
    )
    status = [(r["status"], r["tile.core.components.adc.bits"], r["tiles"]) for r in summary.records]
    assert len(status) == 16
    good = [record for record in summary.records if record["status"] == "ok"]
    assert {(r["tile.core.components.adc.bits"], r["tiles"]) for r in good} == {(8, 4)}
    reasons = {record["reason"] for record in summary.records if record["status"] == "failed"}
    assert "--set tiles=0: tiles: expected at least 1, got 0" in reasons
    assert any(reason.startswith("net does not fit 1 × isaac-ce: it needs") for reason in reasons)
    assert all(record["energy_j"] is None for record in summary.records if record["status"] == "failed")
    assert ran(Path("s.yaml").read_text()).run == 0


def test_an_option_that_cannot_be_is_a_row() -> None:
    summary = ran(
        RUNS.split("parameters:", maxsplit=1)[0] + "parameters: {chips: [1, none], options.images: [2, -2]}\n"
    )
    assert [record["reason"] for record in summary.records] == [
        None,
        "images: expected a whole number of at least 1, got -2",
        "chips: expected a whole number of at least 1, got 'none'",
        "images: expected a whole number of at least 1, got -2",
    ]


def test_a_fault_of_archsim_is_a_row_that_the_next_run_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh")

    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "run_design", broken)
        summary = ran(RUNS)
        assert {record["reason"] for record in summary.records} == {"ZeroDivisionError: oh"}
    again = ran(RUNS)
    assert (again.run, again.failed) == (13, 0)


# -- what is kept -------------------------------------------------------------------------------


def test_nothing_is_run_twice_and_a_larger_study_runs_only_what_is_new() -> None:
    assert ran(CHIPS).run == 8
    before = tables("out")
    assert ran(CHIPS).run == 0
    assert tables("out") == before
    assert ran(CHIPS.replace("[42, 168]", "[42, 84, 168]")).run == 4


def test_points_that_come_to_the_same_are_run_once() -> None:
    same = CHIPS.replace("set: {tile.core.components.adc.bits: 6}", "set: {}")
    summary = ran(same)
    assert (len(summary.records), summary.run) == (8, 4)


def test_two_studies_share_a_store() -> None:
    assert ran(CHIPS, "one", store=Path("store")).run == 8
    assert ran(CHIPS.replace("[42, 168]", "[168, 42]"), "two", store=Path("store")).run == 0
    assert not Path("one/points").exists()


@pytest.mark.slow
def test_two_studies_at_work_on_one_store_at_once_give_what_each_gives_alone() -> None:
    Path("s.yaml").write_text(RUNS)
    Path("t.yaml").write_text(RUNS.replace("from: 0.80", "from: 0.88"))
    command = [sys.executable, "-m", "archsim", "study"]
    both = [
        subprocess.Popen([*command, f"{name}.yaml", "--out", name, "--store", "store"], stdout=subprocess.DEVNULL)
        for name in ("s", "t")
    ]
    assert [process.wait() for process in both] == [0, 0]
    for name in ("s", "t"):
        run_study(load_study(f"{name}.yaml"), Path(f"{name}-alone"))
        assert tables(name) == tables(f"{name}-alone")


def test_many_parts_become_one_and_lose_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for index in range(FEW + 1):
        store.write([{"key": f"{index:03}", "status": "ok", "peak_tops": float(index)}])
    before = store.rows()
    store.compact()
    assert len(list(store.folder.iterdir())) == 1
    assert Store(store.folder).rows() == before
    store.write([{"key": "000", "status": "ok", "peak_tops": 0.0}])
    assert store.rows() == before


def test_a_part_that_is_damaged_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (store.folder / "x.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(ArchsimError, match=r"x\.parquet' is damaged .*; delete it, and its points are run again$"):
        store.rows()


def test_what_was_half_written_under_a_temporary_name_is_not_read(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (store.folder / ".abc.tmp").write_bytes(b"PAR1")
    assert store.rows() == {}


def test_one_command_at_a_time_in_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        module._alone(Path()),
        pytest.raises(ArchsimError, match=r"^another archsim study is at work in '\.'$"),
        module._alone(Path()),
    ):
        pass


def test_without_pyarrow_a_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ArchsimError, match=r"needs pyarrow: pip install 'archsim\[study\]'$"):
        ran(CHIPS)
    assert not Path("out").exists()


# -- draws --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["random", "latin-hypercube"])
def test_a_draw_follows_from_its_seed(name: str) -> None:
    head = CHIPS.split("parameters:", maxsplit=1)[0] + "parameters:\n  tiles: {from: 1, to: 168}\n"
    head += "  tile.core.components.adc.bits: [4, 5, 6, 7, 8]\n"

    def drawn(seed: int) -> list[tuple[Any, ...]]:
        content = head + f"method: {{name: {name}, points: 10, seed: {seed}}}\n"
        return [tuple(r[key] for key in list(r)[1:4]) for r in ran(content, f"out{seed}").records]

    first = drawn(1)
    assert len(first) == 10
    assert drawn(1) == first
    assert drawn(2) != first
    if name == "latin-hypercube":  # each fifth of the values twice, each tenth of the range once
        assert sorted(row[2] for row in first) == [4, 4, 5, 5, 6, 6, 7, 7, 8, 8]
        assert sorted((row[1] - 1) * 10 // 168 for row in first) == list(range(10))


def test_a_draw_of_listed_values_draws_none_twice_and_no_more_than_there_are() -> None:
    summary = ran(CHIPS + "method: {name: random, points: 8}\n")
    assert len({record["key"] for record in summary.records}) == 8
    with pytest.raises(ArchsimError, match=r"^method\.points: the parameters have 8 settings, got 9 points; take a gr"):
        ran(CHIPS + "method: {name: random, points: 9}\n")


# -- kills --------------------------------------------------------------------------------------


def test_two_processes_give_the_same_bytes_as_one() -> None:
    ran(RUNS, "one", jobs=1)
    ran(RUNS, "two", jobs=2)
    assert tables("one") == tables("two")


def test_a_point_whose_worker_is_always_killed_is_given_up_and_the_others_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "_work", _work_and_die_at_the_third)
    started = []
    original = workers._Pool._start
    monkeypatch.setattr(workers._Pool, "_start", lambda pool: started.append(1) or original(pool))
    store = Store(Path("store"))
    items = [Item(f"{index}", {"index": index}) for index in range(5)]
    faults = work_off(2, items, store, 2)
    assert faults == {"2": LOST}
    assert set(store.rows()) == {"0", "1", "3", "4"}
    assert len(started) >= ATTEMPTS


def _work_and_die_at_the_third(connection: Any, folder: str, environment: Any) -> None:
    store = Store(Path(folder))
    while True:
        try:
            batch = json.loads(connection.recv_bytes())
        except EOFError:
            return
        if any(request["index"] == 2 for _, request in batch):
            os.kill(os.getpid(), signal.SIGKILL)
        store.write([{"key": key, "status": "ok"} for key, _ in batch])
        connection.send_bytes(b'{"faults": {}}')


@IN_PROC
def test_a_study_killed_in_the_middle_goes_on_to_the_same_bytes() -> None:
    ran(RUNS, "alone")

    def kill_a_worker_then_the_parent(process: subprocess.Popen[bytes]) -> None:
        when_parts_are_there("killed", process, 2)
        for pid in workers_of(process)[:1]:
            os.kill(pid, signal.SIGKILL)
        when_parts_are_there("killed", process, 5)
        process.kill()

    assert killed("killed", kill_a_worker_then_the_parent) == -signal.SIGKILL
    assert not Path("killed/table.csv").exists()
    summary = ran(RUNS, "killed")
    assert 0 < summary.run <= 13 - 5
    assert tables("killed") == tables("alone")


@pytest.mark.slow
@IN_PROC
def test_a_study_killed_at_ten_random_moments_gives_the_same_bytes() -> None:
    ran(MANY, "alone", jobs=2)
    kill_ten_times("killed", "--jobs", "2")
    ran(MANY, "killed", jobs=2)
    assert tables("killed") == tables("alone")


# -- what follows, what is limited ---------------------------------------------------------------


def test_a_key_may_be_the_least_of_products_and_have_to_keep_to_a_limit() -> None:
    summary = ran(
        "schema: 1\nkind: study\nname: s\ndesigns: [isaac-ce]\n"
        "parameters: {tile.core.components.adc.count: [4, 8, 16], tile.core.count: [6, 12]}\n"
        "set: {tile.components.bus.rated_count: 96}\n"
        "products:\n  tile.components.bus.count:\n    least: [[tile.core.count, 8], "
        "[tile.core.count, tile.core.components.adc.count]]\n"
        "constraints: {tile.components.bus.count: {at_most: 48}, peak_tops: {at_least: 15}}\n"
    )
    assert [record["tile.components.bus.count"] for record in summary.records] == [24, 48, 48, 96, 48, 96]
    assert [record["feasible"] for record in summary.records] == [False, True, True, False, True, False]
    widths = pd.read_parquet("out/breakdown.parquet").query("component == 'tile.bus'")["power_w"]
    assert widths.tolist() == pytest.approx([168 * 7e-3 * share / 96 for share in (24, 48, 48, 96, 48, 96)])


def test_accuracy_is_a_metric_of_networks_with_weights() -> None:
    pytest.importorskip("sklearn")
    summary = ran(
        "schema: 1\nkind: study\nname: s\ndesigns: [isaac-ce]\nworkloads: [digits-mlp]\noptions: {images: 2}\n"
        "parameters: {tile.core.components.adc.bits: [4, 8]}\nmetrics: [accuracy, energy_j]\nprofiles: 0\n"
        "accuracy: {data: digits, samples: 40, seeds: 2}\n"
    )
    few, enough = summary.records
    assert 0 <= few["accuracy"] < 0.6 < enough["accuracy"] <= 1
    assert few["energy_j"] < enough["energy_j"]
