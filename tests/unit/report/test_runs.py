"""What a run and a comparison print and write."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from archsim.errors import ArchsimError
from archsim.report import files
from archsim.report import runs as module
from archsim.report.files import require_folder
from archsim.report.runs import (
    COMPARE_COLUMNS,
    compare_row,
    comparison_record,
    comparison_tables,
    folder_name,
    headline,
    run_tables,
    statistics,
    write_comparison,
    write_run,
)
from archsim.results import Bottleneck, Ledger, Waiting
from tests.networks import fabricated

FILES = {f"{name}.{end}" for name in ("result", "ledger", "links", "layers") for end in ("csv", "md")} | {
    "resolved.yaml",
    "stats.txt",
}


def printed(content: Any) -> str:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(content)
    return console.export_text()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


# -- what is printed ----------------------------------------------------------------------------


def test_a_run_is_printed_with_its_figures_energy_links_and_layers() -> None:
    text = printed(run_tables(fabricated()))
    assert text.startswith("w on 1 × a  (compiled engine, detail core, 8 images, 1234 events)\n")
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if "│" in line]
    assert ["latency", "5 us", "one image in the empty machine, first token in to last out"] in cells
    assert ["steady latency", "7 us", "the same with the pipeline full"] in cells
    assert ["interval", "2 us", "between two images, steady; spread 1.00%"] in cells
    assert ["throughput", "5e+05 image/s", "0.5 of 2 TOPS"] in cells
    assert ["energy, gated", "3 uJ", "per image: actions, and stated static power × interval"] in cells
    assert ["energy, always on", "8 uJ", "per image: every component at full power"] in cells
    assert ["average power", "1.5 W", "gated; always on 4 W"] in cells
    assert ["area", "10 mm²", "1 chip, 2 of 4 tiles in use"] in cells
    assert ["cells in use", "50.0%", "of the arrays in use; 25.0% of all"] in cells
    assert ["limited by", "one", "mvm stage one[0.0] mvm is busy 97% of the interval"] in cells
    assert ["core.adc", "2 uJ", "66.7%"] in cells
    assert ["tile.bus", "1 uJ", "33.3%"] in cells
    assert ["bus", "2", "400", "10.0%", "20.0%"] in cells
    assert ["unit", "1", "-", "5.0%", "5.0%"] in cells
    assert ["one", "4", "90.0%", "5.0%", "2.0%"] in cells
    assert ["pool", "-", "10.0%", "80.0%", "0.0%"] in cells


def test_several_chips_are_chips() -> None:
    assert "5 chips, 2 of 4 tiles in use" in printed(run_tables(fabricated(chips=5)))


def test_names_out_of_files_are_printed_as_they_are() -> None:
    bottleneck = Bottleneck("[/u]", "[/u] mvm", 0.97, "mvm stage [/u] is busy\x1b[31m")
    run = fabricated(
        chip="[red]a", workload="[/b]", waiting={"[/i]": Waiting(1, 0, 0)}, bottleneck=bottleneck, replication={"x": 1}
    )
    text = printed(run_tables(run)) + printed(
        comparison_tables([run], [{"over": "[/b]", "a rather wide column [/i]": 1.0}])
    )
    for words in ("[/b] on 1 × [red]a", "[/i]", "[/u]", "\ufffd[31m", "Relative to [/b]"):
        assert words in text
    assert "\x1b" not in text


def test_a_comparison_is_a_line_a_run_and_the_ratios() -> None:
    runs = [fabricated(), fabricated(chip="b", chips=2, area_mm2=20.0)]
    text = printed(comparison_tables(runs, [{"chip": "b", "over": "a", "metric": "latency", "w": 2.0, "mean": None}]))
    assert "Comparison" in text
    assert "Relative to a" in text
    assert "gated" in text
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if "│" in line]
    assert ["b", "a", "latency", "2", "-"] in cells
    assert "Relative" not in printed(comparison_tables(runs[:1], []))


def test_every_column_of_a_comparison_is_printed_once_beside_the_names() -> None:
    printed_once = [key for keys in module.COMPARE_TABLES.values() for key in keys]
    assert sorted([*printed_once, "workload", "chip"]) == sorted(COMPARE_COLUMNS)


def test_a_comparison_fits_a_terminal_of_80_characters() -> None:
    run = fabricated(chip="isaac-ce", workload="lstm-2048", unit="sample", area_mm2=1452.1)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(comparison_tables([run], []))
    text = console.export_text()
    for words in ("lstm-2048", "isaac-ce", "always on", "per s mm2", "area mm2", "sample", "5e+05"):
        assert f" {words} " in text, words


def test_a_line_of_a_comparison_by_hand() -> None:
    row = compare_row(fabricated())
    assert tuple(row) == COMPARE_COLUMNS
    assert row == {
        "workload": "w",
        "chip": "a",
        "chips": 1,
        "area mm2": 10.0,
        "copies": 4,
        "dense": "25%",
        "per s": pytest.approx(500_000),
        "spread": "1%",
        "unit": "image",
        "latency": "5 us",
        "energy": "3 uJ",
        "always on": "8 uJ",
        "TOPS": pytest.approx(0.5),
        "per s mm2": pytest.approx(50_000),
        "per s W": pytest.approx(1 / 3e-6),  # inferences a joule
        "limited by": "one[0.0] mvm 97%",
    }


def test_the_record_of_a_comparison_holds_plain_numbers() -> None:
    record = comparison_record(fabricated())
    texts = {"workload", "chip", "throughput_unit", "bottleneck"}
    assert {key for key, value in record.items() if isinstance(value, str)} == texts
    assert record["latency_s"] == pytest.approx(5e-6)
    assert record["energy_j_per_inference"] == pytest.approx(3e-6)
    assert record["throughput_per_s_w"] == pytest.approx(1 / 3e-6)


def test_a_design_without_energy_or_area_is_printed_too() -> None:
    run = fabricated(ledger=Ledger(()), area_mm2=0.0)
    assert compare_row(run)["per s W"] is None
    assert compare_row(run)["per s mm2"] is None
    assert "-" in printed(comparison_tables([run], []))
    assert "0 J" in printed(run_tables(run))


# -- what is written ----------------------------------------------------------------------------


def test_a_run_writes_its_files_and_nothing_else(tmp_path: Path) -> None:
    write_run(fabricated(), tmp_path / "deep" / "out")
    assert {path.name for path in (tmp_path / "deep" / "out").iterdir()} == FILES


def test_tables_are_written_as_numbers_in_csv_and_for_reading_in_markdown(tmp_path: Path) -> None:
    write_run(fabricated(), tmp_path)
    assert rows(tmp_path / "links.csv") == [
        {"kind": "bus", "links": "2", "bytes": "400.0", "mean busy": "0.1", "largest busy": "0.2"},
        {"kind": "unit", "links": "1", "bytes": "", "mean busy": "0.05", "largest busy": "0.05"},
    ]
    assert "| bus | 2 | 400 | 10.0% | 20.0% |" in (tmp_path / "links.md").read_text()
    assert rows(tmp_path / "layers.csv")[1] == {
        "layer": "pool",
        "copies": "",
        "busy": "0.1",
        "starved": "0.8",
        "blocked": "0.0",
    }
    assert "| one | 4 | 90.0% | 5.0% | 2.0% |" in (tmp_path / "layers.md").read_text()
    ledger = rows(tmp_path / "ledger.csv")
    assert [(row["component"], row["action"]) for row in ledger] == [
        ("core.adc", "convert"),
        ("tile.bus", "byte"),
        ("tile.bus", "static"),
    ]
    assert sum(float(row["total_j"]) for row in ledger) == pytest.approx(3e-6)
    for row in ledger:
        assert float(row["count"]) * float(row["energy_j"]) == float(row["total_j"])


def test_resolved_yaml_holds_chip_workload_and_options(tmp_path: Path) -> None:
    nested = "name: a\nbibtex: |\n  @x{\n\n    y}\nlist:\n- - 1\n"
    write_run(fabricated(resolved={"chip": nested, "workload": "name: w\n", "run": "chips: 1\n"}), tmp_path)
    value = yaml.safe_load((tmp_path / "resolved.yaml").read_text())
    assert value == {"chip": yaml.safe_load(nested), "workload": {"name": "w"}, "run": {"chips": 1}}


def test_a_run_whose_intervals_still_vary_says_so() -> None:
    assert headline(fabricated())[2]["meaning"] == "between two images, steady; spread 1.00%"
    timing = replace(fabricated().timing, interval_spread=0.25)
    varying = headline(replace(fabricated(), timing=timing))[2]
    assert varying["meaning"] == "between two images, uneven: more --images give a better mean; spread 25.00%"
    alone = headline(replace(fabricated(), timing=replace(timing, images=1, interval_spread=0.0)))[2]
    assert alone["meaning"] == "between two images, not measured, only one was simulated; spread 0.00%"


def test_statistics_are_one_name_value_and_unit_a_line() -> None:
    lines = statistics(fabricated(replication={"a layer_w": 2, "b": 1})).splitlines()
    found = {line.split(" ")[0]: (" ".join(line.split(" ")[1:-1]), line.split(" ")[-1]) for line in lines}
    assert len(found) == len(lines)
    expected = {
        "chip": ("a", "-"),
        "chips": ("1", "-"),
        "latency_s": ("5e-06", "s"),
        "throughput_per_s": ("500000.0", "image/s"),
        "area_mm2": ("10.0", "mm2"),
        "always_on_power_w": ("4.0", "W"),
        "macs": ("500000", "MAC"),
        "effective_tops": ("0.5", "TOPS"),
        "peak.tops": ("2.0", "TOPS"),
        "peak.power_w": ("4.0", "W"),
        "peak.tops_per_w": ("0.5", "TOPS/W"),
        "peak.tops_per_mm2": ("0.2", "TOPS/mm2"),
        "utilisation.cells": ("0.5", "-"),
        "energy_breakdown_j.core.adc": (repr(1000 * 2e-9), "J"),
        "bytes_by_link_kind.bus": ("400.0", "B"),
        "busy_by_link_kind.bus.max": ("0.2", "-"),
        "replication.a_layer_w": ("2", "-"),
        "waiting.one.blocked": ("0.02", "-"),
        "bottleneck.reason": ("mvm stage one[0.0] mvm is busy 97% of the interval", "-"),
        "config_hash": ("0123456789abcdef", "-"),
    }
    for name, value in expected.items():
        assert found[name] == value, name
    assert found["energy_j_per_inference"][1] == found["energy_always_on_j_per_inference"][1] == "J"
    assert found["average_power_w"][1] == "W"
    assert "wall_s" not in found, "the files of a run do not depend on the speed of the machine"


def test_a_comparison_writes_its_tables_and_a_folder_for_each_run(tmp_path: Path) -> None:
    runs = [fabricated(), fabricated(chip="b")]
    write_comparison(runs, [{"chip": "b", "over": "a", "metric": "latency", "w": 2.0}], tmp_path)
    tables = {"comparison.csv", "comparison.md", "ratios.csv", "ratios.md"}
    assert {path.name for path in tmp_path.iterdir()} == tables | {"a-w", "b-w"}
    for name in ("a-w", "b-w"):
        assert {path.name for path in (tmp_path / name).iterdir()} == FILES
    assert [float(row["latency_s"]) for row in rows(tmp_path / "comparison.csv")] == pytest.approx([5e-6, 5e-6])
    assert (
        "| w | a | 1 | 10 | 4 | 25% | 500000 | 1% | image | 5 us | 3 uJ |" in (tmp_path / "comparison.md").read_text()
    )
    assert rows(tmp_path / "ratios.csv") == [{"chip": "b", "over": "a", "metric": "latency", "w": "2.0"}]


def test_a_comparison_of_one_design_writes_no_ratios(tmp_path: Path) -> None:
    write_comparison([fabricated()], [], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"comparison.csv", "comparison.md", "a-w"}


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "a/b", "..", ".hidden", "a\\b", "x\0y", "n" * 400])
def test_no_name_of_a_file_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    run = fabricated(chip=name)
    assert folder_name(run).isprintable()
    write_comparison([run], [], tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    folders = [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
    assert len(folders) == 1
    assert {path.name for path in folders[0].iterdir()} == FILES


def test_nothing_is_written_when_a_text_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(run: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "statistics", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_run(fabricated(), tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        write_comparison([fabricated()], [], tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_is_an_error_before_the_run_and_after(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("")
    for folder in (taken, taken / "deeper"):
        with pytest.raises(ArchsimError) as caught:
            require_folder(folder)
        assert str(caught.value) == f"cannot write into {str(folder)!r}: {str(taken)!r} is not a folder"
        with pytest.raises(ArchsimError, match=r"^cannot make the folder '.*': (File exists|Not a directory)$"):
            write_run(fabricated(), folder)
    require_folder(None)
    require_folder(tmp_path)
    require_folder(tmp_path / "new" / "one")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_folder_without_permission_is_an_error_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    with pytest.raises(ArchsimError, match=r"^cannot write into '.*out': no permission to write in '.*'$"):
        require_folder(tmp_path / "out")
