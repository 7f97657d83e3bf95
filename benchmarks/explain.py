"""``python -m benchmarks.explain``: what ``archsim explain`` takes, and whether its shares hold what they promise.

For each kind of stage and link: its share of the time between inferences, and how much of that time goes when its own
times get 2 % shorter (as a part of those 2 %).  The two need not be equal, as a shorter time can let something else
limit, but a share that is far from what it brings explains nothing.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from time import process_time

from archsim.compile.network import Compiled, chips_to_fit, compile_network
from archsim.program import Program, Sequence
from archsim.sim.engines import engine
from archsim.sim.explain import Explanation, explain_network
from archsim.sim.simulate import watched
from archsim.sim.whatif import times
from archsim.spec.loader import load_chip
from archsim.workload import load_graph

CASES = [(chip, network) for network in ("alexnet", "resnet18", "resnet50") for chip in ("isaac-ce", "puma")]
LESS = 0.98


def shorter(program: Program, kind: str) -> Program:
    """``program`` with the times of a kind of stage or link 2 % shorter."""

    def sequence(values: Sequence) -> Sequence:
        return Sequence(tuple(max(1, round(LESS * (value + values.offset))) for value in values.table))

    def ps(time: int) -> int:
        return max(1, round(LESS * time))

    stages = tuple(
        replace(s, interval=sequence(s.interval), latency=sequence(s.latency)) if s.component == kind else s
        for s in program.stages
    )
    links = tuple(replace(link, hop=ps(link.hop)) if link.kind == kind else link for link in program.links)
    flows = tuple(
        replace(
            flow,
            route=tuple(
                replace(hop, serialisation=ps(hop.serialisation)) if links[hop.link].kind == kind else hop
                for hop in flow.route
            ),
        )
        for flow in program.flows
    )
    return Program(stages, flows, links)


def interval_ps(compiled: Compiled, images: int) -> float:
    run, stages = engine("compiled"), watched(compiled)
    single = run(compiled.program, records=stages)
    return times(compiled, single, run(compiled.for_images(images), records=stages)).interval_ps


def shares(found: Explanation) -> dict[str, float]:
    """The share of each kind of stage and link in the stretch that explains the time between inferences."""
    assert found.steady is not None
    stretch, program, out = found.steady.stretch, found.program, {}
    for piece in found.path.pieces:
        time = min(piece.finish, stretch.finish) - max(piece.begin, stretch.begin)
        if time > 0:
            if piece.stage >= 0:
                kind = program.stages[piece.stage].component
            else:
                kind = program.links[int(program.arrays.hop_link[piece.token.hop])].kind
            out[kind] = out.get(kind, 0.0) + time / found.steady.total_ps
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--only", nargs="+", choices=[network for _, network in CASES])
    given = parser.parse_args()
    for chip, network in CASES:
        if given.only and network not in given.only:
            continue
        graph, design = load_graph(network)[0], load_chip(chip).model
        compiled = compile_network(graph, design, chips_to_fit(graph, design))
        began = process_time()
        found = explain_network(compiled, images=given.images)
        print(
            f"{network} on {chip}, {given.images} images: explained in {process_time() - began:.1f} CPU-s", flush=True
        )
        before, of_kind = interval_ps(compiled, given.images), shares(found)
        for kind in sorted({s.component for s in compiled.program.stages} | {x.kind for x in compiled.program.links}):
            program = shorter(compiled.program, kind)
            after = interval_ps(replace(compiled, program=program), given.images)
            brings = (1 - after / before) / (1 - LESS)
            if max(of_kind.get(kind, 0.0), abs(brings)) >= 0.01:
                print(f"  {kind:10} share {of_kind.get(kind, 0.0):6.1%}   brings {brings:6.1%}", flush=True)


if __name__ == "__main__":
    main()
