"""Reports of studies: fronts, hypervolumes and sensitivities by hand, and the files that are written."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import ArchsimError
from archsim.explore.study import load_study, run_study
from archsim.report.study.analysis import best_of_each, best_points, comparison, front, fronts, hypervolume, sensitivity
from archsim.report.study.write import write_report
from archsim.report.tables import as_latex
from archsim.spec.study import Study

STUDY = Study.model_validate(
    {
        "schema": 1,
        "kind": "study",
        "name": "made up",
        "designs": ["a", "b"],
        "parameters": {"bits": [1, 2]},
        "metrics": ["peak_tops", "peak_power_w"],
        "objectives": {"peak_tops": "max", "peak_power_w": "min"},
    }
)


def record(point: int, tops: float | None, watts: float | None, **more: Any) -> dict[str, Any]:
    out = {"point": point, "design": "ab"[point // 2], "bits": 1 + point % 2, "status": "ok", "feasible": True}
    return {**out, "peak_tops": tops, "peak_power_w": watts, **more}


RECORDS = [record(0, 10, 4), record(1, 20, 8), record(2, 10, 2), record(3, 5, 3)]


def test_the_front_is_what_nothing_beats_in_every_objective() -> None:
    assert [r["point"] for r in front(STUDY, RECORDS)] == [1, 2]
    (found,) = fronts(STUDY, RECORDS)
    # in the box 5..20 TOPS × 2..8 W: (20, 8) has no area, (10, 2) has (10 - 5) / 15 of the one and all of the other
    assert found.hypervolume == pytest.approx(1 / 3)


def test_what_is_not_feasible_or_has_no_figures_is_on_no_front() -> None:
    records = [*RECORDS, record(2, 99, 1, feasible=False), record(3, None, None, feasible=True, status="failed")]
    assert [r["point"] for r in front(STUDY, records)] == [1, 2]


def test_of_equal_points_the_first_is_on_the_front() -> None:
    assert [r["point"] for r in front(STUDY, [record(0, 1, 1), record(1, 1, 1)])] == [0]


def test_the_knee_lies_farthest_from_the_line_between_the_ends() -> None:
    records = [record(0, 1, 1), record(1, 9, 2), record(2, 10, 10), record(3, 5, 1.9)]
    (found,) = fronts(STUDY, records)
    assert found.knee["point"] == 1


def test_hypervolumes_by_hand() -> None:
    assert hypervolume([]) == 0
    assert hypervolume([(0.0, 0.0)]) == 1
    assert hypervolume([(0.0, 0.5), (0.5, 0.0)]) == pytest.approx(0.75)
    assert hypervolume([(0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)]) == pytest.approx(0.5)


@given(st.lists(st.tuples(*[st.integers(0, 7)] * 3), min_size=1, max_size=8))
def test_a_hypervolume_is_the_share_of_small_cubes_that_are_dominated(points: list[tuple[int, ...]]) -> None:
    cubes = [(x, y, z) for x in range(8) for y in range(8) for z in range(8)]
    inside = sum(any(all(p <= c for p, c in zip(point, cube, strict=True)) for point in points) for cube in cubes)
    assert hypervolume([tuple(value / 8 for value in point) for point in points]) == pytest.approx(inside / 512)


def test_sensitivity_is_largest_over_smallest_where_nothing_else_differs() -> None:
    rows = {(row["parameter"], row["metric"]): row for row in sensitivity(STUDY, RECORDS)}
    assert rows["bits", "peak_tops"]["groups"] == 2
    assert rows["bits", "peak_tops"]["mean ratio"] == pytest.approx(2)  # 20 / 10 and 10 / 5
    assert rows["design", "peak_power_w"]["mean ratio"] == pytest.approx((4 / 2 * 8 / 3) ** 0.5)
    assert rows["design", "peak_power_w"]["largest ratio"] == pytest.approx(8 / 3)


def test_designs_are_compared_where_both_have_figures() -> None:
    tops, watts = comparison(STUDY, RECORDS)
    assert (tops["design"], tops["over"]) == ("b", "a")
    assert tops["geometric mean"] == pytest.approx((10 / 10 * 5 / 20) ** 0.5)
    assert watts["geometric mean"] == pytest.approx((2 / 4 * 3 / 8) ** 0.5)
    failed = [*RECORDS[:3], record(3, None, None, status="failed")]
    assert comparison(STUDY, failed)[0]["geometric mean"] == pytest.approx(1)


def test_the_best_point_for_each_value_keeps_to_the_constraints() -> None:
    rows = best_of_each(STUDY, [*RECORDS[:3], record(3, 50, 3, feasible=False)])
    assert [(row["parameter"], row["value"], row["point"]) for row in rows] == [
        ("design", "a", 1),
        ("design", "b", 2),
        ("bits", 1, 0),
        ("bits", 2, 1),
    ]
    limited = STUDY.model_copy(update={"constraints": {"peak_power_w": None}})
    rows = best_of_each(limited, [*RECORDS[:2], record(2, 9, 1, feasible=False)])
    by = {(row["parameter"], row["value"]): row for row in rows}
    assert (by["design", "b"]["point"], by["design", "b"]["peak_tops without constraints"]) == (None, 9)
    assert (by["bits", 1]["point"], by["bits", 1]["peak_tops without constraints"]) == (0, 10)


def test_points_to_look_into_are_spread_over_the_front() -> None:
    line = [record(k % 4, 1 + k, 1 + k) | {"point": k} for k in range(9)]
    assert [r["point"] for r in best_points(STUDY, line, 3)] == [0, 4, 8] or [
        r["point"] for r in best_points(STUDY, line, 3)
    ] == [8, 4, 0]
    assert len(best_points(STUDY, line, 20)) == 9
    aimless = STUDY.model_copy(update={"objectives": {}})
    assert [r["point"] for r in best_points(aimless, line, 2)] == [0, 8]


def test_a_latex_table_is_a_fragment_with_everything_escaped() -> None:
    records: list[dict[str, Any]] = [{"a_b": 'x & "50%" #1 {$} ~^\\', "n": 1.5e-7, "m": None}]
    assert as_latex(records) == (
        "\\begin{tabular}{lrr}\n\\toprule\na\\_b & n & m \\\\\n\\midrule\n"
        'x \\& "50\\%" \\#1 \\{\\$\\} \\textasciitilde{}\\textasciicircum{}\\textbackslash{}'
        " & $1.5\\times10^{-7}$ & -- \\\\\n\\bottomrule\n\\end{tabular}\n"
    )


SMALL = """\
schema: 1
kind: study
name: small
title: A small study
designs: [isaac-ce, puma]
parameters: {tiles: [40, 80, 120]}
objectives: {peak_tops: max, peak_power_w: min}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("study")
    (home / "s.yaml").write_text(SMALL)
    run_study(load_study(str(home / "s.yaml")), home / "out")
    return home / "out"


