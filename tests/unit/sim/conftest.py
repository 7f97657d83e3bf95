"""Each rule is tested on every engine: a test takes ``run`` and so runs once for each."""

import pytest

from archsim.sim import reference

ENGINES = [pytest.param(reference.run, id="reference")]

try:
    from archsim.sim import compiled
except ImportError:
    pass
else:
    ENGINES.append(pytest.param(compiled.run, id="compiled"))


@pytest.fixture(params=ENGINES)
def run(request):
    return request.param
