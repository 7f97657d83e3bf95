"""``archsim table``: what it refuses, and that its groups and options are told."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from archsim.cli import app
from archsim.errors import ArchsimError


def test_the_tables_are_listed():
    out = CliRunner().invoke(app, ["table", "--help"])
    assert out.exit_code == 0
    assert "isaac-benchmarks" in out.output
    assert "puma-benchmarks" in out.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["isaac-benchmarks", "--workload", "vgg-9"],
            "--workload: isaac-benchmarks has no network 'vgg-9'; did you mean 'vgg19'?",
        ),
        (
            ["puma-benchmarks", "--workload", "zzz"],
            "--workload: puma-benchmarks has no network 'zzz'; it has mlp-l4, mlp-l5, nmt-l3, nmt-l5, biglstm, "
            "lstm-2048, vgg16, vgg19",
        ),
    ],
)
def test_a_network_that_the_paper_does_not_have_is_refused(words, message):
    out = CliRunner().invoke(app, ["table", *words])
    assert isinstance(out.exception, ArchsimError)
    assert str(out.exception) == message
