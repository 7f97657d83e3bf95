"""Study files: ranges by hand, and what is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from archsim.errors import ArchsimError
from archsim.explore import evaluate
from archsim.explore.study import load_study
from archsim.spec.study import METRICS, OF_THE_CHIP, Parameter

HEAD = "schema: 1\nkind: study\nname: s\ndesigns: [isaac-ce]\n"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHSIM_PATH", raising=False)
    monkeypatch.chdir(tmp_path)


def values(**keys: object) -> list[object]:
    return [value for _, value in TypeAdapter(Parameter).validate_python(keys).listed()]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"from": 64, "to": 512, "step": "x2"}, [64, 128, 256, 512]),
        ({"from": 64, "to": 500, "step": "x2"}, [64, 128, 256]),
        ({"from": 1, "to": 10, "step": "+3"}, [1, 4, 7, 10]),
        ({"from": 1, "to": 10, "step": 3}, [1, 4, 7, 10]),  # YAML reads +3 as a number
        ({"from": 0.1, "to": 0.5, "step": "+0.1"}, [0.1, 0.2, 0.3, 0.4, 0.5]),
        ({"from": "0.64 GHz", "to": "1.28 GHz", "step": "+0.32"}, ["0.64 GHz", "0.96 GHz", "1.28 GHz"]),
        ({"from": "16 KiB", "to": "64 KiB", "step": "x2"}, ["16 KiB", "32 KiB", "64 KiB"]),
        ({"from": 5, "to": 5, "step": "+1"}, [5]),
    ],
)
def test_a_range_has_its_start_and_every_step_up_to_its_end(keys: dict[str, object], expected: list[object]) -> None:
    got = values(**keys)
    assert got == expected
    assert [type(value) for value in got] == [type(value) for value in expected]


@given(st.integers(1, 1000), st.integers(0, 5000), st.integers(1, 50))
def test_the_size_is_known_without_the_list_and_is_that_of_the_list(start: int, more: int, step: int) -> None:
    parameter = TypeAdapter(Parameter).validate_python({"from": start, "to": start + more, "step": f"+{step}"})
    assert [value for _, value in parameter.listed()] == list(range(start, start + more + 1, step))
    assert parameter.size == len(parameter.listed())


@given(st.floats(0, 1, exclude_max=True))
def test_a_range_without_a_step_gives_values_between_its_ends(share: float) -> None:
    whole = TypeAdapter(Parameter).validate_python({"from": 3, "to": 5})
    assert whole.size is None
    assert whole.between(share) in (3, 4, 5)
    rate = TypeAdapter(Parameter).validate_python({"from": "0.5 GHz", "to": "2 GHz"}).between(share)
    assert rate.endswith(" GHz")
    assert 0.5 <= float(rate.removesuffix(" GHz")) <= 2


BAD = {
    "a misspelt key": ("parametres: {}\n", "5:1: parametres: unknown key; did you mean 'parameters'?"),
    "a thousand million points": (
        "parameters:\n" + "".join(f"  k{i}: {{from: 1, to: 1000, step: +1}}\n" for i in range(3)),
        "1:1: method: the study has 1000000000 points, at most 100000 are run; leave values out",
    ),
    "more points than can be written": (
        "parameters:\n" + "".join(f"  k{i}: {{from: 1, to: 1e29, step: +1}}\n" for i in range(40)),
        "1:1: method: the study has about 10^1160 points, at most 100000 are run; leave values out",
    ),
    "as many points by networks": (
        "workloads: [mlp-l4, mlp-l5]\nmethod: {name: random, points: 100000}\n",
        "6:9: method: the study has 200000 points, at most 100000 are run; leave values out",
    ),
    "a grid without a step": (
        "parameters: {a: {from: 1, to: 2}}\n",
        "5:17: parameters.a: a grid needs a step here, such as step: x2 or step: +10",
    ),
    "a factor of one": (
        "parameters: {a: {from: 1, to: 2, step: x1}}\n",
        "5:40: parameters.a.step: a step that never ends: expected x with a factor above 1 from a start above 0, "
        "got 'x1'",
    ),
    "a factor from zero": (
        "parameters: {a: {from: 0, to: 2, step: x2}}\n",
        "5:40: parameters.a.step: a step that never ends: expected x with a factor above 1 from a start above 0, "
        "got 'x2'",
    ),
    "a factor that takes for ever": (
        "parameters: {a: {from: 1, to: 1e9, step: x1.000001}}\n",
        "5:42: parameters.a.step: more than 1000 values from 1 to 1000000000.0; take a larger step",
    ),
    "a step of nothing": (
        "parameters: {a: {from: 1, to: 2, step: 0}}\n",
        "5:40: parameters.a.step: a step that never ends: expected + with a number above 0, got 0",
    ),
    "a step that is none": (
        "parameters: {a: {from: 1, to: 2, step: '__import__'}}\n",
        "5:40: parameters.a.step: expected a step such as x2 or +10, got '__import__'",
    ),
    "two units": (
        "parameters: {a: {from: 1 GHz, to: 2 MHz, step: +1}}\n",
        "5:35: parameters.a.to: 'from' and 'to' need the same unit, got '1 GHz' and '2 MHz'",
    ),
    "backwards": (
        "parameters: {a: {from: 2, to: 1, step: +1}}\n",
        "5:31: parameters.a.to: expected 'to' of at least 'from', 2, got 1",
    ),
    "half a range": ("parameters: {a: {from: 2}}\n", "5:17: parameters.a: a range has both 'from' and 'to'"),
    "no values": (
        "parameters: {a: []}\n",
        "5:17: parameters.a: expected a list of values, {from, to, step}, or {choices: …}, got []",
    ),
    "one value twice": ("parameters: {a: [1, 1]}\n", "5:17: parameters.a: the value 1 stands here twice"),
    "no list": (
        "parameters: {a: 3}\n",
        "5:17: parameters.a: expected a list of values, {from, to, step}, or {choices: …}, got 3",
    ),
    "no end": (
        "parameters: {a: {from: 1, to: .inf, step: +1}}\n",
        "5:31: parameters.a.to: expected a number or a quantity, got inf",
    ),
    "beyond numbers": (
        "parameters: {a: {from: 1, to: 1e300, step: +1}}\n",
        "5:17: parameters.a: expected a number from 1e-30 to 1e30 or 0, got 1e+300",
    ),
    "a metric that is none": (
        "metrics: [peak_top]\n",
        "5:10: metrics: no metric 'peak_top'; did you mean 'peak_tops'?",
    ),
    "a metric of networks without networks": (
        "objectives: {latency_s: min}\n",
        "5:25: objectives.latency_s: no metric 'latency_s'; it is of a network, and the study has no workloads",
    ),
    "a goal that is none": (
        "objectives: {peak_tops: most}\n",
        "5:25: objectives.peak_tops: expected 'min' or 'max', got 'most'",
    ),
    "bounds of nothing": (
        "constraints: {peak_tops: {}}\n",
        "5:26: constraints.peak_tops: expected at_least, at_most, or both",
    ),
    "a search for nothing": (
        "method: {name: nsga2, points: 10}\n",
        "5:16: method.name: nsga2 needs objectives, such as {peak_tops_per_mm2: max}",
    ),
    "a draw of unknown size": ("method: {name: random}\n", "5:16: method.name: random needs 'points'"),
    "a grid of a size": (
        "method: {name: grid, points: 3}\n",
        "5:30: method.points: a grid has all its points; leave 'points' out",
    ),
    "a negative seed": (
        "method: {name: random, points: 5, seed: -1}\n",
        "5:41: method.seed: expected at least 0, got -1",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_study_is_refused_with_its_place_before_anything_runs(name: str) -> None:
    text, message = BAD[name]
    Path("f.yaml").write_text(HEAD + text)
    with pytest.raises(ArchsimError) as caught:
        load_study("f.yaml")
    assert str(caught.value) == f"f.yaml:{message}"


def test_two_designs_of_one_name_are_refused() -> None:
    Path("f.yaml").write_text("schema: 1\nkind: study\nname: s\ndesigns: [puma, {chip: isaac-ce, name: puma}]\n")
    with pytest.raises(
        ArchsimError, match=r"^f\.yaml:4:10: designs: 'puma' stands here twice; give each a name of its"
    ):
        load_study("f.yaml")


def test_every_metric_that_a_file_can_name_is_measured() -> None:
    from tests.networks import chip, fabricated

    of_chip = evaluate._of_chip(evaluate.chip_rollup(chip("isaac-ce")))
    assert list(of_chip) == list(METRICS)[:OF_THE_CHIP]
    assert set(METRICS) == set(of_chip) | (set(evaluate._of_run(fabricated())) & set(METRICS)) | {"accuracy"}
