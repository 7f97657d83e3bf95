"""What the package offers by name is complete, sorted and documented."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import archsim

DOCS = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"


def modules() -> list[str]:
    found = pkgutil.walk_packages(archsim.__path__, "archsim.")
    return sorted(module.name for module in found if module.name != "archsim.__main__" and ".data" not in module.name)


def public(module: ModuleType) -> set[str]:
    """What a module defines itself under a name without a leading underscore."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", None) == module.__name__
        and (inspect.isclass(value) or inspect.isfunction(value))
    }


def test_the_face_of_the_package_is_complete_and_sorted() -> None:
    assert list(archsim.__all__) == sorted(archsim.__all__)
    assert public(archsim) <= set(archsim.__all__)
    for name in archsim.__all__:
        assert getattr(archsim, name) is not None


def test_everything_on_the_face_is_documented() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name in archsim.__all__:
        value = getattr(archsim, name)
        assert f"`archsim.{name}`" in text, f"docs/architecture.md does not name archsim.{name}"
        assert not callable(value) or inspect.getdoc(value), name


@pytest.mark.parametrize("name", [name for name in modules() if not name.rpartition(".")[2].startswith("_")])
def test_every_module_says_what_it_is_and_what_it_offers(name: str) -> None:
    module = importlib.import_module(name)
    assert inspect.getdoc(module), f"{name} has no docstring"
    offered = getattr(module, "__all__", None)
    if offered is None:
        assert hasattr(module, "__path__") or not public(module), f"{name} has no __all__"
        return
    assert sorted(offered) == sorted(set(offered))
    for public_name in offered:
        assert hasattr(module, public_name), f"{name}.__all__ names {public_name}, which is not there"


def test_the_contract_for_components_is_found_where_the_documentation_says() -> None:
    from archsim.testing import check_component

    assert inspect.getdoc(check_component)
    assert "archsim.testing" in DOCS.read_text(encoding="utf-8")
