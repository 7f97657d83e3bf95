"""From a Program's arrays to the words that the compiled engine works on, and back to an Outcome."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.errors import ArchsimError, RecordsError
from archsim.flat import grouped
from archsim.program import NO_NODE, Program, sums
from archsim.sequences import runs, starts
from archsim.sim import _kernel as k
from archsim.sim._behind import Behind, orderly, passed
from archsim.sim._sequences import ChangeTables, EmissionTables, SequenceTables
from archsim.sim._tapes import Tapes
from archsim.sim.outcome import Outcome, Wanted

__all__ = ["Words"]

Ints = NDArray[np.int64]

QUEUE_WORDS = k.QUEUE_PAIRS + 2 * k.FIRST_PAIRS
"""What a hop takes of the pool at the least, if tokens ever queue there."""
MOST_WORDS = 1 << 31
"""Two addresses share a word."""
CACHE = 1 << 20
"""Words of the state above which rows have to be asked for early: about the second level of the cache of a core."""
LINE = 8
"""The words of a cache line: where rows begin, so that none lies across more lines than it fills."""


class Words:
    """The array of words of one run, and views of the rows in it."""

    def __init__(self, program: Program, wanted: Wanted, pool: int) -> None:
        """``pool`` is how many words rings and queues may grow by."""
        self.program = program
        self._lay_out(wanted, pool)
        self._set_header(wanted)
        self._set_stages()
        self._set_flows()
        self._set_ends()
        self._set_hops()
        self._set_tapes()

    def _lay_out(self, wanted: Wanted, pool: int) -> None:
        """Where everything begins; rows come first, so that a hop's address is below a stage's, and records last."""
        a = self.program.arrays
        self._sequences, self._changes, self._emissions = SequenceTables(a), ChangeTables(a), EmissionTables(a)
        self._gone = np.zeros(len(a.hop_flow), bool) if wanted.of_tokens else passed(a)
        self._number_hops()
        self._behind = Behind(a, self._gone)
        self._several = self._behind.count > 1
        self._time_hops()
        hops = len(a.hop_flow) - int(self._gone.sum())
        stages, ends, flows, links = (len(owner) for owner in (a.stage_firings, a.end_flow, a.flow_source, a.link_hop))
        sizes = {
            "hops": hops * k.HOP_ROW,
            "stages": stages * k.STAGE_ROW,
            "ends": ends * k.END_ROW,
            "flows": flows * k.FLOW_ROW,
            "links": links * k.LINK_ROW,
            "stage_in": ends,
            "direct": ends,
            "fans": int((1 + self._behind.count)[self._several].sum()),
            "times": self._times.size,
            "delays": len(self._delays),
            "keys": hops + stages,
            "nodes": k.NODE * (hops + stages),
            "sequences": self._sequences.words,
            "changes": self._changes.words,
            "emissions": self._emissions.words,
            "stack": 2 * hops + 2,
            "end_tallies": ends * k.TALLY_ROW,
            "end_tapes": ends if wanted.of_tokens else 0,
            "hop_tapes": hops if wanted.of_tokens else 0,
        }
        lines = [-(-size // LINE) * LINE for size in (k.HEADER, *sizes.values())]
        self.at = dict(zip([*sizes, "pool"], np.cumsum(lines).tolist(), strict=True))
        self.tapes = Tapes(self.program, wanted, begin=self.at["pool"] + QUEUE_WORDS * hops + pool)
        self.m = _aligned(self.tapes.begin, self.tapes.end)
        self.hops = self._rows("hops", hops, k.HOP_ROW)
        self.stages = self._rows("stages", stages, k.STAGE_ROW)
        self.ends = self._rows("ends", ends, k.END_ROW)
        self.end_tallies = self._rows("end_tallies", ends, k.TALLY_ROW)
        self.flows = self._rows("flows", flows, k.FLOW_ROW)
        self.links = self._rows("links", links, k.LINK_ROW)

    def _rows(self, name: str, count: int, row: int) -> Ints:
        return self.m[self.at[name] : self.at[name] + count * row].reshape(count, row)

    def _table(self, name: str, values: Ints) -> None:
        self.m[self.at[name] : self.at[name] + len(values)] = values

    def _set_header(self, wanted: Wanted) -> None:
        at, m, a = self.at, self.m, self.program.arrays
        m[k.STAGES_FROM], m[k.STAGES_TO] = at["stages"], at["stages"] + self.stages.size
        m[k.KEYS_TO], m[k.STACK] = at["keys"] + len(self.hops) + len(self.stages), at["stack"]
        m[k.HOPS_FROM], m[k.HOP_TAPES] = at["hops"], at["hop_tapes"]
        m[k.USED], m[k.SIZE] = at["pool"], self.tapes.begin
        m[k.TOKENS], m[k.SINCE], m[k.UNTIL], m[k.LEFT] = wanted.of_tokens, wanted.since, wanted.until, wanted.most
        m[k.FRESH], m[k.LARGE] = at["nodes"], at["pool"] > CACHE
        m[k.FANS_FROM], m[k.ENDS_FROM] = at["fans"], at["ends"]
        m[k.END_TAPES], m[k.END_TALLIES] = at["end_tapes"], at["end_tallies"]
        self._sequences.write(m, at["sequences"])
        self._changes.write(m, at["changes"], a.pool)
        self._emissions.write(m, at["emissions"])

    def _set_stages(self) -> None:
        a, rows = self.program.arrays, self.stages
        rows[:, k.TO_FIRE] = a.stage_firings
        rows[:, k.FIRST] = k.NONE
        self._table("stage_in", self.at["ends"] + k.END_ROW * a.stage_in)
        rows[:, k.INS] = _both(self.at["stage_in"] + a.stage_in_ptr)
        first = self.at["flows"] + k.FLOW_ROW * a.stage_out_ptr[:-1]
        rows[:, k.OUTS] = first << k.HALF | self._emissions.place[self._emissions.of_stage]
        rows[:, k.INTERVAL] = self._sequences.place[a.stage_interval]
        rows[:, k.LATENCY] = self._sequences.place[a.stage_latency]

    def _set_flows(self) -> None:
        """Rows stand in the order of ``stage_out``, so that those of a stage are together."""
        a = self.program.arrays
        rows = np.zeros_like(self.flows)  # by number, until they are put in that order
        rows[:, k.ENDS] = _both(self.at["ends"] + k.END_ROW * a.flow_end_ptr)
        roots = np.bincount(a.hop_flow[a.hop_parent == NO_NODE], minlength=len(rows))
        first = self.at["hops"] + k.HOP_ROW * self._first_row
        rows[:, k.ROOTS] = first << k.HALF | (first + k.HOP_ROW * roots)
        pointers, members = grouped(np.where(a.end_node == NO_NODE, a.end_flow, -1), len(rows))
        self._table("direct", self.at["ends"] + k.END_ROW * members)
        rows[:, k.DIRECT] = _both(self.at["direct"] + pointers)
        rows[:, k.EMITTED] = a.flow_initial
        self.flows[:] = rows[a.stage_out]

    def _set_ends(self) -> None:
        a, rows = self.program.arrays, self.ends
        initial = a.flow_initial[a.end_flow]
        stage, source = (self.at["stages"] + k.STAGE_ROW * of for of in (a.end_stage, a.flow_source[a.end_flow]))
        rows[:, k.STAGE_SOURCE] = stage << k.HALF | source
        rows[:, k.KNOWN] = initial
        rows[:, k.PEAK] = initial - a.end_capacity
        rows[:, k.FREED] = rows[:, k.FREED_BEFORE] = a.end_capacity
        before = self._changes.before[self._changes.of_end]
        rows[:, k.NEED], rows[:, k.FREES] = before[:, 0], before[:, 1] + a.end_capacity
        rows[:, k.AWAITED] = k.NEVER
        rows[:, k.WANTED] = k.NEVER
        rings = self.at["ends"] + k.END_ROW * np.arange(len(rows)) + k.FIRST_RING
        rows[:, k.RING_MASK] = rings << k.HALF | (k.RING_SIZE - 1)
        rows[:, k.CHANGE] = self._changes.place[self._changes.of_end]

    def _number_hops(self) -> None:
        """The row of each hop that has one, and the first of each flow: its roots come first."""
        a = self.program.arrays
        order = k.breadth_first(a.flow_hop_ptr, a.hop_parent, a.hop_child_ptr, a.hop_child)
        there = np.ones(len(order), np.int64)
        there[order[self._gone]] = 0
        before = starts(there)
        self.hop_row, self._first_row = before[order], before[a.flow_hop_ptr[:-1]]

    def _time_hops(self) -> None:
        """The pairs of a service and of the delay up to what is behind, where that is one, and the pair of each hop;
        and the delays up to what is behind others."""
        behind, kept = self._behind, ~self._gone
        one = np.where(behind.count == 1, np.append(behind.delay, 0)[behind.begin[:-1]], 0)[kept]
        services, self._delays = np.unique(self.program.arrays.hop_serialisation), np.unique(np.append(behind.delay, 0))
        service = np.searchsorted(services, self.program.arrays.hop_serialisation[kept])
        each = service * len(self._delays) + np.searchsorted(self._delays, one)
        used, self._pair = np.unique(each, return_inverse=True)
        service, delay = np.divmod(used, len(self._delays))
        self._times = np.stack((services[service], self._delays[delay]), axis=1)

    def _set_hops(self) -> None:
        a, kept = self.program.arrays, ~self._gone
        self._table("times", self._times.ravel())
        self._table("delays", self._delays)
        row = self.hop_row[kept]
        queue_link = self.at["links"] + k.LINK_ROW * a.hop_link
        queue_link = np.where(orderly(a), k.ORDERLY << k.HALF | queue_link, queue_link)
        self.hops[row, k.QUEUE_LINK] = queue_link[kept]
        times = self.at["times"] + 2 * self._pair
        self.hops[row, k.ONWARD_TIMES] = self._onward()[kept] << k.HALF | times

    def _onward(self) -> Ints:
        """The address of what is behind each hop, 0 where that is nothing: one hop, one end, or a fan of several."""
        behind, several = self._behind, self._several
        rows = self.hop_row[np.where(behind.is_hop, behind.number, 0)]
        ends = self.at["ends"] + k.END_ROW * behind.number
        address = np.where(behind.is_hop, self.at["hops"] + k.HOP_ROW * rows, ends)
        onward = np.where(behind.count > 0, np.append(address, 0)[behind.begin[:-1]], 0)
        counts = behind.count[several]
        fans = self.at["fans"] + starts(1 + counts)
        onward[several] = fans[:-1]
        last = address[behind.begin[1:][several] - 1]
        self.m[fans[:-1]] = last << k.HALF | fans[1:]
        branches = runs(behind.begin[:-1][several], counts)
        delays = self.at["delays"] + np.searchsorted(self._delays, behind.delay[branches])
        self.m[runs(fans[:-1] + 1, counts)] = address[branches] << k.HALF | delays
        return onward

    def _set_tapes(self) -> None:
        """Where the records of each row go."""
        tokens = bool(self.m[k.TOKENS])
        of_ends = self.m[self.at["end_tapes"] :][: tokens * len(self.ends)]
        of_hops = self.m[self.at["hop_tapes"] :][: tokens * len(self.hops)]
        self.tape_words = (
            (self.stages[:, k.STAGE_TAPE], np.arange(len(self.stages))),
            (of_ends, np.arange(len(self.ends))),
            (of_hops, self.hop_row),
        )
        self.tapes.begin_at(self.tape_words)

    def fired(self) -> Ints:
        """The firings of each stage that have started."""
        return self.program.arrays.stage_firings - self.stages[:, k.TO_FIRE]

    def emitted(self) -> Ints:
        """The tokens of each flow, initial ones included, that have been put on it."""
        emitted = np.empty(len(self.flows), np.int64)
        emitted[self.program.arrays.stage_out] = self.flows[:, k.EMITTED]
        return emitted

    def freed(self) -> Ints:
        """The tokens that each end has freed, or will have at the end of the firing that is under way."""
        return np.asarray(self.ends[:, k.FREED] - self.program.arrays.end_capacity, np.int64)

    def outcome(self) -> Outcome:
        """The totals after a run that came to its end: every token that was emitted has arrived."""
        a = self.program.arrays
        sent = self.emitted() - a.flow_initial
        crossed, delivered = sent[a.hop_flow], sent[a.end_flow]
        links = len(self.links)
        end_last = self._last_deliveries(delivered)
        return Outcome(
            makespan=max(int(self.m[k.MAKESPAN]), int(end_last.max(initial=0))),
            events=int(self.fired().sum() + crossed.sum() + delivered.sum()),
            stage_first=np.where(self.stages[:, k.FIRST] == k.NONE, 0, self.stages[:, k.FIRST]),
            stage_last=self.stages[:, k.LAST].copy(),
            stage_own_time=sums(a, a.stage_interval, a.stage_firings),
            stage_starved=self.stages[:, k.STARVED].copy(),
            stage_blocked=self.stages[:, k.BLOCKED].copy(),
            end_delivered=delivered,
            end_last=end_last,
            end_waited=self.end_tallies[:, k.WAITED].copy(),
            end_held=self.end_tallies[:, k.HELD].copy(),
            end_peak=self.ends[:, k.PEAK] + a.end_capacity,
            link_tokens=_sums(a.hop_link, crossed, links),
            link_busy=_sums(a.hop_link, crossed * a.hop_serialisation, links),
            link_waited=self.links[:, k.LINK_WAITED].copy(),
            records=self.tapes.records(self.m, self.tape_words, first_end=self.at["ends"]),
        )

    def _last_deliveries(self, delivered: Ints) -> Ints:
        """When the last token of each end came; 0 where none ever did."""
        ring_mask, known = self.ends[:, k.RING_MASK], self.ends[:, k.KNOWN]
        place = (ring_mask >> k.HALF) + (known & ring_mask & k.LOW)
        return np.where(delivered > 0, self.m[place], 0)


def _both(pointers: Ints) -> Ints:
    """Where each list begins and where it ends, in one word."""
    return np.asarray(pointers[:-1] << k.HALF | pointers[1:], np.int64)


def _sums(owner: Ints, values: Ints, groups: int) -> Ints:
    """Exact integer sums by owner (``bincount`` with weights would go through floats)."""
    totals = np.zeros(groups, np.int64)
    np.add.at(totals, owner, values)
    return totals


def _aligned(state: int, words: int) -> Ints:
    """So many zeros, the first of them at the beginning of a cache line; ``state`` of them are no records.

    ArchsimError where addresses in the state get too long, RecordsError where there is not the memory.
    """
    if state >= MOST_WORDS:
        message = f"the network and its board make a state of {state} words, the compiled engine takes {MOST_WORDS - 1}"
        raise ArchsimError(f"{message}; fewer images, fewer chips, or --engine simpy")
    try:
        memory = np.zeros(words + LINE, np.int64)  # the system gives memory when it is first written
    except MemoryError:
        message = f"the run and the records that are wanted of it need {8 * words / 2**30:.1f} GiB of memory"
        raise RecordsError(message) from None
    skipped = -(memory.ctypes.data // memory.itemsize) % LINE
    return memory[skipped : skipped + words]
