"""Critical paths that can be worked out by hand."""

from __future__ import annotations

from archsim.program import End, Flow, Hop, Link, Program, Sequence, Stage
from archsim.sim import compiled
from archsim.sim.critical import Path, Token, critical_path

MANY = 10**6


def stage(name: str, firings: int, interval: int | tuple[int, ...] = 10, latency: int | tuple[int, ...] = 5) -> Stage:
    both = [Sequence(time) if isinstance(time, tuple) else Sequence((time,)) for time in (interval, latency)]
    return Stage(name, firings, *both)


def end(to: int, capacity: int = MANY, node: int = -1) -> End:
    each = Sequence((1,), 1)
    return End(to, each, each, capacity, node)


def flow(source: int, *ends: End, route: tuple[Hop, ...] = (), emit: int = 1) -> Flow:
    return Flow(f"f{source}", source, Sequence((emit,)), ends, route)


def path(program: Program, firing: tuple[int, int] | None = None, saturated: int | None = None) -> Path:
    return critical_path(program, compiled.run(program, records="all"), firing, saturated=saturated)


def told(found: Path) -> list[tuple[str, int, int]]:
    return [(piece.kind, piece.begin, piece.finish) for piece in found.pieces]


def test_an_empty_program_has_an_empty_path() -> None:
    assert path(Program((), ())) == Path(())
    assert path(Program((), ())).finish == 0


def test_a_stage_alone_computes_all_the_time_in_one_piece() -> None:
    found = path(Program((stage("a", 4, interval=(3, 7), latency=5),), ()))
    assert told(found) == [("interval", 0, 13), ("latency", 13, 18)]
    assert (found.pieces[0].firing, found.pieces[0].firings) == (2, 3)
    assert found.finish == 18


def test_the_longest_output_counts_even_if_it_is_not_of_the_last_firing() -> None:
    found = path(Program((stage("a", 2, interval=1, latency=(50, 2)),), ()))
    assert told(found) == [("latency", 0, 50)]


def test_a_starved_stage_waits_for_a_result_and_its_way() -> None:
    # b starts at 5 + 2 + 3
    stages = (stage("a", 1), stage("b", 1, latency=4))
    found = path(Program(stages, (flow(0, end(1, node=0), route=(Hop(0, 3),)),), (Link("l", 2),)))
    assert told(found) == [("latency", 0, 5), ("hop", 5, 7), ("serialisation", 7, 10), ("latency", 10, 14)]
    assert [piece.end for piece in found.pieces] == [0, 0, 0, -1]


def test_a_head_waits_for_the_bits_behind_it_before_a_faster_link() -> None:
    # 5, hop 2; of the service of 7 the next link takes 3, so the head waits for the other 4; then 1 + 3
    route = (Hop(0, 7), Hop(1, 3, 0))
    program = Program(
        (stage("a", 1), stage("b", 1)), (flow(0, end(1, node=1), route=route),), (Link("l", 2), Link("m", 1))
    )
    found = path(program, (1, 0))
    assert told(found)[1:] == [("hop", 5, 7), ("serialisation", 7, 11), ("hop", 11, 12), ("serialisation", 12, 15)]


def test_a_blocked_stage_waits_for_the_interval_of_the_firing_that_gives_back_its_room() -> None:
    # room for two: a's third firing needs what b's first frees, at 5 + 40
    program = Program((stage("a", 3), stage("b", 3, interval=40)), (flow(0, end(1, capacity=2)),))
    found = path(program, (0, 2))
    assert told(found) == [("latency", 0, 5), ("room", 5, 45)]
    assert (found.pieces[1].stage, found.pieces[1].firing, found.pieces[1].end) == (1, 0, 0)


def test_a_token_leaves_with_the_slower_one_before_it() -> None:
    # the second output is there at 1 + 2, but leaves with the first, at 30
    program = Program((stage("a", 2, interval=1, latency=(30, 2)), stage("b", 2, interval=1)), (flow(0, end(1)),))
    found = path(program, (1, 0))
    assert told(found) == [("latency", 0, 30)]
    # b's second firing waits for its own interval only
    assert told(path(program, (1, 1))) == [("latency", 0, 30), ("interval", 30, 31)]


def test_a_token_in_a_queue_of_its_own_flow_waits_for_the_service_of_those_ahead() -> None:
    # three tokens reach the link at 5, served for 4 each
    need = Sequence((3,), 3)
    consumer = End(1, need, need, MANY, 0)
    program = Program((stage("a", 1), stage("b", 1)), (flow(0, consumer, route=(Hop(0, 4),), emit=3),), (Link("l", 1),))
    found = path(program, (1, 0))
    assert told(found) == [
        ("latency", 0, 5),
        ("queue", 5, 9),
        ("queue", 9, 13),
        ("hop", 13, 14),
        ("serialisation", 14, 18),
    ]
    assert [(p.token, p.waiting) for p in found.pieces[1:3]] == [
        (Token(0, 0), Token(0, 1)),
        (Token(0, 1), Token(0, 2)),
    ]


def shared() -> Program:
    """b's token reaches the link at 6, while a's, which came at 5, is served until 25."""
    stages = (stage("a", 1, latency=5), stage("b", 1, latency=6), stage("c", 1), stage("d", 1))
    flows = (
        flow(0, end(2, node=0), route=(Hop(0, 20),)),
        flow(1, end(3, node=0), route=(Hop(0, 4),)),
    )
    return Program(stages, flows, (Link("l", 1),))


def test_a_token_that_lets_others_pass_goes_on_with_what_itself_waited_for() -> None:
    found = path(shared(), (3, 0))
    assert told(found) == [("latency", 0, 6), ("contention", 6, 25), ("hop", 25, 26), ("serialisation", 26, 30)]
    assert next(piece.stage for piece in found.pieces) == 1
    assert (found.pieces[1].token, found.pieces[1].waiting) == (Token(0, 0), Token(1, 0))


def test_at_a_link_that_has_long_been_busy_it_goes_on_with_those_ahead() -> None:
    found = path(shared(), (3, 0), saturated=20)
    assert told(found) == [("latency", 0, 5), ("queue", 5, 25), ("hop", 25, 26), ("serialisation", 26, 30)]
    assert next(piece.stage for piece in found.pieces) == 0
    assert told(path(shared(), (3, 0), saturated=21)) == told(path(shared(), (3, 0)))
