"""The ADC: count times rate conversions a second, and what another resolution costs."""

from __future__ import annotations

from fractions import Fraction

import pytest
from pydantic import ValidationError

TABLE = {
    "7": {"energy": "1.42 pJ", "area": "845 um2"},
    "8": {"energy": "1.67 pJ", "area": "1200 um2"},
    "9": {"energy": "1.97 pJ", "area": "1828 um2"},
}


def test_an_isaac_adc_by_hand(make):
    row = make("adc", count=8, bits=8, rate="1.28 GHz", power="16 mW", area="0.0096 mm2")
    assert row.actions_per_s(100_000) == Fraction(8 * 1_280_000_000)
    assert row.power_w() == pytest.approx(0.016)
    assert row.area_m2() == pytest.approx(9.6e-9)
    assert row.energies_j(100_000) == {"convert": pytest.approx(16e-3 / 10.24e9)}  # 1.5625 pJ
    assert row.times_ps(100_000) == {"convert": 782}  # 781.25 ps, rounded up
    assert row.static_power_w() == 0


def test_a_puma_adc_with_a_tenth_of_its_power_static_by_hand(make):
    row = make("adc", count=16, bits=8, rate="1 GHz", static_share=0.1, power="32 mW")
    assert row.static_power_w() == pytest.approx(3.2e-3)
    assert row.energies_j(128_000)["convert"] == pytest.approx(1.8e-12)  # 1.8 mW at 1 GSps
    assert row.times_ps(128_000) == {"convert": 1000}


@pytest.mark.parametrize(("bits", "energy", "area"), [(7, 1.42, 845), (8, 1.67, 1200), (9, 1.97, 1828)])
def test_power_and_area_follow_the_table_by_bits_from_the_rated_resolution(make, bits, energy, area):
    row = make("adc", bits=bits, rated_bits=8, rate="1 GHz", power="16 mW", area="0.0096 mm2", by_bits=TABLE)
    assert row.power_w() == pytest.approx(16e-3 * energy / 1.67)
    assert row.area_m2() == pytest.approx(9.6e-9 * area / 1200)
    assert row.energies_j(1000)["convert"] == pytest.approx(16e-12 * energy / 1.67)


def test_without_a_table_power_and_area_stay_as_given(make):
    assert make("adc", bits=6, rated_bits=8, rate="1 GHz").power_w() == pytest.approx(10e-3)


def test_power_and_area_follow_the_count_from_the_rated_count(make):
    row = make("adc", count=4, rated_count=8, bits=8, rate="1 GHz", power="16 mW")
    assert row.power_w() == pytest.approx(8e-3)
    assert row.area_m2() == pytest.approx(0.25e-6)
    assert row.energies_j(1000)["convert"] == pytest.approx(2e-12)  # as of each of the eight


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"bits": 6}, "6 bits is not in by_bits, which has 7, 8, 9"),
        ({"bits": 8, "rated_bits": 10}, "10 bits is not in by_bits, which has 7, 8, 9"),
        ({"bits": 0}, "expected at least 1, got 0"),
        ({"bits": 17}, "expected at most 16, got 17"),
        (
            {"bits": 8, "type": "flesh"},
            "expected 'sar', 'ramp', 'flash', 'oscillator', 'time-to-digital', 'sense-amplifier' or "
            "'integrate-and-fire', got 'flesh'; did you mean 'flash'?",
        ),
        ({"bits": 8, "clock": "1 GHz"}, "expected one of rate and clock, got both"),
        ({"bits": 8, "rate": None}, "expected one of rate and clock, got neither"),
        ({"bits": 8, "type": "sense-amplifier"}, "a sense amplifier has 1 bit, got 8"),
        ({"bits": 8, "resolutions": [[8, 9]]}, "expected at most the 8 bits of the converter, got 9"),
        ({"bits": 8, "resolutions": [[8, 7], [8]]}, "expected as many bits in each row, got 1, 2"),
        ({"bits": 8, "rate": "0 GHz"}, "expected a frequency of above 0, got 0 GHz"),
        ({"bits": 8, "by_bits": {"8": {"energy": "0 pJ", "area": "1 um2"}}}, "expected an energy of above 0, got 0 pJ"),
        ({"bits": 8, "by_bits": {"²": {"energy": "1 pJ", "area": "1 um2"}}}, "expected a whole number, got '²'"),
    ],
)
def test_a_resolution_that_is_not_known_is_refused(make, keys, message):
    from archsim.components.adc import ADC

    row = {"kind": "adc", "rate": "1 GHz", "power": "1 W", "area": "1 mm2", "source": "s", "status": "assumed"}
    with pytest.raises(ValidationError) as caught:
        ADC.model_validate({**row, "by_bits": TABLE, **keys})
    assert [line["msg"] for line in caught.value.errors()] == [message]


def test_busy_it_takes_exactly_its_power(make, busy_power_w):
    for share in (0, 0.1, 1):
        row = make("adc", count=3, bits=7, rated_bits=8, rate="1.2 GHz", by_bits=TABLE, static_share=share)
        assert busy_power_w(row) == pytest.approx(row.power_w())


@pytest.mark.parametrize(
    ("kind", "bits", "cycles"),
    [
        ("sar", 8, 9),
        ("ramp", 8, 256),
        ("oscillator", 6, 64),
        ("integrate-and-fire", 5, 32),
        ("flash", 4, 1),
        ("time-to-digital", 8, 1),
        ("sense-amplifier", 1, 1),
    ],
)
def test_a_conversion_takes_the_clock_cycles_of_its_type(make, kind, bits, cycles):
    row = make("adc", count=2, bits=bits, type=kind, clock="1 GHz")
    assert row.times_ps(cycle_ps=100_000) == {"convert": 1000 * cycles}
    assert row.actions_per_s(cycle_ps=100_000) == Fraction(2 * 10**9, cycles)


def test_bits_that_follow_from_step_and_slice_take_their_part_of_a_conversion(make):
    table = [[9, 6], [3, 0]]
    plain = make("adc", bits=9, rate="1 GHz")
    sar = make("adc", bits=9, rate="1 GHz", resolutions=table)
    assert sar.energies_j(1000)["convert"] == pytest.approx(plain.energies_j(1000)["convert"] * 18 / 36)
    assert sar.area_m2() == plain.area_m2()
    assert sar.times_ps(1000) == plain.times_ps(1000)
    ramp = make("adc", type="ramp", bits=6, clock="1 GHz", resolutions=[[0, 2], [3, 6]])  # those of PRIME
    whole = make("adc", type="ramp", bits=6, clock="1 GHz")
    assert ramp.power_w() == pytest.approx(whole.power_w() * (4 + 8 + 64) / 256)


def test_what_a_conversion_is_given_is_that_of_all_bits(make):
    row = make("adc", bits=8, rate="1 GHz", power=None, energy="2 pJ", resolutions=[[8, 4]])
    assert row.energies_j(1000) == {"convert": pytest.approx(1.5e-12)}
