"""The timing of a core with a mac-array, and what its weight memory holds.

Weights stand in memory as **blocks** of ``inputs`` × ``outputs``, one for each step of the array.  A copy of a layer
with K × N weights takes ceil(K / inputs) · ceil(N / outputs) blocks, and as many steps a window on one array.

In an ``adder-tree`` array each step reads its block anew (DaDianNao: 256 weights of 16 bits from the eDRAM of a tile in
each cycle, Chen et al., MICRO 2014).  A step so takes

    max(cycles / rate, block bits / bandwidth of the weight memory)

with one cycle, or the weight's bits over those of a cycle in a bit-serial array.  A ``systolic`` or
``weight-stationary`` array keeps a block for as many windows as follow each other, and its memory sets no time.
"""

from __future__ import annotations

from fractions import Fraction
from typing import cast

from archsim.components.buffer import SRAM
from archsim.components.dram import DRAM
from archsim.components.mac_array import MacArray
from archsim.spec.tile import Core, Tile
from archsim.units import duration_ps

__all__ = [
    "block_bits",
    "lanes_a_step",
    "mac_array",
    "peak_macs_per_s",
    "slowest_rows",
    "step_cycle_ps",
    "weight_memory",
    "weights_a_tile",
]


def mac_array(core: Core) -> MacArray:
    """The mac-array of a digital core."""
    row = core.the("mac-array")[1]
    assert isinstance(row, MacArray)
    return row


def weight_memory(tile: Tile) -> tuple[str, SRAM | DRAM]:
    """``level.name`` and row of the memory that holds the weights of the arrays of ``tile``."""
    name = tile.core.weights
    assert name is not None
    return tile.row_name(name), cast("SRAM | DRAM", tile.row(name))


def block_bits(core: Core) -> int:
    """Bits of the weights of one step."""
    array = mac_array(core)
    return array.inputs * array.outputs * core.encoding.weight_bits


def _of_one_core(tile: Tile, amount: Fraction) -> Fraction:
    """The share of one core in what the row of the weight memory has: of a row of the tile all cores have one."""
    return amount / (1 if tile.core.weights in tile.core.components else tile.core.count)


def weights_a_tile(tile: Tile) -> int:
    """The weights that the memories of a tile hold.  Those of a block that is not full take only their own room."""
    _, memory = weight_memory(tile)
    held = tile.core.count * _of_one_core(tile, memory.count * memory.capacity.value)
    return int(held) // tile.core.encoding.weight_bits


def _rates(tile: Tile) -> dict[str, Fraction]:
    """Steps a second that the arrays of one core can do, and those for which its memory has weights, by row."""
    array, name = mac_array(tile.core), f"core.{tile.core.the('mac-array')[0]}"
    rates = {name: array.count * array.rate.value / array.serial_cycles(tile.core.encoding.weight_bits)}
    if array.dataflow == "adder-tree":
        memory_name, memory = weight_memory(tile)
        rates[memory_name] = _of_one_core(tile, memory.bits_per_s()) / block_bits(tile.core)
    return rates


def _steps_per_s(tile: Tile) -> Fraction:
    """Steps a second of the arrays of one core."""
    return min(_rates(tile).values())


def slowest_rows(tile: Tile) -> tuple[str, ...]:
    """``level.name`` of what sets the time of a step: the array, its memory, or both alike."""
    return tuple(name for name, rate in _rates(tile).items() if rate == _steps_per_s(tile))


def step_cycle_ps(tile: Tile) -> int:
    """The time in ps between two steps of one array."""
    return duration_ps(mac_array(tile.core).count, _steps_per_s(tile))


def lanes_a_step(tile: Tile) -> Fraction:
    """Lane cycles for which a step keeps the arrays busy: ``outputs`` in each of its cycles, more where the weight
    memory is the slower."""
    return mac_array(tile.core).capacity_per_s() / _steps_per_s(tile)


def peak_macs_per_s(tile: Tile) -> Fraction:
    """Multiply-accumulates a second of one core, as its paper counts those of a step."""
    array = mac_array(tile.core)
    return array.peak_macs * _steps_per_s(tile) / array.count
