"""Devices by name, and what of them can be set."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archsim.errors import DeviceError
from archsim.numeric.devices import device, names, settings
from archsim.spec.loader import load_tile

SPAN = {"g_min_s": 1e-6, "g_max_s": 20e-6}
DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "devices.md"


@pytest.mark.parametrize("tile", ["isaac", "puma"])
def test_the_devices_of_the_shipped_tiles_are_here(tile: str) -> None:
    row = load_tile(tile).model.device
    assert row is not None
    ohm = float(row.r_on.value), float(row.r_off.value)
    cell = device(row.model, r_on_ohm=ohm[0], r_off_ohm=ohm[1])
    assert (cell.g_max_s, cell.g_min_s) == pytest.approx((1 / ohm[0], 1 / ohm[1]), rel=1e-15)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("pcm-aihwki", {}, "no device named 'pcm-aihwki'; did you mean 'pcm-aihwkit'?"),
        ("xyz", {}, "no device named 'xyz'; there are " + ", ".join(names())),
        ("generic", {}, "generic: needs g_min_s and g_max_s (or r_off_ohm and r_on_ohm), which no source gives"),
        (
            "ecram-tang",
            {"r_on_ohm": 2e4},
            "ecram-tang: needs g_min_s (or r_off_ohm and r_on_ohm), which no source gives",
        ),
        ("generic", SPAN | {"sgima": 1}, "generic: nothing named 'sgima' can be set; did you mean 'sigma'?"),
        (
            "pcm-joshi",
            {"nu": 0.1},
            "pcm-joshi: nothing named 'nu' can be set; there are " + ", ".join(settings("pcm-joshi")),
        ),
        ("generic", SPAN | {"r_on_ohm": 5}, "generic: r_on_ohm and g_max_s say the same; give one of them"),
        ("generic", {"r_off_ohm": 0, "r_on_ohm": 1e3}, "generic: r_off_ohm must be a number above 0, got 0"),
        (
            "generic",
            {"g_min_s": 2e-6, "g_max_s": 1e-6},
            "generic: g_min must be at least 0 and below g_max, got 2 µS and 1 µS",
        ),
        ("generic", SPAN | {"sigma": float("nan")}, "generic: sigma must be a number at least 0, got nan"),
        ("generic", SPAN | {"sigma": "0.1"}, "generic: sigma must be a number at least 0, got '0.1'"),
        ("generic", SPAN | {"sigma": True}, "generic: sigma must be a number at least 0, got True"),
        ("generic", SPAN | {"error": "gauss"}, "generic: error is one of normal, lognormal, got 'gauss'"),
        ("generic", SPAN | {"error": 3}, "generic: error is one of normal, lognormal, got 3"),
        (
            "generic",
            SPAN | {"sigma_of": "rang"},
            "generic: sigma_of is one of value, range, got 'rang'; did you mean 'range'?",
        ),
        (
            "generic",
            SPAN | {"error": "lognormal", "sigma": 0.1, "sigma_of": "range"},
            "generic: a lognormal error is relative to the value; sigma_of must be 'value'",
        ),
        ("generic", SPAN | {"t0_s": 0}, "generic: t0_s must be a number above 0, got 0"),
        ("generic", SPAN | {"levels": 1}, "generic: levels must be a number at least 2, got 1"),
        ("generic", SPAN | {"levels": 2.5}, "generic: levels must be a whole number, got 2.5"),
        ("generic", SPAN | {"stuck_on": -0.1}, "generic: stuck_on must be a number at least 0 and at most 1, got -0.1"),
        (
            "generic",
            SPAN | {"stuck_on": 0.6, "stuck_off": 0.6},
            "generic: the shares of stuck cells add up to 1.2, above 1",
        ),
        ("generic", SPAN | {"pulse_v": 1}, "generic: pulse_v needs pulse_s, which the source does not give"),
        ("generic", SPAN | {"endurance": 0}, "generic: endurance must be a number at least 1, got 0"),
        (
            "generic",
            SPAN | {"reference_k": -3},
            "generic: reference_k must be a number at least 1 and at most 10000, got -3",
        ),
        (
            "pcm-aihwkit",
            {"g_max_s": 30e-6},
            "pcm-aihwkit: the source holds from 0 µS to 25 µS, got a range of 0 µS to 30 µS",
        ),
        (
            "rram-milo",
            {"r_off_ohm": 1e6},
            "rram-milo: the source holds from 50 µS to 225 µS, got a range of 1 µS to 225 µS",
        ),
        ("rram-cmo", {"acceptance": 0.01}, "rram-cmo: acceptance is 0.002 or 0.02, got 0.01"),
        ("ecram-lista", {"steps": -1}, "ecram-lista: steps must be a number at least 0, got -1"),
        ("sonos", {"read_v": 0}, "sonos: read_v must be a number above 0, got 0"),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_would_be_right(
    name: str, given: dict[str, float | str], message: str
) -> None:
    with pytest.raises(DeviceError, match=rf"^{re.escape(message)}$"):
        device(name, **given)


def test_what_is_no_device_is_refused_with_what_is_missing() -> None:
    with pytest.raises(
        DeviceError, match=r"^filamentary-generic: .*no conductances, no programming error and no read noise"
    ):
        device("filamentary-generic")


def test_what_was_set_stands_in_the_limits() -> None:
    cell = device("pcm-joshi", g_max_s=20e-6, levels=16)
    assert cell.limits[0] == "set by the user: g_max_s = 2e-05, levels = 16"
    assert cell.limits[1:] == device("pcm-joshi").limits


def test_a_narrower_range_uses_part_of_the_fits_and_does_not_rescale_them() -> None:
    whole, part = device("pcm-aihwkit"), device("pcm-aihwkit", g_max_s=15e-6)
    assert part.programming_sigma_s([10e-6]) == whole.programming_sigma_s([10e-6])
    assert part.read_sigma_s([10e-6], [10e-6], 60.0) == whole.read_sigma_s([10e-6], [10e-6], 60.0)


def test_every_device_stands_in_the_documentation_and_no_other() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    table = text.split("## What there is")[1].split("\n## ")[0]
    assert sorted(re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE)) == list(names())


def test_every_setting_stands_in_the_documentation() -> None:
    text = DOCUMENT.read_text(encoding="utf-8").split("## What can be set")[1]
    described = set(re.findall(r"`([a-z0-9_]+)`", text))
    assert {key for name in names() for key in settings(name)} <= described
