"""The options of a run, from the texts of the command line."""

from __future__ import annotations

import pytest
import yaml

from archsim import jit
from archsim.errors import ArchsimError
from archsim.explore.options import MAX_IMAGES, Options, options, whole_number


def test_the_defaults_are_eight_inferences_balanced_with_idle_tiles() -> None:
    plain = options(8, None, None, True, None)
    assert plain == Options() == Options(8, None, "balanced", True, frozenset())


def test_factors_of_layers_and_none() -> None:
    assert options(8, None, ["conv1=4", "a=b=2"], True, None).replication == {"conv1": 4, "a=b": 2}
    assert options(8, None, ["none"], True, None).replication == "none"
    assert options(8, None, [], True, ["x", "y", "x"]).component_detail == {"x", "y"}


@pytest.mark.parametrize("given", ["conv1", "conv1=", "conv1=x", "conv1=-1", "conv1=²", "conv1=1.5", "=", "conv1= 4"])
def test_a_factor_that_is_none_says_what_is_expected(given: str) -> None:
    with pytest.raises(ArchsimError) as caught:
        options(8, None, [given], True, None)
    assert str(caught.value) == f"--replicate: expected LAYER=N or none, got {given!r}"


def test_factors_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ArchsimError, match=r"^--replicate: 'a' is given twice, 2 and 3 copies$"):
        options(8, None, ["a=2", "b=1", "a=3"], True, None)
    with pytest.raises(ArchsimError, match=r"^--replicate: 'none' stands alone, got other factors beside it$"):
        options(8, None, ["a=2", "none"], True, None)


@pytest.mark.parametrize("images", [0, -1, MAX_IMAGES + 1, 10**18])
def test_images_have_a_range(images: int) -> None:
    with pytest.raises(ArchsimError, match=rf"^images: expected 1 to {MAX_IMAGES}, got {images}$"):
        Options(images)


def test_an_unknown_engine_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(
        ArchsimError, match=r"^engine: expected compiled or simpy, got 'simpi'; did you mean 'simpy'\?$"
    ):
        Options(engine="simpi")
    with pytest.raises(ArchsimError, match=r"^engine: expected compiled or simpy, got 'gpu'$"):
        Options(engine="gpu")


@pytest.mark.parametrize(
    ("given", "number"),
    [("12", 12), ("0", 0), ("007", 7), ("²", None), ("٣", None), ("-1", None), ("+1", None), ("1_0", None), ("", None)],
)
def test_whole_numbers_are_ascii_digits(given: str, number: int | None) -> None:
    assert whole_number(given) == number


def test_a_number_of_thousands_of_digits_is_no_number() -> None:
    assert whole_number("9" * 5000) is None
    with pytest.raises(ArchsimError) as caught:
        options(8, None, ["a=" + "9" * 5000], True, None)
    assert len(str(caught.value)) < 300


def test_options_are_written_with_the_engine_that_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "MISSING", "no module of that name")
    chosen = options(4, None, ["b=2", "a=1"], False, ["y", "x"])
    assert yaml.safe_load(chosen.written(3)) == {
        "chips": 3,
        "images": 4,
        "engine": "simpy",
        "replication": {"b": 2, "a": 1},
        "idle_tiles": False,
        "component_detail": ["x", "y"],
    }
