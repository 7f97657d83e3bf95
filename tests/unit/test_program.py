"""The records of a Program: sequences, what is refused, and the flat arrays."""

import numpy as np
import pytest

from archsim.errors import ProgramError
from archsim.program import NO_NODE, End, Flow, Hop, Link, Program, Sequence, Stage

C = Sequence.constant
EACH = Sequence((1,), 1)


def program(*, firings=1, interval=None, latency=None, hop=1, **fields):
    """One flow from stage a to stage b, over links l and m; ``fields`` replace those of the flow."""
    stages = (Stage("a", firings, interval or C(1), latency or C(1)), Stage("b", 4, C(1), C(1)))
    flow = {"name": "f", "source": 0, "emit": C(1), "ends": (End(1, EACH, EACH, 1),)} | fields
    return Program(stages, (Flow(**flow),), (Link("l", hop), Link("m", 1)))


class TestSequence:
    def test_a_constant_has_one_value_for_ever(self):
        assert [C(7).at(n) for n in (0, 1, 10**9)] == [7, 7, 7]

    def test_a_table_repeats(self):
        assert Sequence.of((3, 1, 4)).values(7).tolist() == [3, 1, 4, 3, 1, 4, 3]

    def test_a_running_total_grows_by_the_increment_each_period_from_the_offset(self):
        assert Sequence.of((1, 3), increment=5, offset=100).values(5).tolist() == [101, 103, 106, 108, 111]

    @pytest.mark.parametrize("sequence", [C(4), Sequence.of((3, 1, 4)), Sequence.of((1, 3), increment=5, offset=-2)])
    def test_single_values_and_their_sum_agree_with_the_list_of_values(self, sequence):
        values = sequence.values(11)
        assert values.dtype == np.int64
        assert [sequence.at(n) for n in range(11)] == values.tolist()
        assert sequence.total(11) == sum(values.tolist())

    def test_no_values_sum_to_nothing(self):
        assert C(4).values(0).tolist() == []
        assert C(4).total(0) == 0

    def test_equal_sequences_are_equal_whatever_the_integers_were_made_of(self):
        assert Sequence.of(np.array([1, 2])) == Sequence((1, 2))
        assert type(Sequence.of(np.array([1, 2])).table[0]) is int

    def test_a_sequence_without_values_is_refused(self):
        with pytest.raises(ProgramError, match=r"^a sequence needs at least one value$"):
            Sequence(())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"firings": -1}, "stage 'a': -1 firings, must be 0 or more"),
        ({"interval": C(0)}, "stage 'a': interval is 0 ps, must be at least 1 ps"),
        ({"interval": Sequence.of((3, -2), offset=2)}, "stage 'a': interval is 0 ps, must be at least 1 ps"),
        ({"latency": C(0)}, "stage 'a': latency is 0 ps, must be at least 1 ps"),
        ({"latency": Sequence((1,), 2)}, "stage 'a': latency must be periodic, it grows by 2"),
        ({"hop": 0}, "link 'l': hop is 0 ps, must be at least 1 ps"),
        ({"source": 2}, "flow 'f': its source is stage 2, there are 2 stages"),
        ({"source": -1}, "flow 'f': its source is stage -1, there are 2 stages"),
        ({"ends": ()}, "flow 'f': it has no end"),
        ({"initial": -1}, "flow 'f': -1 initial tokens, must be 0 or more"),
        ({"emit": C(-1)}, "flow 'f': emit must be periodic and 0 or more"),
        ({"emit": EACH}, "flow 'f': emit must be periodic and 0 or more"),
        ({"route": (Hop(2, 1),)}, "flow 'f': hop 0 is link 2, there are 2 links"),
        ({"route": (Hop(1, 1), Hop(1, 1, 0))}, "flow 'f': its route visits link 'm' twice"),
        ({"route": (Hop(0, 1, 0),)}, "flow 'f': hop 0 has parent 0, which does not stand before it"),
        ({"route": (Hop(0, 1, 1), Hop(1, 1))}, "flow 'f': hop 0 has parent 1, which does not stand before it"),
        ({"route": (Hop(0, 0),)}, "flow 'f': serialisation is 0 ps, must be at least 1 ps"),
        ({"ends": (End(2, EACH, EACH, 1),)}, "flow 'f': ends at stage 2, there are 2 stages"),
        ({"ends": (End(1, EACH, EACH, 1, node=0),)}, "flow 'f': ends at hop 0, its route has 0 hops"),
    ],
)
def test_what_breaks_the_rules_is_refused_by_name(fields, message):
    with pytest.raises(ProgramError) as caught:
        program(**fields)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "free",
    [
        Sequence.of((2, 1)),
        Sequence.of((1, 2)),  # four firings: the third falls back to 1
        Sequence.of((1, 9), increment=7),
        C(-1),
        Sequence.of((0, 5), increment=5, offset=-1),
    ],
)
def test_a_total_of_freed_tokens_that_falls_is_refused(free):
    with pytest.raises(ProgramError, match=r"^flow 'f': the tokens freed by stage 'b' must never fall in number$"):
        program(ends=(End(1, EACH, free, 1),))


