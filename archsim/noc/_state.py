"""The words of a flit-level run for the compiled engine: laid out before, read after."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.noc import _kernel as k
from archsim.noc.fabric import TERMINAL, Fabric
from archsim.noc.packets import COUNTS, NEVER, FlitRun, Packets

__all__ = ["Words"]

Ints = NDArray[np.int64]


class Words:
    """The array ``m`` of the kernel, and where its tables are."""

    def __init__(
        self, fabric: Fabric, packets: Packets, window: tuple[int, int], tagged: NDArray[np.bool_], trace_room: int
    ) -> None:
        self.fabric, self.packets = fabric, packets
        keys = fabric.router
        vcs, ways, depth = keys.virtual_channels, packets.routes.most_children, keys.buffer_flits
        channels, boxes = fabric.channels, fabric.channels * vcs
        self.incoming, self.outgoing = fabric.ports(True), fabric.ports(False)
        ports = int(max(np.diff(self.incoming[0]).max(), np.diff(self.outgoing[0]).max()))
        slots = int(max(fabric.flit_delay.max(), fabric.credit_delay.max())) + 1
        wheel_row = k.FLIGHTS + channels * (k.FLIGHT_ROW + k.CREDIT_ROW)
        waits = packets.waits_for
        known = np.flatnonzero(waits == 0)
        known = known[np.argsort(packets.created[known], kind="stable")]
        sizes = {
            "header": k.HEADER,
            "channel": channels * k.CHANNEL_ROW,
            "box": boxes * k.BOX_ROW,
            "branch": boxes * ways * k.BRANCH_ROW,
            "ring": boxes * depth * k.FLIT_ROW,
            "router": len(fabric.routers) * k.ROUTER_ROW,
            "in": len(self.incoming[1]),
            "out": len(self.outgoing[1]),
            "terminal": len(fabric.terminals) * k.TERMINAL_ROW,
            "step": len(packets.routes.channel) * k.STEP_ROW,
            "child": len(packets.routes.child),
            "packet": len(packets) * k.PACKET_ROW,
            "follower": len(packets.after),
            "known": len(known),
            "heap": len(packets) - len(known),
            "wheel": slots * wheel_row,
            "output": ports * vcs * k.OUTPUT_ROW,
            "request": ports * vcs * ways * k.REQUEST_ROW,
            "label": ports * ports,
            "trace": trace_room * k.TRACE_ROW,
        }
        self.at = dict(zip(sizes, np.cumsum([0, *sizes.values()][:-1]).tolist(), strict=True))
        self.m = np.zeros(sum(sizes.values()), np.int64)
        self.m[[k.VCS, k.WAYS, k.DEPTH, k.SLOTS, k.WHEEL_ROW]] = vcs, ways, depth, slots, wheel_row
        self.m[[k.WAIT_FOR_TAIL, k.ROUTING]] = keys.wait_for_tail_credit, keys.routing_cycles
        self.m[[k.VC_ALLOCATION, k.TRACE_ROOM]] = keys.vc_allocation_cycles, trace_room
        self.m[[k.WINDOW_START, k.WINDOW_END]] = window
        self.m[k.LEFT] = np.count_nonzero(tagged)
        for word, name in ((k.CHANNELS, "channel"), (k.ROUTERS, "router"), (k.TERMINALS, "terminal")):
            self.m[word] = self.at[name]
        for word, name in ((k.PACKETS, "packet"), (k.WHEEL, "wheel"), (k.HEAP, "heap"), (k.OUTPUTS, "output")):
            self.m[word] = self.at[name]
        for word, name in ((k.REQUESTS, "request"), (k.LABELS, "label"), (k.TRACE, "trace"), (k.KNOWN, "known")):
            self.m[word] = self.at[name]
        self.m[k.ROUTERS_END] = self.at["router"] + sizes["router"]
        self.m[k.TERMINALS_END] = self.at["terminal"] + sizes["terminal"]
        self.m[k.KNOWN_END] = self.at["known"] + len(known)
        self._list("known", self._row("packet", known, k.PACKET_ROW))
        self.table("output", k.OUTPUT_ROW, ports * vcs)[:] = k.NONE
        self.table("request", k.REQUEST_ROW, ports * vcs * ways)[:] = k.NONE
        self._fill_network(vcs, ways, depth)
        self._fill_packets(tagged)

    def table(self, name: str, row: int, count: int) -> Ints:
        """A table as rows; a view."""
        start = self.at[name]
        return self.m[start : start + count * row].reshape(count, row)

    def _row(self, name: str, index: Ints, row: int) -> Ints:
        """The addresses of rows; NONE stays NONE."""
        return np.where(index < 0, k.NONE, self.at[name] + index * row)

    def _list(self, name: str, values: Ints) -> None:
        self.m[self.at[name] : self.at[name] + len(values)] = values

    def _fill_network(self, vcs: int, ways: int, depth: int) -> None:
        fabric, count = self.fabric, self.fabric.channels
        index = np.arange(count, dtype=np.int64)
        ejection = np.where(fabric.to_router == TERMINAL, index - fabric.ejection(0), k.NONE)
        channel = self.table("channel", k.CHANNEL_ROW, count)
        channel[:, k.TO] = self._row("router", fabric.to_router, k.ROUTER_ROW)
        channel[:, k.END] = self._row("terminal", ejection, k.TERMINAL_ROW)
        channel[:, k.FLIT_DELAY], channel[:, k.CREDIT_DELAY] = fabric.flit_delay, fabric.credit_delay
        channel[:, k.PERIOD], channel[:, k.OUT_PLACE] = fabric.period, self.outgoing[2]
        channel[:, k.BOXES] = self._row("box", index * vcs, k.BOX_ROW)
        number = np.arange(count * vcs, dtype=np.int64)
        box = self.table("box", k.BOX_ROW, count * vcs)
        box[:, k.CREDITS] = depth
        box[:, [k.OWNER, k.PACKET]] = k.NONE
        box[:, k.RING] = self._row("ring", number * depth, k.FLIT_ROW)
        box[:, k.BRANCHES] = box[:, k.BRANCHES_END] = self._row("branch", number * ways, k.BRANCH_ROW)
        box[:, k.CHANNEL] = self._row("channel", number // vcs, k.CHANNEL_ROW)
        box[:, k.BIT] = np.int64(1) << (number % vcs)
        router = self.table("router", k.ROUTER_ROW, len(fabric.routers))
        router[:, k.IN_FROM] = self.at["in"] + self.incoming[0][:-1]
        router[:, k.IN_TO] = self.at["in"] + self.incoming[0][1:]
        router[:, k.OUT_FROM] = self.at["out"] + self.outgoing[0][:-1]
        router[:, k.OUT_TO] = self.at["out"] + self.outgoing[0][1:]
        self._list("in", self._row("channel", self.incoming[1], k.CHANNEL_ROW))
        self._list("out", self._row("channel", self.outgoing[1], k.CHANNEL_ROW))
        terminal = self.table("terminal", k.TERMINAL_ROW, len(fabric.terminals))
        terminal[:, k.INJECTION] = self._row("channel", index[: len(terminal)], k.CHANNEL_ROW)
        terminal[:, [k.QUEUE_FIRST, k.QUEUE_LAST, k.SOURCE_VC]] = k.NONE

    def _fill_packets(self, tagged: NDArray[np.bool_]) -> None:
        packets, routes = self.packets, self.packets.routes
        step = self.table("step", k.STEP_ROW, len(routes.channel))
        step[:, k.STEP_CHANNEL] = self._row("channel", routes.channel, k.CHANNEL_ROW)
        step[:, k.LOW], step[:, k.HIGH] = routes.low, routes.high
        step[:, k.CHILD_FROM] = self.at["child"] + routes.child_ptr[:-1]
        step[:, k.CHILD_TO] = self.at["child"] + routes.child_ptr[1:]
        self._list("child", self._row("step", routes.child, k.STEP_ROW))
        followers_ptr, followers = packets.followers
        table = self.table("packet", k.PACKET_ROW, len(packets))
        waits = packets.waits_for
        table[:, k.FIRST] = self._row("step", routes.first[packets.route], k.STEP_ROW)
        table[:, k.FLITS], table[:, k.DELAY], table[:, k.WAITS] = packets.flits, packets.created, waits
        table[:, k.SOURCE] = self._row("terminal", packets.sources, k.TERMINAL_ROW)
        table[:, k.FOLLOWER_FROM] = self.at["follower"] + followers_ptr[:-1]
        table[:, k.FOLLOWER_TO] = self.at["follower"] + followers_ptr[1:]
        table[:, k.TAGGED], table[:, k.ENDS_LEFT] = tagged, routes.ends[packets.route]
        table[:, k.CREATED] = np.where(waits == 0, packets.created, NEVER)
        table[:, [k.HEAD_SENT, k.DELIVERED]] = NEVER
        table[:, k.QUEUE_NEXT] = k.NONE
        self._list("follower", self._row("packet", followers, k.PACKET_ROW))

    def result(self, traced: bool) -> FlitRun:
        """The run that left the words so."""
        packet = self.table("packet", k.PACKET_ROW, len(self.packets))
        counts = self.m[k.FLITS_CREATED : k.FLITS_CREATED + len(COUNTS)].tolist()
        rows = self.table("trace", k.TRACE_ROW, int(self.m[k.TRACED])) if traced else None
        return FlitRun(
            created=packet[:, k.CREATED].copy(),
            sent=packet[:, k.HEAD_SENT].copy(),
            delivered=packet[:, k.DELIVERED].copy(),
            channel_flits=self.table("channel", k.CHANNEL_ROW, self.fabric.channels)[:, k.FLITS_SENT].copy(),
            ejected=self.table("terminal", k.TERMINAL_ROW, len(self.fabric.terminals))[:, k.EJECTED].copy(),
            peak=self._boxes[:, k.PEAK].copy(),
            counts=dict(zip(COUNTS, counts, strict=True)),
            cycle=int(self.m[k.CYCLE]),
            stuck=self._stuck(),
            trace=None if rows is None else rows[np.lexsort(rows.T[::-1])],
        )

    @property
    def _boxes(self) -> Ints:
        return self.table("box", k.BOX_ROW, self.fabric.channels * int(self.m[k.VCS]))

    def _stuck(self) -> Ints:
        m, rows = self.m, []
        for number in np.flatnonzero(self._boxes[:, k.FILL] > 0).tolist():
            box = self._boxes[number]
            for branch in range(int(box[k.BRANCHES]), int(box[k.BRANCHES_END]), k.BRANCH_ROW):
                if m[branch + k.SENT] == m[box[k.PACKET] + k.FLITS]:
                    continue
                channel = (int(m[branch + k.OUT]) - self.at["channel"]) // k.CHANNEL_ROW
                vc = int(m[branch + k.OUT_VC])
                wanted = int(m[m[branch + k.BRANCH_STEP] + k.LOW]) if vc == k.NONE else vc
                rows.append((number, channel * int(m[k.VCS]) + wanted))
                break
        return np.array(rows, np.int64).reshape(-1, 2)
