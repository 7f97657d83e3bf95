"""From names and files to models: references, ``extends``, overrides, and all mistakes of a file at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from archsim import library
from archsim.errors import ArchsimError, NotFoundError, SpecError
from archsim.spec import loader
from archsim.spec.chip import Chip
from archsim.spec.loader import document_kind, load_chip, load_node, load_tile
from archsim.spec.tile import Tile

CHIP = "schema: 1\nkind: chip\nname: mine\nextends: isaac-ce\n"
TILE = "schema: 1\nkind: tile\nname: mine\nextends: isaac\n"
TILES = ", ".join(library.names("tile"))
ADC = "tile.core.components.adc"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCHSIM_PATH", raising=False)
    monkeypatch.chdir(tmp_path)


def chip(text: str, *overrides: str, name: str = "f.yaml") -> Chip:
    Path(name).write_text(text)
    return load_chip(name, overrides).model


def tile(text: str, *overrides: str) -> Tile:
    Path("f.yaml").write_text(text)
    return load_tile("f.yaml", overrides).model


def problems(text: str, *overrides: str) -> list[str]:
    Path("f.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        (load_tile if "kind: tile" in text else load_chip)("f.yaml", overrides)
    return [str(problem) for problem in caught.value.problems]


# -- extends ------------------------------------------------------------------------------------


def test_a_file_takes_all_that_it_does_not_say_from_the_file_that_it_extends() -> None:
    mine, isaac = chip(CHIP + "tiles: 84\n"), load_chip("isaac-ce").model
    assert (mine.name, mine.tiles) == ("mine", 84)
    assert mine.tile == isaac.tile
    assert mine.published == isaac.published


def test_a_single_key_deep_inside_is_enough_to_make_a_variant() -> None:
    mine = chip(CHIP + "tile: {core: {components: {adc: {bits: 6}}}}\n")
    adc, was = mine.tile.core.components["adc"], load_chip("isaac-ce").model.tile.core.components["adc"]
    assert adc.bits == 6
    assert adc.power == was.power  # of the rated 8 bits
    assert adc.power_w() == pytest.approx(was.power_w() * 1.20 / 1.67)


def test_null_removes_a_key_of_the_file_that_is_extended() -> None:
    mine = tile(TILE + "components: {max_pool: null}\nunits: {max: null}\n")
    assert "max_pool" not in mine.components
    assert "buffer" in mine.components


def test_null_for_a_key_that_is_not_there_is_a_mistake_and_not_passed_over() -> None:
    assert problems(TILE + "core: {components: {adc: {by_bitz: null}}}\n") == [
        "f.yaml:5:27: core.components.adc.by_bitz: unknown key; did you mean 'by_bits'?"
    ]


def test_lists_are_replaced_and_not_merged() -> None:
    mine = tile(TILE + "deviations: [mine]\n")
    assert mine.deviations == ["mine"]


def test_a_row_of_another_kind_replaces_the_row() -> None:
    row = "{kind: lookup, rate: 1 GHz, power: 1 mW, area: 1 um2, source: mine, status: assumed}"
    mine = tile(TILE + f"components: {{max_pool: {row}}}\nunits: {{max: null}}\n")
    assert (mine.components["max_pool"].kind, mine.components["max_pool"].note) == ("lookup", "")


def test_naming_another_tile_replaces_the_tile_and_does_not_mix_the_two() -> None:
    router = load_chip("puma").node.value["components"].value["router"].plain()
    rows = yaml.safe_dump({"components": {"router": router}})
    for reference in ("tile: puma", "tile: {extends: puma}"):
        mine = chip(CHIP + f"{reference}\n" + rows)
        assert mine.tile == load_tile("puma").model


def test_a_tile_written_out_in_the_chip_may_extend_one() -> None:
    mine = chip(CHIP + "tile: {extends: isaac, name: other, core: {count: 6}}\n")
    assert (mine.tile.name, mine.tile.core.count) == ("other", 6)


def test_extending_goes_over_several_files() -> None:
    Path("a.yaml").write_text(CHIP + "tiles: 10\n")
    Path("b.yaml").write_text("schema: 1\nkind: chip\nextends: a.yaml\ntile: {core: {count: 6}}\n")
    mine = chip("schema: 1\nkind: chip\nname: c\nextends: ./b.yaml\ntile: {core: {cycle: 200 ns}}\n")
    assert (mine.name, mine.tiles, mine.tile.core.count, mine.tile.core.cycle_ps) == ("c", 10, 6, 200_000)


# -- who said what ------------------------------------------------------------------------------


def test_a_row_whose_numbers_are_changed_says_who_changed_them() -> None:
    Path("chips").mkdir()
    mine = chip(CHIP + "tile: {core: {components: {adc: {bits: 6, rate: 1 GHz}}}}\n", name="chips/m.yaml")
    adc = mine.tile.core.components["adc"]
    assert adc.status == "set_by_user"
    assert adc.source.endswith("; bits, rate set by chips/m.yaml")
    dac = mine.tile.core.components["dac"]
    assert dac == load_chip("isaac-ce").model.tile.core.components["dac"]


def test_an_override_says_so_in_the_row_however_deep_it_goes() -> None:
    for key in (f"{ADC}.power=20 mW", f"{ADC}.by_bits.8.energy=2 pJ"):
        adc = load_chip("isaac-ce", [key]).model.tile.core.components["adc"]
        assert adc.status == "set_by_user"
        assert adc.source.endswith(" set by --set")


def test_a_row_keeps_the_source_and_status_that_are_given_with_the_change() -> None:
    mine = tile(TILE + "core: {components: {adc: {power: 1 mW, source: a chip, status: verified}}}\n")
    adc = mine.core.components["adc"]
    assert (adc.source, adc.status) == ("a chip", "verified")


def test_a_note_is_no_change_of_a_number() -> None:
    mine = tile(TILE + "core: {components: {adc: {note: hello}}}\n")
    assert mine.core.components["adc"].status == "verified_2src"


# -- overrides ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "read"),
    [
        (f"{ADC}.bits=6", lambda chip: chip.tile.core.components["adc"].bits == 6),
        (f" {ADC}.rate = 1.2 GHz", lambda chip: str(chip.tile.core.components["adc"].rate) == "1.2 GHz"),
        ("tiles=10", lambda chip: chip.tiles == 10),
        ("tile.core.encoding.convert_unit_columns=true", lambda chip: chip.tile.core.encoding.convert_unit_columns),
        ("deviations=[a, b]", lambda chip: chip.deviations == ["a", "b"]),
        ("deviations.0=a", lambda chip: chip.deviations[0] == "a"),
        ("published.0.value=1", lambda chip: chip.published[0].value == 1.0),
        (f"{ADC}.by_bits.8.energy=1 pJ", lambda chip: True),
        ("tile.device=null", lambda chip: chip.tile.device is None),
        ("tile.device=", lambda chip: chip.tile.device is None),
        ("title=a=b", lambda chip: chip.title == "a=b"),
        ("tile.core.pipeline.steps.1=[adc, sample_hold]", lambda chip: len(chip.tile.core.pipeline.steps) == 3),
    ],
)
def test_an_override_changes_one_key(override: str, read: object) -> None:
    assert read(load_chip("isaac-ce", [override]).model)  # type: ignore[operator]


def test_the_last_override_of_a_key_counts() -> None:
    assert load_chip("isaac-ce", ["tiles=10", "tiles=20"]).model.tiles == 20


def test_an_override_may_name_another_tile() -> None:
    Path("six.yaml").write_text(TILE + "core: {components: {adc: {bits: 6}}}\n")
    assert load_chip("isaac-ce", ["tile=six.yaml"]).model.tile.core.components["adc"].bits == 6


def test_an_override_of_one_load_does_not_stay_for_the_next() -> None:
    load_chip("isaac-ce", ["tiles=10"])
    assert load_chip("isaac-ce").model.tiles == 168


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tiles", "expected dotted.key=value, such as tile.core.components.adc.bits=6"),
        ("=5", "expected dotted.key=value, such as tile.core.components.adc.bits=6"),
        ("tils=5", "tils: unknown key; did you mean 'tiles'?"),
        ("tiles=-5", "tiles: expected at least 1, got -5"),
        ("tiles=1.5", "tiles: expected a whole number, got 1.5"),
        ("tiles=ten", "tiles: expected a whole number, got 'ten'"),
        (f"{ADC}.power=5", f"{ADC}.power: expected a power such as '20.7 mW', got a plain number: 5"),
        (f"{ADC}.powr=5 W", f"{ADC}.powr: unknown key; did you mean 'power'?"),
        ("tile.core.component.adc.bits=6", "'tile.core' has no key 'component'; did you mean 'components'?"),
        ("tle.core=6", "the document has no key 'tle'; did you mean 'tile'?"),
        ("tiles.x=6", "'tiles' has no key 'x'"),
        ("tiles.x.y=6", "'tiles' is a value and has no key 'x'"),
        ("published.99.value=6", "'published' is a list and has no key '99'"),
        ("published.²=6", "'published' has no key '²'"),
        ("tiels=null", "the document has no key 'tiels'; did you mean 'tiles'?"),
        (f"{ADC}.bts=null", f"'{ADC}' has no key 'bts'; did you mean 'bits'?"),
        ("published.99=null", "'published' is a list and has no key '99'"),
        ("tile=pma", "no tile named 'pma'; did you mean 'puma'?"),
        ("title=\udcff", "expected text in UTF-8, got '\\udcff'"),
        ("title=[", ":2:1: not valid YAML: did not find expected node content"),
        ("title=*x", ":1:1: aliases are not supported, got *x; write the value out"),
        ("kind=tile", "kind: expected 'chip', got 'tile'"),
        ("tile=1", "tile: expected a mapping, got 1"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_one_message_that_repeats_it(override: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_chip("isaac-ce", [override])
    separator = "" if message.startswith(":") else ": "
    assert str(caught.value) == f"--set {override}{separator}{message}"


def test_a_wrong_override_and_a_wrong_file_are_told_apart() -> None:
    assert problems(CHIP + "tiles: 0\n", "title=5") == [
        "--set title=5: title: expected a text, got 5",
        "f.yaml:5:8: tiles: expected at least 1, got 0",
    ]


# -- mistakes -----------------------------------------------------------------------------------


def test_all_mistakes_of_a_file_are_listed_at_once_where_they_stand() -> None:
    text = """schema: 1
