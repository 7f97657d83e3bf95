"""What every test shares: generated examples are the same in each run and may take their time."""

import pytest
from hypothesis import settings

from archsim.program import Program, Sequence, Stage
from archsim.sim import compiled

settings.register_profile("archsim", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("archsim")


@pytest.fixture(scope="session")
def compiled_engine() -> None:
    """The compiled engine, compiled: what a command says is then the same whatever ran before."""
    one = Sequence.constant(1)
    compiled.run(Program((Stage("only", 1, one, one),), ()))
