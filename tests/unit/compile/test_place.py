"""Placement: no tile is over-full, a core holds one layer, and regions stay together."""

from __future__ import annotations

from collections import defaultdict
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.compile import planner as planner_module
from archsim.compile.place import Demand, Mapped, Room, place
from archsim.compile.planner import Ground, Planner
from archsim.compile.slicing import ECONOMIES, parts_of, slice_layer, slot_shape
from archsim.workload import load_graph
from tests.unit.compile.nets import chip, network

CHIP = chip()
SHAPE = slot_shape(CHIP.tile)
ORDERS = ["network", "largest", "dense"]


def mapped(layer, **demand: float) -> Mapped:
    keys = {"in_fixed": 9, "in_each": 0, "in_most": 10**6, "out_fixed": 0, "out_each": 0, **demand}
    slots = slice_layer(layer, SHAPE)
    return Mapped(layer, slots, tuple(parts_of(slots)), Demand(**keys))


def room(chips: int = 1, tiles: int = 168, bits: int = 2**19, areas: int = 1) -> Room:
    return Room(chips, tiles, 12, 8, bits, 16, areas)


def convolutions(*channels: int):
    layers = [{"conv": c, "kernel": 3, "pad": 1, "name": f"c{k}"} for k, c in enumerate(channels)]
    return network([16, 16, 16], *layers).matrix_layers


@given(
    channels=st.lists(st.sampled_from([8, 16, 64, 200]), min_size=1, max_size=4),
    tiles=st.integers(2, 40),
    chips=st.integers(1, 3),
    areas=st.integers(1, 2),
    order=st.sampled_from(ORDERS),
    strict=st.booleans(),
    data=st.data(),
)
def test_every_copy_of_every_part_stands_once_and_no_tile_is_over_full(
    channels, tiles, chips, areas, order, strict, data
):
    layers = [mapped(layer) for layer in convolutions(*channels)]
    copies = {m.layer.name: data.draw(st.integers(1, 30)) for m in layers}
    spatial = dict.fromkeys(copies, 9)
    board = room(chips, tiles, areas=areas)
    placements = place(layers, copies, board, spatial, order, strict=strict).placements
    if placements is None:
        return
    cores: dict[int, int] = defaultdict(int)
    bits: dict[int, int] = defaultdict(int)
    for m in layers:
        name = m.layer.name
        for index, part in enumerate(m.parts):
            own = [p for p in placements if (p.layer, p.part) == (name, index)]
            assert sorted(c for p in own for c in range(p.first, p.first + p.copies)) == list(range(copies[name]))
            for p in own:
                assert 0 <= p.tile < chips * tiles
                cores[p.tile] += ceil(p.copies * part.count / SHAPE.per_core)  # so that no core has two layers
                each = ceil(m.layer.windows / copies[name])
                bits[p.tile] += m.demand.bits(part, 9, each * p.copies, 16)
    assert max(cores.values()) <= board.cores
    if strict:
        held = defaultdict(list)
        for p in placements:
            held[p.tile].append(p)
        assert all(bits[tile] <= board.buffer_bits for tile in bits if len(held[tile]) > 1)


@pytest.mark.parametrize("order", ORDERS)
def test_what_does_not_fit_is_not_placed(order):
    layers = [mapped(layer) for layer in convolutions(64)]  # 2 × 4 slots a copy: a core
    assert place(layers, {"c0": 24}, room(tiles=2), {"c0": 9}, order).placements is not None
    assert place(layers, {"c0": 25}, room(tiles=2), {"c0": 9}, order).placements is None


def test_copies_of_one_region_of_all_layers_stand_on_the_chip_of_that_region():
    layers = [mapped(layer) for layer in convolutions(64, 16, 16)]
    copies = {"c0": 8, "c1": 16, "c2": 4}
    placements = place(layers, copies, room(chips=4), dict.fromkeys(copies, 9), "network").placements
    assert placements is not None
    for p in placements:
        for copy in range(p.first, p.first + p.copies):
            assert p.tile // 168 == copy * 4 // copies[p.layer]


def test_a_single_copy_stands_in_the_middle_area():
    (layer,) = (mapped(layer) for layer in convolutions(64))
    (placement,) = place([layer], {"c0": 1}, room(chips=2, areas=2), {"c0": 9}, "network").placements
    assert placement.tile in room(chips=2, areas=2).area(2)


