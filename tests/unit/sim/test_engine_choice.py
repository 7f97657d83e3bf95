"""Which engine runs, and that it does not matter for the result."""

from __future__ import annotations

import pytest

from archsim import jit
from archsim.compile.network import compile_network
from archsim.errors import ArchsimError
from archsim.sim import _tables, compiled, engines, reference
from archsim.sim.simulate import simulate_network
from tests.networks import CONVOLUTIONS, chip, network


def test_the_compiled_engine_runs_where_numba_is_there() -> None:
    assert engines.chosen() == "compiled"


def test_the_reference_runs_where_numba_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "MISSING", "no module of that name")
    assert engines.chosen() == "simpy"
    with pytest.raises(ArchsimError, match=r"needs Numba, which cannot be imported \(no module of that name\)"):
        engines.chosen("compiled")
    result = compile_network(network(CONVOLUTIONS, (3, 8, 8)), chip("isaac-ce", 8), 1)
    assert simulate_network(result, images=1).engine == "simpy"


def test_an_engine_that_is_named_is_the_one() -> None:
    assert engines.chosen("compiled") == "compiled"
    assert engines.chosen("simpy") == "simpy"
    assert engines.engine("simpy") is reference.run
    assert engines.engine("compiled") is compiled.run


def test_the_compiled_engine_is_made_ready_by_one_small_run(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []
    monkeypatch.setattr(compiled, "run", ran.append)
    engines.make_ready("simpy")
    assert ran == []
    engines.make_ready()
    assert len(ran) == 1


@pytest.mark.parametrize("design", ["isaac-ce", "puma"])
def test_both_engines_give_the_same_figures(design: str) -> None:
    result = compile_network(network(CONVOLUTIONS, (3, 8, 8)), chip(design, 12), 1)

    def figures(engine: str) -> dict[str, object]:
        value = simulate_network(result, images=3, engine_name=engine).to_json()
        assert value.pop("engine") == engine
        value.pop("simulate_s")
        return value

    assert figures("simpy") == figures("compiled")


def test_a_state_too_large_for_the_compiled_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tables, "MOST_WORDS", 2000)
    program = compile_network(network(CONVOLUTIONS, (3, 8, 8)), chip("isaac-ce", 8), 1).program
    with pytest.raises(ArchsimError, match=r"a state of \d+ words, the compiled engine takes 1999; fewer images"):
        compiled.run(program)
