"""archsim: discrete-event, system-level simulation of accelerators that compute inside memristor crossbars.

The names below are the public face: what they take and give stays, or its change stands in the changelog.  They are
loaded when they are first used, so that ``import archsim`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from archsim._version import __version__

if TYPE_CHECKING:
    from archsim.compile.network import compile_network as compile_network
    from archsim.errors import ArchsimError as ArchsimError
    from archsim.explore.options import Options as Options
    from archsim.explore.run import load_design as load_design
    from archsim.explore.run import run_design as run_design
    from archsim.hardware.rollup import chip_rollup as chip_rollup
    from archsim.results import Run as Run
    from archsim.sim.simulate import simulate_network as simulate_network
    from archsim.spec.loader import load_chip as load_chip
    from archsim.spec.loader import load_tile as load_tile
    from archsim.testing import check_component as check_component
    from archsim.workload import ImportOptions as ImportOptions
    from archsim.workload import load_graph as load_graph
    from archsim.workload.from_torch import from_torch as from_torch

__all__ = [
    "ArchsimError",
    "ImportOptions",
    "Options",
    "Run",
    "__version__",
    "check_component",
    "chip_rollup",
    "compile_network",
    "from_torch",
    "load_chip",
    "load_design",
    "load_graph",
    "load_tile",
    "run_design",
    "simulate_network",
]

_HOME = {
    "ArchsimError": "archsim.errors",
    "ImportOptions": "archsim.workload",
    "Options": "archsim.explore.options",
    "Run": "archsim.results",
    "check_component": "archsim.testing",
    "chip_rollup": "archsim.hardware.rollup",
    "compile_network": "archsim.compile.network",
    "from_torch": "archsim.workload.from_torch",
    "load_chip": "archsim.spec.loader",
    "load_design": "archsim.explore.run",
    "load_graph": "archsim.workload",
    "load_tile": "archsim.spec.loader",
    "run_design": "archsim.explore.run",
    "simulate_network": "archsim.sim.simulate",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'archsim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
