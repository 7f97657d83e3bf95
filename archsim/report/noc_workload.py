"""``archsim noc-workload``: the network of a chip under the traffic of a compiled network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Group

from archsim.compile.network import Compiled
from archsim.noc.packet_level import valid_use
from archsim.report.files import write_bytes
from archsim.report.hardware import plain_text
from archsim.report.noc import heat_map
from archsim.report.runs import grid, write_tables
from archsim.sim.replay import Level, Replay

__all__ = ["replay_json", "replay_tables", "write_replay"]

Records = list[dict[str, Any]]

BUSIEST = 10
"""The channels that are listed."""


def _row(replay: Replay, level: Level) -> dict[str, Any]:
    latency, use = level.latency, replay.use(level)
    return {
        "level": level.name,
        "mean latency": latency.mean,
        "p50": latency.p50,
        "p99": latency.p99,
        "mean, ns": latency.mean * replay.cycle_ps / 1000,
        "busiest channel": float(use.max(initial=0.0)),
        "flit-hops": int(level.channel_flits[_between(replay)].sum()),
    }


def _between(replay: Replay) -> slice:
    """The channels between routers."""
    count = len(replay.fabric.terminals)
    return slice(count, count + len(replay.fabric.edges))


def level_records(replay: Replay) -> Records:
    """Latencies in cycles, of tokens, at each level; what they need of a channel over the cycles in which they came."""
    return [_row(replay, level) for level in replay.levels]


def work_records(replay: Replay) -> Records:
    """What the routers and wires did, with one copy on shared channels and with a copy for each target."""
    one, each = (_work(replay, level) for level in (replay.flit, replay.unicast))
    return [
        {"work": name, "multicast": count, "unicast": each[name], "saving": 1 - count / each[name]}
        for name, count in one.items()
    ]


def _work(replay: Replay, level: Level) -> dict[str, float]:
    flits = level.channel_flits[_between(replay)]
    pitches = np.array([replay.fabric.graph.edges[edge]["length"] for edge in replay.fabric.edges])
    counts = {name: level.counts.get(name, 0) for name in ("buffer_writes", "buffer_reads", "crossbar_flits")}
    grants = sum(level.counts.get(name, 0) for name in ("vc_grants", "switch_grants"))
    return {
        "flit-hops": int(flits.sum()),
        **{name.replace("_", " "): count for name, count in counts.items()},
        "arbiter grants": grants,
        "flits × tile pitches of wire": float((flits * pitches).sum()),
    }


def channel_records(replay: Replay) -> Records:
    """The channels that are used most, those of the terminals included."""
    use = replay.use(replay.flit)
    order = np.argsort(-use, kind="stable")[:BUSIEST].tolist()
    return [
        {"channel": replay.fabric.channel_name(c), "flits": int(replay.flit.channel_flits[c]), "use": float(use[c])}
        for c in order
    ]


def validity(replay: Replay) -> str:
    """By how much packet level is off here, and whether the use of the busiest channel is in its range."""
    longest = int(replay.tokens.flits.max())
    limit, use = valid_use(longest), float(replay.use(replay.packet).max(initial=0.0))
    within = "within" if use <= limit else "beyond"
    kind = "single flits" if longest == 1 else f"tokens of up to {longest} flits"
    gap = 1 - replay.packet.latency.mean / replay.flit.latency.mean
    return (
        f"packet level is {gap:.1%} lower than flit level. The tokens need the busiest channel for {use:.1%} of the "
        f"time, {within} the {limit:.0%} up to which packet level holds for {kind} in steady traffic to single "
        "targets; bursts and multicasts leave that range sooner"
    )


def replay_json(replay: Replay) -> dict[str, Any]:
    """All figures as JSON values."""
    return {
        "chip": replay.chip,
        "tokens": len(replay.tokens.tree),
        "cycles": replay.tokens.cycles,
        "cycle_ps": replay.cycle_ps,
        "levels": {
            key: {
                "mean_latency_cycles": level.latency.mean,
                "p50_latency_cycles": level.latency.p50,
                "p99_latency_cycles": level.latency.p99,
                "busiest_use": float(replay.use(level).max(initial=0.0)),
                **{
                    name.replace(" ", "_"): count
                    for name, count in (_work(replay, level) if level.counts else {}).items()
                },
            }
            for key, level in zip(("flit", "packet", "flit_unicast"), replay.levels, strict=True)
        },
        "link_use": {
            replay.fabric.channel_name(c): use for c, use in enumerate(replay.use(replay.flit).tolist()) if use
        },
    }


def replay_tables(title: str, replay: Replay) -> Group:
    """What the command prints."""
    tokens = replay.tokens
    head = f"{title}: {len(tokens.tree)} tokens, {int(tokens.flits.sum())} flits in {tokens.cycles} cycles"
    return Group(
        plain_text(head),
        grid("Latency of tokens, in cycles", level_records(replay)),
        plain_text(validity(replay)),
        grid("Work of the network", work_records(replay)),
        grid("Busiest channels", channel_records(replay)),
    )


def write_replay(folder: Path, title: str, replay: Replay, compiled: Compiled) -> None:
    """Tables, and the use of the links on the floor plan."""
    tables = {
        "latency": level_records(replay),
        "work": work_records(replay),
        "channels": channel_records(replay),
    }
    use = replay.use(replay.flit)
    figure = heat_map(title, replay.fabric, use.tolist(), "use", tiles=_tiles(replay, compiled))
    write_tables(folder, tables, "latency")
    write_bytes(folder / "links.png", figure)


def _tiles(replay: Replay, compiled: Compiled) -> dict[Any, list[str]]:
    """The tiles at each router: whether they are used, idle or failed."""
    board = compiled.board
    used = {tile for tile in compiled.stage_tile if tile >= 0}
    first = replay.chip * board.tiles_per_chip
    out: dict[Any, list[str]] = {}
    for place, router in enumerate(board.network.routers):
        state = "failed" if board.failed(place) else ("used" if first + place in used else "idle")
        out.setdefault(router, []).append(state)
    return out
