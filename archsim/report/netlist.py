"""``archsim netlist``: what archsim says of the array that it wrote, and a picture of its voltages."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from rich.console import Group
from rich.text import Text

from archsim.errors import ArchsimError
from archsim.hardware.netlist import Deck
from archsim.numeric.wires.network import Array
from archsim.report.hardware import plain_text
from archsim.report.runs import grid

__all__ = ["deck_tables", "voltage_figure"]

SHOWN = 8
"""Columns of the array that are printed; the JSON has all."""


def deck_tables(deck: Deck) -> Group:
    """What ``archsim netlist`` prints: the sense currents to hold those of a circuit simulator against."""
    columns = deck.g_s.shape[1]
    out = deck.to_json()
    sensed, ideal = np.array(out["sense_a"]), np.array(out["ideal_a"])
    lost = 1 - sensed.sum() / ideal.sum() if ideal.sum() else 0.0
    wires = deck.wires
    text = Text.assemble(plain_text(deck.title), style="bold")
    text.append(
        f"\nsegments of {wires.wordline_ohm:g} ohm along wordlines and {wires.bitline_ohm:g} ohm along bitlines; "
        f"{lost:.2%} of the current of ideal wires is lost, {out['power_w']:.4g} W",
        style="not bold",
    )
    records = [_record(j, float(sensed[j]), float(ideal[j])) for j in range(min(columns, SHOWN))]
    title = "Sense currents" + (f", the first {SHOWN} of {columns}" if columns > SHOWN else "")
    return Group(text, grid(title, records))


def _record(column: int, sensed: float, ideal: float) -> dict[str, Any]:
    """Currents in as many digits as a check against a circuit simulator takes."""
    return {"column": f"{column}", "A": f"{sensed:.9e}", "ideal wires A": f"{ideal:.9e}"}


def voltage_figure(cell_v: Array, title: str = "") -> str:
    """The voltage across each cell as a picture in SVG; the same bytes for the same voltages.

    ``cell_v`` [rows, columns] in volt, such as that of a ``Solution``.  Row 0 is at the top, and column 0 on the left.
    """
    try:
        from matplotlib import rc_context  # noqa: PLC0415  an extra
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ArchsimError("no figure: Matplotlib is not installed (pip install 'archsim[plot]')") from None

    with rc_context({"svg.hashsalt": "archsim", "font.size": 9}):
        figure = Figure(figsize=(5.2, 4.2), layout="constrained")
        axes = figure.subplots()
        largest = float(np.abs(cell_v).max()) or 1.0
        signed = bool((cell_v < 0).any())
        image = axes.imshow(
            cell_v,
            vmin=-largest if signed else 0.0,
            vmax=largest,
            cmap="RdBu_r" if signed else "viridis",
            interpolation="nearest",
            aspect="auto",
        )
        figure.colorbar(image, ax=axes, label="voltage across the cell / V")
        axes.set_xlabel("column")
        axes.set_ylabel("row")
        axes.set_title(title, loc="left", fontsize=10)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()
