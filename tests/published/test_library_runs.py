"""Every library network on both published chips, and what the papers' own figures imply for them."""

from __future__ import annotations

from pathlib import Path

import pytest

import archsim
from archsim import library
from archsim.compile.network import chips_to_fit
from archsim.errors import CompileError
from archsim.workload import load_graph

WIDE = """
schema: 1
kind: workload
name: wide
source: made for this test
input: [768, 8, 8]
layers:
  - {conv: 16, kernel: 4, activation: none}
"""


def test_the_bus_of_isaac_is_narrower_than_what_twelve_units_can_take(tmp_path: Path) -> None:
    """96 arrays with rows of their own read 96 · 128 values of 2 bytes, 24 KiB, for one MVM of 1.6 us; the bus moves
    1 KB in 100 ns (ISAAC, text), so 2.4 us go by (24,576 B / 10.24 GB/s)."""
    path = tmp_path / "wide.yaml"
    path.write_text(WIDE)
    design = archsim.load_design("isaac-ce", str(path), ["tiles=1"])  # with more, the rows are dealt to several
    run = archsim.run_design(design, 1, archsim.Options(images=8, replication="none"))
    windows = 5 * 5
    assert run.interval_s >= windows * 2.4e-6
    assert run.interval_s > 1.4 * windows * 1.6e-6
    assert run.bottleneck.server.split()[0] in ("bus", "buffer")
    assert run.bottleneck.share > 0.9
    links = ["tile.components.bus", "tile.components.buffer", "components.hyper_transport", "noc"]
    fast = [f"{link}.bandwidth=1000 GB/s" for link in links]
    freed = archsim.run_design(
        archsim.load_design("isaac-ce", str(path), ["tiles=1", *fast]), 1, archsim.Options(images=8, replication="none")
    )
    assert freed.interval_s == pytest.approx(windows * 1.6e-6, rel=0.05)


HEAVY = (
    "biglstm",
    "bert-large",
    "deepface",
    "dnn-private",
    "gnmt",
    "llama-",
    "mixtral-",
    "msra-",
    "transformer-",
    "unet",
)
"""Beginnings of the names of networks that take large boards or minutes."""

NETWORKS = [name for name in sorted(library.names("workload")) if not name.startswith(HEAVY)]


LONG = "efficientnet-b0"
"""So much of it goes through few buses that one run takes minutes."""

PAIRS = [
    pytest.param(network, chip, marks=pytest.mark.long if network == LONG else pytest.mark.slow)
    for network in NETWORKS
    for chip in ("isaac-ce", "puma")
]


@pytest.mark.parametrize(("network", "chip"), PAIRS)
def test_no_library_network_deadlocks_with_the_shipped_buffers(network: str, chip: str) -> None:
    steps = load_graph(network)[0].steps
    overrides = ["workload.host=true", *(["workload.sequence=4"] if steps > 1 else [])]
    design = archsim.load_design(chip, network, overrides)
    options = archsim.Options(images=2)
    try:
        run = archsim.run_design(design, None, options)
    except CompileError as refused:  # the arrays hold it, the buffers do not: resnet152 on two PUMA nodes
        assert "its buffer must hold" in str(refused)
        run = archsim.run_design(design, chips_to_fit(design.graph, design.chip.model) + 1, options)
    assert run.interval_s > 0
    least = max(-(-layer.windows // run.replication[layer.name]) for layer in design.graph.matrix_layers)
    assert run.interval_s >= 0.999 * least * archsim.chip_rollup(design.chip.model).mvm_interval_ps * 1e-12
