"""Every published figure of the library's designs beside archsim's, with a verdict and its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archsim import library
from archsim.errors import NotFoundError, nearest
from archsim.report.hardware import show_hardware
from archsim.report.published import NOT_ENOUGH, RECALLED, DesignSummary, Finding, Validation
from archsim.spec.chip import Chip
from archsim.spec.component import Component
from archsim.spec.loader import load
from archsim.spec.provenance import Published
from archsim.spec.review import Review, ReviewRow

__all__ = ["REVIEW", "chip_of", "load_review", "validate"]

REVIEW = "accelerators"
"""The review of the library that lists every design, also those without a model."""


def load_review(name: str = REVIEW) -> Review:
    """The review called ``name``."""
    return load("review", name, Review).model


def chip_of(row: ReviewRow) -> str | None:
    """The chip of the library that is the model of ``row``: the one that it names, or that has its name."""
    return row.chip or (row.name if row.name in library.names("chip") else None)


def validate(designs: Sequence[str], report: Callable[[str], None]) -> Validation:
    """Hold ``designs`` (chips, or rows of the review; all of them by default) to what is published of them.

    NotFoundError for a name that is neither.
    """
    review = load_review()
    chips = list(library.names("chip"))
    without = {row.name: row for row in review.designs if chip_of(row) is None}
    for name in designs:
        if name not in without and name not in chips and not library.is_path(name):
            known = [*chips, *without]
            hint = nearest(name, known) or f"; there are {', '.join(known)}"
            raise NotFoundError(f"no design named {name!r:.100}{hint}")
    findings: list[Finding] = []
    summaries = []
    for name in designs or [*chips, *without]:
        report(name)
        if name in without:
            more, summary = _unmodelled(without[name])
        else:
            more, summary = _modelled(name)
        findings += more
        summaries.append(summary)
    shown = {summary.design for summary in summaries}
    disagreements = tuple(d.model_dump() for d in review.disagreements if d.design in shown or not designs)
    return Validation(tuple(findings), tuple(summaries), disagreements)


def _modelled(name: str) -> tuple[list[Finding], DesignSummary]:
    out, rollup, loaded = show_hardware("chip", name)
    chip: Chip = loaded.model
    found = [
        Finding(
            design=chip.name,
            metric=_words(figure["metric"], figure["when"]),
            paper=figure["paper"],
            archsim=figure["archsim"],
            ratio=figure["ratio"],
            verdict=figure["verdict"],
            reason=figure["reason"],
            source=figure["source"] + (f" ({figure['note']})" if figure["note"] else ""),
        )
        for figure in out["published"]
    ]
    assumed = len(out["assumed"]) + len(chip.noc.assumed)
    inputs = sum(len(_inputs(row.component)) for row in rollup.rows) + len(chip.noc.assumed)
    return found, DesignSummary(chip.name, chip.title, inputs, assumed, "", tuple(out["deviations"]))


def _inputs(row: Component) -> set[str]:
    """The keys of a component row that are given or assumed, and not words about them."""
    return (row.model_fields_set | set(row.assumed)) - {"kind", "type", "source", "status", "assumed", "note"}


def _unmodelled(row: ReviewRow) -> tuple[list[Finding], DesignSummary]:
    figures = [_table_figure(row, key) for key in ("tops", "tops_per_mm2", "tops_per_w")]
    found = [
        Finding(
            design=row.name,
            metric=_words(figure.metric, figure.when),
            paper=figure.value,
            archsim=None,
            ratio=None,
            verdict=RECALLED if figure.status == "recalled_not_found" else NOT_ENOUGH,
            reason=figure.missing or row.missing,
            source=figure.source + (f" ({figure.note})" if figure.note else ""),
        )
        for figure in [*(f for f in figures if f is not None), *row.figures]
    ]
    return found, DesignSummary(row.name, row.title, None, None, row.missing, ())


def _table_figure(row: ReviewRow, key: str) -> Published | None:
    value = getattr(row, key)
    if value is None:
        return None
    return Published(metric=f"peak.{key}", value=value, source=row.source, status=row.status)


def _words(metric: str, when: str) -> str:
    return f"{metric} ({when})" if when else metric
