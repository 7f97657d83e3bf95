"""What follows from shapes alone is worked out once, and never changes what a compilation gives."""

from __future__ import annotations

import numpy as np
import pytest

from archsim.compile import capacity, known, planner
from archsim.compile.network import Compiled, chips_to_fit, compile_network
from archsim.spec.loader import load_chip
from archsim.workload import load_graph

SLOWER = [
    ["tile.core.components.adc.rate=0.64 GHz"],
    ["noc.bandwidth=8 GB/s"],
    ["tile.components.bus.bandwidth=12 GB/s", "tile.components.buffer.bandwidth=12 GB/s"],
]
"""Chips that differ from ISAAC in times only."""


def compiled(network: str, *overrides: str) -> Compiled:
    chip, graph = load_chip("isaac-ce", list(overrides)).model, load_graph(network)[0]
    return compile_network(graph, chip, chips_to_fit(graph, chip))


def anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_latest", known.Known())
    planner._planners.cache_clear()


@pytest.mark.parametrize("overrides", SLOWER, ids=["adc", "noc", "tile"])
def test_what_earlier_compilations_left_changes_nothing(monkeypatch, overrides):
    anew(monkeypatch)
    alone = compiled("resnet20", *overrides)
    anew(monkeypatch)
    compiled("resnet20")
    compiled("resnet32")
    after = compiled("resnet20", *overrides)
    assert after.program == alone.program
    assert after.copies == alone.copies
    assert after.placements == alone.placements
    assert after.work == alone.work


@pytest.mark.parametrize("overrides", SLOWER[:2], ids=["adc", "noc"])
def test_a_compilation_that_differs_in_times_only_works_out_no_shape_and_no_capacity_anew(monkeypatch, overrides):
    anew(monkeypatch)
    first = compiled("resnet20")

    def forbidden(*_: object) -> None:
        raise AssertionError("worked out again")

    worked_out = ("strip", "strips", "reads_of", "all_reads", "bundles")
    for module, name in (*((known, each) for each in worked_out), (capacity, "_least")):
        monkeypatch.setattr(module, name, forbidden)
    second = compiled("resnet20", *overrides)
    assert second.program != first.program
    assert np.array_equal(second.program.arrays.end_capacity, first.program.arrays.end_capacity)


@pytest.mark.parametrize("overrides", SLOWER[1:], ids=["noc", "tile"])
def test_a_compilation_that_differs_only_in_what_planning_does_not_hang_on_places_nothing_anew(monkeypatch, overrides):
    anew(monkeypatch)
    first = compiled("resnet20")

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("placed again")

    monkeypatch.setattr(planner, "place", forbidden)
    second = compiled("resnet20", *overrides)
    assert second.placements == first.placements
    assert second.program != first.program


def test_a_compilation_for_tiles_with_slower_units_is_planned_anew(monkeypatch):
    anew(monkeypatch)
    compiled("resnet20")
    compiled("resnet20", "tile.components.sigmoid.rate=0.1 GHz")
    assert planner._planners.cache_info().misses == 2


def test_much_is_not_kept_for_later(monkeypatch):
    anew(monkeypatch)
    monkeypatch.setattr(known, "MOST_VALUES", 1000)
    compiled("resnet20")
    before = known._latest
    assert before.sequences.values > 1000
    assert known.known() is not before
