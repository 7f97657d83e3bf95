"""The SPICE deck of an array: read back and solved here, and run by ngspice where that is wanted."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from archsim.errors import NumericError
from archsim.numeric.devices.reading import Cubic, Ohmic, Sinh
from archsim.numeric.wires import Cell, Selector, Transistor, Wires, netlist, settling, solve
from tests.unit.numeric.wires.arrays import INF, arrays, uniform
from tests.unit.numeric.wires.dense import Circuit, dense

LOSSY = Wires(wordline_ohm=2.0, bitline_ohm=3.0, left_ohm=40.0, bottom_ohm=25.0)
BOTH = dataclasses.replace(LOSSY, right_ohm=0.0, top_ohm=10.0)
CUT = dataclasses.replace(BOTH, block_rows=5, block_columns=4)
IDEAL_WORDLINES = dataclasses.replace(LOSSY, wordline_ohm=0.0, left_ohm=0.0)


def currents_of(deck: str) -> dict[str, float]:
    """The current into each source of a deck of resistors and sources."""
    net, volts = Circuit(), {"0": 0.0}
    for line in deck.splitlines():
        words = line.split()
        if line[0] == "r":
            net.resistors.append((words[1], words[2], 1 / float(words[3])))
        elif line[0] == "v":
            volts[words[1]] = float(words[3])
    matrix, index = net.laplacian()
    free = [k for node, k in index.items() if node not in volts]
    v = np.array([volts.get(str(node), 0.0) for node in index])
    v[free] = np.linalg.solve(matrix[np.ix_(free, free)], -(matrix @ v)[free])
    leaving = matrix @ v
    return {node: -leaving[index[node]] if node in index else 0.0 for node in volts}


@given(arrays(7))
def test_the_deck_is_the_array(array) -> None:  # type: ignore[no-untyped-def]
    g, v_in, v_out, wires = array
    found = currents_of(netlist(g, v_in, wires, v_out=v_out))
    _, _, drive, sense = dense(g, v_in, wires, v_out)
    scale = 1e-9 * (np.abs(drive).sum() + np.abs(sense).sum()) + 1e-30
    assert np.abs(np.array([-found[f"in{i}"] for i in range(len(v_in))]) - drive).max() <= scale
    assert np.abs(np.array([found[f"out{j}"] for j in range(g.shape[1])]) - sense).max() <= scale


def test_the_terminals_of_blocks_have_names_of_their_own() -> None:
    g, v_in = uniform(12, 9), np.linspace(0.1, 0.2, 12)
    found, solved = currents_of(netlist(g, v_in, CUT)), solve(g, v_in, CUT)
    for k in range(3):
        ours = (solved.top_a + solved.bottom_a)[k]
        assert [found[f"out{j}_{k}"] for j in range(9)] == pytest.approx(ours, rel=1e-10)
    for m in range(3):
        ours = (solved.left_a + solved.right_a)[m]
        assert [-found[f"in{i}_{m}"] for i in range(12)] == pytest.approx(ours, rel=1e-10)


def test_a_deck_reads_as_it_is_documented() -> None:
    wires = Wires(wordline_ohm=1.5, left_ohm=100.0, right_ohm=INF, bottom_ohm=0.0, wordline_f=1e-15)
    assert netlist([[1e-4, 0.0], [5e-5, 2.5e-5]], [0.2, 0.0], wires, title="two by two", comments=("seed 3",)) == (
        "* two by two\n"
        "* seed 3\n"
        "vin0 in0 0 0.2\n"
        "vin1 in1 0 0.0\n"
        "vout0 out0 0 0.0\n"
        "vout1 out1 0 0.0\n"
        "rleft0_0 in0 w0_0 100.0\n"
        "rw0_0 w0_0 w0_1 1.5\n"
        "rleft1_0 in1 w1_0 100.0\n"
        "rw1_0 w1_0 w1_1 1.5\n"
        "cw0_0 w0_0 0 1e-15\n"
        "cw0_1 w0_1 0 1e-15\n"
        "cw1_0 w1_0 0 1e-15\n"
        "cw1_1 w1_1 0 1e-15\n"
        "rm0_0 w0_0 out0 10000.0\n"
        "rm1_0 w1_0 out0 20000.0\n"
        "rm1_1 w1_1 out1 40000.0\n"
        ".control\n"
        "op\n"
        "set numdgt=15\n"
        "print i(vout0)\n"
        "print i(vout1)\n"
        "quit\n"
        ".endc\n"
        ".end\n"
    )


def test_an_ohmic_device_is_a_resistor() -> None:
    assert netlist([[1e-4]], [0.1], LOSSY, cell=Ohmic()) == netlist([[1e-4]], [0.1], LOSSY)


def test_a_cell_of_which_only_the_current_is_known_has_no_deck() -> None:
    with pytest.raises(NumericError, match=r"a netlist needs cells of a known kind .* got Cubic"):
        netlist([[1e-4]], [0.1], LOSSY, cell=Cubic((0.0,), (0.1,), 1e-6, 1e-3, 1.0))


needs_ngspice = pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")


def run_ngspice(deck: str, folder: Path) -> dict[str, float]:
    (folder / "array.cir").write_text(deck, encoding="utf-8")
    done = subprocess.run(
        ["ngspice", "-b", "array.cir"], cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: float(value) for name, value in re.findall(r"^(\S+) += +(\S+)", done.stdout, re.MULTILINE)}


@pytest.mark.ngspice
@needs_ngspice
@pytest.mark.parametrize(
    ("shape", "wires", "cell"),
    [
        ((16, 16), LOSSY, None),
        ((12, 20), BOTH, None),
        ((12, 9), IDEAL_WORDLINES, None),
        ((12, 9), Wires(), None),
        ((64, 64), dataclasses.replace(LOSSY, wordline_ohm=20.0, bitline_ohm=20.0), None),
        ((12, 9), LOSSY, Transistor(5e3)),
        ((12, 9), LOSSY, Sinh(0.1)),
        ((12, 9), LOSSY, Selector(1e-8, 0.05)),
    ],
    ids=["plain", "both-sides", "ideal-wordlines", "ideal", "lossy", "1T1R", "sinh", "1S1R"],
)
def test_ngspice_finds_the_same_currents(
    shape: tuple[int, int], wires: Wires, cell: Cell | None, tmp_path: Path
) -> None:
    g, v_in = uniform(*shape), np.random.default_rng(1).uniform(-1, 1, shape[0])
    printed = run_ngspice(netlist(g, v_in, wires, cell=cell), tmp_path)
    ours = solve(g, v_in, wires, cell=cell).sense_a
    theirs = np.array([printed[f"i(vout{j})"] for j in range(shape[1])])
    assert np.abs(ours - theirs).max() <= 1e-6 * np.abs(theirs).max()


@pytest.mark.ngspice
@needs_ngspice
def test_ngspice_settles_in_the_same_time(tmp_path: Path) -> None:
    g, v_in = uniform(8, 6, low=1e-5, high=1e-3), np.linspace(0.1, 0.3, 8)
    wires = dataclasses.replace(LOSSY, wordline_f=2e-12, bitline_f=1e-12)
    found = settling(g, v_in, wires)
    tau = found.time_constant_s
    deck = re.sub(
        r"^(vin\S+ \S+ 0) (\S+)$", rf"\1 pulse(0 \2 0 {tau / 1e6} 1 1 2)", netlist(g, v_in, wires), flags=re.M
    )
    times = [tau, 3 * tau]
    asked = [f"meas tran at{k}_{j} find i(vout{j}) at={t!r}" for k, t in enumerate(times) for j in range(6)]
    run = [f"tran {tau / 500} {4 * tau} 0 {tau / 500} uic", *asked]
    deck = re.sub(r"^op$", "\n".join(run), re.sub(r"^print.*\n", "", deck, flags=re.M), flags=re.M)
    printed = run_ngspice(deck.replace(".control", ".options reltol=1e-7\n.control"), tmp_path)
    theirs = np.array([[printed[f"at{k}_{j}"] for j in range(6)] for k in range(2)])
    assert found.steady_a + found.error_a(times) == pytest.approx(theirs, rel=1e-4)
