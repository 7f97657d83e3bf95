"""``archsim trace`` and ``archsim run --records`` as a user meets them, on small networks and small chips."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from archsim.explore import trace as module
from tests.networks import CONVOLUTIONS, DENSE, small, text
from tests.perfetto import read_trace

Command = Callable[..., tuple[int, str, str]]
SMALL = [word for key in small(8) for word in ("--set", key)]


@pytest.fixture(autouse=True)
def _in_a_folder_with_two_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled_engine: None) -> None:
    monkeypatch.delenv("ARCHSIM_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(text(CONVOLUTIONS, (3, 8, 8), "small"))
    Path("dense.yaml").write_text(text(DENSE, (128,), "dense"))


def trace(call: Command, *words: str) -> tuple[int, str, str]:
    return call("trace", "isaac-ce", "small.yaml", *SMALL, "-o", "run.pftrace", *words)


def test_a_trace_is_written_and_summed_up(call: Command) -> None:
    code, out, err = trace(call)
    assert (code, err) == (0, "")
    first, second = out.splitlines()
    whole = read_trace(Path("run.pftrace"))
    slices = sum(map(len, whole.slices.values()))
    assert first.startswith(f"run.pftrace: {slices} slices on ")
    assert second.endswith("; open it at ui.perfetto.dev, where 1 ns stands for 1 ps")
    assert sorted(path.name for path in Path().iterdir()) == ["dense.yaml", "run.pftrace", "small.yaml"]


def test_its_options_choose_images_detail_window_tiles_and_arrows(call: Command) -> None:
    words = ["--images", "2", "--chips", "2", "--component-detail", "two", "--flow", "one"]
    code, out, _ = trace(call, *words, "--json", "-")
    assert code == 0
    whole = json.loads(out)
    assert whole["arrows"] > 0
    kinds = {path[-1].rpartition(" ")[2] for path in read_trace(Path("run.pftrace")).tracks()}
    assert {"dac", "adc", "mvm", "fetch", "out"} <= kinds
    window = ["--from", "1 us", "--to", "0.0035 ms", "--tile", "0", "--tile", "1:0"]
    code, out, _ = trace(call, *words, *window, "--json", "part.json")
    assert code == 0
    part = json.loads(Path("part.json").read_text())
    assert (part["from_ps"], part["to_ps"]) == (1_000_000, 3_500_000)
    assert "from 1 us to 3.5 us of a run of " in out
    assert 0 < part["slices"] < whole["slices"]
    tiles = {path[2] for path in read_trace(Path("run.pftrace")).tracks() if len(path) > 2}
    assert tiles == {"tile 0", "tile 8 (1:0)"}


def test_both_engines_write_the_same_trace(call: Command) -> None:
    assert trace(call)[0] == 0
    compiled = Path("run.pftrace").read_bytes()
    assert trace(call, "--engine", "simpy")[0] == 0
    assert Path("run.pftrace").read_bytes() == compiled


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "5"], "--from: expected a time such as '100 ns', got '5' without a unit"),
        (["--to", "5 GHz"], "--to: expected a time such as '100 ns', got the unit 'GHz', which is a unit of frequency"),
        (["--to", "1000000000 s"], "--to: expected a time from 0 to 100 days, got '1000000000 s'"),
        (["--from", "-1 ns"], "--from: expected a time from 0 to 100 days, got '-1 ns'"),
        (["--from", "2 us", "--to", "2 us"], "--to: expected a time after --from, 2 us, got 2 us"),
        (["--to", "0 ns"], "--to: expected a time after --from, 0 ns, got 0 ns"),
        (["--tile", "8"], "--tile: expected 0 to 7, or CHIP:TILE from 0:0 to 0:7, got '8'"),
        (["--tile", "1:0"], "--tile: expected 0 to 7, or CHIP:TILE from 0:0 to 0:7, got '1:0'"),
        (["--tile", "x"], "--tile: expected 0 to 7, or CHIP:TILE from 0:0 to 0:7, got 'x'"),
        (["--tile", ":1"], "--tile: expected 0 to 7, or CHIP:TILE from 0:0 to 0:7, got ':1'"),
        (["--flow", "on"], "--flow: small has no layer 'on'; did you mean 'one'?"),
        (["--chips", "0"], "--chips: expected 'fit' or a number of at least 1, got '0'"),
        (["-o", "nowhere/run.pftrace"], "cannot write 'nowhere/run.pftrace': 'nowhere' is not a folder"),
        (["-o", "."], "cannot write '.': it is a folder"),
    ],
)
def test_a_bad_value_is_one_clear_message_and_exit_code_two(call: Command, words: list[str], message: str) -> None:
    assert trace(call, *words) == (2, "", f"archsim: {message}\n")
    assert not Path("run.pftrace").exists()


def test_a_tile_that_takes_no_part_is_refused_with_the_nearest_that_does(call: Command) -> None:
    code, _, err = call("trace", "isaac-ce", "dense.yaml", *SMALL, "-o", "run.pftrace", "--tile", "0:5")
    assert (code, err) == (2, "archsim: --tile: tile 0:5 takes no part in the run; the nearest that does is 0\n")


def test_a_window_after_the_end_is_refused_with_the_end(call: Command) -> None:
    code, _, err = trace(call, "--from", "1 s")
    assert code == 2
    assert err.startswith("archsim: there is nothing to trace: no lane is busy from 1 s on, and the run ends at ")
    assert not Path("run.pftrace").exists()


def test_a_trace_that_nobody_could_look_at_is_refused_with_what_makes_it_smaller(
    call: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module.MOST == 1_000_000
    monkeypatch.setattr(module, "MOST", 100)
    assert trace(call) == (
        2,
        "",
        "archsim: the timeline would hold more than 100 firings and tokens on links, too many to look at; a window "
        "(--from, --to), some tiles (--tile) or fewer --images make it smaller\n",
    )
    assert not Path("run.pftrace").exists()
    assert trace(call, "--from", "2 us", "--to", "2.01 us")[0] == 0


def test_without_the_perfetto_package_it_says_how_to_get_it(call: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "perfetto.protos.perfetto.trace", None)
    code, _, err = trace(call)
    assert code == 2
    assert err.startswith("archsim: a trace is written with the perfetto package (")
    assert err.endswith("; pip install 'archsim[trace]'\n")


# -- run --records ----------------------------------------------------------------------------------


@pytest.mark.parametrize("images", ["1", "2"])
def test_records_of_the_run_are_written_beside_its_results(call: Command, images: str) -> None:
    words = ["run", "isaac-ce", "small.yaml", *SMALL, "--images", images, "--json", "-"]
    code, out, err = call(*words, "--records", "r")
    assert (code, err) == (0, "")
    value, plain = json.loads(out), json.loads(call(*words)[1])
    for name in ("compile_s", "simulate_s", "wall_s"):
        del value[name], plain[name]
    assert value == plain
    rows = sum(len(pd.read_parquet(f"r/{name}.parquet")) for name in ("firings", "deliveries", "passages"))
    assert rows == value["events"]


def test_records_without_pyarrow_are_npz_and_one_line_says_so(call: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    code, _, err = call("run", "isaac-ce", "dense.yaml", *SMALL, "--images", "1", "--records", "r")
    assert code == 0
    (line,) = err.splitlines()
    assert line.startswith("archsim: records are written as .npz, as Parquet needs pyarrow (")
    assert {path.suffix for path in Path("r").iterdir()} == {".npz"}


def test_a_folder_for_records_that_cannot_be_is_refused_before_the_run(call: Command) -> None:
    code, out, err = call("run", "isaac-ce", "dense.yaml", *SMALL, "--records", "small.yaml")
    assert (code, out) == (2, "")
    assert err == "archsim: cannot write into 'small.yaml': 'small.yaml' is not a folder\n"
