"""From a Program's arrays to the words that the compiled engine works on, and back to an Outcome."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.program import NO_NODE, Program
from archsim.sim import _kernel as k
from archsim.sim.outcome import BY_ITSELF, Outcome, Records, RecordsWanted

__all__ = ["Words"]

Ints = NDArray[np.int64]

RING = 4
"""Delivery times that an end keeps to begin with; a power of two."""
PAIRS = 4
"""Arrivals that a hop on a shared link keeps to begin with; a power of two."""


class Words:
    """The array of words of one run, and views of the rows in it."""

    def __init__(self, program: Program, wanted: RecordsWanted, pool: int) -> None:
        """``pool`` is how many words rings and queues may grow by."""
        self.program = program
        self.wanted: RecordsWanted = wanted
        self.keep = list(range(len(program.stages))) if wanted == "all" else sorted(wanted)
        self._lay_out(pool)
        self._set_header()
        self._set_stages()
        self._set_flows()
        self._set_ends()
        self._set_hops()
        self._set_tapes()

    def _lay_out(self, pool: int) -> None:
        """Where everything begins; rows come first, so that a hop's address is below a stage's."""
        a = self.program.arrays
        hops, stages, ends, flows, links = (
            len(owner) for owner in (a.hop_flow, a.stage_firings, a.end_flow, a.flow_source, a.link_hop)
        )
        tokens = _tokens(self.program) if self.wanted == "all" else np.zeros(flows, np.int64)
        firings = a.stage_firings[self.keep]
        self.tape_tokens = tokens
        sizes = {
            "hops": hops * k.HOP_ROW,
            "stages": stages * k.STAGE_ROW,
            "ends": ends * k.END_ROW,
            "flows": flows * k.FLOW_ROW,
            "links": links * k.LINK_ROW,
            "numbers": len(a.pool),
            "stage_in": ends,
            "stage_out": flows,
            "roots": hops,
            "direct": ends,
            "children": hops,
            "hop_ends": ends,
            "arrivals": hops,
            "stack": 2 * hops + 2,
            "rings": RING * ends,
            "queues": 2 * PAIRS * hops,
            "firings": int(firings.sum()) * (4 if self.wanted == "all" else 1),
            "deliveries": int(tokens[a.end_flow].sum()),
            "link_starts": int(tokens[a.hop_flow].sum()),
        }
        begin = dict(zip([*sizes, "pool"], np.cumsum([k.HEADER, *sizes.values()]).tolist(), strict=True))
        self.at = begin
        self.m = np.zeros(begin["pool"] + pool, np.int64)  # the system gives memory when it is first written
        self.hops = self._rows("hops", hops, k.HOP_ROW)
        self.stages = self._rows("stages", stages, k.STAGE_ROW)
        self.ends = self._rows("ends", ends, k.END_ROW)
        self.flows = self._rows("flows", flows, k.FLOW_ROW)
        self.links = self._rows("links", links, k.LINK_ROW)

    def _rows(self, name: str, count: int, row: int) -> Ints:
        return self.m[self.at[name] : self.at[name] + count * row].reshape(count, row)

    def _set_header(self) -> None:
        at, m, a = self.at, self.m, self.program.arrays
        m[k.STAGES_FROM], m[k.STAGES_TO] = at["stages"], at["stages"] + self.stages.size
        m[k.ARRIVALS], m[k.STACK] = at["arrivals"], at["stack"]
        m[k.KEEP_ALL] = self.wanted == "all"
        m[k.USED], m[k.SIZE] = at["pool"], len(m)
        m[k.QUEUE_SLOTS : k.HEADER] = k.NONE
        m[at["numbers"] : at["numbers"] + len(a.pool)] = a.pool

    def _set_stages(self) -> None:
        a = self.program.arrays
        self.stages[:, k.FIRINGS] = a.stage_firings
        ends, flows = self.at["ends"] + k.END_ROW * a.stage_in, self.at["flows"] + k.FLOW_ROW * a.stage_out
        self._set_list("stage_in", a.stage_in_ptr, ends, rows=self.stages, columns=(k.IN_FROM, k.IN_TO))
        self._set_list("stage_out", a.stage_out_ptr, flows, rows=self.stages, columns=(k.OUT_FROM, k.OUT_TO))
        self._set_cursor(self.stages, k.INTERVAL, a.stage_interval)
        self._set_cursor(self.stages, k.LATENCY, a.stage_latency)

    def _set_flows(self) -> None:
        a = self.program.arrays
        self.flows[:, k.END_FROM] = self.at["ends"] + k.END_ROW * a.flow_end_ptr[:-1]
        self.flows[:, k.END_TO] = self.at["ends"] + k.END_ROW * a.flow_end_ptr[1:]
        pointers, members = _members(np.where(a.hop_parent == NO_NODE, a.hop_flow, -1), len(self.flows))
        hops = self.at["hops"] + k.HOP_ROW * members
        self._set_list("roots", pointers, hops, rows=self.flows, columns=(k.ROOT_FROM, k.ROOT_TO))
        pointers, members = _members(np.where(a.end_node == NO_NODE, a.end_flow, -1), len(self.flows))
        ends = self.at["ends"] + k.END_ROW * members
        self._set_list("direct", pointers, ends, rows=self.flows, columns=(k.DIRECT_FROM, k.DIRECT_TO))
        self.flows[:, k.EMITTED] = a.flow_initial
        self._set_cursor(self.flows, k.EMIT, a.flow_emit)

    def _set_ends(self) -> None:
        a, rows = self.program.arrays, self.ends
        initial = a.flow_initial[a.end_flow]
        rows[:, k.STAGE] = self.at["stages"] + k.STAGE_ROW * a.end_stage
        rows[:, k.SOURCE] = self.at["stages"] + k.STAGE_ROW * a.flow_source[a.end_flow]
        rows[:, k.KNOWN] = initial
        rows[:, k.PEAK] = initial
        rows[:, k.CAPACITY] = a.end_capacity
        rows[:, k.AWAITED] = k.NEVER
        rows[:, k.WANTED] = k.NEVER
        rows[:, k.RING] = self.at["rings"] + RING * np.arange(len(rows))
        rows[:, k.MASK] = RING - 1
        self._set_cursor(rows, k.NEED, a.end_need)
        self._set_cursor(rows, k.FREE, a.end_free)

    def _set_hops(self) -> None:
        a, rows = self.program.arrays, self.hops
        parent = np.maximum(a.hop_parent, 0)  # the delay of a first hop is never read
        own, before = a.hop_serialisation, a.hop_serialisation[parent]
        cross = a.link_hop[a.hop_link]
        rows[:, k.LINK] = self.at["links"] + k.LINK_ROW * a.hop_link
        rows[:, k.SERIALISATION] = own
        rows[:, k.TO_END] = cross + own
        rows[:, k.DELAY] = cross[parent] + np.maximum(0, before - own)
        rows[:, k.PRIVATE] = np.bincount(a.hop_link, minlength=len(a.link_hop))[a.hop_link] == 1
        hops, ends = self.at["hops"] + k.HOP_ROW * a.hop_child, self.at["ends"] + k.END_ROW * a.hop_end
        self._set_list("children", a.hop_child_ptr, hops, rows=rows, columns=(k.CHILD_FROM, k.CHILD_TO))
        self._set_list("hop_ends", a.hop_end_ptr, ends, rows=rows, columns=(k.HOP_END_FROM, k.HOP_END_TO))
        rows[:, k.QUEUE] = self.at["queues"] + 2 * PAIRS * np.arange(len(rows))
        rows[:, k.QUEUE_MASK] = PAIRS - 1

    def _set_tapes(self) -> None:
        """Where the records of each row go; NONE where none are wanted."""
        a = self.program.arrays
        words = a.stage_firings[self.keep] * (4 if self.wanted == "all" else 1)
        self.stages[:, k.STAGE_TAPE] = k.NONE
        self.stages[self.keep, k.STAGE_TAPE] = self.at["firings"] + np.cumsum(words) - words
        for rows, column, name, flow in (
            (self.ends, k.END_TAPE, "deliveries", a.end_flow),
            (self.hops, k.HOP_TAPE, "link_starts", a.hop_flow),
        ):
            tokens = self.tape_tokens[flow]
            rows[:, column] = self.at[name] + np.cumsum(tokens) - tokens if self.wanted == "all" else k.NONE

    def _set_list(self, name: str, pointers: Ints, addresses: Ints, *, rows: Ints, columns: tuple[int, int]) -> None:
        self.m[self.at[name] : self.at[name] + len(addresses)] = addresses
        for column, ends in zip(columns, (pointers[:-1], pointers[1:]), strict=True):
            rows[:, column] = self.at[name] + ends

    def _set_cursor(self, rows: Ints, column: int, sequence: Ints) -> None:
        a = self.program.arrays
        begin = self.at["numbers"] + a.q_start[sequence]
        rows[:, column + k.AT] = rows[:, column + k.TABLE] = begin
        rows[:, column + k.PAST] = begin + a.q_period[sequence]
        rows[:, column + k.BASE] = a.q_offset[sequence]
        rows[:, column + k.GROWTH] = a.q_increment[sequence]

    def outcome(self) -> Outcome:
        """The totals after a run that came to its end: every token that was emitted has arrived."""
        a = self.program.arrays
        sent = self.flows[:, k.EMITTED] - a.flow_initial
        crossed, delivered = sent[a.hop_flow], sent[a.end_flow]
        links = len(self.links)
        end_last = self.ends[:, k.LAST_DELIVERY].copy()
        return Outcome(
            makespan=max(int(self.m[k.MAKESPAN]), int(end_last.max(initial=0))),
            events=int(self.stages[:, k.FIRED].sum() + crossed.sum() + delivered.sum()),
            stage_first=self.stages[:, k.FIRST].copy(),
            stage_last=self.stages[:, k.LAST].copy(),
            stage_own_time=self.stages[:, k.OWN].copy(),
            stage_starved=self.stages[:, k.STARVED].copy(),
            stage_blocked=self.stages[:, k.BLOCKED].copy(),
            end_delivered=delivered,
            end_last=end_last,
            end_waited=self.ends[:, k.WAITED].copy(),
            end_held=self.ends[:, k.HELD].copy(),
            end_peak=self.ends[:, k.PEAK].copy(),
            link_tokens=_sums(a.hop_link, crossed, links),
            link_busy=_sums(a.hop_link, crossed * a.hop_serialisation, links),
            link_waited=self.links[:, k.LINK_WAITED].copy(),
            records=self._records(),
        )

    def _records(self) -> Records:
        a = self.program.arrays
        begin = self.at["firings"]
        kinds: list[dict[int, Ints]] = [{}, {}, {}, {}]  # starts, starved, blocked, bound
        for s in self.keep:
            for kind in kinds if self.wanted == "all" else kinds[:1]:
                kind[s] = self.m[begin : begin + int(a.stage_firings[s])].copy()
                begin += int(a.stage_firings[s])
        starts, starved, blocked, bound = kinds
        for rows in bound.values():  # from the end's address to its number
            rows[:] = np.where(rows == k.NONE, BY_ITSELF, (rows - self.at["ends"]) // k.END_ROW)
        if self.wanted != "all":
            return Records(starts, {}, {}, {}, {}, {})
        deliveries = self._cut("deliveries", self.tape_tokens[a.end_flow])
        return Records(
            starts, starved, blocked, bound, deliveries, self._cut("link_starts", self.tape_tokens[a.hop_flow])
        )

    def _cut(self, name: str, counts: Ints) -> dict[int, Ints]:
        past = self.at[name] + np.cumsum(counts)
        return {row: self.m[p - n : p].copy() for row, (p, n) in enumerate(zip(past, counts, strict=True))}


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
