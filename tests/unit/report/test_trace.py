"""A trace read back: tracks, slices, arguments, counters and arrows against the run's own totals and records."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from archsim.compile.network import Compiled, compile_network
from archsim.compile.planner import buffer_bits
from archsim.errors import ArchsimError
from archsim.report.trace import trace_lines, write_trace
from archsim.sim.engines import engine
from archsim.sim.outcome import FOREVER, Outcome
from archsim.sim.timeline import Timeline, run_timeline
from tests.networks import CONVOLUTIONS, chip, network
from tests.perfetto import ReadTrace, Slice, read_trace

IMAGES = 3


@functools.cache
def made(design: str, detail: frozenset[str] = frozenset(), chips: int = 1) -> Compiled:
    graph = network(CONVOLUTIONS, (3, 8, 8))
    return compile_network(graph, chip(design, 12), chips, component_detail=detail)


def everything(compiled: Compiled) -> Outcome:
    return engine("compiled")(compiled.for_images(IMAGES), records="all")


def shown(timeline: Timeline, folder: Path, layer: str | None = None) -> ReadTrace:
    write_trace(timeline, folder / "run.pftrace", layer)
    return read_trace(folder / "run.pftrace")


def by_lane(trace: ReadTrace) -> dict[str, list[Slice]]:
    """The slices of each lane by its name, which is that of a stage or a link."""
    return {trace.path(track)[-1]: pieces for track, pieces in trace.slices.items() if pieces}


designs = pytest.mark.parametrize("design", ["isaac-ce", "puma"])


@designs
def test_every_stage_and_link_is_a_track_in_its_place(design: str, tmp_path: Path) -> None:
    compiled = made(design, chips=2)
    trace = shown(run_timeline(compiled, images=IMAGES), tmp_path)
    title = f"small on 2 × {design} (1 ns shown is 1 ps)"
    paths = set(trace.tracks())
    assert all(path[0] == title for path in paths)
    for stage, tile in zip(compiled.program.stages, compiled.stage_tile, strict=True):
        on = tile // 12
        place = ("host",) if tile < 0 else (f"chip {on}", f"tile {tile}" + (f" ({on}:{tile % 12})" if on else ""))
        assert (title, *place, stage.name) in paths
    for link in compiled.program.links:
        where = int(link.name.split(" ")[1])
        if link.kind in ("channel", "chip-in", "chip-out"):
            assert (title, f"chip {where}", "network", link.name) in paths
        else:
            local = f" ({where // 12}:{where % 12})" if where >= 12 else ""
            assert (title, f"chip {where // 12}", f"tile {where}{local}", link.name) in paths
    ranks = [descriptor.sibling_order_rank for descriptor in trace.descriptors.values()]
    assert ranks == sorted(ranks)


@designs
@pytest.mark.parametrize("detail", [(), ("one", "two")])
def test_slices_are_the_firings_and_passages_with_their_busy_time(
    design: str, detail: tuple[str, ...], tmp_path: Path
) -> None:
    compiled = made(design, frozenset(detail))
    outcome = everything(compiled)
    lanes = by_lane(shown(run_timeline(compiled, images=IMAGES), tmp_path))
    for number, stage in enumerate(compiled.for_images(IMAGES).stages):
        pieces = lanes.pop(stage.name)
        assert [piece.start for piece in pieces] == outcome.records.starts[number].tolist()
        assert sum(piece.end - piece.start for piece in pieces) == outcome.stage_own_time[number]
        assert {piece.name for piece in pieces} == {stage.layer}
    for number, link in enumerate(compiled.program.links):
        pieces = lanes.pop(link.name)
        assert len(pieces) == outcome.link_tokens[number]
        assert sum(piece.end - piece.start for piece in pieces) == outcome.link_busy[number]
        assert sum(int(piece.arguments.get("queued_ps", 0)) for piece in pieces) == outcome.link_waited[number]
    assert not lanes
    if detail:
        assert {"dac", "crossbar", "adc"} <= {stage.component for stage in compiled.program.stages}


def test_a_slice_says_which_firing_it_is_and_what_it_waited_for(tmp_path: Path) -> None:
    compiled = made("isaac-ce")
    records = everything(compiled).records
    program = compiled.for_images(IMAGES)
    lanes = by_lane(shown(run_timeline(compiled, images=IMAGES), tmp_path))
    reasons = set()
    for number, stage in enumerate(program.stages):
        for firing, piece in enumerate(lanes[stage.name]):
            starved, blocked = (int(column[number][firing]) for column in (records.starved, records.blocked))
            bound = int(records.bound[number][firing])
            expected: dict[str, int | str] = {"image": firing // (stage.firings // IMAGES), "firing": firing}
            expected["start_ps"] = piece.start
            expected |= {"starved_ps": starved} if starved else {}
            expected |= {"blocked_ps": blocked} if blocked else {}
            reason = piece.arguments.pop("waited_for", "")
            assert piece.arguments == expected
            assert bool(reason) == (bound >= 0)
            if reason:
                flow = program.flows[int(program.arrays.end_flow[bound])]
                reasons.add(str(reason).split()[0])
                other = int(program.arrays.end_stage[bound]) if blocked else flow.source
                what = "room in" if blocked else "tokens from"
                assert reason == f"{what} {program.stages[other].name} ({flow.name})"
    assert reasons == {"room", "tokens"}


def test_a_token_on_a_link_is_named_by_its_flow_and_layer(tmp_path: Path) -> None:
    compiled = made("puma")
    program = compiled.for_images(IMAGES)
    lanes = by_lane(shown(run_timeline(compiled, images=IMAGES), tmp_path))
    for link in program.links:
        seen: dict[str, list[int]] = defaultdict(list)
        for piece in lanes[link.name]:
            number, name = str(piece.arguments["flow"]).split(": ")
            flow = program.flows[int(number)]
            seen[number].append(int(piece.arguments["token"]))
            each = flow.emit.total(program.stages[flow.source].firings) // IMAGES
            assert name == flow.name
            assert piece.arguments["from"] == program.stages[flow.source].name
            assert piece.name == program.stages[flow.source].layer
            assert piece.arguments["image"] == seen[number][-1] // each
        assert all(tokens == list(range(len(tokens))) for tokens in seen.values())


@designs
def test_buffer_levels_are_never_negative_nor_above_the_buffer_and_end_empty_of_what_was_used(
    design: str, tmp_path: Path
) -> None:
    compiled = made(design)
    trace = shown(run_timeline(compiled, images=IMAGES), tmp_path)
    capacity = buffer_bits(compiled.board.chip.tile) // 8
    levels = {trace.path(track)[2]: values for track, values in trace.values.items()}
    assert set(levels) == {f"tile {tile}" for tile in set(compiled.stage_tile) if tile >= 0}
    for values in levels.values():
        times, held = zip(*values, strict=True)
        assert times[0] == 0
        assert list(times) == sorted(set(times))
        assert 0 <= min(held) < max(held) <= capacity
    descriptors = [trace.descriptors[track] for track in trace.values]
    assert {descriptor.name for descriptor in descriptors} == {"buffer level"}
    assert all(f"of {capacity}:" in descriptor.description for descriptor in descriptors)


@designs
def test_arrows_go_from_firing_over_links_to_firing_and_come_in_pairs(design: str, tmp_path: Path) -> None:
    compiled = made(design)
    program = compiled.for_images(IMAGES)
    trace = shown(run_timeline(compiled, images=IMAGES), tmp_path, "one")
    ways: dict[int, list[tuple[int, str]]] = defaultdict(list)
    endings: dict[int, list[int]] = defaultdict(list)
    for lane, pieces in by_lane(trace).items():
        for piece in pieces:
            for arrow in (*piece.arrows, *piece.ending):
                ways[arrow].append((piece.start, lane))
            for arrow in piece.ending:
                endings[arrow].append(piece.start)
    tokens = sum(
        len(flow.ends) * flow.emit.total(program.stages[flow.source].firings)
        for flow in program.flows
        if program.stages[flow.source].layer == "one"
    )
    assert len(ways) == tokens
    stages = {stage.name: stage for stage in program.stages}
    for arrow, way in ways.items():
        way.sort()
        assert len(way) >= 2
        assert endings[arrow] == [way[-1][0]]
        assert stages[way[0][1]].layer == "one"
        assert all(lane not in stages for _, lane in way[1:-1])
        assert len({start for start, _ in way}) == len(way)


def test_a_token_of_an_arrow_is_needed_by_the_firing_that_it_leads_to(tmp_path: Path) -> None:
    compiled = made("isaac-ce")
    records = everything(compiled).records
    program = compiled.for_images(IMAGES)
    lanes = by_lane(shown(run_timeline(compiled, images=IMAGES), tmp_path, "two"))
    bound = 0
    for number, flow in enumerate(program.flows):
        if program.stages[flow.source].layer == "two" and len(flow.ends) == 1:
            end = int(program.end_offsets[number])
            consumer = program.stages[flow.ends[0].stage]
            needs = flow.ends[0].need.values(consumer.firings)
            for firing, piece in enumerate(lanes[consumer.name]):
                if records.bound[flow.ends[0].stage][firing] == end and "blocked_ps" not in piece.arguments:
                    bound += 1
                    assert piece.ending
                    assert records.deliveries[end][needs[firing] - 1] == piece.start
    assert bound


# -- windows and tiles ------------------------------------------------------------------------------


@designs
def test_a_window_holds_all_that_is_busy_in_it_and_nothing_else(design: str, tmp_path: Path) -> None:
    compiled = made(design)
    end = everything(compiled).makespan
    whole = by_lane(shown(run_timeline(compiled, images=IMAGES), tmp_path, "one"))
    for since, until in ((0, end // 3), (end // 3, end // 2), (2 * end // 3, FOREVER), (end // 2, end // 2 + 1)):
        part = by_lane(shown(run_timeline(compiled, images=IMAGES, since=since, until=until), tmp_path))
        for lane, pieces in whole.items():
            inside = [piece for piece in pieces if piece.end > since and piece.start < until]
            kept = part.pop(lane, [])
            assert [(p.start, p.end, p.name, p.arguments) for p in kept] == [
                (p.start, p.end, p.name, p.arguments) for p in inside
            ]
        assert not part


@designs
def test_levels_in_a_window_are_those_of_the_whole_run(design: str, tmp_path: Path) -> None:
    compiled = made(design)
    end = everything(compiled).makespan
    whole = shown(run_timeline(compiled, images=IMAGES), tmp_path)
    since, until = end // 3, end // 2
    part = shown(run_timeline(compiled, images=IMAGES, since=since, until=until), tmp_path)
    levels = {whole.path(track)[2]: values for track, values in whole.values.items()}
    assert part.values
    for track, values in part.values.items():
        before = [value for time, value in levels[part.path(track)[2]] if time <= since]
        inside = [(time, value) for time, value in levels[part.path(track)[2]] if since < time < until]
        assert values == [(since, before[-1]), *inside]


def test_only_the_lanes_of_the_wanted_tiles_are_kept_and_their_levels_stay_right(tmp_path: Path) -> None:
    compiled = made("isaac-ce")
    tile = sorted({tile for tile in compiled.stage_tile if tile >= 0})[1]
    whole = shown(run_timeline(compiled, images=IMAGES), tmp_path)
    timeline = run_timeline(compiled, images=IMAGES, tiles=frozenset({tile}))
    part = shown(timeline, tmp_path)
    place = (part.path(1)[0], "chip 0", f"tile {tile}")
    tracks = {path: track for path, track in whole.tracks().items() if path[:3] == place}
    assert {path for path in part.tracks() if len(path) > 2} == set(tracks)
    for path, track in part.tracks().items():
        if len(path) > 3:
            assert part.slices[track] == whole.slices[tracks[path]]
            assert part.values[track] == whole.values[tracks[path]]
    links = [
        compiled.program.links[compiled.program.arrays.hop_link[hop]] for hop in timeline.outcome.records.link_starts
    ]
    assert {link.kind for link in links} == {"buffer", "bus", "unit", "inject", "eject"}
    assert {link.name.split(" ")[1] for link in links} == {str(tile)}


def test_both_engines_give_the_same_bytes_each_time(tmp_path: Path) -> None:
    compiled = made("isaac-ce")
    end = everything(compiled).makespan
    for number, name in enumerate(("compiled", "compiled", "simpy")):
        timeline = run_timeline(compiled, images=IMAGES, engine_name=name, since=end // 4, until=end // 2)
        write_trace(timeline, tmp_path / str(number), "one")
    first, *others = ((tmp_path / str(number)).read_bytes() for number in range(3))
    assert all(other == first for other in others)


# -- what is said -----------------------------------------------------------------------------------


def test_the_summary_counts_what_is_in_the_file(tmp_path: Path) -> None:
    compiled = made("puma")
    timeline = run_timeline(compiled, images=IMAGES, since=1_000)
    summary = write_trace(timeline, tmp_path / "a.pftrace", "one")
    trace = read_trace(tmp_path / "a.pftrace")
    arrows = {arrow for pieces in trace.slices.values() for piece in pieces for arrow in piece.ending}
    end = everything(compiled).makespan
    assert summary == {
        "file": str(tmp_path / "a.pftrace"),
        "bytes": (tmp_path / "a.pftrace").stat().st_size,
        "lanes": len(by_lane(trace)),
        "slices": sum(map(len, trace.slices.values())),
        "counter_values": sum(map(len, trace.values.values())),
        "arrows": len(arrows),
        "from_ps": 1_000,
        "to_ps": end,
        "makespan_ps": end,
    }
    first, second = trace_lines(summary).splitlines()
    assert first.startswith(f"{tmp_path / 'a.pftrace'}: {summary['slices']} slices on {summary['lanes']} lanes, ")
    assert second.startswith("from 1 ns to ")


def test_a_window_in_which_nothing_happens_is_refused_and_leaves_no_file(tmp_path: Path) -> None:
    timeline = run_timeline(made("puma"), since=10**12)
    with pytest.raises(
        ArchsimError, match=r"^there is nothing to trace: no lane is busy from 1 s on, and the run ends at"
    ):
        write_trace(timeline, tmp_path / "a.pftrace")
    assert list(tmp_path.iterdir()) == []


def test_a_part_says_how_many_arrays_and_cores_it_has(tmp_path: Path) -> None:
    compiled = made("isaac-ce")
    trace = shown(run_timeline(compiled), tmp_path)
    arrays = 0
    for descriptor in trace.descriptors.values():
        if descriptor.name.endswith(" mvm"):
            words = descriptor.description.split()
            arrays += int(words[0])
            assert int(words[3]) >= math.ceil(int(words[0]) / 8)
    assert arrays == compiled.arrays_used


def test_stages_that_never_fire_have_no_track(tmp_path: Path) -> None:
    compiled = made("puma")
    timeline = run_timeline(compiled, until=1)
    lanes = by_lane(shown(timeline, tmp_path))
    starts = engine("compiled")(compiled.program, records="all").records.starts
    assert set(lanes) == {compiled.program.stages[s].name for s in starts if np.any(starts[s] == 0)}
