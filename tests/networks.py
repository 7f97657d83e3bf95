"""Small networks on small chips, and made-up results, for the tests of simulations."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from archsim.results import Bottleneck, Ledger, LedgerRow, Run, Timing, Waiting
from archsim.spec.chip import Chip
from archsim.spec.loader import load_chip
from archsim.spec.workload import Workload
from archsim.workload import build_graph
from archsim.workload.graph import Graph

__all__ = ["CONVOLUTIONS", "DENSE", "RUN_KEYS", "chip", "document", "fabricated", "network", "small", "text"]

RUN_KEYS: dict[str, type | tuple[type, ...]] = {
    "chip": str,
    "workload": str,
    "chips": int,
    "images": int,
    "engine": str,
    "detail": str,
    "latency_s": float,
    "steady_latency_s": float,
    "interval_s": float,
    "throughput_per_s": float,
    "throughput_unit": str,
    "energy_j_per_inference": float,
    "energy_always_on_j_per_inference": float,
    "average_power_w": float,
    "area_mm2": float,
    "effective_tops": float,
    "peak": dict,
    "utilisation": dict,
    "energy_breakdown_j": dict,
    "bytes_by_link_kind": dict,
    "replication": dict,
    "bottleneck": dict,
    "events": int,
    "simulate_s": float,
    "wall_s": float,
    "version": str,
    "config_hash": str,
}
"""What a run promises, and a comparison for each of its runs."""

DENSE = ({"dense": 16, "activation": "none", "bias": False, "name": "only"},)
"""On 128 inputs: one array of an ISAAC core, a part of one MVM unit of PUMA."""

CONVOLUTIONS = (
    {"conv": 16, "kernel": 3, "pad": 1, "name": "one"},
    {"maxpool": 2, "stride": 2},
    {"conv": 32, "kernel": 3, "pad": 1, "name": "two"},
    {"globalpool": "average"},
    {"flatten": True},
    {"dense": 10, "activation": "none", "name": "last"},
)
"""A little of everything, on an image of 3 × 8 × 8."""


def document(
    layers: Sequence[dict[str, Any]], shape: Sequence[int], name: str = "small", sequence: int | None = None
) -> dict[str, Any]:
    """A workload file as plain values."""
    out: dict[str, Any] = {"schema": 1, "kind": "workload", "name": name, "source": "made up", "input": list(shape)}
    return {**out, **({"sequence": sequence} if sequence else {}), "layers": list(layers)}


def text(
    layers: Sequence[dict[str, Any]], shape: Sequence[int], name: str = "small", sequence: int | None = None
) -> str:
    """The text of a workload file: JSON is YAML."""
    return json.dumps(document(layers, shape, name, sequence), indent=1)


def network(
    layers: Sequence[dict[str, Any]], shape: Sequence[int], name: str = "small", sequence: int | None = None
) -> Graph:
    """The graph of a few layers."""
    return build_graph(Workload.model_validate(document(layers, shape, name, sequence)))


def small(tiles: int) -> list[str]:
    """Overrides that leave a library chip few tiles, four a router in one row."""
    return [f"tiles={tiles}", f"noc.columns={-(-tiles // 4)}", "noc.rows=1"]


def chip(name: str, tiles: int = 4, *overrides: str) -> Chip:
    """A library chip with few tiles."""
    return load_chip(name, [*small(tiles), *overrides]).model


def fabricated(**changes: Any) -> Run:
    """A Run whose figures are round: 2 us and 3 uJ an inference, 5 us latency, 10 mm²."""
    run = Run(
        chip="a",
        workload="w",
        unit="image",
        chips=1,
        engine="compiled",
        detail="core",
        timing=Timing(5_000_000, 7_000_000, 2_000_000.0, 0.01, 8, 1234),
        ledger=Ledger(
            (
                LedgerRow("core.adc", "convert", 1000.0, 2e-9),
                LedgerRow("tile.bus", "byte", 400.0, 1e-9),
                LedgerRow("tile.bus", "static", 2e-6, 0.3),
            )
        ),
        always_on_w=4.0,
        area_mm2=10.0,
        macs=500_000,
        peak={"tops": 2.0, "power_w": 4.0, "area_mm2": 10.0, "tops_per_w": 0.5, "tops_per_mm2": 0.2},
        cells={"cells": 0.5, "cells_of_board": 0.25, "arrays_of_board": 0.5},
        time_utilisation=0.8,
        bytes_by_link_kind={"bus": 400.0},
        busy_by_link_kind={
            "bus": {"links": 2, "mean": 0.1, "max": 0.2},
            "unit": {"links": 1, "mean": 0.05, "max": 0.05},
        },
        replication={"one": 4, "two": 1},
        dense_share=0.25,
        tiles={"used": 2, "board": 4},
        waiting={"one": Waiting(0.9, 0.05, 0.02), "pool": Waiting(0.1, 0.8, 0.0)},
        bottleneck=Bottleneck("one", "one[0.0] mvm", 0.97, "mvm stage one[0.0] mvm is busy 97% of the interval"),
        version="0",
        config_hash="0123456789abcdef",
        resolved={"chip": "name: a\n", "workload": "name: w\n", "run": "chips: 1\n"},
        wall={"compile": 0.5, "simulate": 0.25, "wall": 0.8},
    )
    return dataclasses.replace(run, **changes)
