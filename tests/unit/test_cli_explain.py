"""``archsim explain`` as a user meets it, on a small network and a small chip."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archsim.cli import main
from archsim.sim import explain as module
from tests.networks import CONVOLUTIONS, small, text

Command = Callable[..., tuple[int, str, str]]
SMALL = [word for key in small(8) for word in ("--set", key)]
SLOW_ADC = ["--set", "tile.core.components.adc.rate=0.16 GHz"]


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHSIM_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("small.yaml").write_text(text(CONVOLUTIONS, (3, 8, 8), "small"))


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["archsim", "explain", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        code = caught.value.code
        return (code if isinstance(code, int) else int(code is not None)), out, err

    return run


def explain_json(call: Command, *words: str, images: int = 3) -> dict[str, Any]:
    code, out, err = call(*words, *SMALL, "--images", str(images), "--json", "-")
    assert (code, err) == (0, "")
    value = json.loads(out)
    assert isinstance(value, dict)
    return value


def test_the_bottleneck_is_named_first(call: Command) -> None:
    code, out, err = call("isaac-ce", "small.yaml", *SMALL, *SLOW_ADC, "--images", "4")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("small on 1 × isaac-ce  (compiled engine, detail core, 4 images, ")
    assert out.splitlines()[1].startswith("core.adc in ")


@pytest.mark.parametrize("chip", ["isaac-ce", "puma"])
def test_its_json_holds_the_shares_and_the_what_ifs(call: Command, chip: str) -> None:
    value = explain_json(call, chip, "small.yaml", *SLOW_ADC)
    assert (value["chip"], value["chips"], value["images"], value["unit"]) == (chip, 1, 3, "image")
    assert value["bottleneck"]["names"] == ["core.adc"]
    assert value["bottleneck"]["gain_twice"] > 1.8
    assert {tuple(row["names"]) for row in value["what_ifs"]} > {("core.adc",), ("registers",)}


def test_options_reach_the_compiler_and_the_engine(call: Command) -> None:
    words = ("--replicate", "none", "--engine", "simpy", "--chips", "2", "--component-detail", "two", "--jobs", "1")
    value = explain_json(call, "puma", "small.yaml", *words, images=1)
    assert (value["engine"], value["chips"], value["detail"]) == ("simpy", 2, "component: two")
    assert value["between_inferences"] is None
    assert value["interval_s"] == value["latency_s"]


def test_two_calls_give_the_same_bytes(call: Command) -> None:
    def once() -> str:
        code, out, _ = call("isaac-ce", "small.yaml", *SMALL, "--images", "3", "--out", "folder", "--json", "-")
        assert code == 0
        return out + "".join(path.read_text() for path in sorted(Path("folder").iterdir()))

    assert once() == once()


def test_interval_and_latency_are_those_of_run(call: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    explained = explain_json(call, "puma", "small.yaml", images=4)
    monkeypatch.setattr(
        sys, "argv", ["archsim", "run", "puma", "small.yaml", *SMALL, "--images", "4", "--json", "r.json"]
    )
    with pytest.raises(SystemExit):
        main()
    run = json.loads(Path("r.json").read_text())
    for key in ("interval_s", "latency_s", "events", "config_hash", "version"):
        assert explained[key] == run[key]


def test_records_that_would_not_fit_end_with_a_message(call: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RECORDS", 1_000_000)
    code, out, err = call("isaac-ce", "small.yaml", *SMALL, "--images", "1000", "--out", "folder")
    assert (code, out) == (2, "")
    assert err.startswith(
        "archsim: explain: the records of 1000 images take 0.0177 GiB, the limit is 0.000931 GiB; fewer"
    )
    assert "(--images " in err
    assert not Path("folder").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--chips", "0"], "--chips: expected 'fit' or a number of at least 1, got '0'"),
        (["--images", "20000"], "images: expected 1 to 10000, got 20000"),
        (["--engine", "simpi"], "engine: expected compiled or simpy, got 'simpi'; did you mean 'simpy'?"),
        (["--out", "small.yaml"], "cannot write into 'small.yaml': 'small.yaml' is not a folder"),
        (["--set", "tils=3"], "tils"),
        (["--component-detail", "on"], "'on'; did you mean 'one'?"),
    ],
)
def test_what_is_wrong_is_said_once_with_exit_code_2(call: Command, words: list[str], message: str) -> None:
    code, out, err = call("isaac-ce", "small.yaml", *SMALL, *words)
    assert (code, out) == (2, "")
    assert err.startswith("archsim: ")
    assert message in err


def test_a_network_that_is_not_there_is_named(call: Command) -> None:
    code, _, err = call("isaac-ce", "resnet51")
    assert (code, "resnet50" in err) == (2, True)