def test_a_total_of_freed_tokens_may_be_a_table_that_is_never_repeated():
    assert program(ends=(End(1, EACH, Sequence.of((1, 2, 3, 4)), 1),))


def test_needs_may_fall():
    assert program(ends=(End(1, Sequence.of((3, 1)), EACH, 1),))


class TestArrays:
    def make(self):
        stages = tuple(Stage(name, 4, C(2), C(3)) for name in "abc")
        first = Flow(
            "f", 0, C(1), (End(2, EACH, EACH, 5, node=1), End(1, EACH, EACH, 6)), (Hop(1, 7), Hop(0, 8, 0)), initial=2
        )
        second = Flow("g", 1, C(1), (End(2, EACH, C(0), 9, node=0),), (Hop(1, 4),))
        third = Flow("h", 0, C(2), (End(2, EACH, EACH, 1),))
        return Program(stages, (first, second, third), (Link("l", 10), Link("m", 11)))

    def test_ends_and_hops_are_numbered_through_all_flows(self):
        a = self.make().arrays
        assert a.flow_end_ptr.tolist() == [0, 2, 3, 4]
        assert a.flow_hop_ptr.tolist() == [0, 2, 3, 3]
        assert a.end_flow.tolist() == [0, 0, 1, 2]
        assert a.end_stage.tolist() == [2, 1, 2, 2]
        assert a.end_capacity.tolist() == [5, 6, 9, 1]
        assert a.end_node.tolist() == [1, NO_NODE, 2, NO_NODE]
        assert a.hop_flow.tolist() == [0, 0, 1]
        assert a.hop_link.tolist() == [1, 0, 1]
        assert a.hop_parent.tolist() == [NO_NODE, 0, NO_NODE]
        assert a.hop_serialisation.tolist() == [7, 8, 4]
        assert a.flow_initial.tolist() == [2, 0, 0]
        assert a.link_hop.tolist() == [10, 11]

    def test_inputs_of_a_stage_are_ends_and_outputs_are_flows_in_order(self):
        a = self.make().arrays
        inputs = [a.stage_in[a.stage_in_ptr[s] : a.stage_in_ptr[s + 1]].tolist() for s in range(3)]
        outputs = [a.stage_out[a.stage_out_ptr[s] : a.stage_out_ptr[s + 1]].tolist() for s in range(3)]
        assert inputs == [[], [1], [0, 2, 3]]
        assert outputs == [[0, 2], [1], []]

    def test_children_and_ends_of_a_hop_are_listed(self):
        a = self.make().arrays
        children = [a.hop_child[a.hop_child_ptr[h] : a.hop_child_ptr[h + 1]].tolist() for h in range(3)]
        ends = [a.hop_end[a.hop_end_ptr[h] : a.hop_end_ptr[h + 1]].tolist() for h in range(3)]
        assert children == [[1], [], []]
        assert ends == [[], [0], [2]]

    def test_equal_sequences_are_stored_once(self):
        made = self.make()
        a = made.arrays
        assert len(a.q_start) == len({C(2), C(3), C(1), EACH, C(0)})
        assert a.flow_emit[0] == a.flow_emit[1]
        assert a.stage_interval[0] == a.flow_emit[2]

    def test_a_sequence_number_leads_back_to_the_sequence(self):
        tables = Sequence.of((5, 6, 7), increment=9, offset=1)
        a = program(ends=(End(1, tables, EACH, 1),)).arrays
        q = a.end_need[0]
        table = a.pool[a.q_start[q] : a.q_start[q] + a.q_period[q]].tolist()
        assert (table, a.q_increment[q], a.q_offset[q]) == ([5, 6, 7], 9, 1)

    def test_all_arrays_hold_64_bit_integers_even_when_empty(self):
        for made in (self.make(), Program((), ())):
            assert {array.dtype for array in made.arrays} == {np.dtype(np.int64)}
