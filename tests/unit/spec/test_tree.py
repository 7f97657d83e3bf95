"""Strict YAML: what a text means, where its parts stand, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from archsim.errors import SpecError
from archsim.spec import tree
from archsim.spec.tree import Mark, parse, read_file


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        parse(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("1e9", 1e9),
        ("1.5", 1.5),
        (".5", 0.5),
        ("-7", -7),
        ("08", 8),
        ("0o17", "0o17"),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2016-06-18", "2016-06-18"),
        ("=", "="),
        ("<<", "<<"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("-.inf", -math.inf),
        ("'5'", "5"),
        ('"on"', "on"),
        ("1.28 GHz", "1.28 GHz"),
        ("9" * 60, "9" * 60),
    ],
)
def test_scalars_are_read_by_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    node = parse(f"key: {text}", "f.yaml").value["key"]
    assert node.value == value
    assert type(node.value) is type(value)


def test_dot_nan_is_a_float_that_the_models_then_refuse() -> None:
    assert math.isnan(parse("key: .nan", "f.yaml").value["key"].value)


def test_every_node_knows_its_line_and_column() -> None:
    root = parse("a: 1\nb:\n  - x\n  - {c: 2}\n", "f.yaml")
    assert str(root.value["a"].mark) == "f.yaml:1:4"
    assert str(root.key_marks["b"]) == "f.yaml:2:1"
    assert str(root.find(("b", 1, "c"))) == "f.yaml:4:6"
    assert str(root.value_mark(("b", 1, "c"))) == "f.yaml:4:9"
    assert root.value_mark(("b", 7)) is None
    assert str(root.find(("b", 7, "z"))) == "f.yaml:2:1"  # the deepest there is on the way
    assert root.plain() == {"a": 1, "b": ["x", {"c": 2}]}
    assert str(Mark("--set a=1")) == "--set a=1"


def test_keys_that_are_whole_numbers_are_text_and_can_be_found_as_either() -> None:
    root = parse("table: {6: a, 8: b}", "f.yaml")
    assert root.plain() == {"table": {"6": "a", "8": "b"}}
    assert str(root.find(("table", 8))) == "f.yaml:1:15"


def test_only_plain_digits_are_an_index() -> None:
    root = parse("[a, b]", "f.yaml")
    assert root.child("1") is root.value[1]
    assert root.child("²") is None
    assert root.child(-1) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["f.yaml: the file is empty; expected 'schema: 1' and 'kind: …'"]),
        ("# only a comment\n", ["f.yaml: the file is empty; expected 'schema: 1' and 'kind: …'"]),
        ("a: 1\nb: 2\na: 3\na: 4", [f"f.yaml:{n}:1: the key 'a' stands here again, first at line 1" for n in (3, 4)]),
        ("6: 1\n'6': 2", ["f.yaml:2:1: the key '6' stands here again, first at line 1"]),
        ("a: &x 1\nb: 1", ["f.yaml:1:4: anchors are not supported, got &x; write the value out"]),
        (
            "a: &x 1\nb: *x\nc: !t 1",
            [
                "f.yaml:1:4: anchors are not supported, got &x; write the value out",
                "f.yaml:2:4: aliases are not supported, got *x; write the value out",
            ],
        ),
        (
            "a: !!python/object/apply:os.system [id]",
            ["f.yaml:1:4: tags are not supported, got 'tag:yaml.org,2002:python/object/apply:os.system'"],
        ),
        ("a: !!str 5", ["f.yaml:1:4: tags are not supported, got 'tag:yaml.org,2002:str'"]),
        ("a: !mine {b: 1}", ["f.yaml:1:4: tags are not supported, got '!mine'"]),
        ("a: 1\n---\nb: 2\n", ["f.yaml:2:1: a second document begins here; a file holds one"]),
        ("[1]: 2\nnull: 3\ntrue: 4\n1.5: 5", [
            "f.yaml:1:1: a key must be text, got [1]",
            "f.yaml:2:1: a key must be text, got None",
            "f.yaml:3:1: a key must be text, got True",
            "f.yaml:4:1: a key must be text, got 1.5",
        ]),
        ("a: b: c", ["f.yaml:1:5: not valid YAML: mapping values are not allowed in this context"]),
        ("a: [1, 2", ["f.yaml:2:1: not valid YAML: did not find expected ',' or ']'"]),
        ("a: 1\na: 2\nb: ]", [
            "f.yaml:2:1: the key 'a' stands here again, first at line 1",
            "f.yaml:3:4: not valid YAML: did not find expected node content",
        ]),
        ("\x00", ["f.yaml: not valid YAML: control characters are not allowed"]),
        ("a: \x07", ["f.yaml: not valid YAML: control characters are not allowed"]),
        ("a: \udcff", ["f.yaml: expected text in UTF-8, got '\\udcff'"]),
        ('a: "\\ud800"', ["f.yaml:1:7: not valid YAML: found invalid Unicode character escape code"]),
    ],
)  # fmt: skip
def test_what_is_refused_is_listed_with_line_and_column(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


def test_nesting_is_bounded() -> None:
    deepest = tree.MAX_DEPTH - 1
    assert parse("[" * deepest + "]" * deepest, "f.yaml").plain() is not None
    for text in ("[" * 100_000, "{a: " * 100_000, "- " * 100_000, "? " * 100_000):
        assert problems(text)[0].endswith("nested more than 48 levels deep")


def test_the_number_of_values_keys_and_mistakes_is_bounded() -> None:
    assert problems("[" + "1," * 60_000 + "]") == ["f.yaml:1:40000: more than 20000 keys and values in one file"]
    keys = "".join(f"k{n}: 1\n" for n in range(3000))
    assert problems(keys) == ["f.yaml:2001:1: more than 2000 keys in one mapping"]
    again = problems("a: 1\n" * 5000)
    assert len(again) == SpecError.LISTED
    assert again[-1] == "f.yaml: too many mistakes; the rest is not read"


def test_the_length_of_a_key_is_bounded() -> None:
    assert parse("x" * 200 + ": 1", "f.yaml").plain() == {"x" * 200: 1}
    message = f"f.yaml:1:3: a key has at most 200 characters, got 5000: '{'x' * 40}'…"
    assert problems('? "' + "x" * 5000 + '"\n: 1') == [message]


# -- files --------------------------------------------------------------------------------------


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read_file(tmp_path / "f.yaml").plain() == {"a": 1, "b": 2}


def test_a_node_knows_the_folder_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("a: {b: x}")
    assert read_file(tmp_path / "f.yaml").value["a"].value["b"].base == tmp_path


def test_no_more_than_the_limit_is_read_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("a: " + "x" * tree.MAX_BYTES)
    with pytest.raises(SpecError, match=r"^f: the file has 4194307 bytes, at most 4194304 are read$"):
        read_file(file, "f")


def test_what_is_no_file_and_what_cannot_be_read_is_a_spec_error(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"^d: expected a YAML file, got something that is no file$"):
        read_file(tmp_path, "d")
    with pytest.raises(SpecError, match=r"^n: cannot be read: No such file or directory$"):
        read_file(tmp_path / "nowhere", "n")


# -- any text at all ----------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "a",
        "b: ",
        "- ",
        "\n",
        "  ",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "? ",
        "&x ",
        "*x",
        "!t ",
        "|\n",
        ">",
        '"',
        "'",
        "#",
        "1",
        "1e9",
        ".nan",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "\t",
        "\\",
        "@",
        "`",
        "\u2028",
        "\x85",
        "é",
        "\U0001f600",
    ]
)


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=60).map("".join)))
@example("--- !!map {\n")
@example("%TAG ! tag:x,2000:\n--- !a b")
def test_any_text_is_a_tree_or_a_spec_error_that_names_the_file(text: str) -> None:
    try:
        parse(text, "f.yaml").plain()
    except SpecError as error:
        assert error.problems
        assert all(problem.where.startswith("f.yaml") for problem in error.problems)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_tree_or_a_spec_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "bytes.yaml"
    file.write_bytes(raw)
    try:
        read_file(file, "f.yaml")
    except SpecError as error:
        assert all(problem.where.startswith("f.yaml") for problem in error.problems)


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("ab é:#-'\"1"),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abé-_", min_size=1), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(TREES)
def test_json_is_read_as_what_it_is(value: Any) -> None:
    import json

    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=2)):
        assert parse(text, "f.yaml").plain() == value


@given(st.dictionaries(st.text("ab-_", min_size=1), st.text("ab c:#-\n"), max_size=6))
def test_agrees_with_pyyaml_on_block_mappings_of_texts(value: dict[str, str]) -> None:
    text = yaml.safe_dump(value, default_flow_style=False, default_style='"')
    assert parse(text, "f.yaml").plain() == value
