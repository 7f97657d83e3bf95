"""One point of a study: what determines it, its key, and its figures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import fmean as mean
from typing import Any

from archsim import library
from archsim._version import __version__
from archsim.errors import ArchsimError
from archsim.explore.options import Options
from archsim.explore.profile import profile, traffic
from archsim.explore.run import Design, run_design
from archsim.hardware.rollup import Rollup, chip_rollup
from archsim.results import Run, per
from archsim.spec.chip import Chip
from archsim.spec.loader import Loaded, load_node, overridden
from archsim.spec.tree import Node
from archsim.workload import load_graph
from archsim.workload.graph import Graph

__all__ = ["CHIP_ALONE", "Resolved", "evaluate", "failure_key", "forget_files", "one_line", "resolve"]

CHIP_ALONE = "none: roll-up of the chip"
"""The engine of a point without a network."""

LAYOUT = 2
"""Raised when rows get figures that they did not have: rows kept before are then not taken for theirs."""


@dataclass(frozen=True)
class Resolved:
    """A point whose files are read and valid.  ``key`` is a hash of all that determines its figures: the resolved chip
    and network, how they are run, and the version of archsim."""

    chip: Loaded[Chip]
    network: tuple[Graph, Loaded[Any]] | None
    run: dict[str, Any] | None
    about: dict[str, Any]
    key: str
    request: dict[str, Any]
    profiled: bool = False
    """Whether it is to be looked into, in place of the figures."""


@lru_cache(maxsize=64)
def _chip_tree(name: str) -> Node:
    return load_node("chip", name)


@lru_cache(maxsize=8)
def _chip(name: str, overrides: tuple[str, ...]) -> tuple[Loaded[Chip], str]:
    loaded = overridden(_chip_tree(name).copy(), "chip", Chip, overrides)
    return loaded, loaded.config_hash


@lru_cache(maxsize=8)
def _network(name: str, overrides: tuple[str, ...]) -> tuple[Graph, Loaded[Any], str]:
    graph, loaded = load_graph(name, overrides)
    return graph, loaded, loaded.config_hash


def forget_files() -> None:
    """Read every file anew the next time: one may have changed since."""
    for cached in (_chip_tree, _chip, _network):
        cached.cache_clear()


def resolve(request: dict[str, Any]) -> Resolved:
    """Read and validate what ``request`` names; ArchsimError says what is wrong with it."""
    prefix = "workload."
    own = tuple(text for text in request["set"] if not text.startswith(prefix))
    chip, chip_hash = _chip(request["chip"], own)
    about: dict[str, Any] = {"version": __version__, "chip": chip.model.name, "chip_hash": chip_hash}
    network, run = None, request["run"]
    if request["workload"] is not None:
        theirs = tuple(text.removeprefix(prefix) for text in request["set"] if text.startswith(prefix))
        graph, loaded, workload_hash = _network(request["workload"], theirs)
        network = graph, loaded
        about |= {"workload": graph.name, "workload_hash": workload_hash}
        _options(run)
    about["run"] = json.dumps(run, sort_keys=True)
    profiled = bool(request.get("profile"))
    return Resolved(
        chip, network, run, about, _hash({**about, "layout": LAYOUT, "profile": profiled}), request, profiled
    )


def failure_key(request: dict[str, Any], reason: str) -> str:
    """The key of a point that cannot be resolved."""
    settings = {key: request[key] for key in ("set", "run")}
    return _hash({"version": __version__, **settings, "reason": reason})


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def _options(run: dict[str, Any]) -> Options:
    replication = run["replication"]
    if isinstance(replication, str) and replication not in ("balanced", "none"):
        expected = "expected balanced, none or {layer: copies}"
        raise ArchsimError(f"options.replication: {expected}, got {replication!r:.80}")
    for key in ("images", "chips"):
        if run[key] != "fit" and (not isinstance(run[key], int) or isinstance(run[key], bool) or run[key] < 1):
            raise ArchsimError(f"{key}: expected a whole number of at least 1, got {run[key]!r:.80}")
    reprogram = run.get("reprogram", False)
    if not isinstance(reprogram, bool):
        raise ArchsimError(f"options.reprogram: expected true or false, got {reprogram!r:.80}")
    return Options(run["images"], run["engine"], replication, run["idle_tiles"], reprogram=reprogram)


def evaluate(request: dict[str, Any]) -> dict[str, Any]:
    """The row of a point, as the store holds it; one that fails for what it is has the reason in it.

    Anything else that goes wrong is raised: the point is not at fault then, and is tried again by the next run.
    """
    point = resolve(request)
    try:
        figures = _profile(point) if point.profiled else _figures(point)
        return {"key": point.key, **point.about, "status": "ok", **figures}
    except ArchsimError as error:
        return {"key": point.key, **point.about, "status": "failed", "reason": one_line(error)}


def one_line(error: BaseException) -> str:
    """The message of an error in one line; of one that is no fault of the point with its kind."""
    text = "; ".join(line.strip() for line in str(error).splitlines())
    return text if isinstance(error, ArchsimError) else f"{type(error).__name__}: {text}"


def _figures(point: Resolved) -> dict[str, Any]:
    rollup = chip_rollup(point.chip.model)
    row: dict[str, Any] = {"engine": CHIP_ALONE, "events": 0, "chips": 1, **_of_chip(rollup)}
    if point.network is not None and point.run is not None:
        run = run_design(_design(point), _chips(point.run), _options(point.run), resolved=False)
        row |= _of_run(run)
        row["traffic"] = json.dumps(traffic(point.chip.model, run))
        if asked := point.run.get("accuracy"):
            row["accuracy"] = _accuracy(point.request, asked)
    chips = row["chips"]
    row["power_by_component_w"] = _breakdown((r.key, chips * r.times * r.power_w) for r in rollup.rows)
    row["area_by_component_mm2"] = _breakdown((r.key, chips * r.times * r.area_mm2) for r in rollup.rows)
    return row


def _design(point: Resolved) -> Design:
    assert point.network is not None
    return Design(point.chip, *point.network)


def _chips(run: dict[str, Any]) -> int | None:
    return None if run["chips"] == "fit" else run["chips"]


def _accuracy(request: dict[str, Any], asked: dict[str, Any]) -> float:
    """The mean over arrays that are programmed with seeds 0, 1, …"""
    from archsim.accuracy.data import load_data
    from archsim.accuracy.evaluate import Job
    from archsim.accuracy.evaluate import evaluate as on_arrays
    from archsim.accuracy.metrics import metrics, scores_of

    path = library.find("workload", request["workload"])
    own = tuple(text for text in request["set"] if not text.startswith("workload."))
    job = Job(str(path), asked["data"], request["chip"], own, images=asked["samples"])
    labels = load_data(asked["data"]).first(asked["samples"]).labels
    assert labels is not None
    outputs = [on_arrays(replace(job, seed=seed)).outputs for seed in range(asked["seeds"])]
    return mean(metrics(scores_of(found), labels).accuracy for found in outputs)


def _profile(point: Resolved) -> dict[str, Any]:
    assert point.run is not None
    found = profile(_design(point), _chips(point.run), _options(point.run))
    return {name: json.dumps(value) for name, value in found.items()}


def _breakdown(parts: Iterable[tuple[str, float]]) -> str:
    return json.dumps(dict(parts))


def _of_chip(rollup: Rollup) -> dict[str, Any]:
    summary = rollup.summary()
    peak = {f"peak_{name}": summary["peak"][name] for name in ("tops", "power_w", "tops_per_w", "tops_per_mm2")}
    return {
        **peak,
        "chip_area_mm2": summary["peak"]["area_mm2"],
        "storage_mib_per_mm2": summary["storage"]["mib_per_mm2"],
    }


def _of_run(run: Run) -> dict[str, Any]:
    return {
        "engine": run.engine,
        "events": run.timing.events,
        "chips": run.chips,
        "bottleneck": run.bottleneck.layer,
        "latency_s": run.latency_s,
        "steady_latency_s": run.timing.steady_latency_ps / 1e12,
        "interval_s": run.interval_s,
        "interval_spread": run.timing.interval_spread,
        "throughput_per_s": run.throughput_per_s,
        "throughput_per_mm2": per(run.throughput_per_s, run.area_mm2),
        "throughput_per_w": per(run.throughput_per_s, run.average_power_w),
        "energy_j": run.energy_j,
        "energy_always_on_j": run.energy_always_on_j,
        "average_power_w": run.average_power_w,
        "area_mm2": run.area_mm2,
        "effective_tops": run.effective_tops,
        "cell_utilisation": run.cells["cells"],
        "time_utilisation": run.time_utilisation,
        "energy_by_component_j": _breakdown(run.ledger.by_component().items()),
    }
