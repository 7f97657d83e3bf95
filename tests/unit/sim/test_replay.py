"""Traffic of compiled networks on the network on chip: what is replayed is what was sent, and what it costs."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from archsim.compile.network import compile_network
from archsim.errors import ArchsimError
from archsim.noc.board import Board
from archsim.sim.noc_work import noc_rows
from archsim.sim.replay import Tokens, busiest_chip, gather, replay
from archsim.sim.simulate import simulate_network
from archsim.spec.loader import load_chip
from archsim.spec.noc import NocEnergy
from archsim.workload import load_graph

COSTS = "{buffer_write: 1 pJ, buffer_read: 2 pJ, crossbar: 3 pJ, arbitration: 4 pJ, link_mm: 5 pJ, pitch: 2 mm, "
ENERGY = f"noc.energy={COSTS}source: mine, status: assumed}}"
ALWAYS = 10**9


@cache
def compiled(chips=1, *settings):
    return compile_network(load_graph("lenet-5")[0], load_chip("isaac-ce", settings).model, chips)


@pytest.mark.parametrize("topology", ["mesh", "torus"])
def test_the_ledger_counts_what_the_routers_do_flit_by_flit(topology):
    built = compiled(1, f"noc.topology={topology}", ENERGY)
    counts = replay(built, 0, gather(built, 0, 1, ALWAYS)).flit.counts
    energy = built.board.chip.noc.energy
    assert isinstance(energy, NocEnergy)
    rows = {row.action: row for row in noc_rows(built, energy)}
    assert rows["buffer write"].count == counts["buffer_writes"]
    assert rows["buffer read"].count == rows["crossbar"].count == counts["crossbar_flits"]
    assert rows["arbitration"].count == counts["vc_grants"] + counts["switch_grants"]
    pitches = {"mesh": 1, "torus": 2}[topology]
    assert rows["link mm"].count == pytest.approx(2 * pitches * rows["flit-hop"].count)
    assert rows["link mm"].energy_j == pytest.approx(5e-12)


def test_energy_by_action_takes_the_place_of_the_routers_flits():
    usual, by_action = (simulate_network(compiled(1, *words), images=1).ledger for words in ((), (ENERGY,)))
    assert "tile.router" in usual.by_component()
    assert "tile.router" not in by_action.by_component()
    rest = {name: value for name, value in usual.by_component().items() if name != "tile.router"}
    assert {name: value for name, value in by_action.by_component().items() if name != "chip.noc"} == rest


def test_a_link_with_an_energy_of_its_own_costs_that_in_place_of_its_wire():
    routers = "{a: {terminals: 84}, b: {terminals: 84}}"
    graph = f"noc.graph={{routers: {routers}, links: [{{ends: [a, b], energy: 30 pJ, cycles: 9}}]}}"
    plain = ("noc.columns=null", "noc.rows=null", "noc.concentration=1", "noc.topology=graph", graph)
    built = compile_network(load_graph("lenet-5")[0], load_chip("isaac-ce", [*plain, ENERGY]).model, 1)
    rows = {row.action: row for row in noc_rows(built, built.board.chip.noc.energy)}
    crossing = [rows[name] for name in ("link a b", "link b a") if name in rows]
    assert crossing
    assert {row.energy_j for row in crossing} == {30e-12}
    assert sum(row.count for row in crossing) == rows["flit-hop"].count
    assert "link mm" not in rows


def test_every_token_of_an_inference_is_sent_once_and_a_copy_for_each_target_costs_more():
    built = compiled()
    tokens = gather(built, 0, 1, ALWAYS)
    result = replay(built, 0, tokens)
    terminals = len(result.fabric.terminals)
    assert result.flit.channel_flits[:terminals].sum() == tokens.flits.sum()
    assert (result.flit.channel_flits == result.packet.channel_flits).all()
    fans = np.array([len(targets) for _, targets in tokens.trees])
    assert result.unicast.channel_flits[:terminals].sum() == (tokens.flits * fans[tokens.tree]).sum()
    assert result.unicast.channel_flits.sum() > result.flit.channel_flits.sum()
    assert result.packet.latency.mean <= result.flit.latency.mean


def test_both_engines_replay_alike():
    built = compiled()
    tokens = gather(built, 0, 1, 60)
    ways = [replay(built, 0, tokens, name) for name in ("compiled", "reference")]
    assert ways[0].flit.latency == ways[1].flit.latency
    assert ways[0].unicast.counts == ways[1].unicast.counts


def test_a_window_holds_the_busiest_cycles_and_counts_from_its_start():
    built = compiled()
    whole, part = (gather(built, 0, 2, cycles) for cycles in (ALWAYS, 400))
    assert part.cycles == 400 < whole.cycles
    assert 0 <= part.created.min() <= part.created.max() < 400
    density = part.flits.sum() / part.cycles
    assert density > whole.flits.sum() / whole.cycles


def test_tokens_longer_than_a_buffer_are_several_packets():
    network = Board(load_chip("isaac-ce").model, 1).network
    tokens = Tokens([(0, (5, 9))], np.array([0, 0]), np.array([0, 3]), np.array([20, 8]), 10)
    packets, token = tokens.packets(network.fabric, copies=False)
    assert (packets.flits.tolist(), token.tolist()) == ([8, 8, 4, 8], [0, 0, 0, 1])
    copies, token = tokens.packets(network.fabric, copies=True)
    assert copies.flits.sum() == 2 * 28
    assert np.bincount(token, copies.flits).tolist() == [40, 16]


def test_each_chip_of_a_board_is_looked_at_alone():
    built = compile_network(load_graph("resnet20")[0], load_chip("isaac-ce").model, 2, "none")
    assert busiest_chip(built) in (0, 1)
    results = [replay(built, chip, gather(built, chip, 1, 2000)) for chip in range(2)]
    assert all(result.flit.latency.mean > 0 for result in results)
    with pytest.raises(ArchsimError, match="--chip-number: expected 0 to 1, got 2"):
        gather(built, 2, 1, 100)


def test_a_run_says_which_link_is_used_more_than_packet_level_holds_for():
    (note,) = simulate_network(compiled(), images=2).notes
    assert note.startswith("network on chip: ")
    assert "is busy" in note
    assert "the range ends at 15% (50% for single flits, 15% for longer tokens)" in note
    wide = compiled(1, "noc.bandwidth=400 GB/s", "tile.components.router.flit=4096 b")
    assert simulate_network(wide, images=2).notes == ()
