"""``archsim noc`` from the outside."""

from __future__ import annotations

import json

import pytest

from archsim.cli import main

QUICK = ["--shape", "4x4", "--warmup", "200", "--measure", "1000", "--drain", "1000"]


def run(monkeypatch, *options):
    monkeypatch.setattr("sys.argv", ["archsim", "noc", *QUICK, *options])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_the_json_has_a_point_for_each_load_with_these_fields(monkeypatch, tmp_path):
    target = tmp_path / "curve.json"
    assert run(monkeypatch, "--packet-flits", "4", "--load", "0.2", "--load", "0.1", "--json", str(target)) == 0
    points = json.loads(target.read_text())
    fields = ["load", "mean_latency_cycles", "p99_latency_cycles", "accepted_load", "mean_hops", "saturated"]
    assert [list(point) for point in points] == [fields] * 2
    assert [point["load"] for point in points] == [0.1, 0.2]
    assert points[0]["accepted_load"] == pytest.approx(0.1, rel=0.2)
    assert not points[0]["saturated"]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(monkeypatch, tmp_path):
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file, seed in zip(files, ("1", "1", "2"), strict=True):
        assert run(monkeypatch, "--load", "0.1", "--seed", seed, "--json", str(file)) == 0
    one, same, other = (file.read_bytes() for file in files)
    assert one == same != other


def test_out_holds_the_table_the_curve_and_the_heat_map(monkeypatch, tmp_path):
    assert run(monkeypatch, "--load", "0.1", "--load", "0.6", "--detail", "both", "--out", str(tmp_path / "o")) == 0
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == [
        "curve.csv",
        "curve.md",
        "curve.png",
        "links.png",
    ]
    assert (tmp_path / "o" / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_packet_level_says_from_which_load_on_it_does_not_hold(monkeypatch, capsys):
    assert run(monkeypatch, "--load", "0.1", "--load", "0.8", "--detail", "packet") == 0
    assert "from load 0.8 on a channel carries more than 0.5 flits a cycle" in capsys.readouterr().out


def test_a_range_of_loads_has_both_its_ends_and_the_loads_of_the_same_numbers(monkeypatch, tmp_path):
    target = tmp_path / "points.json"
    assert run(monkeypatch, "--load", "0.1:0.3:0.1", "--load", "0.05", "--json", str(target)) == 0
    assert [point["load"] for point in json.loads(target.read_text())] == [0.05, 0.1, 0.2, 0.3]


def test_without_loads_the_curve_goes_up_to_saturation(monkeypatch, capsys):
    assert run(monkeypatch, "--packet-flits", "2") == 0
    assert "saturation: 0." in capsys.readouterr().out


GRAPH = """
schema: 1
kind: network
name: three in a row
routers:
  a: {terminals: 2}
  b: {terminals: 0, position: [1, 0]}
  c: {}
links:
  - {ends: [a, b]}
  - {ends: [b, c], cycles: 5, period: 2, off_chip: true, energy: 1 pJ}
"""


def test_a_network_can_be_a_file(monkeypatch, tmp_path, capsys):
    file = tmp_path / "row.yaml"
    file.write_text(GRAPH)
    assert run(monkeypatch, "--topology", str(file), "--load", "0.1") == 0
    assert "three in a row" in capsys.readouterr().out


def test_a_network_can_be_graphml(monkeypatch, tmp_path, capsys):
    file = tmp_path / "row.graphml"
    file.write_text(
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">'
        '<key id="t" for="node" attr.name="terminals" attr.type="int"/><graph edgedefault="undirected">'
        '<node id="a"><data key="t">2</data></node><node id="b"/><edge source="a" target="b"/></graph></graphml>'
    )
    assert run(monkeypatch, "--topology", str(file), "--load", "0.1") == 0
    assert "row, uniform" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--topology", "mash"], "no topology named 'mash'; did you mean 'mesh'?"),
        (["--shape", "4by4"], "--shape: expected numbers joined by x, such as 8x8; got '4by4'"),
        (["--topology", "tree", "--shape", "4"], "--shape: a tree needs arity x levels, as 4x3; got 4"),
        (["--traffic", "unifrom"], "--traffic: no pattern named 'unifrom'; did you mean 'uniform'?"),
        (
            ["--shape", "3x3", "--traffic", "transpose"],
            "--traffic transpose needs a number of terminals that is an even",
        ),
        (["--routing", "xy"], "no routing named 'xy'"),
        (["--load", "0"], "--load: expected flits a terminal and cycle above 0 and up to 1, got 0"),
        (["--load", "O.1"], "--load: expected a load such as 0.3, or FROM:TO:STEP such as 0.05:0.4:0.05, got 'O.1'"),
        (["--load", "0.1:0.3"], "--load: expected a load such as 0.3, or FROM:TO:STEP"),
        (["--load", "nan"], "--load: expected a load such as 0.3, or FROM:TO:STEP"),
        (["--load", "0.1:0.3:0"], "--load: expected 0 < FROM <= TO, STEP > 0 and up to 1000 loads, got '0.1:0.3:0'"),
        (["--load", "0.3:0.1:0.1"], "--load: expected 0 < FROM <= TO, STEP > 0 and up to 1000 loads"),
        (["--load", "0.1:1e9999:1e-9999"], "--load: expected 0 < FROM <= TO, STEP > 0 and up to 1000 loads"),
        (["--load", "0.1:1:1e-9"], "--load: expected 0 < FROM <= TO, STEP > 0 and up to 1000 loads"),
        (["--set", "vcs=4"], "--set vcs=4: vcs: unknown key"),
        (["--set", "virtual_channels=0"], "--set virtual_channels=0: virtual_channels: "),
        (["--engine", "simpy"], "--engine: no engine named 'simpy'"),
        (["--detail", "flits"], "--detail: no level named 'flits'; did you mean 'flit'?"),
        (["--chips", "3x1"], "--chips: 4x4 routers cannot be cut into 3x1"),
        (["--failed-link", "0.0-2.0"], "no link '0.0-2.0'"),
        (["--failed-link", "0.0-1.0", "--failed-link", "0.0-0.1"], "with 2 failed links the network is disconnected"),
        (["--topology", "nowhere.yaml"], "no network file at 'nowhere.yaml'"),
    ],
)
def test_mistakes_end_with_one_message_and_exit_code_2(monkeypatch, capsys, options, message):
    given = options if "--load" in options else [*options, "--load", "0.1"]
    assert run(monkeypatch, *given) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ends: [a, b]", "ends: [a, x]", "links.0.ends: no router named 'x'; there are a, b, c"),
        ("ends: [b, c]", "ends: [b, a]", "links.1.ends: b and a are joined twice"),
        ("ends: [b, c]", "ends: [b, b]", "links.1.ends: a router is joined to itself"),
        ("period: 2", "period: 0", "links.1.period: "),
        ("{ends: [b, c]", "{end: [b, c]", "links.1.end: unknown key; did you mean 'ends'?"),
        ("  - {ends: [a, b]}\n", "", "the network is not connected"),
    ],
)
def test_mistakes_in_a_network_file_are_told_with_their_place(monkeypatch, tmp_path, capsys, old, new, message):
    file = tmp_path / "row.yaml"
    file.write_text(GRAPH.replace(old, new))
    assert run(monkeypatch, "--topology", str(file), "--load", "0.1") == 2
    assert message in capsys.readouterr().err


