"""Every component kind keeps the contract: those that ship, and one that a user's own package registers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from archsim import library
from archsim.components.adc import ADC
from archsim.components.rated import Operator
from archsim.spec.component import Component, component_class, component_kinds
from archsim.spec.loader import load_chip, load_tile
from archsim.testing import check_component

COMMON = {"power": "1 mW", "area": "1 um2", "source": "test", "status": "assumed"}
OTHERS = {"link": {"kind": "link", "bandwidth": "4 GB/s", **COMMON}}
"""Rows of the kinds that no library file holds."""


def library_rows() -> dict[str, dict[str, Any]]:
    """Every component row of the shipped tiles and chips, by file, level and name."""
    rows: dict[str, dict[str, Any]] = {}
    for name in library.names("tile"):
        tile = load_tile(name).model
        for level, components in (("tile", tile.components), ("core", tile.core.components)):
            rows |= {f"{name}.{level}.{key}": row.model_dump(mode="json") for key, row in components.items()}
    for name in library.names("chip"):
        components = load_chip(name).model.components
        rows |= {f"{name}.chip.{key}": row.model_dump(mode="json") for key, row in components.items()}
    return rows


ROWS = library_rows()


def without_nothing(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None}


@pytest.mark.parametrize("name", ROWS)
def test_every_row_of_the_libraries_keeps_the_contract(name: str) -> None:
    check_component(without_nothing(ROWS[name]), cycle_ps=128_000)


@pytest.mark.parametrize("kind", component_kinds())
def test_every_registered_kind_keeps_the_contract(kind: str) -> None:
    row = next((without_nothing(row) for row in ROWS.values() if row["kind"] == kind), OTHERS.get(kind))
    assert row is not None, f"no row to check the kind {kind!r} with: add one to OTHERS"
    assert type(check_component(row)) is component_class(kind)


# -- what the contract finds --------------------------------------------------------------------

ROW = {"kind": "mine", **COMMON}


class Mine(Component):
    """One action ``use`` a cycle."""

    kind: Literal["mine"]


def test_a_class_that_is_not_registered_can_be_checked_by_itself() -> None:
    assert check_component(ROW, Mine).power_w() == 1e-3


class Undocumented(Component):
    kind: Literal["mine"]


Undocumented.__doc__ = None


class Thawed(Mine):
    """Can be changed."""

    model_config = {"frozen": False}


class Lenient(Mine):
    """Takes any key."""

    model_config = {"extra": "ignore"}


class AnyKind(Component):
    """Says nothing of its kind."""


class Negative(Mine):
    """Gives energy."""

    def energies_j(self, cycle_ps: int) -> dict[str, float]:
        return {"use": -1.0}


class Timeless(Mine):
    """Takes no time."""

    def times_ps(self, cycle_ps: int) -> dict[str, int]:
        return {"use": 0}


class Half(Mine):
    """Takes half a picosecond."""

    def times_ps(self, cycle_ps: int) -> dict[str, int]:
        return {"use": 0.5}  # type: ignore[dict-item]


class Nameless(Mine):
    """Has another action than the one that it names."""

    unit_action: ClassVar[str] = "use"

    def energies_j(self, cycle_ps: int) -> dict[str, float]:
        return {"do": 1e-12}


class Uneven(Mine):
    """Has an action without a time."""

    def energies_j(self, cycle_ps: int) -> dict[str, float]:
        return {**super().energies_j(cycle_ps), "reset": 0.0}


class Generous(Mine):
    """Takes less than its power."""

    def energies_j(self, cycle_ps: int) -> dict[str, float]:
        return {"use": super().energies_j(cycle_ps)["use"] / 2}


class Endless(Mine):
    """Is larger than any chip."""

    def area_m2(self) -> float:
        return float("inf")


class Unshared(Mine):
    """Costs each of those that share it the whole."""

    def area_m2(self) -> float:
        return float(self.area)


class Moody(Mine):
    """Remembers how often it was asked."""

    asked: ClassVar[list[int]] = []

    def area_m2(self) -> float:
        self.asked.append(1)
        return 1e-12 * len(self.asked)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Undocumented, "a kind needs a docstring"),
        (Thawed, "can be changed, and must be frozen"),
        (Lenient, "an unknown key is accepted, and must be refused"),
        (AnyKind, "another kind is accepted, and must be refused"),
        (Negative, "the energy of 'use' is -1.0 J, must be finite and 0 or more"),
        (Timeless, "the time of 'use' is 0 ps, must be a whole number of at least 1"),
        (Half, "the time of 'use' is 0.5 ps, must be a whole number of at least 1"),
        (Nameless, "its main action 'use' has no energy; there are ['do']"),
        (Uneven, "the actions with an energy ['reset', 'use'] and those with a time ['use'] differ"),
        (Generous, "busy all the time it takes 0.0005 W, which must be its power of 0.001 W"),
        (Endless, "area_m2() is inf, must be finite and 0 or more"),
        (Unshared, "shared by two, area_m2() is not half"),
        (Moody, "asked twice, it gives two answers"),
        (Operator, "the row to check with is not valid"),
        (ADC, "the row to check with is not valid"),
        (dict, "not a subclass of Component"),
    ],
)
def test_a_broken_promise_is_named(cls: type[Component], message: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_component(ROW, cls)
    assert message in str(caught.value)
    assert cls.__name__ in str(caught.value)


def test_a_kind_that_is_not_registered_is_told_with_the_nearest() -> None:
    with pytest.raises(AssertionError, match=r"^no kind 'adcc' is registered in .*; did you mean 'adc'\?$"):
        check_component({"kind": "adcc"})


# -- a user's own package -----------------------------------------------------------------------

MODULE = '''
"""A photonic link between tiles."""
from fractions import Fraction
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archsim.spec.base import Frequency
from archsim.spec.component import Component
from archsim.units import duration_ps


class PhotonicLink(Component):
    """``count`` waveguides of ``wavelengths`` each; one action ``symbol`` is a bit on every wavelength."""

    unit_action: ClassVar[str] = "symbol"

    kind: Literal["photonic-link"]
    wavelengths: Annotated[int, Field(ge=1)]
    rate: Frequency

    def actions_per_s(self, cycle_ps: int) -> Fraction:
        return self.count * self.rate.value

    def times_ps(self, cycle_ps: int) -> dict[str, int]:
        return {"symbol": duration_ps(1, self.rate.value)}
'''

TILE = """schema: 1
kind: tile
name: lit
extends: isaac
components:
  light: {kind: photonic-link, wavelengths: 16, rate: 10 GHz, power: 5 mW, area: 0.01 mm2, source: me, status: assumed}
