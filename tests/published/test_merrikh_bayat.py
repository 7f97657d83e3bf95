"""The letters on two passive crossbars, held to the losses that the paper's chip has.

The paper's figures stand in ``merrikh_bayat_2018.yaml``; the losses of two hundred simulated chips in
``reports/merrikh-bayat-2018``, a part of which is made again here.
"""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from archsim.accuracy import letters, letters_study, merrikh_bayat
from archsim.accuracy.letters_study import LettersStudy, study
from archsim.accuracy.training import Plan, started, train
from archsim.report import accuracy_study
from archsim.report.accuracy_study import PUBLISHED, SETS, loss_records, network_records, study_json, write_study
from archsim.report.made import made_with

PAPER = yaml.safe_load(Path(__file__).with_name("merrikh_bayat_2018.yaml").read_text(encoding="utf-8"))
REPORT = Path(__file__).resolve().parents[2] / "reports" / "merrikh-bayat-2018"
CASES = ("defects unknown", "defects known")
FEW = 3


@cache
def shipped() -> tuple[dict[str, Any], list[dict[str, str]]]:
    with (REPORT / "networks.csv").open(encoding="utf-8") as stream:
        return json.loads((REPORT / "study.json").read_text(encoding="utf-8")), list(csv.DictReader(stream))


@cache
def few() -> LettersStudy:
    about, _ = shipped()
    return study(FEW, about["seed"], about["target"])


def losses(case: str, which: str) -> NDArray[np.float64]:
    """Of the shipped networks, in percentage points."""
    return np.array([float(row[f"software, {which}"]) - float(row[f"{case}, {which}"]) for row in shipped()[1]])


def test_the_hardware_is_the_papers() -> None:
    ours, paper = merrikh_bayat.Demonstrator(), PAPER["hardware"]
    assert list(ours.sizes) == paper["sizes"]
    assert [ours.rows, ours.columns] == paper["array"]
    assert [ours.g_min_s * 1e6, ours.g_max_s * 1e6] == pytest.approx(paper["conductance_us"])
    assert ours.read_v == paper["read_v"]
    assert ours.transimpedance_ohm == paper["transimpedance_ohm"]
    assert ours.line_ohm == paper["line_ohm"]
    assert ours.tolerance == paper["import_tolerance"]
    assert ours.pulse_s * 1e6 == paper["pulse_us"]
    assert ours.pulse_v == paper["set_v"][0]
    assert ours.gain == pytest.approx(18.0)
    low, high = paper["not_formed_share"]
    assert ours.cell.stuck_cells.within == pytest.approx((low + high) / 2)
    assert PAPER["task"]["classes"] == letters.LETTERS
    assert len(letters.drawn()[0]) == PAPER["task"]["training_patterns"]
    assert len(letters.flipped()[0]) == PAPER["task"]["test_patterns"]


def test_the_figures_that_the_report_is_held_to_are_the_papers() -> None:
    assert PAPER["percent_right"] == PUBLISHED


@pytest.mark.parametrize("which", SETS)
@pytest.mark.parametrize("case", CASES)
def test_the_papers_loss_lies_among_the_central_90_percent_which_are_at_most_ten_points_wide(
    case: str, which: str
) -> None:
    paper = PAPER["percent_right"]["software"][which] - PAPER["percent_right"][case][which]
    loss = losses(case, which)
    assert len(loss) >= 200
    low, high = np.percentile(loss, (5, 95))
    assert low <= paper <= high
    assert high - low <= 10


def test_to_know_the_stuck_devices_saves_some_of_the_loss() -> None:
    """As in the paper; over many chips by many standard errors."""
    for which in SETS:
        saved = losses("defects unknown", which) - losses("defects known", which)
        assert saved.mean() > 4 * saved.std(ddof=1) / np.sqrt(len(saved))