def command(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["archsim", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_the_traffic_of_a_network_is_replayed_with_tables_a_heat_map_and_json(monkeypatch, tmp_path, capsys):
    words = ["noc-workload", "isaac-ce", "lenet-5", "--images", "1", "--cycles", "500"]
    target, out = tmp_path / "traffic.json", tmp_path / "o"
    assert command(monkeypatch, *words, "--out", str(out), "--json", str(target)) == 0
    printed = capsys.readouterr().out
    for said in ("lenet-5 on isaac-ce, chip 0 of 1", "flit level, a copy for each target", "lower than flit level"):
        assert said in printed
    found = json.loads(target.read_text())
    levels = found["levels"]
    assert set(levels) == {"flit", "packet", "flit_unicast"}
    assert levels["packet"]["mean_latency_cycles"] <= levels["flit"]["mean_latency_cycles"]
    assert levels["flit"]["p50_latency_cycles"] <= levels["flit"]["p99_latency_cycles"]
    assert max(found["link_use"].values()) == levels["flit"]["busiest_use"]
    files = {f"{name}.{kind}" for name in ("latency", "work", "channels") for kind in ("csv", "md")}
    assert {path.name for path in out.iterdir()} == files | {"links.png"}
    again = tmp_path / "again.json"
    assert command(monkeypatch, *words, "--json", str(again)) == 0
    assert again.read_bytes() == target.read_bytes()


def test_failed_links_give_a_table_and_a_curve(monkeypatch, tmp_path, capsys):
    quick = ["--shape", "3x3", "--warmup", "100", "--measure", "500", "--drain", "500"]
    words = ["noc-failures", *quick, "--draws", "1", "--share", "0", "--share", "0.1", "--out", str(tmp_path / "o")]
    assert command(monkeypatch, *words) == 0
    assert "throughput with failed links" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "o").iterdir()} == {"failures.csv", "failures.md", "failures.png"}


def test_multicast_and_reduction_give_a_table_and_a_figure(monkeypatch, tmp_path, capsys):
    words = ["noc-multicast", "--shape", "3x3", "--draws", "2", "--tiles", "4", "--out", str(tmp_path / "o")]
    assert command(monkeypatch, *words) == 0
    assert "reduction" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "o").iterdir()} == {"multicast.csv", "multicast.md", "multicast.png"}
