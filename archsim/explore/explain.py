"""One design, one network: load, compile, and explain."""

from __future__ import annotations

from collections.abc import Callable

from archsim.explore.options import Options
from archsim.explore.pool import in_processes
from archsim.explore.run import Design, compile_design
from archsim.sim.explain import Explanation, explain_network

__all__ = ["explain_design"]


def explain_design(
    design: Design,
    chips: int | None,
    options: Options,
    report: Callable[[str], None] = lambda step: None,
    jobs: int = 1,
) -> Explanation:
    """Compile ``design`` onto ``chips`` chips (None: the smallest board that holds the network once) and say why it is
    as fast as it is; what-ifs are run by ``jobs`` processes."""
    compiled = compile_design(design, chips, options, report)
    return explain_network(
        compiled,
        images=options.images,
        engine_name=options.engine,
        config_hash=design.config_hash,
        resolved={**design.resolved(), "run": options.written(compiled.board.chips)},
        report=report,
        each=lambda function, items: in_processes(function, items, jobs),
    )
