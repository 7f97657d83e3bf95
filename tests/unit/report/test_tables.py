"""Flat records as CSV and Markdown."""

from __future__ import annotations

import csv
import io

from archsim.report.tables import as_csv, as_markdown

RECORDS = [
    {"name": "a,b", "value": 0.1 + 0.2, "copies": 3},
    {"name": 'say "x|y"\nz', "value": 1234567.0, "copies": None},
]


def test_csv_keeps_every_digit_and_quotes_what_must_be() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(RECORDS))))
    assert [row["name"] for row in rows] == ["a,b", 'say "x|y"\nz']
    assert float(rows[0]["value"]) == 0.1 + 0.2
    assert [row["copies"] for row in rows] == ["3", ""]
    assert as_csv(RECORDS).splitlines()[0] == "name,value,copies"
    assert "\r" not in as_csv(RECORDS)


def test_markdown_has_six_digits_and_one_line_a_record() -> None:
    assert as_markdown(RECORDS) == (
        "| name | value | copies |\n"
        "| --- | --- | --- |\n"
        "| a,b | 0.3 | 3 |\n"
        '| say "x\\|y" z | 1.23457e+06 | - |\n'
    )  # fmt: skip


def test_no_records_make_an_empty_file() -> None:
    assert as_csv([]) == as_markdown([]) == ""
