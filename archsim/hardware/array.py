"""The array of a tile in value: the numerical core's configuration from the keys that its timing follows from, too."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from archsim.errors import NumericError
from archsim.hardware.mvm import adc, crossbar, dac
from archsim.numeric.config import AdcConfig, ArrayConfig, DacConfig, InputCode, WeightCode, ideal_cell
from archsim.numeric.devices import Device, device
from archsim.numeric.wires import Wires
from archsim.spec.array import Device as DeviceSpec
from archsim.spec.array import Wires as WiresSpec
from archsim.spec.tile import Core, Tile
from archsim.units import Quantity

__all__ = ["array_config", "cell_of"]


def array_config(tile: Tile) -> ArrayConfig:
    """What an MVM in the arrays of ``tile`` returns.

    NumericError or DeviceError, which name the key, for what can be timed and not be simulated in value.
    """
    core, spec = tile.core, tile.device
    given: dict[str, Any] = {}
    if spec is not None:
        given |= {"tolerance": spec.tolerance, "tolerance_of": spec.tolerance_of}
        given |= {"read_time_s": None if spec.read_time is None else float(spec.read_time.value)}
        if spec.read_voltage is not None:
            given["read_voltage_v"] = float(spec.read_voltage.value)
    array, encoding = crossbar(core), core.encoding
    _has_values(core, spec is not None and tile.wires is not None)
    return ArrayConfig(
        rows=min(encoding.rows_at_once or array.rows, array.rows),
        columns=array.columns,
        weights=_weights(core),
        inputs=_inputs(core),
        adc=_adc(core),
        dac=DacConfig(inl=dac(core).inl or 0.0, noise=dac(core).noise or 0.0),
        cell=cell_of(spec),
        wires=_wires(tile.wires),
        slices=encoding.slices,
        accumulate=encoding.accumulate,
        **given,
    )


def _has_values(core: Core, wires: bool) -> None:
    """NumericError for what has a time and an energy, and no value."""
    encoding, row = core.encoding, core.the("adc")[0]
    refused = {
        "core.encoding.product": encoding.karatsuba,
        "core.encoding.conversions_per_output": (encoding.conversions_per_output or 1) > 1,
        f"core.components.{row}.resolutions": adc(core).resolutions is not None,
    }
    for key, given in refused.items():
        if given:
            raise NumericError(f"{key}: is simulated in time and energy and not in value; remove it to have values")
    if wires and encoding.rows_at_once is not None:
        raise NumericError("core.encoding.rows_at_once: is simulated in value without wires; remove one of both")


def _weights(core: Core) -> WeightCode:
    encoding = core.encoding
    cell_bits = crossbar(core).cell_bits
    assert encoding.scheme != "digital"  # that is of cores without a crossbar
    return WeightCode(
        scheme=encoding.scheme,
        bits=_at_most_16("core.encoding.weight_bits", encoding.weight_bits),
        cell_bits=cell_bits,
        slice_bits=None if encoding.slice_bits is None else tuple(encoding.slice_bits),
        subtract=encoding.subtract,
        reference=encoding.reference,
        unit_column=encoding.unit_columns > 0 and encoding.scheme in ("offset", "flipped"),
    )


def _inputs(core: Core) -> InputCode:
    bits = _at_most_16("core.encoding.input_bits", core.encoding.input_bits)
    scheme = core.encoding.input_scheme(dac(core).bits)
    return InputCode(scheme=scheme, bits=bits, dac_bits=dac(core).bits, drive=core.encoding.drive)


def _at_most_16(key: str, bits: int) -> int:
    if bits > 16:
        raise NumericError(f"{key}: values are simulated for up to 16 bits, got {bits}")
    return bits


def _adc(core: Core) -> AdcConfig:
    row = adc(core)
    keys = ("range", "full_scale", "share", "coverage", "zero", "inl", "dnl", "noise")
    given = {key: getattr(row, key) for key in keys if getattr(row, key) is not None}
    return AdcConfig(bits=row.bits, type=row.type, **given)


def cell_of(spec: DeviceSpec | None) -> Device:
    """The device of a tile; without one, cells hold what they are told."""
    if spec is None:
        return ideal_cell()
    given = dict(spec.set)
    if spec.r_on is not None:
        given["g_max_s"] = float(1 / spec.r_on.value)
    if spec.r_off is not None:
        given["g_min_s"] = float(1 / spec.r_off.value)
    return device(spec.model, **given)


def _wires(spec: WiresSpec | None) -> Wires | None:
    """Driven from the left and sensed at the bottom, unless ends are named."""
    if spec is None:
        return None

    def ohm(value: Quantity | None) -> float:
        return math.inf if value is None else float(value.value)

    left, bottom = spec.left, spec.bottom
    if spec.left is None and spec.right is None:
        left = Quantity(Fraction(0), "resistance", "0 ohm")
    if spec.top is None and spec.bottom is None:
        bottom = Quantity(Fraction(0), "resistance", "0 ohm")
    return Wires(
        wordline_ohm=float(spec.wordline.value),
        bitline_ohm=float(spec.bitline.value),
        left_ohm=ohm(left),
        right_ohm=ohm(spec.right),
        top_ohm=ohm(spec.top),
        bottom_ohm=ohm(bottom),
        block_rows=spec.block_rows,
        block_columns=spec.block_columns,
    )
