"""Flat records as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

__all__ = ["as_csv", "as_latex", "as_markdown"]


def as_csv(records: Sequence[dict[str, Any]]) -> str:
    """Comma-separated values with a header line; numbers in full precision, None as an empty field."""
    stream = io.StringIO()
    if records:
        writer = csv.DictWriter(stream, list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
    return stream.getvalue()


def as_markdown(records: Sequence[dict[str, Any]]) -> str:
    """A Markdown table; numbers to six digits, None as a dash."""
    if not records:
        return ""
    keys = list(records[0])

    def cell(value: Any) -> str:
        if value is None:
            return "-"
        text = f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split("\n"))
        return text.replace("|", "\\|")

    lines = ["| " + " | ".join(cell(key) for key in keys) + " |", "|" + " --- |" * len(keys)]
    lines += ["| " + " | ".join(cell(record[key]) for key in keys) + " |" for record in records]
    return "\n".join(lines) + "\n"


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: "\\" + character for character in "&%$#_{}"},
    "µ": r"\textmu{}",
    "×": r"$\times$",
    "²": r"\textsuperscript{2}",
}


def as_latex(records: Sequence[dict[str, Any]]) -> str:
    """A LaTeX fragment for ``\\input`` in a document that uses booktabs: numbers to four digits, None as a dash."""
    if not records:
        return ""
    keys = list(records[0])
    numeric = [all(isinstance(r[key], int | float | type(None)) for r in records) for key in keys]
    lines = [r"\begin{tabular}{" + "".join("r" if right else "l" for right in numeric) + "}", r"\toprule"]
    lines += [" & ".join(_latex(key) for key in keys) + r" \\", r"\midrule"]
    lines += [" & ".join(_latex(record[key]) for key in keys) + r" \\" for record in records]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex(value: Any) -> str:
    if value is None:
        return "--"
    if isinstance(value, float):
        mantissa, _, exponent = f"{value:.4g}".partition("e")
        return rf"${mantissa}\times10^{{{int(exponent)}}}$" if exponent else f"${mantissa}$"
    return "".join(_LATEX.get(character, character) for character in " ".join(str(value).split("\n")))
