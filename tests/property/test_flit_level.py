"""What holds for every network and all traffic at flit level, in both engines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.noc.curve import in_order
from archsim.noc.flit import simulate
from archsim.noc.packets import NEVER
from tests.networks_on_chip import fabrics, packets


@settings(max_examples=60, deadline=None)
@given(st.data(), fabrics(), st.booleans())
def test_both_engines_agree_flit_by_flit(data, fabric, multicast):
    traffic = data.draw(packets(fabric, multicast))
    runs = [simulate(fabric, traffic, trace=True, engine=engine) for engine in ("reference", "compiled")]
    one, other = runs
    np.testing.assert_array_equal(one.trace, other.trace)
    for name in ("created", "sent", "delivered", "channel_flits", "ejected", "peak", "stuck"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert (one.counts, one.cycle) == (other.counts, other.cycle)


@settings(max_examples=40, deadline=None)
@given(st.data(), fabrics(), st.booleans(), st.sampled_from(["reference", "compiled"]))
def test_flits_are_conserved_and_no_buffer_holds_more_than_its_size(data, fabric, multicast, engine):
    traffic = data.draw(packets(fabric, multicast))
    run = simulate(fabric, traffic, trace=True, engine=engine)
    assert (run.delivered < NEVER).all()
    copies = traffic.routes.ends[traffic.route]
    assert run.counts["flits_created"] == run.counts["flits_injected"] == traffic.flits.sum()
    assert run.counts["flits_ejected"] == run.ejected.sum() == (traffic.flits * copies).sum()
    assert run.peak.max() <= fabric.router.buffer_flits
    assert not len(run.stuck)
    # every flit that is put on a channel comes out at its end, once and in order
    sends = run.trace[(run.trace[:, 1] == 0) | (run.trace[:, 1] == 2)]
    arrivals = run.trace[run.trace[:, 1] == 3]
    np.testing.assert_array_equal(np.unique(sends[:, 2:], axis=0), np.unique(arrivals[:, 2:], axis=0))
    assert len(sends) == len(arrivals) == len(np.unique(sends[:, 2:], axis=0))
    assert run.counts["buffer_writes"] <= run.counts["buffer_reads"] == run.counts["crossbar_flits"]


@settings(max_examples=40, deadline=None)
@given(st.data(), fabrics(), st.sampled_from(["reference", "compiled"]))
def test_the_packets_of_a_flow_leave_in_the_order_of_their_creation(data, fabric, engine):
    traffic = data.draw(packets(fabric))
    run = simulate(fabric, traffic, engine=engine)
    ordered = in_order(traffic, run)
    if fabric.router.order == "vc-by-flow":
        np.testing.assert_array_equal(ordered, run.delivered)
    assert (ordered >= run.delivered).all()
    for flow in np.unique(traffic.route):
        mine = np.flatnonzero(traffic.route == flow)
        mine = mine[np.lexsort((mine, run.created[mine]))]
        assert (np.diff(ordered[mine]) >= 0).all()


@settings(max_examples=40, deadline=None)
@given(st.data(), fabrics())
def test_no_packet_is_faster_than_an_empty_network(data, fabric):
    traffic = data.draw(packets(fabric))
    run = simulate(fabric, traffic)
    ends = traffic.routes.channel[np.append(traffic.routes.first[1:], len(traffic.routes.channel)) - 1]
    for packet in range(len(traffic)):
        target = int(ends[traffic.route[packet]]) - fabric.ejection(0)
        least = fabric.zero_load_latency(int(traffic.sources[packet]), target, int(traffic.flits[packet]))
        assert run.latency[packet] >= least


@pytest.mark.parametrize("engine", ["reference", "compiled"])
@given(data=st.data(), fabric=fabrics())
@settings(max_examples=15, deadline=None)
def test_a_packet_that_waits_for_others_is_created_after_the_last_of_them(engine, data, fabric):
    traffic = data.draw(packets(fabric))
    run = simulate(fabric, traffic, engine=engine)
    for after in np.unique(traffic.after):
        last = run.delivered[traffic.before[traffic.after == after]].max()
        assert run.created[after] == last + traffic.created[after]
