"""One design: loaded with its overrides, sized, compiled and simulated."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import yaml

from archsim.errors import ArchsimError, CompileError, SpecError
from archsim.explore.options import Options
from archsim.explore.run import MAX_TILES, Design, chips_wanted, load_design, run_design
from archsim.spec.loader import load_chip
from archsim.workload import load_graph
from tests.networks import CONVOLUTIONS, small, text


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(text(CONVOLUTIONS, (3, 8, 8)))
    return str(path)


@pytest.fixture
def design(file: str) -> Design:
    return load_design("isaac-ce", file, small(8))


def test_overrides_go_to_the_chip_or_with_their_prefix_to_the_workload() -> None:
    design = load_design("isaac-ce", "lstm-2048", ["tiles=100", "workload.sequence=3", "tile.core.count=4"])
    assert (design.chip.model.tiles, design.chip.model.tile.core.count, design.graph.steps) == (100, 4, 3)


def test_an_override_of_no_key_is_refused(file: str) -> None:
    with pytest.raises(SpecError, match="tils"):
        load_design("isaac-ce", file, ["tils=3"])
    with pytest.raises(SpecError, match="sequense"):
        load_design("isaac-ce", "lstm-2048", ["workload.sequense=3"])


@pytest.mark.parametrize(("given", "chips"), [("fit", None), ("1", 1), ("16", 16)])
def test_a_number_of_chips_or_fit(given: str, chips: int | None) -> None:
    assert chips_wanted(given) == chips


@pytest.mark.parametrize("given", ["0", "-1", "x", "", "1.5", "²", "FIT", "9" * 10])
def test_any_other_board_is_refused(given: str) -> None:
    with pytest.raises(ArchsimError) as caught:
        chips_wanted(given)
    assert str(caught.value) == f"--chips: expected 'fit' or a number of at least 1, got {given!r}"


@pytest.mark.parametrize("chips", [0, -3, 131073, 10**9])
def test_a_board_has_a_largest_size(design: Design, chips: int) -> None:
    most = MAX_TILES // 8
    with pytest.raises(ArchsimError, match=rf"^chips: expected 1 to {most} of 8 tiles each, got {chips}$"):
        run_design(design, chips, Options(images=1))


@pytest.fixture
def too_wide(tmp_path: Path) -> Design:
    """128 × 512 weights take 32 arrays of ISAAC; a chip here is one core of eight."""
    path = tmp_path / "wide.yaml"
    path.write_text(text(({"dense": 512, "activation": "none"},), (128,), "wide"))
    return load_design("isaac-ce", str(path), [*small(1), "tile.core.count=1"])


def test_the_smallest_board_is_taken_where_none_is_given(too_wide: Design) -> None:
    run = run_design(too_wide, None, Options(images=1))
    assert run.chips == 4
    assert run.area_mm2 == pytest.approx(4 / 5 * run_design(too_wide, 5, Options(images=1)).area_mm2)


def test_a_network_that_does_not_fit_is_refused_with_demand_capacity_gap_and_levers(too_wide: Design) -> None:
    with pytest.raises(CompileError) as caught:
        run_design(too_wide, 3, Options(images=1))
    assert str(caught.value) == (
        "wide does not fit 3 × isaac-ce: it needs 32 arrays in whole cores, the board has 24, 8 too few. 4 chips hold "
        "it once; fewer than 16 weight bits, more bits a cell or fewer copies need fewer arrays. "
        "--reprogram runs it in phases, between which the board is written."
    )


def test_wall_clock_is_told_by_what_took_it(design: Design) -> None:
    run = run_design(design, 1, Options(images=1))
    assert list(run.wall) == ["compile", "simulate", "wall"]
    assert run.wall["wall"] >= run.wall["compile"] + run.wall["simulate"] > 0


def test_steps_are_reported(design: Design) -> None:
    steps: list[str] = []
    run_design(design, 2, Options(images=2), steps.append)
    assert steps == [
        "compiling onto 2 chips",
        "one inference in the empty machine",
        "2 inferences for the steady state",
    ]
    steps.clear()
    run_design(design, None, Options(images=2), steps.append)
    assert steps[0] == "compiling onto 1 chip"


def test_two_runs_differ_in_nothing_but_wall_clock(file: str) -> None:
    def once() -> dict[str, object]:
        value = run_design(load_design("puma", file, small(12)), 1, Options(images=4)).to_json()
        return {key: v for key, v in value.items() if key not in ("compile_s", "simulate_s", "wall_s")}

    assert once() == once()


def test_options_reach_the_compiler_and_the_engine(design: Design) -> None:
    wanted = Options(2, "simpy", {"one": 3}, False, frozenset({"last"}))
    run = run_design(design, 1, wanted)
    assert (run.engine, run.timing.images, run.detail) == ("simpy", 2, "component: last")
    assert run.replication == {"one": 3, "two": 1, "last": 1}
    plain = dataclasses.replace(wanted, replication="none")
    assert run_design(design, 1, plain).replication == {"one": 1, "two": 1, "last": 1}


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({"on": 2}, r"^replication: no layer with weights named 'on'; did you mean 'one'\?$"),
        ({"one": 65}, r"^replication: one has 64 windows and takes 1 to 64 copies, got 65$"),
        ({"one": 0}, r"^replication: one has 64 windows and takes 1 to 64 copies, got 0$"),
    ],
)
def test_factors_that_a_network_does_not_take_are_refused(design: Design, factors, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CompileError, match=message):
        run_design(design, 1, Options(replication=factors))


def test_a_layer_that_is_not_there_cannot_be_shown_in_detail(design: Design) -> None:
    with pytest.raises(ArchsimError, match="'on'; did you mean 'one'"):
        run_design(design, 1, Options(component_detail=frozenset({"on"})))


def test_the_hash_follows_every_key_of_both_documents(file: str) -> None:
    base = load_design("isaac-ce", file).config_hash
    assert base == load_design("isaac-ce", file).config_hash
    assert len(base) == 16
    others = [
        load_design("isaac-ce", file, ["tile.core.components.adc.bits=6"]),
        load_design("isaac-ce", file, ["workload.input=[3, 9, 9]"]),
        load_design("puma", file),
    ]
    assert len({base, *(design.config_hash for design in others)}) == 4


@pytest.mark.parametrize("chip", ["isaac-ce", "puma"])
def test_the_resolved_documents_read_back_to_the_same_hash(chip: str, file: str, tmp_path: Path) -> None:
    design = load_design(chip, file, ["tile.core.components.adc.bits=6", "name='1e9'", "workload.name='0x10'"])
    run = run_design(design, 1, Options(images=1))
    (tmp_path / "chip.yaml").write_text(run.resolved["chip"])
    (tmp_path / "workload.yaml").write_text(run.resolved["workload"])
    again = Design(load_chip(str(tmp_path / "chip.yaml")), *load_graph(str(tmp_path / "workload.yaml")))
    assert again.config_hash == design.config_hash == run.config_hash
    assert (again.chip.model.name, again.graph.name) == ("1e9", "0x10")
    assert yaml.safe_load(run.resolved["run"])["chips"] == 1
