"""Flat records as CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

__all__ = ["as_csv", "as_markdown"]


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
