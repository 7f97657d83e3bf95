"""What every test shares: generated examples are the same in each run and may take their time."""

import sys
from collections.abc import Callable

import pytest
from hypothesis import settings

from archsim.cli import main
from archsim.program import Program, Sequence, Stage
from archsim.sim import compiled

settings.register_profile("archsim", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("archsim")


@pytest.fixture(scope="session")
def compiled_engine() -> None:
    """The compiled engine, compiled: what a command says is then the same whatever ran before."""
    one = Sequence.constant(1)
    compiled.run(Program((Stage("only", 1, one, one),), ()))


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """``archsim`` with words: its exit code, standard output and standard error."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["archsim", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        code = caught.value.code
        return (code if isinstance(code, int) else int(code is not None)), out, err

    return run
