"""What a workload file may say, and what is said of mistakes in one."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim import library
from archsim.errors import NotFoundError, SpecError
from archsim.spec.layer import OPERATORS, Activate, BatchNorm, Conv, Flatten, MaxPool
from archsim.spec.loader import load, validate
from archsim.spec.schema import MODELS
from archsim.spec.tree import parse
from archsim.spec.workload import Workload

HEAD = "schema: 1\nkind: workload\nname: net\nsource: test\ninput: [3, 32, 32]\n"


def read(text: str) -> Workload:
    return validate(parse(text, "net.yaml"), Workload)


def layer(text: str) -> object:
    return read(f"{HEAD}layers: [{text}]\n").layers[0]


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        read(text)
    return [str(problem) for problem in caught.value.problems]


def test_what_is_not_written_in_a_convolution_has_its_default() -> None:
    conv = layer("{conv: 64}")
    assert isinstance(conv, Conv)
    assert (conv.kernel, conv.stride, conv.pad, conv.dilation) == ((1, 1), (1, 1), (0, 0, 0, 0), (1, 1))
    assert (conv.groups, conv.activation, conv.batch_norm, conv.bias) == (1, "relu", False, None)


@pytest.mark.parametrize(
    ("pad", "sides"), [("1", (1, 1, 1, 1)), ("[1, 2]", (1, 2, 1, 2)), ("[1, 2, 3, 4]", (1, 2, 3, 4))]
)
def test_padding_is_a_number_or_height_and_width_or_all_four_sides(pad: str, sides: tuple[int, ...]) -> None:
    conv = layer(f"{{conv: 1, pad: {pad}}}")
    assert isinstance(conv, Conv)
    assert conv.pad == sides


def test_a_kernel_is_a_number_or_height_and_width() -> None:
    pool = layer("{maxpool: [2, 3]}")
    assert isinstance(pool, MaxPool)
    assert (pool.kernel, pool.stride) == ((2, 3), None)


def test_the_operator_may_come_after_the_name_and_after_its_own_keys() -> None:
    assert isinstance(layer("{name: a, input: input, conv: 4}"), Conv)
    assert isinstance(layer("{activation: none, batch_norm: true, conv: 4}"), Conv)


def test_activation_and_batch_norm_are_operators_when_they_come_first() -> None:
    assert isinstance(layer("{activation: tanh}"), Activate)
    assert isinstance(layer("{batch_norm: true, activation: relu}"), BatchNorm)
    assert isinstance(layer("{flatten: true}"), Flatten)


@pytest.mark.parametrize(
    ("shape", "sequence", "unit"),
    [("[3, 8, 8]", "", "image"), ("[8]", "", "sample"), ("[8]", "sequence: 5\n", "sequence")],
)
def test_the_throughput_unit_follows_the_input_unless_it_is_given(shape: str, sequence: str, unit: str) -> None:
    text = f"schema: 1\nkind: workload\nname: n\nsource: s\ninput: {shape}\n{sequence}layers: [{{activation: relu}}]\n"
    assert read(text).throughput_unit == unit
    assert read(text + "unit: vector\n").throughput_unit == "vector"


MISTAKES = [
    ("{cnov: 4}", "net.yaml:6:11: layers.0.cnov: unknown operator; did you mean 'conv'?"),
    (
        "{kernel: 3, activation: relu}",
        "net.yaml:6:11: layers.0.kernel: unknown operator; the operators are conv, dense, maxpool, avgpool, "
        "globalpool, add, concat, activation, flatten, batch_norm, lstm, "
        "gru, rnn, linear, convtranspose, local, spp, vector, move, multiply, subtract, divide, maximum, softmax, "
        "norm, reduce, matmul, cache, embedding, resize, pad, slice, shuffle, reverse, block",
    ),
    ("{conv: 4, kernle: 3}", "net.yaml:6:20: layers.0.kernle: unknown key; did you mean 'kernel'?"),
    (
        "{conv: 4, maxpool: 2}",
        "net.yaml:6:20: layers.0.maxpool: unknown key; the keys here are activation, batch_norm, bias, conv, depth, "
        "dilation, groups, host, input, kernel, name, pad, stride",
    ),
    (
        "{conv: 4, stride: 0}",
        "net.yaml:6:28: layers.0.stride: expected a whole number or [height, width], each from 1 to 65536, got 0",
    ),
    (
        "{conv: 4, pad: [1, 2, 3]}",
        "net.yaml:6:25: layers.0.pad: expected a whole number, [height, width] or [top, left, bottom, right], "
        "each from 0 to 65536, got [1, 2, 3]",
    ),
    ("{conv: 0}", "net.yaml:6:17: layers.0.conv: expected at least 1, got 0"),
    ("{conv: 4.5}", "net.yaml:6:17: layers.0.conv: expected a whole number, got 4.5"),
    ("{dense: ten}", "net.yaml:6:18: layers.0.dense: expected a whole number, got 'ten'"),
    (
        "{conv: 4, activation: rleu}",
        "net.yaml:6:32: layers.0.activation: expected 'none', 'relu', 'relu6', 'sigmoid', 'tanh', 'gelu', 'softmax', "
        "'leaky_relu', 'clip', 'silu', 'hard_sigmoid', 'hard_swish', 'elu', 'softplus', 'mish', 'exp', 'log', 'sqrt', "
        "'reciprocal', 'square', 'abs', 'negate', 'erf' or 'lookup', got 'rleu'; did you mean 'relu'?",
    ),
    ("{flatten: false}", "net.yaml:6:20: layers.0.flatten: expected true, got False"),
    (
        "{globalpool: mean}",
        "net.yaml:6:23: layers.0.globalpool: expected 'average' or 'max', got 'mean'",
    ),
    (
        "{lstm: 4, recurent_project: 2}",
        "net.yaml:6:20: layers.0.recurent_project: unknown key; did you mean 'recurrent_projection'?",
    ),
    ("{add: 3}", "net.yaml:6:16: layers.0.add: expected the name of a layer, or a list of names, got 3"),
    ("{concat: [a]}", "net.yaml:6:19: layers.0.concat: expected a list of at least two names, got ['a']"),
    ("{block: }", "net.yaml:6:18: layers.0.block: expected a text, got None"),
    (
        "{conv: 4, name: a/b}",
        "net.yaml:6:26: layers.0.name: expected a name of letters, digits, -, _ and ., a letter first, got 'a/b'",
    ),
    ("{conv: 4, name: input}", "net.yaml:6:26: layers.0.name: 'input' already names the input of the network or block"),
    ("conv", "net.yaml:6:10: layers.0: expected a mapping such as {conv: 64, kernel: 3}, got 'conv'"),
    (
        "{name: a}",
        "net.yaml:6:10: layers.0: the layer has no operator; the operators are conv, dense, maxpool, avgpool, "
        "globalpool, add, concat, activation, flatten, batch_norm, lstm, "
        "gru, rnn, linear, convtranspose, local, spp, vector, move, multiply, subtract, divide, maximum, softmax, "
        "norm, reduce, matmul, cache, embedding, resize, pad, slice, shuffle, reverse, block",
    ),
]


@pytest.mark.parametrize(("text", "message"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_in_a_layer_is_named_where_it_stands(text: str, message: str) -> None:
    assert problems(f"{HEAD}layers: [{text}]\n") == [message]


def test_all_mistakes_of_a_file_are_reported_at_once_in_their_order() -> None:
    text = f"{HEAD}sequense: 3\nblocks:\n  b:\n    - {{cnov: 1}}\nlayers:\n  - {{block: b, repeat: 0}}\n"
    assert problems(text) == [
        "net.yaml:6:1: sequense: unknown key; did you mean 'sequence'?",
        "net.yaml:9:8: blocks.b.0.cnov: unknown operator; did you mean 'conv'?",
        "net.yaml:11:24: layers.0.repeat: expected at least 1, got 0",
    ]


@pytest.mark.parametrize("shape", ["[3, 32]", "[0]", "[3, 32, 70000]", "32", "[a]", "[]", "[true]"])
def test_an_input_is_features_or_an_image(shape: str) -> None:
    text = HEAD.replace("[3, 32, 32]", shape) + "layers: [{conv: 1}]\n"
    (message,) = problems(text)
    assert message.startswith("net.yaml:5:8: input: expected [features] or [channels, height, width], got ")


def test_a_network_has_at_least_one_layer() -> None:
    (message,) = problems(HEAD + "layers: []\n")
    assert message.startswith("net.yaml:6:9: layers: ")
    assert "at least 1 item" in message


def test_a_list_whose_only_member_is_wrong_is_not_called_too_short_too() -> None:
    assert problems(HEAD + "layers: [{vector: {add: 4}, shape: [0]}]\n") == [
        "net.yaml:6:37: layers.0.shape.0: expected at least 1, got 0"
    ]


def test_an_override_changes_a_layer_and_a_mistake_in_one_is_named_as_such() -> None:
    loaded = load("workload", "vgg16", Workload, ["layers.0.conv=32", "layers.0.kernel=[5, 3]"])
    conv = loaded.model.layers[0]
    assert isinstance(conv, Conv)
    assert (conv.conv, conv.kernel) == (32, (5, 3))
    with pytest.raises(SpecError, match=r"^--set sequence=0: sequence: expected at least 1, got 0$"):
        load("workload", "lstm-2048", Workload, ["sequence=0"])


def test_a_file_can_extend_a_library_workload(tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text("schema: 1\nkind: workload\nextends: vgg16\nname: small\ninput: [3, 32, 32]\n")
    small = load("workload", str(tmp_path / "small.yaml"), Workload).model
    assert (small.name, small.input, len(small.layers)) == ("small", (3, 32, 32), 22)


def test_an_unknown_workload_gets_the_nearest_name() -> None:
    with pytest.raises(NotFoundError, match=r"^no workload named 'vgg61'; did you mean 'vgg19'\?$"):
        load("workload", "vgg61", Workload)


@pytest.mark.parametrize("name", library.names("workload"))
def test_the_resolved_configuration_of_a_library_workload_reads_back_as_itself(name: str) -> None:
    loaded = load("workload", name, Workload)
    again = validate(parse(loaded.resolved_yaml(), "resolved.yaml"), Workload)
    assert again == loaded.model


@pytest.mark.parametrize("name", library.names("workload"))
def test_a_library_workload_says_where_it_is_from(name: str) -> None:
    model = load("workload", name, Workload).model
    assert model.name == name
    assert model.title
    assert model.bibtex.strip().startswith("@")
    assert model.deviations
    assert model.published


def test_the_schema_lists_a_form_of_layer_for_each_operator() -> None:
    forms = Workload.model_json_schema()["properties"]["layers"]["items"]["oneOf"]
    assert MODELS["workload"] is Workload
    assert [operator in form["required"] for form, operator in zip(forms, OPERATORS, strict=True)] == [True] * len(
        forms
    )
    assert all(form["additionalProperties"] is False for form in forms)
    conv = forms[0]["properties"]
    assert [form["type"] for form in conv["pad"]["anyOf"]] == ["integer", "array", "array"]
    add = forms[list(OPERATORS).index("add")]["properties"]["add"]
    assert [form["type"] for form in add["anyOf"]] == ["string", "array"]
