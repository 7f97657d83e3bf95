"""Quantities: what is read from text, what is refused and in which words, and that nothing is lost on the way."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from archsim.units import DIMENSIONS, PICOSECONDS, Quantity, QuantityOf, duration_ps, format_si

UNITS = [(dimension, unit) for dimension, (_, units, _) in DIMENSIONS.items() for unit in units]


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("1.28 GHz", "frequency", Fraction(1_280_000_000)),
        ("20.7 mW", "power", Fraction(207, 10_000)),
        ("64 KiB", "information", Fraction(64 * 1024 * 8)),
        ("2 KB", "information", Fraction(2 * 1024 * 8)),
        ("256 b", "information", Fraction(256)),
        ("0.083 mm2", "area", Fraction(83, 10**9)),
        ("25 um2", "area", Fraction(25, 10**12)),
        ("25 µm2", "area", Fraction(25, 10**12)),
        ("100 ns", "time", Fraction(1, 10**7)),
        ("6.4 GB/s", "bandwidth", Fraction(51_200_000_000)),
        ("6.4 Gb/s", "bandwidth", Fraction(6_400_000_000)),
        ("2 Mohm", "resistance", Fraction(2_000_000)),
        ("2 mohm", "resistance", Fraction(2, 1000)),
        ("25 uS", "conductance", Fraction(25, 10**6)),
        ("1 fF", "capacitance", Fraction(1, 10**15)),
        ("32 nm", "length", Fraction(32, 10**9)),
        ("0.2 V", "voltage", Fraction(1, 5)),
        ("1.67 pJ", "energy", Fraction(167, 10**14)),
        ("1.67pJ", "energy", Fraction(167, 10**14)),
        ("  5e-3   W ", "power", Fraction(5, 1000)),
        (".5 W", "power", Fraction(1, 2)),
        ("5. W", "power", Fraction(5)),
        ("+5 W", "power", Fraction(5)),
        ("-5 W", "power", Fraction(-5)),
        ("0 mW", "power", Fraction(0)),
    ],
)
def test_a_quantity_is_a_number_with_a_unit_and_is_kept_exactly(text: str, dimension: str, value: Fraction) -> None:
    quantity = Quantity.parse(text, dimension)
    assert quantity.value == value
    assert quantity.dimension == dimension
    assert str(quantity) == text.strip()
    assert float(quantity) == float(value)


@pytest.mark.parametrize(
    ("text", "dimension", "message"),
    [
        ("5", "power", "expected a power such as '20.7 mW', got '5' without a unit"),
        ("5 ms", "power", "expected a power such as '20.7 mW', got the unit 'ms', which is a unit of time"),
        ("5 mw", "power", "expected a power such as '20.7 mW', got the unit 'mw'; did you mean 'mW'?"),
        ("5 parsec", "power", "expected a power such as '20.7 mW', got the unit 'parsec'"),
        ("nan W", "power", "expected a power such as '20.7 mW', got 'nan W'"),
        ("inf W", "power", "expected a power such as '20.7 mW', got 'inf W'"),
        ("", "power", "expected a power such as '20.7 mW', got ''"),
        ("W", "power", "expected a power such as '20.7 mW', got 'W'"),
        ("1_000 W", "power", "expected a power such as '20.7 mW', got '1_000 W'"),
        ("1 000 W", "power", "expected a power such as '20.7 mW', got '1 000 W'"),
        ("1,5 W", "power", "expected a power such as '20.7 mW', got '1,5 W'"),
        ("0x10 W", "power", "expected a power such as '20.7 mW', got '0x10 W'"),
        ("٣ W", "power", "expected a power such as '20.7 mW', got '٣ W'"),
        ("1e999 W", "power", "expected a power such as '20.7 mW', got '1e999 W', which is too large to compute with"),
        ("-1e31 W", "power", "expected a power such as '20.7 mW', got '-1e31 W', which is too large to compute with"),
        ("1e-999 s", "time", "expected a time such as '100 ns', got '1e-999 s', which is too small to compute with"),
        ("1 m", "area", "expected an area such as '0.083 mm2', got the unit 'm', which is a unit of length"),
        ("1 mm", "area", "expected an area such as '0.083 mm2', got the unit 'mm', which is a unit of length"),
        ("1 W", "energy", "expected an energy such as '1.67 pJ', got the unit 'W', which is a unit of power"),
        (
            "64 MB",
            "information",
            "expected an amount of information such as '64 KiB', got the unit 'MB'; did you mean 'MiB'?",
        ),
        (
            "1 GHz",
            "bandwidth",
            "expected a bandwidth such as '6.4 GB/s', got the unit 'GHz', which is a unit of frequency",
        ),
    ],
)
def test_what_is_no_such_quantity_is_refused_with_what_was_got_and_what_is_right(
    text: str, dimension: str, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Quantity.parse(text, dimension)


def test_a_very_long_text_is_refused_and_not_repeated_in_full() -> None:
    with pytest.raises(ValueError, match="expected a power") as caught:
        Quantity.parse("9" * 100_000 + " W", "power")
    assert len(str(caught.value)) < 200


@given(st.sampled_from(UNITS), st.decimals(-(10**6), 10**6, places=6))
def test_every_unit_of_every_dimension_scales_exactly(unit: tuple[str, str], number: Decimal) -> None:
    dimension, name = unit
    quantity = Quantity.parse(f"{number} {name}", dimension)
    assert quantity.value == Fraction(number) * DIMENSIONS[dimension][1][name]


@given(st.sampled_from(UNITS), st.decimals(0, 10**9, allow_nan=False, allow_infinity=False, places=9))
def test_the_text_of_a_quantity_reads_back_as_the_same_quantity(unit: tuple[str, str], number: Decimal) -> None:
    dimension, name = unit
    quantity = Quantity.parse(f"{number:f} {name}", dimension)
    assert Quantity.parse(str(quantity), dimension) == quantity


@given(st.text(max_size=80), st.sampled_from(sorted(DIMENSIONS)))
def test_any_text_is_a_quantity_or_a_value_error(text: str, dimension: str) -> None:
    try:
        quantity = Quantity.parse(text, dimension)
    except ValueError as error:
        assert "expected a" in str(error)
    else:
        assert float(quantity) == float(quantity.value)


def test_every_example_in_the_messages_is_itself_valid() -> None:
    for dimension, (base, units, example) in DIMENSIONS.items():
        assert Quantity.parse(example, dimension).value > 0
        assert units[base] == 1


# -- durations ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "per_second", "expected"),
    [
        (128, Fraction(1_280_000_000), 100_000),  # ISAAC: 128 conversions at 1.28 GSps take 100 ns exactly
        (129, Fraction(1_280_000_000), 100_782),  # 100.78125 ns, rounded up
        (1, Fraction(1_280_000_000), 782),
        (256, Fraction(16 * 8 * 10**9), 2000),
        (1, Fraction(10**15), 1),
        (0, Fraction(1), 1),
    ],
)
def test_a_duration_is_whole_picoseconds_rounded_up_and_at_least_one(
    amount: int, per_second: Fraction, expected: int
) -> None:
    assert duration_ps(amount, per_second) == expected


@given(st.integers(0, 10**12), st.fractions(min_value=Fraction(1, 10**6), max_value=10**15))
def test_a_duration_is_the_smallest_whole_number_of_picoseconds_that_is_enough(amount: int, rate: Fraction) -> None:
    duration = duration_ps(amount, rate)
    assert isinstance(duration, int)
    assert duration >= 1
    assert Fraction(duration, PICOSECONDS) * rate >= amount
    if duration > 1:
        assert Fraction(duration - 1, PICOSECONDS) * rate < amount


# -- text ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0207, "W", "20.7 mW"),
        (65.80808, "W", "65.81 W"),
        (0.99999, "W", "1 W"),
        (1e-15, "J", "1 fJ"),
        (2.5e-17, "J", "0.025 fJ"),
        (-0.02, "W", "-20 mW"),
        (0.0, "W", "0 W"),
        (8.5424e-5, "m2", "85.42 mm2"),
        (41.28768e12, "OPS", "41.29 TOPS"),
        (1024.0, "b", "1024 b"),
    ],
)
def test_a_value_is_shown_with_the_prefix_that_keeps_it_short(value: float, unit: str, text: str) -> None:
    assert format_si(value, unit) == text


@given(st.floats(1e-14, 1e14), st.sampled_from(["W", "Hz", "J", "s"]))
def test_a_shown_value_differs_by_less_than_its_last_digit(value: float, unit: str) -> None:
    number, prefixed = format_si(value, unit).split()
    scales = dict(zip("fpnumkMGT", [1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9, 1e12], strict=True))
    scale = scales.get(prefixed.removesuffix(unit), 1.0)
    assert float(number) * scale == pytest.approx(value, rel=5.1e-4)


# -- as a field of a model ----------------------------------------------------------------------


class Row(BaseModel):
    power: Annotated[Quantity, QuantityOf("power")]
    time: Annotated[Quantity, QuantityOf("time", positive=True)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"power": 5, "time": "1 s"}, "expected a power such as '20.7 mW', got a plain number: 5"),
        ({"power": float("nan"), "time": "1 s"}, "expected a power such as '20.7 mW', got a plain number: nan"),
        ({"power": True, "time": "1 s"}, "expected a power such as '20.7 mW', got no text: True"),
        ({"power": None, "time": "1 s"}, "expected a power such as '20.7 mW', got no text: None"),
        ({"power": ["1 W"], "time": "1 s"}, "expected a power such as '20.7 mW', got no text: ['1 W']"),
        ({"power": "-1 W", "time": "1 s"}, "expected a power of 0 or more, got -1 W"),
        ({"power": "1 W", "time": "0 s"}, "expected a time of above 0, got 0 s"),
        ({"power": "1 W", "time": "-1 ns"}, "expected a time of above 0, got -1 ns"),
        ({"power": "1 {value} W", "time": "1 s"}, "expected a power such as '20.7 mW', got '1 {value} W'"),
    ],
)
def test_a_field_refuses_plain_numbers_and_values_out_of_range(row: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Row.model_validate(row)
    assert [line["msg"] for line in caught.value.errors()] == [message]


def test_a_field_takes_a_quantity_as_it_is_and_serialises_to_its_text() -> None:
    power = Quantity.parse("20.7 mW", "power")
    row = Row.model_validate({"power": power, "time": "100 ns"})
    assert row.power is power
    assert row.model_dump() == {"power": "20.7 mW", "time": "100 ns"}
    assert Row.model_validate_json(row.model_dump_json()) == row


@given(st.sampled_from(UNITS), st.decimals(0, 10**6, places=3))
def test_the_pattern_in_the_json_schema_takes_what_is_read(unit: tuple[str, str], number: Decimal) -> None:
    class Model(BaseModel):
        field: Annotated[Quantity, QuantityOf(unit[0])]

    pattern = Model.model_json_schema()["properties"]["field"]["pattern"]
    assert re.fullmatch(pattern, f"{number:f} {unit[1]}")
    assert not re.fullmatch(pattern, f"{number:f} parsec")
    assert not re.fullmatch(pattern, f"{number:f}")