def test_areas_cover_every_tile_of_the_board_once():
    board = room(chips=3, tiles=25, areas=4)
    assert [tile for area in range(12) for tile in board.area(area)] == list(range(75))
    assert sorted(board.nearest(5)) == list(range(75))
    assert board.nearest(5)[: len(board.area(5))] == list(board.area(5))


def test_copies_of_a_small_layer_share_a_tile_as_long_as_its_buffer_and_its_adders_last():
    (layer,) = convolutions(16)  # 144 × 16 weights: two slots a copy, 48 copies a tile
    counts = {}
    for what, demand in {
        "cores": {},
        "buffer": {"in_fixed": 0, "in_each": 10},  # 16 channels × 6 windows × 10 pixels × 16 bits: 34 in 2^19 bits
        "adders": {"out_load": 0.01},  # 16 outputs: 0.16 of the time a copy, 5 in 0.9
    }.items():
        placements = place([mapped(layer, **demand)], {"c0": 48}, room(), {"c0": 9}, "network").placements
        counts[what] = max(p.copies for p in placements)
    assert counts == {"cores": 48, "buffer": 34, "adders": 5}


def test_against_the_estimates_what_finds_no_tile_goes_where_most_buffer_is_left():
    (layer,) = convolutions(16)
    greedy = mapped(layer, in_fixed=0, in_each=20)  # 16 channels × 86 windows × 20 × 16 bits = 440,320: one a tile
    assert place([greedy], {"c0": 3}, room(tiles=2), {"c0": 9}, "network", strict=True).placements is None
    found = place([greedy], {"c0": 3}, room(tiles=2), {"c0": 9}, "network", strict=False)
    assert found.placements is not None
    assert sorted(p.tile for p in found.placements) == [0, 0, 1]
    assert not found.either_way


@given(
    copies=st.lists(st.integers(1, 60), min_size=1, max_size=3),
    tiles=st.integers(1, 6),
    in_each=st.sampled_from([0, 1, 5, 20]),
    order=st.sampled_from(ORDERS),
)
def test_where_estimates_decide_nothing_the_placement_is_the_same_whether_they_hold_or_not(
    copies, tiles, in_each, order
):
    layers = [mapped(layer, in_fixed=0, in_each=in_each) for layer in convolutions(*[16] * len(copies))]
    wanted = {m.layer.name: count for m, count in zip(layers, copies, strict=True)}
    strict, soft = (
        place(layers, wanted, room(tiles=tiles), dict.fromkeys(wanted, 9), order, strict=strict)
        for strict in (True, False)
    )
    assert strict.either_way == soft.either_way
    if strict.either_way:
        assert strict == soft


def test_a_network_that_fits_exactly_once_is_placed_with_its_single_window_layers_first():
    graph = load_graph("lstm-2048", ["sequence=2"])[0]
    planner = Planner(graph, Ground.of(graph, CHIP, 17), 0.9, ECONOMIES[-1])
    once = dict.fromkeys((layer.name for layer in graph.matrix_layers), 1)
    assert any(planner.place(once, order, strict=False) for order in ORDERS)


def test_what_was_asked_before_is_not_placed_anew(monkeypatch):
    calls = []

    def counting(*given: object, **how: object) -> object:
        calls.append(given)
        return place(*given, **how)

    monkeypatch.setattr(planner_module, "place", counting)
    graph = network([16, 16, 16], {"conv": 8, "kernel": 3, "name": "c"})
    planner = Planner(graph, Ground.of(graph, CHIP, 1), 0.9)
    first = [planner.place({"c": copies}, "network", strict=True) for copies in (1, 2)]
    again = [planner.place({"c": copies}, "network", strict=True) for copies in (1, 2)]
    assert first == again
    assert len(calls) == 2
    assert planner.place({"c": 2}, "network", strict=False) == first[1]  # where estimates have decided nothing
    assert len(calls) == 2
    for copies in range(3, 3 + planner_module.KEPT):
        planner.place({"c": copies}, "network", strict=True)
    planner.place({"c": 1}, "network", strict=True)
    assert len(calls) == 3 + planner_module.KEPT
