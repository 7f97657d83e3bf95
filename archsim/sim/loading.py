"""Loading a network onto a board: the time, energy and wear of writing its weights, from the placed network.

    transfer = the longest that any link, buffer, bus or weight memory is busy with the weights that cross it
    write    = the longest that any tile needs for its cells
    time     = max(transfer, write)

since a tile writes rows while the next ones arrive.  A row of n cells, of which c are written at once, takes

    floor(n / c) · P(c) + P(n mod c)     pulses, each with the read that verifies it,

where P(c) is how many pulses the slowest of c cells needs on average (:mod:`archsim.hardware.write`); a tile writes
``arrays`` of its arrays at once.  Weights of a mac-array go into the memory beside it and no further.

The energy has a row for each component: pulses and reads of cells, and bytes over links, routers, buffer and bus.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction
from math import ceil

from archsim.compile.network import Compiled
from archsim.compile.writes import Arrival, Rows, arrivals, written
from archsim.hardware.mac import weight_memory
from archsim.hardware.rollup import chip_rollup
from archsim.hardware.write import Programming, programming
from archsim.noc.board import LinkKey
from archsim.results_ledger import Ledger, LedgerRow
from archsim.results_loading import Loading
from archsim.sim.ledger import PASSING_A_ROUTER, action_energy_j, instances
from archsim.sim.noc_work import Passage, flit_bits, rows_of_passages
from archsim.units import PICOSECONDS, duration_ps

__all__ = ["loading_of"]

Bits = dict[LinkKey, int]


def loading_of(compiled: Compiled, *, idle_tiles: bool = True) -> Loading:
    """What one loading of ``compiled`` takes; static power is counted as in the ledger of an inference."""
    core = compiled.board.chip.tile.core
    bits = _bits(compiled, arrivals(compiled))
    transfer_ps = _longest_ps(compiled, bits)
    rows = _moving(compiled, bits)
    if core.digital:
        return _finished(compiled, rows, transfer_ps, 0, idle_tiles, bits)
    cost, cells = programming(compiled.board.chip.tile), written(compiled)
    count = sum(n * each for own in cells.values() for n, each in own.items())
    name = f"core.{core.the('crossbar')[0]}"
    if cost.pulses is not None:
        rows += [LedgerRow(name, "write", count * cost.pulses, cost.energy_j)] if cost.energy_j else []
        rows += [LedgerRow(name, "verify", count * cost.pulses, cost.verify_j)] if cost.verify_j else []
    write_ps = _write_ps(compiled, cost, cells)
    return _finished(compiled, rows, transfer_ps, write_ps, idle_tiles, bits, cost, count)


def _finished(
    compiled: Compiled,
    rows: list[LedgerRow],
    transfer_ps: int,
    write_ps: int | None,
    idle_tiles: bool,
    bits: Bits,
    cost: Programming | None = None,
    cells: int = 0,
) -> Loading:
    time_ps = None if write_ps is None else max(transfer_ps, write_ps)
    for row in chip_rollup(compiled.board.chip).rows if time_ps else ():
        watts = row.component.static_power_w() * instances(compiled, row, idle_tiles)
        rows += [LedgerRow(row.key, "static", time_ps / PICOSECONDS, watts)] if watts and time_ps else []
    return Loading(
        weights=compiled.weights_held,
        cells=cells,
        bytes_sent=sum(amount for key, amount in bits.items() if key[0] == "chip-in") / 8,
        transfer_ps=transfer_ps,
        write_ps=write_ps,
        ledger=Ledger(tuple(rows)),
        pulses_a_cell=cost.pulses if cost else None,
        endurance=cost.endurance if cost else None,
        source=cost.source if cost else "weights go into the memory beside the mac-arrays",
        assumed=cost.assumed if cost else (),
        missing=cost.missing if cost else (),
    )


def _write_ps(compiled: Compiled, cost: Programming, cells: dict[int, Rows]) -> int | None:
    """The time of the tile that takes longest; None if nothing says how long a pulse is or how many there are."""
    if cost.pulse_s is None or cost.finished is None:
        return None
    core = compiled.board.chip.tile.core
    each_ps = (cost.pulse_s + (cost.verify_s or 0.0)) * PICOSECONDS
    pulses = {n: _pulses_of_a_row(cost, n) for own in cells.values() for n in own}
    arrays: dict[int, int] = defaultdict(int)
    for p in compiled.placements:
        mapped = compiled.mapped[p.layer]
        arrays[p.tile] += p.copies * mapped.parts[p.part].count * mapped.slots.shape.arrays
    assert not core.digital
    longest = max(
        sum(rows * pulses[n] for n, rows in own.items()) / min(cost.arrays, arrays[tile]) for tile, own in cells.items()
    )
    return ceil(longest * each_ps)


def _pulses_of_a_row(cost: Programming, cells: int) -> float:
    whole, rest = divmod(cells, cost.cells)
    return (whole * cost.pulses_of(cost.cells) if whole else 0.0) + (cost.pulses_of(rest) if rest else 0.0)


# -- the way of the weights ---------------------------------------------------------------------


def _bits(compiled: Compiled, sent: Iterable[Arrival]) -> Bits:
    """Bits over each link, and in each tile through its buffer and bus, or into its weight memory."""
    bits: Bits = defaultdict(int)
    digital = compiled.board.chip.tile.core.digital
    for arrival in sent:
        for key in arrival.links:
            bits[key] += arrival.bits
        for tile, copies in arrival.copies.items():
            if digital:
                bits["weights", tile] += arrival.bits
            else:
                bits["buffer", tile] += arrival.bits * (1 + copies)  # written once, read for each copy
                bits["bus", tile] += arrival.bits * copies
    return bits


def _longest_ps(compiled: Compiled, bits: Bits) -> int:
    """The time of what is busy for longest: of all that is equally fast, what has the most bits."""
    most: dict[tuple[int, int], int] = {}
    for key, amount in bits.items():
        rate = _rate(compiled, key).as_integer_ratio()
        most[rate] = max(most.get(rate, 0), amount)
    return max((duration_ps(amount, Fraction(*rate)) for rate, amount in most.items()), default=0)


def _rate(compiled: Compiled, key: LinkKey) -> Fraction:
    """Bits a second of a link, a buffer, a bus or a weight memory."""
    model = compiled.board.model(key)
    if model is not None:
        return model.bits_per_s
    tile = compiled.board.chip.tile
    if key[0] == "weights":
        return weight_memory(tile)[1].bits_per_s()
    row = tile.components[tile.memory.buffer if key[0] == "buffer" else tile.memory.bus]
    return row.count * row.bandwidth.value  # type: ignore[attr-defined,no-any-return]


def _moving(compiled: Compiled, bits: Bits) -> list[LedgerRow]:
    """The rows of the ledger for what moves."""
    chip, width = compiled.board.chip, flit_bits(compiled)
    memory, noc = chip.tile.memory, chip.noc
    over: dict[str, int] = defaultdict(int)
    for key, amount in bits.items():
        over[str(key[0])] += amount
    movers = {f"tile.{memory.buffer}": "buffer", f"tile.{memory.bus}": "bus"}
    if memory.receive:
        movers[f"tile.{memory.receive}"] = "eject"
    if chip.tile.core.digital:
        movers[weight_memory(chip.tile)[0]] = "weights"
    movers[chip.row_name(noc.chip_link)] = "chip-in"
    counts = {(component, "byte"): over[kind] / 8 for component, kind in movers.items()}
    if noc.energy is None:
        flits = sum(-(-amount // width) for key, amount in bits.items() if key[0] in PASSING_A_ROUTER)
        counts[chip.row_name(noc.router), "flit"] = flits
    rows = []
    for (component, action), count in sorted(counts.items()):
        energy = action_energy_j(chip, component, action)
        rows += [LedgerRow(component, action, count, energy)] if count and energy else []
    if noc.energy is not None:
        rows += rows_of_passages(compiled, noc.energy, _passages(compiled, bits, width))
    return rows


def _passages(compiled: Compiled, bits: Bits, width: int) -> list[Passage]:
    """Flits and packets over each link; each packet fills a buffer."""
    buffer = compiled.board.network.keys.buffer_flits
    links = [(key, -(-amount // width)) for key, amount in bits.items() if compiled.board.model(key) is not None]
    return [(str(key[0]), " ".join(map(str, key)), flits, -(-flits // buffer)) for key, flits in links]
