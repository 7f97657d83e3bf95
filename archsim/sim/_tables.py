"""From a Program's arrays to the tables of the compiled engine, and back to an Outcome."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.program import NO_NODE, Program, ProgramArrays
from archsim.sim import _kernel as k
from archsim.sim.outcome import BY_ITSELF, Outcome, Records, RecordsWanted

__all__ = ["make_outcome", "make_tables", "make_tape"]

Ints = NDArray[np.int64]

RING = 4
"""Delivery times that an end keeps to begin with; a power of two."""
PAIRS = 4
"""Arrivals that a hop on a shared link keeps to begin with; a power of two."""


def make_tables(a: ProgramArrays) -> tuple[k.Tables, Ints]:
    """The tables before the first firing, and the pool that the rings and queues grow in."""
    stages, flows, ends = _stages(a), _flows(a), _ends(a)
    roots = _members(np.where(a.hop_parent == NO_NODE, a.hop_flow, -1), len(flows))
    direct = _members(np.where(a.end_node == NO_NODE, a.end_flow, -1), len(flows))
    flows[:, k.ROOT_FROM], flows[:, k.ROOT_TO], flow_root = *_spans(roots[0]), roots[1]
    flows[:, k.DIRECT_FROM], flows[:, k.DIRECT_TO], flow_direct = *_spans(direct[0]), direct[1]
    hops = _hops(a, first_queue=RING * len(ends))
    words = RING * len(ends) + 2 * PAIRS * len(hops)
    first = np.full(k.LEVELS * k.SLOTS, k.NONE)
    items = len(hops) + len(stages)
    tables = k.Tables(
        stages=stages,
        flows=flows,
        ends=ends,
        hops=hops,
        links=np.zeros((len(a.link_hop), k.LINK_COLUMNS), np.int64),
        stage_in=a.stage_in,
        stage_out=a.stage_out,
        flow_root=flow_root,
        flow_direct=flow_direct,
        hop_child=a.hop_child,
        hop_end=a.hop_end,
        numbers=a.pool,
        first=first,
        after=np.full(items, k.NONE),
        when=np.zeros(items, np.int64),
        marks=np.zeros(k.WHEEL_MARKS, np.int64),
        stack=np.zeros(2 * len(hops) + 2, np.int64),
        arrivals=np.zeros(len(hops), np.int64),
        used=np.array([words], np.int64),
    )
    return tables, np.zeros(words, np.int64)


def make_tape(program: Program, tables: k.Tables, wanted: RecordsWanted) -> k.Tape:
    """Room for the records that are wanted; writes into the tables where each row's records begin."""
    a = program.arrays
    everything = wanted == "all"
    stages = np.ones(len(a.stage_firings), bool) if everything else np.zeros(len(a.stage_firings), bool)
    if not everything:
        stages[list(wanted)] = True
    tokens = _tokens(program) if everything else np.zeros(len(a.flow_source), np.int64)
    starts = np.cumsum(np.where(stages, a.stage_firings, 0))
    deliveries, link_starts = np.cumsum(tokens[a.end_flow]), np.cumsum(tokens[a.hop_flow])
    tables.stages[:, k.STAGE_RECORD] = np.where(stages, starts - a.stage_firings, k.NONE)
    tables.ends[:, k.END_RECORD] = deliveries - tokens[a.end_flow] if everything else k.NONE
    tables.hops[:, k.HOP_RECORD] = link_starts - tokens[a.hop_flow] if everything else k.NONE

    def room(totals: Ints, needed: bool = True) -> Ints:
        return np.zeros(int(totals[-1]) if needed and len(totals) else 0, np.int64)

    return k.Tape(
        starts=room(starts),
        starved=room(starts, everything),
        blocked=room(starts, everything),
        bound=room(starts, everything),
        deliveries=room(deliveries),
        link_starts=room(link_starts),
    )


def make_outcome(program: Program, t: k.Tables, tape: k.Tape, last_output: int, wanted: RecordsWanted) -> Outcome:
    """The totals after a run that came to its end: every token that was emitted has arrived."""
    a = program.arrays
    sent = t.flows[:, k.EMITTED]
    delivered = sent[a.end_flow]
    links = len(a.link_hop)
    end_last = np.where(delivered > 0, t.ends[:, k.LAST_DELIVERY], 0)
    return Outcome(
        makespan=max(last_output, int(end_last.max(initial=0))),
        events=int(t.stages[:, k.FIRED].sum() + delivered.sum() + sent[a.hop_flow].sum()),
        stage_first=t.stages[:, k.FIRST].copy(),
        stage_last=t.stages[:, k.LAST].copy(),
        stage_own_time=t.stages[:, k.OWN].copy(),
        stage_starved=t.stages[:, k.STARVED].copy(),
        stage_blocked=t.stages[:, k.BLOCKED].copy(),
        end_delivered=delivered,
        end_last=end_last,
        end_waited=t.ends[:, k.WAITED].copy(),
        end_held=t.ends[:, k.HELD].copy(),
        end_peak=t.ends[:, k.PEAK].copy(),
        link_tokens=_sums(a.hop_link, sent[a.hop_flow], links),
        link_busy=_sums(a.hop_link, sent[a.hop_flow] * a.hop_serialisation, links),
        link_waited=t.links[:, k.LINK_WAITED].copy(),
        records=_records(program, t, tape, wanted),
    )