"""


@pytest.fixture
def user_package(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which the package ``photonics`` is installed; its folder has a tile file."""
    site = tmp_path / "site"
    info = site / "photonics-0.1.dist-info"
    info.mkdir(parents=True)
    (site / "photonics.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: photonics\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[archsim.components]\nphotonic-link = photonics:PhotonicLink\n")
    (tmp_path / "lit.yaml").write_text(TILE)
    return {**os.environ, "PYTHONPATH": str(site)}


def run(*command: str, env: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_users_own_kind_keeps_the_contract(user_package: dict[str, str], tmp_path: Path) -> None:
    row = {"kind": "photonic-link", "wavelengths": 16, "rate": "10 GHz", "count": 3, "static_share": 0.2, **COMMON}
    code = f"from archsim.testing import check_component; print(check_component({row!r}).times_ps(1))"
    done = run("-c", code, env=user_package, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{'symbol': 100}\n", "")


def test_a_users_own_kind_is_used_in_a_tile_like_any_other(user_package: dict[str, str], tmp_path: Path) -> None:
    done = run("-m", "archsim", "show", "lit.yaml", "--json", "lit.json", env=user_package, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "photonic" not in done.stderr
    shown = json.loads((tmp_path / "lit.json").read_text())
    isaac = sum(ROWS_OF_ISAAC_W)
    assert shown["tile"]["power_w"] == pytest.approx(isaac + 5e-3)
    assert shown["power_breakdown_w"]["tile.light"] == pytest.approx(5e-3)
    assert shown["area_breakdown_mm2"]["tile.light"] == pytest.approx(0.01)
    assert "wavelengths 16, rate 10 GHz" in done.stdout


ROWS_OF_ISAAC_W = (12 * 24.08e-3, 20.7e-3, 7e-3, 42e-3 / 4, 0.52e-3, 0.05e-3, 0.4e-3, 1.68e-3)


def test_mistakes_in_a_row_of_a_users_own_kind_are_told_like_any_other(
    user_package: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "lit.yaml").write_text(TILE.replace("wavelengths: 16", "wavelength: 16"))
    done = run("-m", "archsim", "show", "lit.yaml", env=user_package, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "archsim: lit.yaml:6:3: components.light.wavelengths: the key 'wavelengths' is missing",
        "lit.yaml:6:32: components.light.wavelength: unknown key; did you mean 'wavelengths'?",
    ]


def test_the_schema_knows_a_users_own_kind(user_package: dict[str, str], tmp_path: Path) -> None:
    done = run("-m", "archsim", "schema", "tile", env=user_package, cwd=tmp_path)
    kinds = [row["properties"]["kind"]["const"] for row in json.loads(done.stdout)["$defs"]["component"]["oneOf"]]
    assert "photonic-link" in kinds
    assert set(component_kinds()) < set(kinds)
