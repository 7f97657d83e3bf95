"""From layers to a graph: names, shapes, counts, and what does not fit together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.errors import WorkloadError
from archsim.spec.loader import validate
from archsim.spec.tree import parse
from archsim.spec.workload import Workload
from archsim.workload import Graph, Layer, Matrix, build_graph

IMAGE = (3, 32, 32)


def build(*layers: dict[str, Any], shape: tuple[int, ...] = IMAGE, **keys: Any) -> Graph:
    document = {"schema": 1, "kind": "workload", "name": "net", "source": "test", "input": list(shape)}
    return build_graph(Workload.model_validate({**document, "layers": list(layers), **keys}))


def only(layer: dict[str, Any], shape: tuple[int, ...] = IMAGE, **keys: Any) -> Layer:
    return build(layer, shape=shape, **keys).layers[1]


def names(graph: Graph) -> list[str]:
    return [layer.name for layer in graph.layers]


# -- names ---------------------------------------------------------------------------------------


def test_layers_without_a_name_are_numbered_by_operator() -> None:
    graph = build({"conv": 4}, {"maxpool": 2}, {"conv": 8, "name": "second"}, {"conv": 8})
    assert names(graph) == ["input", "conv1", "maxpool1", "second", "conv3"]
    assert [layer.inputs for layer in graph.layers] == [(), ("input",), ("conv1",), ("maxpool1",), ("second",)]
    assert graph.outputs == ("conv3",)


def test_uses_of_a_block_are_numbered_through_the_list() -> None:
    blocks = {"b": [{"conv": 3}, {"add": "input"}]}
    graph = build({"block": "b", "repeat": 2}, {"block": "b"}, blocks=blocks)
    assert names(graph)[1:] == [f"b.{n}.{layer}" for n in (1, 2, 3) for layer in ("conv1", "add1")]
    assert graph["b.1.add1"].inputs == ("b.1.conv1", "input")
    assert graph["b.3.add1"].inputs == ("b.3.conv1", "b.2.add1")


def test_a_named_use_of_a_block_takes_its_name_and_a_number_if_repeated() -> None:
    blocks = {"b": [{"conv": 3}]}
    graph = build({"block": "b", "name": "one"}, {"block": "b", "name": "two", "repeat": 2}, blocks=blocks)
    assert names(graph)[1:] == ["one.conv1", "two.1.conv1", "two.2.conv1"]


def test_the_last_layer_of_a_block_is_read_by_the_name_of_its_use() -> None:
    blocks = {"b": [{"conv": 3}]}
    uses = [{"block": "b", "name": "one"}, {"block": "b", "name": "two", "repeat": 2}, {"block": "b", "repeat": 2}]
    graph = build(*uses, {"add": ["one", "two", "two.1", "b.1", "input"]}, blocks=blocks)
    reads = ("b.2.conv1", "one.conv1", "two.2.conv1", "two.1.conv1", "b.1.conv1", "input")
    assert graph["add1"].inputs == reads


def test_a_block_can_stand_in_a_block_and_input_means_the_nearest() -> None:
    blocks = {"inner": [{"conv": 3}, {"add": "input"}], "outer": [{"conv": 3}, {"block": "inner"}, {"add": "input"}]}
    graph = build({"block": "outer"}, blocks=blocks)
    assert graph["outer.1.inner.1.add1"].inputs == ("outer.1.inner.1.conv1", "outer.1.conv1")
    assert graph["outer.1.add1"].inputs == ("outer.1.inner.1.add1", "input")


def test_a_layer_reads_the_one_that_its_input_names() -> None:
    graph = build({"conv": 4}, {"conv": 4, "input": "input"}, {"conv": 4, "input": "conv1"}, {"add": ["conv2"]})
    assert graph["conv2"].inputs == ("input",)
    assert graph["conv3"].inputs == ("conv1",)
    assert graph.consumers("input") == ("conv1", "conv2")
    assert graph.consumers("add1") == ()


# -- shapes and counts ---------------------------------------------------------------------------


def test_a_convolution_has_a_matrix_of_its_kernel_and_works_once_an_output_position() -> None:
    conv = only({"conv": 8, "kernel": [3, 5], "stride": [2, 1], "pad": [1, 2, 0, 3], "dilation": [1, 2]})
    assert conv.output_shape == (8, 16, 29)
    assert conv.matrix == Matrix(rows=3 * 3 * 5, columns=8, groups=1)
    assert conv.windows == 16 * 29
    assert conv.macs == 16 * 29 * 3 * 3 * 5 * 8
    assert (conv.weights, conv.biases, conv.parameters) == (360, 8, 368)


def test_a_grouped_convolution_has_one_small_matrix_a_group() -> None:
    conv = only({"conv": 12, "kernel": 3, "pad": 1, "groups": 4}, (8, 5, 5))
    assert conv.matrix == Matrix(rows=9 * 2, columns=3, groups=4)
    assert conv.weights == 9 * 2 * 3 * 4
    assert conv.macs == conv.weights * 25


def test_a_depthwise_convolution_has_one_column_a_group() -> None:
    assert only({"conv": 8, "kernel": 3, "groups": 8}, (8, 5, 5)).matrix == Matrix(9, 1, 8)


def test_a_dense_layer_works_once() -> None:
    dense = only({"dense": 10, "bias": False}, (20,))
    assert (dense.output_shape, dense.matrix, dense.windows) == ((10,), Matrix(20, 10), 1)
    assert (dense.macs, dense.parameters, dense.biases) == (200, 200, 0)


def test_a_pool_moves_by_its_size_unless_a_stride_is_given() -> None:
    assert only({"maxpool": 2}).output_shape == (3, 16, 16)
    assert only({"maxpool": 3, "stride": 2, "pad": 1}).output_shape == (3, 16, 16)
    assert only({"avgpool": [2, 4]}).output_shape == (3, 16, 8)


def test_sizes_are_rounded_down() -> None:
    assert only({"maxpool": 2}, (3, 7, 7)).output_shape == (3, 3, 3)


def test_a_global_pool_spans_the_image() -> None:
    pool = only({"globalpool": "average"}, (6, 4, 5))
    assert (pool.output_shape, pool.kernel, pool.windows, pool.pool) == ((6, 1, 1), (4, 5), 1, "average")


def test_flatten_makes_features_of_an_image() -> None:
    assert only({"flatten": True}, (6, 4, 5)).output_shape == (120,)


def test_concat_joins_channels_in_the_order_of_the_names() -> None:
    graph = build({"conv": 4}, {"conv": 5, "input": "input"}, {"concat": ["conv2", "conv1", "input"]})
    concat = graph["concat1"]
    assert concat.inputs == ("conv2", "conv1", "input")
    assert concat.output_shape == (12, 32, 32)


@pytest.mark.parametrize(
    ("layer", "ops", "lookups"),
    [
        ({"conv": 8}, 8, 0),
        ({"conv": 8, "activation": "none"}, 0, 0),
        ({"conv": 8, "activation": "sigmoid"}, 8, 8),
        ({"maxpool": 3}, 3 * 8, 0),
        ({"avgpool": 3}, 3 * 9, 0),
        ({"globalpool": "max"}, 3 * (32 * 32 - 1), 0),
        ({"activation": "tanh"}, 3, 3),
        ({"activation": "softmax"}, 3 + 2 + 3, 3),
        ({"flatten": True}, 0, 0),
    ],
    ids=str,
)
def test_element_wise_operations_are_counted_a_window(layer: dict[str, Any], ops: int, lookups: int) -> None:
    made = only(layer)
    assert (made.element_ops, made.lookups) == (ops, lookups)


def test_an_addition_counts_one_operation_a_value_and_layer_and_its_activation() -> None:
    graph = build({"conv": 3}, {"conv": 3}, {"add": ["conv1", "input"], "activation": "relu"})
    assert (graph["add1"].element_ops, graph["add1"].windows) == (3 * 2 + 3, 1024)


# -- batch norm ----------------------------------------------------------------------------------


def test_a_batch_norm_leaves_one_bias_a_channel() -> None:
    plain, normed = only({"conv": 8}), only({"conv": 8, "batch_norm": True})
    assert (plain.biases, plain.trained_parameters) == (8, 24 + 8)
    assert (normed.biases, normed.trained_parameters) == (8, 24 + 16)
    assert only({"conv": 8, "batch_norm": True, "bias": True}).trained_parameters == 24 + 8 + 16
    assert only({"conv": 8, "batch_norm": True, "bias": True}).parameters == 24 + 8


def test_a_batch_norm_of_its_own_is_the_same_as_one_in_the_layer_before() -> None:
    apart = build({"conv": 8, "activation": "none"}, {"batch_norm": True, "activation": "relu"}, {"maxpool": 2})
    within = build({"conv": 8, "batch_norm": True}, {"maxpool": 2})
    assert apart == within


def test_the_name_of_a_batch_norm_stands_for_the_layer_that_it_is_folded_into() -> None:
    layers = [{"conv": 3, "activation": "none"}, {"batch_norm": True, "name": "normed"}, {"conv": 3}]
    assert build(*layers, {"add": "normed"})["add1"].inputs == ("conv2", "conv1")


# -- sequences -----------------------------------------------------------------------------------


def test_an_lstm_has_one_matrix_for_its_gates_and_feeds_its_output_back() -> None:
    lstm = only({"lstm": 6}, (10,), sequence=7)
    assert lstm.matrix == Matrix(rows=10 + 6, columns=4 * 6)
    assert (lstm.output_shape, lstm.steps, lstm.windows) == ((6,), 7, 7)
    assert (lstm.state, lstm.state_from) == (6, "lstm1")
    assert (lstm.weights, lstm.biases, lstm.macs) == (16 * 24, 24, 7 * 16 * 24)
    assert (lstm.element_ops, lstm.lookups) == (9 * 6, 5 * 6)


def test_a_recurrent_projection_is_fed_back_instead() -> None:
    graph = build({"lstm": 6, "recurrent_projection": 2}, {"dense": 5}, shape=(10,), sequence=7)
    lstm, projection, dense = graph.layers[1:]
    assert (lstm.matrix, lstm.state, lstm.state_from) == (Matrix(10 + 2, 24), 2, "lstm1.projection")
    assert (projection.name, projection.op, projection.matrix) == ("lstm1.projection", "dense", Matrix(6, 2))
    assert (projection.windows, projection.biases, projection.activation) == (7, 0, "none")
    assert dense.inputs == ("lstm1.projection",)
    assert graph.weights == 4 * 6 * (10 + 2) + 6 * 2 + 2 * 5


def test_every_layer_of_a_sequence_works_once_a_step() -> None:
    graph = build({"dense": 5}, {"lstm": 4}, {"dense": 3}, shape=(10,), sequence=7)
    assert [layer.windows for layer in graph.layers] == [7, 7, 7, 7]
    assert graph.macs == 7 * graph.weights
    assert (graph.windows, graph.steps, graph.unit) == (21, 7, "sequence")


def test_totals_count_windows_of_layers_with_a_matrix_only() -> None:
    graph = build({"conv": 4}, {"maxpool": 2}, {"flatten": True}, {"dense": 10})
    assert graph.windows == 32 * 32 + 1
    assert graph.matrix_layers == (graph["conv1"], graph["dense1"])


def test_the_summary_has_the_totals_and_every_layer_but_the_input() -> None:
    graph = build({"conv": 4, "kernel": 3}, {"flatten": True}, {"dense": 10})
    summary = graph.summary()
    assert summary["input_shape"] == [3, 32, 32]
    assert [layer["name"] for layer in summary["layers"]] == ["conv1", "flatten1", "dense1"]
    for key in ("macs", "parameters", "weights", "biases", "trained_parameters"):
        assert summary[key] == sum(layer[key] for layer in summary["layers"]) == getattr(graph, key)
    assert summary["layers"][0]["matrix"] == {"rows": 27, "columns": 4, "groups": 1}
    assert summary["layers"][0]["output_shape"] == [4, 30, 30]


# -- what does not fit together ------------------------------------------------------------------

WRONG = [
    (
        "layers: [{conv: 8}, {add: input}]",
        "net.yaml:6:21: layer 'add1' adds 'conv1' of shape (8, 32, 32) and 'input' of shape (3, 32, 32); "
        "they must be equal",
    ),
    (
        "layers: [{conv: 8, kernel: 3}, {concat: [conv1, input]}]",
        "net.yaml:6:32: layer 'concat1' joins 'conv1' of shape (8, 30, 30) and 'input' of shape (3, 32, 32); "
        "they may differ only in channels or features",
    ),
    (
        "layers: [{conv: 8, kernel: 9, dilation: 5, pad: 2}]",
        "net.yaml:6:10: layer 'conv1' has a kernel that spans 41 × 41, larger than its input (3, 32, 32), "
        "which is 36 × 36 with padding",
    ),
    (
        "layers: [{conv: 8, groups: 2}]",
        "net.yaml:6:10: layer 'conv1' has 2 groups, which do not divide its 3 input channels; its input is (3, 32, 32)",
    ),
    (
        "layers: [{conv: 8, groups: 3}]",
        "net.yaml:6:10: layer 'conv1' has 3 groups, which do not divide its 8 output channels; "
        "its input is (3, 32, 32)",
    ),
    (
        "layers: [{dense: 10}]",
        "net.yaml:6:10: layer 'dense1' reads features (F,), got an image (3, 32, 32); put {flatten: true} before it",
    ),
    (
        "layers: [{flatten: true}, {conv: 10}]",
        "net.yaml:6:27: layer 'conv1' reads an image (C, H, W), got features (3072,)",
    ),
    (
        "layers: [{maxpool: 2, pad: 2}]",
        "net.yaml:6:10: layer 'maxpool1' has windows of 2 × 2 that can lie wholly in its padding (2, 2, 2, 2); "
        "the padding must be smaller than the window",
    ),
    (
        "layers: [{conv: 3, name: stem}, {add: stm}]",
        "net.yaml:6:33: layer 'add1' reads 'stm', and there is no such layer; did you mean 'stem'?",
    ),
    (
        "layers: [{conv: 3}, {add: somewhere}]",
        "net.yaml:6:21: layer 'add1' reads 'somewhere', and there is no such layer; "
        "the layers before it are input, conv1",
    ),
    (
        "layers: [{conv: 3}, {add: conv2}, {conv: 3}]",
        "net.yaml:6:21: layer 'add1' reads 'conv2', which comes later; a layer reads those before it",
    ),
    (
        "layers: [{conv: 3}, {add: add1}]",
        "net.yaml:6:21: layer 'add1' reads 'add1', which comes later; a layer reads those before it",
    ),
    ("layers: [{conv: 3}, {add: conv1}]", "net.yaml:6:21: layer 'add1' reads 'conv1' twice"),
    (
        "layers: [{conv: 3}, {conv: 4, input: input}, {conv: 5, input: conv1}]",
        "net.yaml:6:21: the output (4, 32, 32) of layer 'conv2' is read by no layer; only the last layer's leaves "
        "the network",
    ),
    (
        "layers: [{conv: 3, name: conv2}, {conv: 4}]",
        "net.yaml:6:34: two layers are named 'conv2'; give one of them another name",
    ),
    (
        "blocks: {b: [{conv: 3}]}\nlayers: [{block: b, name: x, repeat: 2}, {conv: 3, name: x}]",
        "net.yaml:7:42: two layers are named 'x'; give one of them another name",
    ),
    (
        "blocks: {body: [{conv: 3}]}\nlayers: [{block: bdy}]",
        "net.yaml:7:10: there is no block 'bdy'; did you mean 'body'?",
    ),
    ("layers: [{block: b}]", "net.yaml:6:10: there is no block 'b'; the blocks are none"),
    (
        "blocks: {a: [{block: b}], b: [{conv: 1}, {block: a}]}\nlayers: [{block: b}]",
        "net.yaml:6:14: the blocks contain each other: b -> a -> b",
    ),
    (
        "blocks: {b: [{conv: 3}]}\nlayers: [{conv: 3}, {block: b}, {add: b.1.conv1}]",
        "net.yaml:7:33: layer 'add1' reads 'b.1.conv1', and of 'b.1' only the last layer can be read, as 'b.1'",
    ),
    (
        "blocks: {b: [{conv: 3}, {add: stem}]}\nlayers: [{conv: 3, name: stem}, {block: b}]",
        "net.yaml:6:25: layer 'add1' reads 'stem', and there is no such layer in the block 'b'; "
        "the layers before it are input, conv1",
    ),
    (
        "blocks: {b: [{conv: 4}]}\nlayers: [{block: b}, {conv: 5}, {add: b.1, name: sum}]",
        "net.yaml:7:33: layer 'sum' adds 'conv1' of shape (5, 32, 32) and 'b.1.conv1' of shape (4, 32, 32); "
        "they must be equal",
    ),
    (
        "layers: [{flatten: true}, {lstm: 4}]",
        "net.yaml:6:27: layer 'lstm1' is recurrent and the network has no sequence; write 'sequence: N'",
    ),
    (
        "layers: [{conv: 3}, {batch_norm: true}]",
        "net.yaml:6:21: layer 'batch_norm1' cannot be folded into 'conv1', which has activation: relu before it; "
        "write none there",
    ),
    (
        "layers: [{conv: 3, activation: none, batch_norm: true}, {batch_norm: true}]",
        "net.yaml:6:57: layer 'batch_norm1' cannot be folded into 'conv1', which has a batch norm already",
    ),
    (
        "layers: [{maxpool: 2}, {batch_norm: true}]",
        "net.yaml:6:24: layer 'batch_norm1' reads 'maxpool1' (maxpool); "
        "it can only be folded into a conv or dense layer",
    ),
    (
        "layers: [{batch_norm: true}]",
        "net.yaml:6:10: layer 'batch_norm1' reads 'input' (no layer); it can only be folded into a conv or dense layer",
    ),
    (
        "layers: [{conv: 3, activation: none}, {conv: 3}, {batch_norm: true, input: conv1}]",
        "net.yaml:6:50: layer 'batch_norm1' cannot be folded into 'conv1', which other layers read without it",
    ),
    (
        "layers: [{conv: 3, activation: none}, {batch_norm: true}, {add: conv1}]",
        "net.yaml:6:59: layer 'add1' reads 'conv1' before the batch norm that is folded into it",
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[text.replace("\n", " ") for text, _ in WRONG])
def test_a_graph_that_does_not_fit_together_is_refused_with_layer_and_shapes(text: str, message: str) -> None:
    head = "schema: 1\nkind: workload\nname: net\nsource: test\ninput: [3, 32, 32]\n"
    node = parse(head + text, "net.yaml")
    with pytest.raises(WorkloadError) as caught:
        build_graph(validate(node, Workload), lambda path: str(node.value_mark(path)))
    assert str(caught.value) == message


def test_without_a_file_the_place_is_the_path_in_the_document() -> None:
    with pytest.raises(WorkloadError, match=r"^blocks\.b\.1: layer 'b\.1\.dense1' reads features"):
        build({"block": "b"}, blocks={"b": [{"conv": 3}, {"dense": 3}]})


def test_nested_repetitions_are_bounded_before_they_are_written_out() -> None:
    blocks = {"a": [{"conv": 3}], **{name: [{"block": below, "repeat": 4096}] for name, below in ("ba", "cb", "dc")}}
    with pytest.raises(WorkloadError, match="the network has more than 20000 layers"):
        build({"block": "d", "repeat": 4096}, blocks=blocks)


def test_blocks_within_blocks_are_bounded() -> None:
    blocks: dict[str, Any] = {f"b{n}": [{"block": f"b{n + 1}"}] for n in range(40)}
    with pytest.raises(WorkloadError, match="blocks stand in blocks more than 16 levels deep"):
        build({"block": "b0"}, blocks={**blocks, "b40": [{"conv": 3}]})


# -- properties ----------------------------------------------------------------------------------


def windows_by_hand(size: int, pad: tuple[int, int], kernel: int, stride: int, dilation: int) -> int:
    """Count the starts, from the first padded value on, at which the whole kernel lies within the padded input."""
    starts = range(-pad[0], size + pad[1], stride)
    return sum(1 for start in starts if start + dilation * (kernel - 1) < size + pad[1])


small = st.integers(1, 5)


@given(size=st.tuples(*[st.integers(1, 12)] * 2), kernel=st.tuples(small, small), stride=st.tuples(small, small),
       pad=st.tuples(*[st.integers(0, 4)] * 4), dilation=st.tuples(st.integers(1, 3), st.integers(1, 3)))  # fmt: skip
def test_a_convolution_has_as_many_windows_as_fit_counted_one_by_one(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pad: tuple[int, int, int, int],
    dilation: tuple[int, int],
) -> None:
    expected = tuple(
        windows_by_hand(size[axis], (pad[axis], pad[axis + 2]), kernel[axis], stride[axis], dilation[axis])
        for axis in (0, 1)
    )
    layer = {"conv": 7, "kernel": list(kernel), "stride": list(stride), "pad": list(pad), "dilation": list(dilation)}
    if not all(expected):
        with pytest.raises(WorkloadError, match="larger than its input"):
            only(layer, (2, *size))
        return
    conv = only(layer, (2, *size))
    assert conv.output_shape == (7, *expected)
    assert conv.macs == 7 * expected[0] * expected[1] * 2 * kernel[0] * kernel[1]


@given(size=st.integers(1, 20), kernel=small, stride=st.none() | small, data=st.data())
def test_every_window_of_a_pool_covers_a_value_of_its_input(
    size: int, kernel: int, stride: int | None, data: st.DataObject
) -> None:
    pad = data.draw(st.integers(0, kernel - 1))
    layer = {"maxpool": kernel, "pad": pad} | ({} if stride is None else {"stride": stride})
    expected = windows_by_hand(size, (pad, pad), kernel, stride or kernel, 1)
    if not expected:
        with pytest.raises(WorkloadError, match="larger than its input"):
            only(layer, (2, size, size))
        return
    pool = only(layer, (2, size, size))
    assert pool.output_shape == (2, expected, expected)
    starts = [window * pool.stride[0] - pad for window in range(expected)]
    assert all(any(0 <= start + offset < size for offset in range(kernel)) for start in starts)


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """Chains of shape-preserving layers with blocks, branches and sums between them."""
    single = st.sampled_from([{"conv": 4, "kernel": 3, "pad": 1, "batch_norm": True}, {"activation": "tanh"},
                              {"maxpool": 3, "stride": 1, "pad": 1}, {"add": "input"}])  # fmt: skip
    body = draw(st.lists(single, max_size=4))
    blocks = {"b": [{"conv": 4, "kernel": 1}, *body]}
    part = single | st.builds(lambda repeat: {"block": "b", "repeat": repeat}, st.integers(1, 3))
    return build({"conv": 4}, *draw(st.lists(part, max_size=6)), shape=(4, 5, 6), blocks=blocks)


@given(networks())
def test_every_graph_is_in_topological_order_with_unique_names_and_totals_that_add_up(graph: Graph) -> None:
    assert len(set(names(graph))) == len(graph.layers)
    seen: set[str] = set()
    for layer in graph.layers:
        assert set(layer.inputs) <= seen
        assert layer.input_shapes == tuple(graph[name].output_shape for name in layer.inputs)
        seen.add(layer.name)
    readers = {(name, layer.name) for layer in graph.layers for name in layer.inputs}
    assert readers == {(layer.name, reader) for layer in graph.layers for reader in graph.consumers(layer.name)}
    assert [layer.name for layer in graph.layers if not graph.consumers(layer.name)] == list(graph.outputs)
    assert graph.macs == sum(layer.weights * layer.windows for layer in graph.layers)