kind: chip
nam: mine
extends: isaac-ce
tiles: -3
noc: {topology: rink}
tile:
  core:
    count: 1.5
    components:
      adc: {power: 5, rate: 5 ms, bits: 99}
      crossbar: {rows: 0, area: -1 mm2}
      dac: {kind: dca}
      sample_hold: {count: .nan, status: verifed}
    encoding: {scheme: flipped, weight_bits: true}
"""
    core = "tile.core.components"
    assert problems(text) == [
        "f.yaml:3:1: nam: unknown key; did you mean 'name'?",
        "f.yaml:5:8: tiles: expected at least 1, got -3",
        "f.yaml:6:17: noc.topology: expected 'mesh', 'cmesh', 'torus', 'ring', 'tree', 'fat-tree', 'star', "
        "'point-to-point' or 'graph', got 'rink'; did you mean 'ring'?",
        "f.yaml:9:12: tile.core.count: expected a whole number, got 1.5",
        f"f.yaml:11:20: {core}.adc.power: expected a power such as '20.7 mW', got a plain number: 5",
        f"f.yaml:11:29: {core}.adc.rate: expected a frequency such as '1.28 GHz', got the unit 'ms', "
        "which is a unit of time",
        f"f.yaml:11:41: {core}.adc.bits: expected at most 16, got 99",
        f"f.yaml:12:24: {core}.crossbar.rows: expected at least 1, got 0",
        f"f.yaml:12:33: {core}.crossbar.area: expected an area of 0 or more, got -1 mm2",
        f"f.yaml:13:12: {core}.dac: unknown component kind 'dca'; did you mean 'dac'?",
        f"f.yaml:14:28: {core}.sample_hold.count: expected a whole number, got nan",
        f"f.yaml:14:42: {core}.sample_hold.status: expected 'verified', 'verified_2src', 'verified_by_arithmetic', "
        "'recalled_not_found', 'derived', 'assumed' or 'set_by_user', got 'verifed'; did you mean 'verified'?",
        "f.yaml:15:46: tile.core.encoding.weight_bits: expected a whole number, got True",
    ]  # fmt: skip


def test_a_missing_key_is_named_where_its_mapping_stands() -> None:
    assert problems("schema: 1\nkind: chip\nname: x\ntile: isaac\ntiles: 2\n") == [
        "f.yaml:1:1: noc: the key 'noc' is missing"
    ]
    assert problems(TILE + "components: {new: {kind: bus, power: 1 W}}\n") == [
        "f.yaml:5:14: components.new.area: the key 'area' is missing",
        "f.yaml:5:14: components.new.source: the key 'source' is missing",
        "f.yaml:5:14: components.new.status: the key 'status' is missing",
        "f.yaml:5:14: components.new.bandwidth: the key 'bandwidth' is missing",
    ]


def test_a_misspelt_key_of_the_document_is_answered_in_the_words_of_the_file() -> None:
    text = "schem: 1\nkind: chip\nextends: isaac-ce\n"
    assert "f.yaml:1:1: schem: unknown key; did you mean 'schema'?" in problems(text)
    assert problems(CHIP + "xyzzy: 1\n") == [
        "f.yaml:5:1: xyzzy: unknown key; the keys here are bibtex, components, deviations, host, kind, name, noc, "
        "published, readings, schema, tile, tiles, title"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema: 2\nkind: chip\nextends: isaac-ce\n", "f.yaml:1:9: schema: expected 1, got 2"),
        ("kind: workload\n", "f.yaml:1:1: expected kind: chip, got kind: workload"),
        ("kind: chpi\n", "f.yaml:1:1: expected kind: chip, got kind: chpi; did you mean 'chip'?"),
        ("schema: 1\n", "f.yaml:1:1: the key 'kind' is missing; expected kind: chip"),
        ("- schema: 1\n", "f.yaml:1:1: expected a mapping with 'schema: 1' and 'kind: …'"),
        ("just words\n", "f.yaml:1:1: expected a mapping with 'schema: 1' and 'kind: …'"),
        ("kind: chip\nextends: [isaac-ce]\n", "f.yaml:2:10: extends: expected the name of a chip, got ['isaac-ce']"),
        ("kind: chip\nextends: isac-ce\n", "f.yaml:2:10: no chip named 'isac-ce'; did you mean 'isaac-ce'?"),
        ("kind: chip\nextends: isaac\n", "f.yaml:2:10: no chip named 'isaac'; did you mean 'isaac-ce'?"),
        ("kind: chip\nextends: a/b.yaml\n", "f.yaml:2:10: no chip file at 'a/b.yaml'"),
        (CHIP + "tile: isac\n", "f.yaml:5:7: no tile named 'isac'; did you mean 'isaac'?"),
        (CHIP + f"tile: {'x' * 300}\n", f"f.yaml:5:7: no tile named '{'x' * 99}; there are {TILES}"),
        (CHIP + 'tile: "a/\\0"\n', "f.yaml:5:7: no tile file at 'a/\\x00'"),
        (CHIP + "tile: {extends: isac}\n", "f.yaml:5:17: no tile named 'isac'; did you mean 'isaac'?"),
        (CHIP + "noc: {router: bus}\n",
         "f.yaml:5:15: noc.router: must name a row of kind router, got 'bus'; there are router"),
        (CHIP + "noc: {router: ruter}\n",
         "f.yaml:5:15: noc.router: must name a row of kind router, got 'ruter'; did you mean 'router'?"),
        (CHIP + "tiles: 169\n", "f.yaml:5:8: tiles: the noc has places for 168 tiles, the chip has 169"),
        (CHIP + "components: {hyper_transport: {shared_by: 0}}\n",
         "f.yaml:5:43: components.hyper_transport.shared_by: expected at least 1, got 0"),
        (CHIP + "published: [{metric: a, value: .inf, source: b, status: assumed}]\n",
         "f.yaml:5:32: published.0.value: expected a finite number, got inf"),
        (CHIP + "components: {x: {power: 1 W}}\n", "f.yaml:5:17: components.x: the key 'kind' is missing"),
        (CHIP + "components: {x: 5}\n", "f.yaml:5:17: components.x: expected a mapping, got 5"),
    ],
)  # fmt: skip
def test_each_mistake_has_its_message(text: str, message: str) -> None:
    assert problems(text) == [message]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("core: {components: {adc: {bits: 3}}}",
         "f.yaml:5:26: core.components.adc: 3 bits is not in by_bits, which has 4, 5, 6, 7, 8, 9, 10"),
        ("core: {components: {adc: {by_bits: {six: {energy: 1 J, area: 1 um2}}}}}",
         "f.yaml:5:42: core.components.adc.by_bits.six: expected a whole number, got 'six'"),
        ("core: {components: {adc: {by_bits: {6: {energy: 1 J, area: 0 um2}}}}}",
         "f.yaml:5:60: core.components.adc.by_bits.6.area: expected an area of above 0, got 0 um2"),
        ("core: {components: {adc: null}}", "f.yaml:5:7: core: a core needs exactly one row of kind adc, got none"),
        ("core: {pipeline: {steps: [[adc], [dac]]}}",
         "f.yaml:5:7: core: pipeline.steps must name the rows of kind dac, crossbar and adc; missing: crossbar"),
        ("core: {pipeline: {before: [[bufer]]}}",
         "f.yaml:5:18: core.pipeline: names 'bufer', which is no row; did you mean 'buffer'?"),
        ("core: {pipeline: {steps: []}}", "f.yaml:5:26: core.pipeline.steps: List should have at least 1 item"),
        ("device: {r_on: 3 Mohm}", "f.yaml:5:9: device: r_off must be above r_on, got 2 Mohm and 3 Mohm"),
        ("core: {cycle: 0 ns}", "f.yaml:5:15: core.cycle: expected a time of above 0, got 0 ns"),
        ("core: {components: {adc: {static_share: 1.5}}}",
         "f.yaml:5:41: core.components.adc.static_share: expected at most 1.0, got 1.5"),
    ],
)  # fmt: skip
def test_each_mistake_in_a_tile_has_its_message(text: str, message: str) -> None:
    found = problems(TILE + text + "\n")
    assert len(found) == 1
    assert found[0].startswith(message)


def test_files_that_extend_each_other_in_a_ring_are_told_at_the_reference_that_closes_it() -> None:
    Path("g.yaml").write_text("schema: 1\nkind: chip\nextends: ./f.yaml\n")
    text = "schema: 1\nkind: chip\nextends: g.yaml\n"
    assert problems(text) == ["g.yaml:3:10: the files refer to each other: f.yaml -> g.yaml -> f.yaml"]
    assert problems("schema: 1\nkind: chip\nextends: f.yaml\n") == [
        "f.yaml:3:10: the files refer to each other: f.yaml -> f.yaml"
    ]


def test_a_ring_inside_the_tile_of_a_chip_is_found_too() -> None:
    Path("t.yaml").write_text("schema: 1\nkind: tile\nname: t\nextends: t.yaml\n")
    assert problems(CHIP + "tile: t.yaml\n") == ["t.yaml:4:10: the files refer to each other: t.yaml -> t.yaml"]


def test_an_endless_row_of_files_is_refused_before_it_is_read() -> None:
    for n in range(100):
        Path(f"{n}.yaml").write_text(f"schema: 1\nkind: chip\nextends: {n + 1}.yaml\n")
    found = problems("schema: 1\nkind: chip\nextends: 0.yaml\n")
    assert found == ["30.yaml:3:10: more than 32 files refer to each other in a row"]


# -- what a name is -----------------------------------------------------------------------------


def test_the_kind_of_a_name_is_looked_up_and_that_of_a_file_read() -> None:
    Path("f.yaml").write_text(TILE)
    assert (document_kind("isaac-ce"), document_kind("isaac"), document_kind("f.yaml")) == ("chip", "tile", "tile")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("isac-ce", None, "no chip, tile or workload named 'isac-ce'; did you mean 'isaac-ce'?"),
        ("xyzzy", None, "no chip, tile or workload named 'xyzzy'; 'archsim list' shows all names"),
        ("n.yaml", None, "no file at 'n.yaml'"),
        ("f.yaml", "kind: tyle", "f.yaml:1:1: expected kind: chip, tile or workload, got kind: tyle; "
         "did you mean 'tile'?"),
        ("f.yaml", "schema: 1", "f.yaml:1:1: the key 'kind' is missing; expected kind: chip, tile or workload"),
        ("f.yaml", "kind: [tile]", "f.yaml:1:1: expected kind: chip, tile or workload, got kind: ['tile']; "
         "did you mean 'tile'?"),
    ],
)  # fmt: skip
def test_what_is_no_document_is_told(name: str, text: str | None, message: str) -> None:
    if text is not None:
        Path(name).write_text(text)
    with pytest.raises((NotFoundError, SpecError)) as caught:
        document_kind(name)
    assert str(caught.value) == message


# -- the resolved configuration -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["isaac-ce", "puma"])
def test_the_resolved_configuration_reads_back_as_the_same_chip(name: str) -> None:
    loaded = load_chip(name, [f"{ADC}.bits=6", "title='1e9'", "name=0o17"])
    Path("resolved.yaml").write_text(loaded.resolved_yaml())
    again = load_chip("resolved.yaml")
    assert again.model == loaded.model
    assert again.config_hash == loaded.config_hash


def test_the_hash_changes_with_any_key_and_with_nothing_else() -> None:
    base = load_chip("isaac-ce").config_hash
    assert load_chip("isaac-ce").config_hash == base
    assert load_chip("isaac-ce", ["tiles=168"]).config_hash == base
    assert load_chip("isaac-ce", ["tiles=167"]).config_hash != base
    assert load_chip("isaac-ce", [f"{ADC}.power=16.0 mW"]).config_hash != base


# -- any change of a valid file -----------------------------------------------------------------

TEXTS = {kind: library.find(kind, name).read_text() for kind, name in (("chip", "puma"), ("tile", "isaac"))}
SCRAPS = st.sampled_from(
    [
        "0",
        "-1",
        "1e999",
        "1e999 W",
        "1e-300 s",
        "nan",
        ".nan",
        ".inf",
        "[]",
        "{}",
        "null",
        "true",
        "''",
        '"\\0"',
        "x/y",
        "5 mW",
        "9999999999",
        "[[[[",
        ": ",
        "- ",
        "\n",
        "  ",
        "&a ",
        "*a",
        "!!set ",
        "kind",
        "isaac",
        "puma",
        "[/b]",
        "é",
    ]
)


@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_a_changed_file_loads_or_is_an_archsim_error(kind: str, data: st.DataObject) -> None:
    from archsim.report.hardware import hardware_tables, show_hardware

    text = TEXTS[kind]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.sampled_from([0, 1, 3, 10, 40]))
        text = text[:start] + data.draw(SCRAPS) + text[start + cut :]
    Path("fuzz.yaml").write_text(text)
    try:
        out, rollup, _ = show_hardware(kind, "fuzz.yaml")
        hardware_tables(out, rollup)
    except ArchsimError as error:
        assert str(error).strip()


VALUES = st.sampled_from(
    [
        "0",
        "-1",
        "1",
        "2",
        "99",
        "1e5",
        "1000000000",
        "1e30 W",
        "1e-30 s",
        "0 W",
        "0 mm2",
        "1 ns",
        "1 kHz",
        "1 b",
        "true",
        "null",
        "{}",
        "[]",
        "[adc]",
        "adc",
        "'[/b]'",
        "tile",
        "flipped",
        "assumed",
        "0.5",
        "{8: {energy: 1 J, area: 1 m2}}",
    ]
)


def every_path(node: loader.Node, path: tuple[str, ...] = ()) -> list[str]:
    inner = node.value.items() if isinstance(node.value, dict) else []
    inner = enumerate(node.value) if isinstance(node.value, list) else inner
    below = [found for key, child in inner for found in every_path(child, (*path, str(key)))]
    return [".".join(path), *below] if path else below


PATHS = every_path(load_node("chip", "puma"))


@given(st.lists(st.tuples(st.sampled_from(PATHS), VALUES), min_size=1, max_size=3))
def test_any_overrides_give_a_chip_or_an_archsim_error(changes: list[tuple[str, str]]) -> None:
    from archsim.report.hardware import hardware_tables, show_hardware

    try:
        out, rollup, _ = show_hardware("chip", "puma", [f"{path}={value}" for path, value in changes])
        hardware_tables(out, rollup)
    except ArchsimError as error:
        assert str(error).strip()
