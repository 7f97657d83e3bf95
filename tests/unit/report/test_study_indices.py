"""Indices of sensitivity: of functions whose indices are known, drawn and analysed as those of a study are."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.errors import ArchsimError
from archsim.explore.points import candidates
from archsim.explore.study import load_study, run_study
from archsim.report.study.indices import indices, shares
from archsim.report.study.write import write_report
from archsim.spec.study import Study

PI = 3.14159265358979


def made_up(method: dict[str, Any], low: float = -PI, high: float = PI) -> Study:
    return Study.model_validate(
        {
            "schema": 1,
            "kind": "study",
            "name": "made up",
            "designs": ["a"],
            "parameters": {name: {"from": low, "to": high} for name in ("x", "y", "z")},
            "metrics": ["peak_tops"],
            "method": method,
        }
    )


def ishigami(x: float, y: float, z: float) -> float:
    return math.sin(x) + 7 * math.sin(y) ** 2 + 0.1 * z**4 * math.sin(x)


def analysed(study: Study, function: Callable[..., float]) -> dict[str, dict[str, Any]]:
    """From the points of the study, as its table has them, to the indices of each parameter."""
    records = [{"peak_tops": function(*(value for _, value in c.shown))} for c in candidates(study)]
    return {row["parameter"]: row for row in indices(study, records, shares(study).tolist())}


def test_sobol_indices_of_the_ishigami_function_are_those_in_closed_form() -> None:
    a, b = 7, 0.1  # Ishigami and Homma, 1990
    alone = [(1 + b * PI**4 / 5) ** 2 / 2, a**2 / 8, 0.0]
    together = 8 * b**2 * PI**8 / 225  # of x and z
    variance = sum(alone) + together
    found = analysed(made_up({"name": "sobol", "points": 2048, "seed": 3}), ishigami)
    for name, first, total in zip("xyz", alone, (alone[0] + together, alone[1], together), strict=True):
        row = found[name]
        assert row["first order"] == pytest.approx(first / variance, abs=0.03)
        assert row["total order"] == pytest.approx(total / variance, abs=0.03)
        assert abs(row["first order"] - first / variance) <= 1.5 * row["first order ±"] + 1e-3
        assert 0 < row["total order ±"] < 0.1


def test_morris_effects_of_the_ishigami_function_are_the_means_over_its_grid() -> None:
    levels, step = (0, 1 / 3, 2 / 3, 1), 2 / 3  # four levels, Morris 1991

    def at(*where: float) -> float:
        return ishigami(*(2 * PI * share - PI for share in where))

    found = analysed(made_up({"name": "morris", "points": 500, "seed": 3}), ishigami)
    for place, name in enumerate("xyz"):
        effects = []
        for others in itertools.product(levels, repeat=2):
            for low in levels[:2]:
                lower, upper = list(others), list(others)
                lower.insert(place, low)
                upper.insert(place, low + step)
                effects.append((at(*upper) - at(*lower)) / step)
        row = found[name]
        assert row["mean effect"] == pytest.approx(
            float(np.mean(np.abs(effects))), abs=1.5 * row["mean effect ±"] + 1e-3
        )
        assert row["deviation"] == pytest.approx(float(np.std(effects)), rel=0.1)


def test_morris_effects_of_a_plane_are_its_slopes_over_the_whole_of_each_parameter() -> None:
    found = analysed(made_up({"name": "morris", "points": 8}, 0.0, 2.0), lambda x, y, z: 3 * x - 5 * y)
    assert [found[name]["mean effect"] for name in "xyz"] == pytest.approx([6, 10, 0], abs=1e-4)
    assert [found[name]["deviation"] for name in "xyz"] == pytest.approx([0, 0, 0], abs=1e-4)


def test_what_never_changes_has_no_indices_and_a_point_without_a_figure_leaves_none() -> None:
    study = made_up({"name": "sobol", "points": 4})
    assert analysed(study, lambda x, y, z: 1.0)["x"]["total order"] is None
    records = [{"peak_tops": None}] + [{"peak_tops": 1.0}] * (study.candidates - 1)
    assert indices(study, records, shares(study).tolist()) == []


@pytest.mark.parametrize(("name", "points", "count"), [("sobol", 4, 4 * 5), ("morris", 3, 3 * 4)])
def test_a_draw_for_indices_has_its_size_follows_from_its_seed_and_stays_below_one(
    name: str, points: int, count: int
) -> None:
    study = made_up({"name": name, "points": points, "seed": 5})
    drawn = shares(study)
    assert drawn.shape == (count, 3)
    assert study.candidates == len(candidates(study)) == count
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert (shares(study) == drawn).all()
    other = shares(made_up({"name": name, "points": points, "seed": 6}))
    assert (other != drawn).any()


def test_sobol_takes_powers_of_two_and_something_that_varies() -> None:
    with pytest.raises(ValueError, match="sobol needs a power of two, such as 64 or 128, got 100"):
        made_up({"name": "sobol", "points": 100})
    with pytest.raises(ValueError, match="morris needs something that varies; give parameters"):
        Study.model_validate(
            {"schema": 1, "kind": "study", "name": "n", "designs": ["a"], "method": {"name": "morris", "points": 4}}
        )


def test_without_salib_a_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "SALib", None)
    with pytest.raises(ArchsimError, match=r"need SALib: pip install 'archsim\[sensitivity\]'$"):
        shares(made_up({"name": "sobol", "points": 4}))


def test_a_study_with_designs_and_lists_has_its_indices_in_the_report(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(
        "schema: 1\nkind: study\nname: s\ndesigns: [isaac-ce, puma]\n"
        "parameters: {tiles: [30, 60, 90, 120]}\nobjectives: {peak_tops: max, peak_power_w: min}\n"
        "method: {name: sobol, points: 8}\n"
    )
    summary = run_study(load_study(str(tmp_path / "s.yaml")), tmp_path / "out")
    assert len(summary.records) == 8 * 4
    assert summary.run <= 8
    names = write_report(tmp_path / "out", "csv", tmp_path / "report")
    assert {"indices.csv", "indices-peak_tops.pdf", "indices-peak_power_w.csv"} <= set(names)
    assert "tiles" in (tmp_path / "report" / "indices.csv").read_text()
