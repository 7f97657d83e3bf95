"""All records of a run in files: one row an event, the same from Parquet and .npz."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest

from archsim.compile.network import Compiled, compile_network
from archsim.errors import ArchsimError
from archsim.program import Program
from archsim.report import records as module
from archsim.report.records import write_records
from archsim.sim.engines import engine
from archsim.sim.outcome import Outcome
from tests.networks import CONVOLUTIONS, chip, network

NAMES = {"firings", "deliveries", "passages", "stages", "flows", "ends", "hops", "links"}
Made = tuple[Compiled, Program, Outcome]


@pytest.fixture(scope="module")
def made() -> Made:
    compiled = compile_network(network(CONVOLUTIONS, (3, 8, 8)), chip("isaac-ce", 12), 1)
    program = compiled.for_images(2)
    return compiled, program, engine("compiled")(program, records="all")


def without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)


def read(folder: Path) -> dict[str, pd.DataFrame]:
    tables = {}
    for path in folder.iterdir():
        if path.suffix == ".parquet":
            tables[path.stem] = pd.read_parquet(path)
        else:
            with np.load(path) as columns:
                tables[path.stem] = pd.DataFrame({name: columns[name] for name in columns.files})
    return tables


@pytest.fixture(params=["parquet", "npz"])
def tables(
    request: pytest.FixtureRequest, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, pd.DataFrame]:
    with monkeypatch.context() as patched:
        if request.param == "npz":
            without_pyarrow(patched)
        write_records(tmp_path / "r", *made)
    assert {path.name for path in (tmp_path / "r").iterdir()} == {f"{name}.{request.param}" for name in NAMES}
    return read(tmp_path / "r")


def test_every_firing_is_a_row(tables: dict[str, pd.DataFrame], made: Made) -> None:
    compiled, program, outcome = made
    firings = tables["firings"]
    columns = "stage name layer tile firing start_ps busy_ps starved_ps blocked_ps bound"
    assert list(firings.columns) == columns.split()
    assert len(firings) == sum(stage.firings for stage in program.stages)
    for number, stage in enumerate(program.stages):
        own = firings[firings.stage == number]
        assert own.firing.tolist() == list(range(stage.firings))
        assert set(own.name) == {stage.name}
        assert set(own.layer) == {stage.layer}
        assert set(own.tile) == {compiled.stage_tile[number]}
        for column, kept in (("start_ps", "starts"), ("starved_ps", "starved"), ("blocked_ps", "blocked")):
            assert own[column].tolist() == getattr(outcome.records, kept)[number].tolist()
        assert own.bound.tolist() == outcome.records.bound[number].tolist()
        assert own.busy_ps.sum() == outcome.stage_own_time[number]


def test_every_delivery_and_passage_is_a_row_that_names_what_it_belongs_to(
    tables: dict[str, pd.DataFrame], made: Made
) -> None:
    outcome = made[2]
    deliveries, passages = tables["deliveries"], tables["passages"]
    assert list(deliveries.columns) == ["end", "flow", "stage", "token", "time_ps"]
    assert list(passages.columns) == ["hop", "flow", "link", "token", "start_ps", "busy_ps", "queued_ps"]
    assert deliveries.groupby("end").time_ps.max().to_dict() == {
        end: last for end, last in enumerate(outcome.end_last.tolist()) if outcome.end_delivered[end]
    }
    assert passages.groupby("link").busy_ps.sum().to_dict() == dict(enumerate(outcome.link_busy.tolist()))
    assert passages.groupby("link").queued_ps.sum().to_dict() == dict(enumerate(outcome.link_waited.tolist()))
    assert len(deliveries) + len(passages) + len(tables["firings"]) == outcome.events
    joined = passages.merge(tables["hops"], on="hop", suffixes=("", "_of_hop"))
    assert (joined.flow == joined.flow_of_hop).all()
    assert (joined.link == joined.link_of_hop).all()
    ends = deliveries.merge(tables["ends"], on="end", suffixes=("", "_of_end"))
    assert (ends.flow == ends.flow_of_end).all()
    assert (ends.stage == ends.stage_of_end).all()


def test_the_numbers_can_be_joined_with_names(tables: dict[str, pd.DataFrame], made: Made) -> None:
    _, program, outcome = made
    links = tables["passages"].merge(tables["links"], on="link")
    assert set(links.kind) == {link.kind for link in program.links}
    assert tables["links"].name.tolist() == [link.name for link in program.links]
    assert tables["stages"].component.tolist() == [stage.component for stage in program.stages]
    assert tables["flows"].name.tolist() == [flow.name for flow in program.flows]
    starved = tables["firings"].query("bound >= 0").merge(tables["ends"], left_on="bound", right_on="end")
    assert starved.starved_ps.sum() + starved.blocked_ps.sum() == (
        outcome.stage_starved.sum() + outcome.stage_blocked.sum()
    )


def test_parquet_is_written_in_row_groups_and_both_files_are_the_same_for_any_chunk(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_records(tmp_path / "one", *made)
    monkeypatch.setattr(module, "ROWS", 100)
    write_records(tmp_path / "many", *made)
    few, many = (pyarrow.parquet.ParquetFile(tmp_path / name / "passages.parquet") for name in ("one", "many"))
    assert few.num_row_groups == 1
    assert many.num_row_groups >= many.metadata.num_rows / 100
    one, other = read(tmp_path / "one"), read(tmp_path / "many")
    for name in NAMES:
        assert one[name].astype(str).equals(other[name].astype(str))
    without_pyarrow(monkeypatch)
    write_records(tmp_path / "small", *made)
    monkeypatch.setattr(module, "ROWS", 1 << 17)
    write_records(tmp_path / "large", *made)
    for name in NAMES:
        assert (tmp_path / "small" / f"{name}.npz").read_bytes() == (tmp_path / "large" / f"{name}.npz").read_bytes()


def test_the_same_run_gives_the_same_bytes(made: Made, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_records(tmp_path / folder, *made)
    for name in NAMES:
        assert (tmp_path / "a" / f"{name}.parquet").read_bytes() == (tmp_path / "b" / f"{name}.parquet").read_bytes()


def test_without_pyarrow_it_is_said_that_npz_is_written(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []
    monkeypatch.setattr(module.log, "warning", lambda message, *values: said.append(message % values))
    write_records(tmp_path / "with", *made)
    assert said == []
    without_pyarrow(monkeypatch)
    write_records(tmp_path / "without", *made)
    (line,) = said
    assert line.startswith("records are written as .npz, as Parquet needs pyarrow (")
    assert line.endswith("); pip install 'archsim[parquet]'")


def test_an_interrupt_leaves_only_whole_tables(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(table: Any, stream: Any) -> None:
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_write_parquet", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_records(tmp_path / "r", *made)
    assert list((tmp_path / "r").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_an_error(made: Made, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ArchsimError, match=r"^cannot make the folder '.*taken': File exists$"):
        write_records(tmp_path / "taken", *made)
