"""Networks in chip files: every topology routes between tiles and chips, and what fails is gone around or named."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.compile.network import compile_network
from archsim.errors import ArchsimError, CompileError
from archsim.noc.board import HOST, Board
from archsim.noc.dependencies import dependency_cycle
from archsim.noc.routing import routing
from archsim.noc.topology import grid, ring
from archsim.sim.simulate import simulate_network
from archsim.spec.loader import load_chip
from archsim.workload import load_graph

NO_PLANE = ("noc.columns=null", "noc.rows=null")
SHAPES = {
    "mesh": "[3,3,2]",
    "cmesh": "[3,2]",
    "torus": "[4,3]",
    "ring": "[5]",
    "tree": "[2,3]",
    "fat-tree": "[2,3]",
    "star": "[5]",
    "point-to-point": "[5]",
}
ROUTERS = "{a: {terminals: 4}, b: {terminals: 0}, c: {terminals: 4}}"
LINKS = "[{ends: [a, b]}, {ends: [b, c], cycles: 5, period: 2}]"
LINE = f"{{routers: {ROUTERS}, links: {LINKS}}}"


def chip(topology, *settings, tiles=8):
    shape = f"noc.graph={LINE}" if topology == "graph" else f"noc.shape={SHAPES[topology]}"
    words = (*NO_PLANE, f"noc.topology={topology}", shape, f"tiles={tiles}")
    words += (f"noc.concentration={1 if topology == 'graph' else 2}",)
    return load_chip("isaac-ce", [*words, *settings]).model


@pytest.mark.parametrize("topology", [*SHAPES, "graph"])
def test_on_every_topology_a_route_follows_channels_from_tile_to_tile(topology):
    board = Board(chip(topology), 2)
    graph = board.network.graph
    steps = {step for key in _keys(board) if key[0] == "channel" for step in [key[2:]]}
    assert 0 < len(steps) <= graph.number_of_edges()
    for source in range(board.tiles_per_chip):
        nodes, hangs = board.tree(source, [tile for tile in range(HOST, board.tiles) if tile != source])
        keys = [key for key, _ in nodes]
        assert len(set(keys)) == len(keys), "no link twice"
        assert all(board.model(key) is not None for key in keys)
        assert all(keys[hang][0] in ("eject", "chip-out") for hang in hangs)


def _keys(board):
    return [key for a in range(board.tiles) for b in range(HOST, board.tiles) for key in board.path(a, b)]


@pytest.mark.parametrize("topology", [*SHAPES, "graph"])
def test_a_network_runs_on_every_topology_and_both_engines_agree(topology):
    compiled = compile_network(load_graph("mlp-l4")[0], chip(topology, tiles=6), 30)
    runs = [simulate_network(compiled, images=2, engine_name=name) for name in ("compiled", "reference")]
    assert runs[0].timing == runs[1].timing
    assert runs[0].ledger == runs[1].ledger


def test_a_link_of_a_drawn_network_has_its_own_latency_and_bandwidth():
    board = Board(chip("graph", tiles=7), 1)
    path = board.path(0, 6)
    assert path == (("inject", 0), ("channel", 0, "a", "b"), ("channel", 0, "b", "c"), ("eject", 6))
    plain, own = (board.model(key) for key in path[1:3])
    assert (plain.hop, own.hop) == (4_000, 8_000)  # three cycles of the router, and one or five of the wire
    assert own.bits_per_s == plain.bits_per_s / 2


def test_a_graph_may_be_a_network_file_beside_the_chip(tmp_path):
    header = "schema: 1\nkind: network\nname: line\n"
    (tmp_path / "line.yaml").write_text(f"{header}routers: {ROUTERS}\nlinks: {LINKS}\n")
    header = "schema: 1\nkind: chip\nname: lined\nextends: isaac-ce\ntiles: 4\n"
    noc = "noc: {topology: graph, columns: null, rows: null, concentration: 1, graph: line.yaml}\n"
    (tmp_path / "lined.yaml").write_text(header + noc)
    loaded = load_chip(str(tmp_path / "lined.yaml"))
    assert loaded.model.noc.places == 8
    (tmp_path / "again.yaml").write_text(loaded.resolved_yaml())
    assert load_chip(str(tmp_path / "again.yaml")).config_hash == loaded.config_hash


def test_a_cycle_of_channels_in_a_chip_is_an_error_that_prints_it():
    ends = ["a, b", "b, c", "c, d", "d, e", "e, a"]
    links = ", ".join(f"{{ends: [{pair}]}}" for pair in ends)
    drawn = f"noc.graph={{routers: {{a: {{}}, b: {{}}, c: {{}}, d: {{}}, e: {{}}}}, links: [{links}]}}"
    words = [*NO_PLANE, "noc.topology=graph", "noc.concentration=1", "tiles=5", drawn]
    with pytest.raises(CompileError, match=r"^the routing 'shortest' can deadlock: 5 channels .*: a->b class 0 -> "):
        compile_network(load_graph("mlp-l4")[0], load_chip("isaac-ce", words).model, 40)
    assert Board(load_chip("isaac-ce", [*words, "noc.routing=up-down"]).model, 1).network.routing.name == "up-down"


@given(st.sampled_from([grid((4, 3)), grid((5, 2, 3)), grid((4, 5), wrap=True), grid((3, 2, 4), wrap=True), ring(7)]))
def test_the_paths_looked_at_for_a_cycle_show_what_all_paths_make_wait(graph):
    rule = routing(graph)
    pairs = [(a, b) for a in graph for b in graph if a != b]
    assert _waits(rule, [pair for pair in rule.witnesses() if pair[0] != pair[1]]) == _waits(rule, pairs)
    assert not dependency_cycle((a, rule.path(a, b)) for a, b in pairs)


def _waits(rule, pairs):
    known = set()
    for a, b in pairs:
        path = rule.path(a, b)
        ends = [a, *(node for node, _ in path)]
        channels = [(*ends[k : k + 2], kind) for k, (_, kind) in enumerate(path)]
        known.update(pairwise(channels))
    return known


def test_around_a_failed_link_no_route_uses_it_and_the_others_stay():
    whole, broken = (Board(chip("torus", *more, tiles=12), 1) for more in ((), ("noc.failed_links=[0.0-1.0]",)))
    gone = {(0, 0, 1, 0), (1, 0, 0, 0)}
    changed = 0
    for a in range(12):
        for b in range(12):
            before, after = whole.path(a, b), broken.path(a, b)
            used = {key[2:] for key in before if key[0] == "channel"}
            assert not gone & {key[2:] for key in after if key[0] == "channel"}
            assert (after == before) == (not used & gone)
            changed += after != before
    assert changed


def test_a_chip_that_failed_links_cut_in_two_is_named_with_what_is_cut_off():
    cut = "noc.failed_links=[0.0-1.0, 0.0-0.1]"
    with pytest.raises(CompileError, match=r"with 2 failed links the network is disconnected: .*\(0\.0\) cannot reach"):
        Board(load_chip("isaac-ce", [cut]).model, 1)


def test_nothing_is_placed_on_a_tile_that_has_failed():
    graph = load_graph("lenet-5")[0]
    failed = load_chip("isaac-ce", ["noc.failed_tiles=[0,1,2,3,7,100]"]).model
    compiled = compile_network(graph, failed, 1)
    assert {p.tile for p in compiled.placements}.isdisjoint({0, 1, 2, 3, 7, 100})
    assert set(compiled.stage_tile).isdisjoint({0, 1, 2, 3, 7, 100})
    usual = compile_network(graph, load_chip("isaac-ce").model, 1)
    assert compiled.arrays_used == usual.arrays_used


def test_too_many_failed_tiles_are_counted_out_of_what_the_board_has():
    failed = f"noc.failed_tiles={list(range(1, 168))}"
    with pytest.raises(CompileError, match=r"needs \d+ arrays in whole cores, the board has 96, \d+ too few"):
        compile_network(load_graph("resnet20")[0], load_chip("isaac-ce", [failed]).model, 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["noc.failed_tiles=[168]"], "noc.failed_tiles: the chip has tiles 0 to 167, got 168"),
        (["tiles=1", "noc.failed_tiles=[0]"], "noc.failed_tiles: no tile is left"),
        (["noc.topology=ring"], "noc.columns: a ring has a shape"),
        (["noc.shape=[7,6]"], "noc.columns: give either columns and rows, or shape"),
        (["noc.rows=null"], "noc.topology: the key 'rows' is missing"),
        ([*NO_PLANE], "noc.topology: the key 'columns' is missing"),
        ([*NO_PLANE, "noc.topology=tree"], r"noc.topology: a tree needs shape: \[arity, levels\], got nothing"),
        (
            [*NO_PLANE, "noc.topology=ring", "noc.shape=[7,6]"],
            r"noc.shape: a ring needs .*\[routers\], got \[7, 6\]",
        ),
        ([*NO_PLANE, "noc.topology=graph"], "noc.topology: a graph needs the key 'graph'"),
        ([f"noc.graph={LINE}"], "noc.graph: only topology: graph has one, this is a mesh"),
        ([*NO_PLANE, "noc.topology=graph", f"noc.graph={LINE}"], "noc.concentration: a graph says itself"),
        ([*NO_PLANE, "noc.topology=graph", "noc.graph=nowhere.yaml"], "noc.graph: no network file at 'nowhere.yaml'"),
        (["noc.routing=fat-tree"], "noc.routing: fat-tree needs a topology made for it, this is a mesh"),
        ([*NO_PLANE, "noc.topology=torus", "noc.shape=[1024,1024]"], "a torus of so many: more than 4096 routers"),
    ],
)
def test_mistakes_in_a_network_are_told_at_their_keys(settings, message):
    with pytest.raises(ArchsimError, match=message):
        load_chip("isaac-ce", settings)


def test_a_link_that_is_not_there_cannot_fail():
    with pytest.raises(CompileError, match=r"^noc.failed_links: no link '0.0-9.0'; did you mean '0.0-1.0'"):
        Board(load_chip("isaac-ce", ["noc.failed_links=[0.0-9.0]"]).model, 1)


def test_the_routers_of_a_chip_flit_by_flit_are_as_long_as_its_row_says():
    usual = Board(load_chip("isaac-ce").model, 1).network
    assert usual.keys.pipeline_cycles == 3
    slow = Board(load_chip("isaac-ce", ["tile.components.router.cycles=5"]).model, 1).network
    assert slow.keys.pipeline_cycles == 5
    own = Board(load_chip("isaac-ce", ["noc.flit={virtual_channels: 4}"]).model, 1).network
    assert own.keys.virtual_channels == 4


def test_tiles_and_links_to_other_chips_are_terminals_of_their_routers():
    network = Board(load_chip("isaac-ce", ["noc.failed_tiles=[1]"]).model, 1).network
    terminals = network.fabric.terminals
    assert len(terminals) == 167 + 4
    assert all(terminals[network.terminal_of_tile(tile)] == network.routers[tile] for tile in range(168) if tile != 1)
    assert [terminals[network.terminal_of_port(port)] for port in range(4)] == list(network.ports)
