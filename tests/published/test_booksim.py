"""The flit-level router against BookSim 2, whose figures and parameters stand in ``booksim.yaml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import yaml

from archsim.noc.curve import Phases, measure
from tests.networks_on_chip import fabric

CURVES = yaml.safe_load(Path(__file__).with_name("booksim.yaml").read_text(encoding="utf-8"))
NAMES = [f"{curve['traffic']}-{curve['packet_flits']}" for curve in CURVES]


@cache
def mesh():
    return fabric("mesh", (8, 8))


def saturated_from(curve):
    """The first load that BookSim calls unstable."""
    return next(load for load, latency in curve["points"] if latency is None)


def below_80_percent(curve):
    return [(load, latency) for load, latency in curve["points"] if load <= 0.8 * saturated_from(curve)]


@pytest.mark.parametrize("curve", CURVES, ids=NAMES)
def test_a_point_at_half_of_saturation_agrees_to_5_percent(curve):
    load, latency = min(curve["points"], key=lambda point: abs(point[0] - 0.5 * saturated_from(curve)))
    ours = measure(mesh(), curve["traffic"], curve["packet_flits"], load, Phases(1000, 8000, 8000))
    assert ours.mean_latency == pytest.approx(latency, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("curve", CURVES, ids=NAMES)
def test_the_curve_agrees_to_5_percent_up_to_80_percent_of_saturation(curve):
    for load, latency in below_80_percent(curve):
        ours = measure(mesh(), curve["traffic"], curve["packet_flits"], load)
        assert ours.mean_latency == pytest.approx(latency, rel=0.05), load
        assert ours.accepted_load == pytest.approx(load, rel=0.04)
        assert not ours.saturated


@pytest.mark.slow
@pytest.mark.parametrize("curve", CURVES, ids=NAMES)
def test_the_saturation_point_agrees_to_5_percent(curve):
    edge = saturated_from(curve)
    args = (mesh(), curve["traffic"], curve["packet_flits"])
    assert not measure(*args, 0.95 * edge).saturated
    assert measure(*args, 1.05 * edge).saturated
