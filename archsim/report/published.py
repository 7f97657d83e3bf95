"""Published figures beside archsim's, each with a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from archsim.spec.provenance import Published, Reading

__all__ = [
    "AGREES",
    "DIFFERS",
    "NOT_ENOUGH",
    "RECALLED",
    "TOLERANCE",
    "VERDICTS",
    "WITH_READING",
    "DesignSummary",
    "Finding",
    "Metrics",
    "Validation",
    "beside",
    "metrics",
]

Metrics = dict[str, float | None]

TOLERANCE: Final = 0.02
"""How far archsim's value may lie from a published one, relative to that, to agree with it."""

AGREES: Final = "agrees"
WITH_READING: Final = "agrees with a stated reading"
DIFFERS: Final = "differs"
NOT_ENOUGH: Final = "not enough published"
RECALLED: Final = "recalled, no target"
VERDICTS: Final = (AGREES, WITH_READING, DIFFERS, NOT_ENOUGH, RECALLED)


@dataclass(frozen=True)
class Finding:
    """One published figure beside archsim's; the fields are the keys of the JSON."""

    design: str
    metric: str
    paper: float
    archsim: float | None
    ratio: float | None
    verdict: str
    reason: str
    source: str

    @property
    def unexplained(self) -> bool:
        """Whether it differs and nobody has said why: a figure that is held to agree and does not."""
        return self.verdict == DIFFERS and not self.reason


@dataclass(frozen=True)
class DesignSummary:
    """A design in the validation: what it is made of, and what is missing if it has no model."""

    design: str
    title: str
    inputs: int | None
    """Keys of its component rows; None without a model."""
    assumed: int | None
    """Those that no source gives."""
    missing: str
    deviations: tuple[str, ...]


@dataclass(frozen=True)
class Validation:
    """The findings of all designs asked for, in the order of the library and then of the review."""

    findings: tuple[Finding, ...]
    designs: tuple[DesignSummary, ...]
    disagreements: tuple[dict[str, str], ...]

    @property
    def unexplained(self) -> list[Finding]:
        """The figures that are held to agree and do not."""
        return [finding for finding in self.findings if finding.unexplained]

    def to_json(self) -> list[dict[str, Any]]:
        """One mapping a figure: design, metric, paper, archsim, ratio, verdict, reason, source."""
        return [asdict(finding) for finding in self.findings]

    def counts(self, design: str) -> dict[str, int]:
        """How many figures of ``design`` have each verdict."""
        verdicts = [finding.verdict for finding in self.findings if finding.design == design]
        return {verdict: verdicts.count(verdict) for verdict in VERDICTS}


def metrics(summary: Mapping[str, Any], prefix: str = "") -> Metrics:
    """Every number of the summary by its dotted path; None is a ratio to a sum of 0."""
    found: Metrics = {}
    for key, value in summary.items():
        found |= metrics(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


def beside(
    figure: Published, ours: Metrics, readings: Sequence[Reading], others: Mapping[str, Metrics]
) -> dict[str, Any]:
    """``figure`` with archsim's value, their ratio and the verdict.

    ``ours`` are archsim's metrics at what the figure was taken at, ``others`` those under each of ``readings``.
    """
    value = None if figure.missing else ours[figure.metric]
    verdict, reason = _judged(figure, value, readings, others)
    return {
        "metric": figure.metric if figure.over is None else f"{figure.metric} over {figure.over}",
        "when": figure.when,
        "paper": figure.value,
        "archsim": value,
        "ratio": _ratio(figure, value),
        "verdict": verdict,
        "reason": reason,
        "status": figure.status,
        "source": figure.source,
        "note": figure.note,
        "readings": {name: None if figure.missing else of.get(figure.metric) for name, of in others.items()},
    }


def _ratio(figure: Published, value: float | None) -> float | None:
    return value / figure.value if figure.value and value is not None else None


def _close(figure: Published, value: float | None) -> bool:
    ratio = _ratio(figure, value)
    return ratio is not None and abs(ratio - 1) <= TOLERANCE * (1 + 1e-9)  # 102 of 100 agrees


def _judged(
    figure: Published, value: float | None, readings: Sequence[Reading], others: Mapping[str, Metrics]
) -> tuple[str, str]:
    """The verdict, and what a reader needs to check it."""
    if figure.status == "recalled_not_found":
        return RECALLED, "found in no source that could be read"
    if value is None:
        return NOT_ENOUGH, figure.missing or "no component's share of it is published"
    if _close(figure, value):
        return AGREES, ""
    if figure.reading is not None and _close(figure, under := others[figure.reading].get(figure.metric)):
        why = next(reading.why for reading in readings if reading.name == figure.reading)
        return WITH_READING, f"{figure.reading}: {under:.4g}. {why}"
    return DIFFERS, figure.reason