def test_a_report_in_markdown_shows_best_points_sensitivities_and_figures(folder: Path, tmp_path: Path) -> None:
    names = write_report(folder, "md", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(names)
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("# A small study\n\n6 points, 0 without figures, 0 events simulated.\n")
    for words in ("## Best points", "hypervolume", "knee at point", "## Sensitivity", "## Designs over the first"):
        assert words in text
    for name in re.findall(r"\((\S+\.png)\)", text):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_every_figure_has_embedded_fonts_column_width_and_its_numbers_and_is_the_same_again(
    folder: Path, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        write_report(folder, "csv", tmp_path / name)
    figures = sorted((tmp_path / "one").glob("*.pdf"))
    assert [path.stem for path in figures] == [
        "breakdown-area",
        "breakdown-power",
        "comparison",
        "pareto",
        "sensitivity",
    ]
    for path in figures:
        content = path.read_bytes()
        assert b"/FontFile2" in content
        assert b"/Type3" not in content
        width = re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ", content)
        assert width is not None
        assert float(width[1]) == pytest.approx(3.5 * 72)
        with path.with_suffix(".csv").open(newline="") as stream:
            assert list(csv.DictReader(stream))
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_a_report_in_latex_is_one_fragment_a_table(folder: Path, tmp_path: Path) -> None:
    names = [name for name in write_report(folder, "latex", tmp_path) if name.endswith(".tex")]
    assert names == ["points.tex", "pareto.tex", "best.tex", "sensitivity.tex", "comparison.tex"]
    for name in names:
        assert (tmp_path / name).read_text().startswith(r"\begin{tabular}{")
    if tex := shutil.which("pdflatex"):
        parts = "".join(rf"\input{{{name}}}\newpage " for name in names)
        (tmp_path / "all.tex").write_text(
            rf"\documentclass{{article}}\usepackage{{booktabs}}\begin{{document}}\tiny {parts}\end{{document}}"
        )
        subprocess.run([tex, "-halt-on-error", "all.tex"], cwd=tmp_path, check=True, capture_output=True)


def test_what_is_no_study_or_no_format_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArchsimError, match=r"^--to: expected md, csv, latex, html, got 'htlm'; did you mean 'html'"):
        write_report(folder, "htlm", tmp_path)
    with pytest.raises(ArchsimError, match=rf"^no table of a study in '{re.escape(str(tmp_path))}'$"):
        write_report(tmp_path, "md", tmp_path / "out")
    (tmp_path / "points").mkdir()
    with pytest.raises(ArchsimError, match=r": it has not ended; the same 'archsim study' command goes on$"):
        write_report(tmp_path, "md", tmp_path / "out")