def _records(program: Program, t: k.Tables, tape: k.Tape, wanted: RecordsWanted) -> Records:
    a = program.arrays
    keep = range(len(a.stage_firings)) if wanted == "all" else sorted(wanted)
    spans = {
        s: slice(begin, begin + count)
        for s, begin, count in zip(
            keep, t.stages[list(keep), k.STAGE_RECORD].tolist(), a.stage_firings[list(keep)].tolist(), strict=True
        )
    }
    starts = {s: tape.starts[span] for s, span in spans.items()}
    if wanted != "all":
        return Records(starts, {}, {}, {}, {}, {})

    def cut(tape_of_rows: Ints, flow_of_row: Ints) -> dict[int, Ints]:
        pieces = np.split(tape_of_rows, np.cumsum(t.flows[flow_of_row, k.EMITTED]))
        return dict(enumerate(pieces[:-1]))

    return Records(
        starts=starts,
        starved={s: tape.starved[span] for s, span in spans.items()},
        blocked={s: tape.blocked[span] for s, span in spans.items()},
        bound={s: tape.bound[span] for s, span in spans.items()},
        deliveries=cut(tape.deliveries, a.end_flow),
        link_starts=cut(tape.link_starts, a.hop_flow),
    )


def _stages(a: ProgramArrays) -> Ints:
    table = np.zeros((len(a.stage_firings), k.STAGE_COLUMNS), np.int64)
    table[:, k.FIRINGS] = a.stage_firings
    table[:, k.IN_FROM], table[:, k.IN_TO] = _spans(a.stage_in_ptr)
    table[:, k.OUT_FROM], table[:, k.OUT_TO] = _spans(a.stage_out_ptr)
    _set_cursor(table, k.INTERVAL, a, a.stage_interval)
    _set_cursor(table, k.LATENCY, a, a.stage_latency)
    return table


def _flows(a: ProgramArrays) -> Ints:
    table = np.zeros((len(a.flow_source), k.FLOW_COLUMNS), np.int64)
    table[:, k.END_FROM], table[:, k.END_TO] = _spans(a.flow_end_ptr)
    _set_cursor(table, k.EMIT, a, a.flow_emit)
    return table


def _ends(a: ProgramArrays) -> Ints:
    table = np.zeros((len(a.end_flow), k.END_COLUMNS), np.int64)
    initial = a.flow_initial[a.end_flow]
    table[:, k.STAGE] = a.end_stage
    table[:, k.SOURCE] = a.flow_source[a.end_flow]
    table[:, k.KNOWN] = initial
    table[:, k.PEAK] = initial
    table[:, k.AWAITED] = table[:, k.WANTED] = k.NEVER
    table[:, k.LIMIT] = a.end_capacity - initial
    table[:, k.RING] = RING * np.arange(len(table))
    table[:, k.MASK] = RING - 1
    _set_cursor(table, k.NEED, a, a.end_need)
    _set_cursor(table, k.FREE, a, a.end_free)
    return table


def _hops(a: ProgramArrays, first_queue: int) -> Ints:
    table = np.zeros((len(a.hop_flow), k.HOP_COLUMNS), np.int64)
    parent = np.maximum(a.hop_parent, 0)  # the delay of a first hop is never read
    own, before = a.hop_serialisation, a.hop_serialisation[parent]
    cross = a.link_hop[a.hop_link]
    table[:, k.LINK] = a.hop_link
    table[:, k.SERIALISATION] = own
    table[:, k.TO_END] = cross + own
    table[:, k.DELAY] = cross[parent] + np.maximum(0, before - own)
    table[:, k.PRIVATE] = np.bincount(a.hop_link, minlength=len(a.link_hop))[a.hop_link] == 1
    table[:, k.CHILD_FROM], table[:, k.CHILD_TO] = _spans(a.hop_child_ptr)
    table[:, k.HOP_END_FROM], table[:, k.HOP_END_TO] = _spans(a.hop_end_ptr)
    table[:, k.QUEUE] = first_queue + 2 * PAIRS * np.arange(len(table))
    table[:, k.QUEUE_MASK] = PAIRS - 1
    return table


def _set_cursor(table: Ints, column: int, a: ProgramArrays, sequence: Ints) -> None:
    table[:, column + k.AT] = table[:, column + k.FIRST_PLACE] = a.q_start[sequence]
    table[:, column + k.PAST] = a.q_start[sequence] + a.q_period[sequence]
    table[:, column + k.BASE] = a.q_offset[sequence]
    table[:, column + k.GROWTH] = a.q_increment[sequence]


def _spans(pointers: Ints) -> tuple[Ints, Ints]:
    return pointers[:-1], pointers[1:]


def _members(owner: Ints, groups: int) -> tuple[Ints, Ints]:
    """Pointers and members of each group, ascending; an owner of -1 is none."""
    members = np.flatnonzero(owner >= 0)
    order = members[np.argsort(owner[members], kind="stable")]
    counts = np.bincount(owner[members], minlength=groups)
    return np.concatenate(([0], np.cumsum(counts))), order


def _sums(owner: Ints, values: Ints, groups: int) -> Ints:
    """Exact integer sums by owner (``bincount`` with weights would go through floats)."""
    totals = np.zeros(groups, np.int64)
    np.add.at(totals, owner, values)
    return totals


def _tokens(program: Program) -> Ints:
    """The tokens that each flow carries in the whole run, initial ones not counted."""
    counts = (flow.emit.total(program.stages[flow.source].firings) for flow in program.flows)
    return np.fromiter(counts, np.int64)
