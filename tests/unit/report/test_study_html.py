"""The report as one HTML file: whole in itself, the same again, and shown by a real browser without any request."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from archsim.errors import ArchsimError
from archsim.explore.study import load_study, run_study
from archsim.report.study.charts import Bars
from archsim.report.study.read import read_results
from archsim.report.study.views import charts
from archsim.report.study.write import write_report
from tests.networks import DENSE, text

STUDY = """\
schema: 1
kind: study
name: shown
title: "A study <script>alert(1)</script>"
designs: [isaac-ce, {chip: isaac-ce, name: '<b>coarse</b>', set: {tile.core.components.adc.bits: 6}}]
workloads: [net.yaml]
set: {tiles: 4, noc.columns: 1, noc.rows: 1}
parameters: {chips: [1, 2, 4]}
options: {images: 2}
objectives: {throughput_per_s: max, energy_j: min}
"""

CHARTS = [
    "pareto-net",
    "breakdown-energy",
    "breakdown-power",
    "breakdown-area",
    "breakdown-latency",
    "sensitivity",
    "comparison",
    "roofline-isaac-ce",
    "roofline--b-coarse--b-",
    "scaling-chips",
]

BROWSER = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--window-size=1200,900",
    "--virtual-time-budget=10000",
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("html")
    (home / "net.yaml").write_text(text(DENSE, (128,), "net"))
    (home / "s.yaml").write_text(STUDY)
    run_study(load_study(str(home / "s.yaml")), home / "out")
    assert write_report(home / "out", "html", home / "report") == ["report.html"]
    return home / "report" / "report.html"


class Tags(HTMLParser):
    """The tags of a document with their attributes; what stands inside scripts is no tag."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_file_names_no_other_and_lets_the_browser_load_none(page: Path) -> None:
    tags = Tags(page.read_text()).found
    assert not [attributes for _, attributes in tags if {"src", "href"} & set(attributes)]
    policy = next(a["content"] for tag, a in tags if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy
    assert {path.name for path in page.parent.iterdir()} == {"report.html"}


def test_every_chart_has_its_place_and_names_are_escaped(page: Path) -> None:
    content = page.read_text()
    ids = [a["id"] for tag, a in Tags(content).found if tag == "div" and str(a.get("id", "")).startswith("chart-")]
    plans = [name for name in ids if name and name.startswith("chart-floorplan")]
    assert [name for name in ids if name not in plans] == [f"chart-{name}" for name in CHARTS]
    assert plans
    assert "<h1>A study &lt;script&gt;alert(1)&lt;/script&gt;</h1>" in content
    assert "<b>coarse</b>" not in content


def test_the_same_results_give_the_same_file(page: Path, tmp_path: Path) -> None:
    write_report(page.parent.parent / "out", "html", tmp_path)
    assert (tmp_path / "report.html").read_bytes() == page.read_bytes()


def test_without_plotly_a_message_says_what_to_install(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "plotly.graph_objects", None)
    with pytest.raises(ArchsimError, match=r"^a report in HTML needs Plotly: pip install 'archsim\[html\]'$"):
        write_report(page.parent.parent / "out", "html", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def opened(page: Path, folder: Path) -> tuple[str, str, set[str]]:
    """A page in a browser: its document once its scripts have run, what the browser logs, and what the page asked for
    over the network."""
    chromium = shutil.which("chromium")
    assert chromium is not None
    log = folder / "net.json"
    words = [chromium, *BROWSER, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}"]
    done = subprocess.run(
        [*words, "--enable-logging=stderr", "--dump-dom", page.as_uri()], capture_output=True, text=True, check=True
    )
    events = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    # the browser's own questions, for the time and for updates, have no origin
    asked = {event["url"] for event in events if event.get("initiator", "not an origin") != "not an origin"}
    return done.stdout, done.stderr, asked


@pytest.mark.chromium
def test_a_browser_draws_every_chart_without_an_error_or_a_request(page: Path, tmp_path: Path) -> None:
    document, log, asked = opened(page, tmp_path)
    drawn = re.findall(r'<div id="chart-([^"]+)" class="plotly-graph-div js-plotly-plot"', document)
    assert set(CHARTS) < set(drawn)
    assert document.count('<svg class="main-svg"') >= 2 * len(drawn)
    assert ":CONSOLE" not in log
    assert not asked


@pytest.mark.chromium
def test_the_browser_would_tell_of_an_error_and_of_a_request(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<img src="http://archsim.invalid/x.png"><script>nothing()</script>')
    _, log, asked = opened(page, tmp_path)
    assert "http://archsim.invalid/x.png" in asked
    assert "nothing is not defined" in next(line for line in log.splitlines() if ":CONSOLE" in line)


# -- what the figures say -----------------------------------------------------------------------


def test_no_point_stands_above_a_roof_and_scaling_is_throughput_over_the_smallest(page: Path) -> None:
    results = read_results(page.parent.parent / "out")
    drawn = {chart.name: chart for chart in charts(results, {})}
    by_point = {record["point"]: record for record in results.records}
    for name in ("roofline-isaac-ce", "roofline--b-coarse--b-"):
        assert drawn[name].numbers
        for row in drawn[name].numbers:
            roof = min(row["peak_tops"], row["operations_per_byte"] * row["bandwidth_tb_per_s"])
            assert 0 < row["effective_tops"] <= roof
            assert row["effective_tops"] == pytest.approx(by_point[row["point"]]["effective_tops"], rel=1e-3)
    curve = [row for row in drawn["scaling-chips"].numbers if row["design"] == "isaac-ce"]
    assert [row["chips"] for row in curve] == [1, 2, 4]
    for row in curve:
        ratio = by_point[row["point"]]["throughput_per_s"] / by_point[curve[0]["point"]]["throughput_per_s"]
        assert row["speedup"] == pytest.approx(ratio, rel=1e-9)


def test_the_bars_of_a_breakdown_are_as_long_as_the_figure_of_the_point(page: Path) -> None:
    results = read_results(page.parent.parent / "out")
    energy = next(chart for chart in charts(results, {}) if chart.name == "breakdown-energy")
    assert isinstance(energy, Bars)
    lengths = [
        sum(value or 0.0 for _, values in energy.parts for value in [values[k]]) for k in range(len(energy.rows))
    ]
    assert sorted(lengths) == pytest.approx(sorted(record["energy_j"] for record in results.records), rel=1e-9)
