"""The results of a run: frozen records, and the figures that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import exp, log
from typing import Any

from archsim.results_ledger import Ledger, LedgerRow
from archsim.results_loading import Loading, inferences_until

__all__ = ["Bottleneck", "Ledger", "LedgerRow", "Phase", "Run", "Timing", "Waiting", "geometric_mean", "per"]


@dataclass(frozen=True, slots=True)
class Timing:
    """Integer times in ps: a single inference in the empty machine, and ``images`` of them one after the other."""

    latency_ps: int
    steady_latency_ps: int
    interval_ps: float
    interval_spread: float
    """(largest - smallest) / mean of the intervals that ``interval_ps`` is the mean of."""
    images: int
    events: int
    makespan_ps: int = 0
    """From the first token of the first of ``images`` to the last of the last."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How the stages of a layer spend their time, on average: shares of the makespan."""

    busy: float
    starved: float
    blocked: float


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The server with the largest share of the interval, and what it is."""

    layer: str
    server: str
    share: float
    reason: str


@dataclass(frozen=True)
class Phase:
    """A phase of a run whose board is programmed anew: its layers are loaded, then all images of the batch run."""

    layers: tuple[str, ...]
    """Those with weights; a piece of a layer is named by its outputs, as ``fc6[0:1024]``."""
    run: Run

    @property
    def time_ps(self) -> int:
        """Loading, then the images of the batch, in ps."""
        assert self.run.loading is not None
        assert self.run.loading.time_ps is not None
        return self.run.loading.time_ps + self.run.timing.makespan_ps

    def to_json(self, number: int) -> dict[str, Any]:
        """The phase as JSON values."""
        load, energy = self.run.loading, self.run.energy_j
        assert load is not None
        return {
            "phase": number,
            "layers": list(self.layers),
            "macs": self.run.macs,
            "loading_s": load.time_s,
            "makespan_s": self.run.timing.makespan_ps / 1e12,
            "loading_j": load.energy_j,
            "energy_j_per_inference": energy,
            "interval_s": self.run.interval_s,
            "latency_s": self.run.latency_s,
            "replication": dict(self.run.replication),
            "tiles": dict(self.run.tiles),
            "bytes_by_link_kind": dict(self.run.bytes_by_link_kind),
            "bottleneck": self.run.bottleneck.reason,
            "loading": load.to_json(),
            "ledger": self.run.ledger.records(),
        }


@dataclass(frozen=True)
class Run:
    """Everything that one simulation of a network on a board gives.

    With ``phases`` the board was programmed anew for each of them: times and energy are then those of a batch of
    ``timing.images``, writing included, and ``loading`` is all that the batch wrote.
    """

    chip: str
    workload: str
    unit: str
    chips: int
    engine: str
    detail: str
    timing: Timing
    ledger: Ledger
    always_on_w: float
    area_mm2: float
    macs: int
    peak: Mapping[str, float]
    cells: Mapping[str, float]
    time_utilisation: float
    bytes_by_link_kind: Mapping[str, float]
    busy_by_link_kind: Mapping[str, Mapping[str, float]]
    replication: Mapping[str, int]
    dense_share: float
    tiles: Mapping[str, int]
    waiting: Mapping[str, Waiting]
    bottleneck: Bottleneck
    version: str
    config_hash: str
    resolved: Mapping[str, str] = field(repr=False)
    """YAML of the resolved chip, the resolved workload and the options."""
    wall: Mapping[str, float] = field(default_factory=dict)
    idle_tiles: bool = True
    """Whether the static power of tiles that hold nothing is part of the ledger."""
    notes: tuple[str, ...] = ()
    """What to know before the figures are relied on."""
    loading: Loading | None = None
    """What it takes to load the network onto the board; no part of the energy and times of an inference."""
    phases: tuple[Phase, ...] = ()

    @property
    def interval_s(self) -> float:
        """Seconds between two inferences in steady state."""
        return self.timing.interval_ps / 1e12

    @property
    def latency_s(self) -> float:
        """Seconds from the first input token at the board to the last output token, in the empty machine."""
        return self.timing.latency_ps / 1e12

    @property
    def throughput_per_s(self) -> float:
        """Inferences a second in steady state."""
        return 1.0 / self.interval_s

    @property
    def energy_j(self) -> float:
        """J of one inference, gated: its actions, and stated static power × interval."""
        return self.ledger.total_j()

    @property
    def average_power_w(self) -> float:
        """W of the whole board in steady state, gated."""
        return self.energy_j / self.interval_s

    @property
    def energy_always_on_j(self) -> float:
        """J of one inference if every component takes its full power all the time."""
        return self.always_on_w * self.interval_s

    @property
    def effective_tops(self) -> float:
        """Operations done a second, 2 a multiply-accumulate, in 10¹²."""
        return 2 * self.macs / self.interval_s / 1e12

    @property
    def break_even(self) -> dict[str, int | None]:
        """The inferences from which on loading is at most 1 % of all time, and of all energy; None if not known."""
        load = self.loading
        return {
            "time": None if load is None or load.time_s is None else inferences_until(load.time_s, self.interval_s),
            "energy": None if load is None or load.energy_j is None else inferences_until(load.energy_j, self.energy_j),
        }

    def _loading_json(self) -> dict[str, Any]:
        """Loading, and with phases what they are; nothing of runs that do not know of it."""
        if self.loading is None:
            return {}
        out: dict[str, Any] = {"loading": self.loading.to_json()}
        if len(self.phases) < 2:
            out["loading"]["inferences_until_1_percent"] = self.break_even
        phases = [phase.to_json(number + 1) for number, phase in enumerate(self.phases)]
        return {"phases": phases, **out} if phases else out

    def one_line(self) -> str:
        """The run in a line, as a comparison prints it when it is ready."""
        return (
            f"{self.workload} on {self.chips} × {self.chip}: {self.throughput_per_s:.5g} {self.unit}/s, "
            f"latency {self.latency_s * 1e3:.4g} ms, {self.energy_j * 1e3:.4g} mJ (gated)"
        )

    def to_json(self) -> dict[str, Any]:
        """All figures as JSON values, in SI units unless the key says otherwise."""
        return {
            "chip": self.chip,
            "workload": self.workload,
            "chips": self.chips,
            "images": self.timing.images,
            "engine": self.engine,
            "detail": self.detail,
            "latency_s": self.latency_s,
            "steady_latency_s": self.timing.steady_latency_ps / 1e12,
            "interval_s": self.interval_s,
            "interval_spread": self.timing.interval_spread,
            "throughput_per_s": self.throughput_per_s,
            "throughput_unit": self.unit,
            "energy_j_per_inference": self.energy_j,
            "energy_always_on_j_per_inference": self.energy_always_on_j,
            "average_power_w": self.average_power_w,
            "always_on_power_w": self.always_on_w,
            "area_mm2": self.area_mm2,
            "macs": self.macs,
            "effective_tops": self.effective_tops,
            "peak": dict(self.peak),
            "utilisation": {
                **self.cells,
                "time": self.time_utilisation,
                "product": self.cells["cells"] * self.time_utilisation,
            },
            "energy_breakdown_j": self.ledger.by_component(),
            "ledger": self.ledger.records(),
            "bytes_by_link_kind": dict(self.bytes_by_link_kind),
            "busy_by_link_kind": {kind: dict(busy) for kind, busy in self.busy_by_link_kind.items()},
            "replication": dict(self.replication),
            "dense_share": self.dense_share,
            "tiles": dict(self.tiles),
            "idle_tiles_counted": self.idle_tiles,
            "waiting": {
                k: {"busy": w.busy, "starved": w.starved, "blocked": w.blocked} for k, w in self.waiting.items()
            },
            "bottleneck": {
                "layer": self.bottleneck.layer,
                "server": self.bottleneck.server,
                "share": self.bottleneck.share,
                "reason": self.bottleneck.reason,
            },
            "notes": list(self.notes),
            **self._loading_json(),
            "events": self.timing.events,
            **{f"{name}_s": seconds for name, seconds in self.wall.items()},
            "version": self.version,
            "config_hash": self.config_hash,
        }


def per(value: float | None, total: float | None) -> float | None:
    """``value / total``; None where there is nothing to divide by, such as the area of rows without one."""
    return value / total if value is not None and total else None


def geometric_mean(values: Iterable[float]) -> float:
    """The n-th root of the product of n values, 1 or more of them and each above 0."""
    logs = [log(value) for value in values]
    return exp(sum(logs) / len(logs))