def test_more_stuck_devices_lose_more_and_each_cause_alone_less_than_all() -> None:
    mean = {case: losses(case, "test").mean() for case in letters_study.CASES}
    assert mean["unknown, 1 % stuck"] < mean["defects unknown"] < mean["unknown, 2.5 % stuck"]
    for cause in ("import tolerance alone", "stuck devices alone", "line resistance alone"):
        assert mean[cause] < mean["defects unknown"]


def test_noise_aware_training_saves_some_of_the_loss_on_the_arrays() -> None:
    saved = losses("defects unknown", "test") - losses("unknown, noise-aware", "test")
    assert saved.mean() > 3 * saved.std(ddof=1) / np.sqrt(len(saved))


def test_the_target_was_chosen_in_software() -> None:
    about, _ = shipped()
    able = [row["target"] for row in about["targets"] if row["range filled"] == "yes" and row["learned at once %"] > 50]
    assert about["target"] == max(able)
    assert {row["target"] for row in about["targets"]} == set(letters_study.TARGETS)


@pytest.mark.slow
def test_the_command_makes_the_shipped_networks_again() -> None:
    """The first few of them: each has random streams of its own."""
    rows = [{key: str(value) for key, value in row.items()} for row in network_records(few())]
    assert rows == shipped()[1][:FEW]
    about, now = shipped()[0], study_json(few())
    for key in ("hardware", "device", "cases", "loading", "target"):
        assert json.loads(json.dumps(now[key])) == about[key]


@pytest.mark.slow
def test_the_papers_figures_stand_beside_the_losses_and_change_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_the_paper() -> list[dict[str, Any]]:
        return [{k: v for k, v in row.items() if k not in ("paper", "within")} for row in loss_records(few().chosen)]

    before, beside = without_the_paper(), [row["paper"] for row in loss_records(few().chosen)]
    monkeypatch.setattr(accuracy_study, "PUBLISHED", {key: {"training": 50.0, "test": 50.0} for key in PUBLISHED})
    assert without_the_paper() == before
    assert [row["paper"] for row in loss_records(few().chosen)] != beside


def test_ideal_arrays_classify_as_the_software_does() -> None:
    patterns, classes = letters.drawn()
    begun = started((16, 10, 4), 18.0, np.random.default_rng(0))
    network = train(begun, patterns.astype(float), classes, Plan(300, 0.02, 0.5))
    chip = merrikh_bayat.Crossbars(merrikh_bayat.Demonstrator(), (0,))
    arrays = chip.loaded(network.weights, frozenset())
    for given in (patterns, letters.flipped()[0]):
        assert np.array_equal(chip.classify(arrays, given), network.classify(given.astype(float)))


def test_the_lines_take_a_quarter_from_a_weight_and_more_far_from_driver_and_sense_end() -> None:
    chip = merrikh_bayat.Crossbars(merrikh_bayat.Demonstrator(), (0,))
    rng = np.random.default_rng(0)
    weights = [rng.choice([-0.5, 0.5], shape) for shape in chip.hardware.shapes]
    one_by_one = np.eye(17, dtype=np.int64)
    wired, ideal = (chip.loaded(weights, effects)[0].mvm(one_by_one) for effects in (frozenset({"wires"}), frozenset()))
    left = wired / ideal
    assert left.mean() == pytest.approx(0.75, abs=0.05)
    assert 0.5 < left[0, -1] < 0.7  # the far end of the first wordline, which is also the far end of its bitline
    assert 0.85 < left[-1, 0] < 1.0


@pytest.mark.long
def test_the_shipped_report_is_what_its_command_gives(tmp_path: Path) -> None:
    about, rows = shipped()
    with made_with(["accuracy-study", "merrikh-bayat-2018", "--seeds", str(len(rows))]):
        write_study(study(len(rows), about["seed"]), tmp_path)
    names = [path.name for path in REPORT.iterdir() if path.suffix != ".png"]
    assert len(names) == 8
    for name in names:  # the picture is that of one version of matplotlib
        assert (tmp_path / name).read_bytes() == (REPORT / name).read_bytes(), name
