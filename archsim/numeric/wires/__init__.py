"""The wires of a crossbar: voltages and currents everywhere in an array with resistive lines, exactly.

``solve`` gives the operating point for one vector of voltages, ``transfer_matrix`` the linear map of all reads,
``settling`` how long a read takes, ``write_margin`` and ``read_margin`` how well one cell can be told from the others,
and ``netlist`` the array as a SPICE deck.  ``docs/wires.md`` gives the model and its formulas.
"""

from archsim.numeric.wires.cells import Cell, Current, LinearCell, Passive, Selector, Transistor
from archsim.numeric.wires.margins import ReadMargin, WriteMargin, read_margin, write_margin
from archsim.numeric.wires.model import Wires
from archsim.numeric.wires.solver import Solution, solve
from archsim.numeric.wires.spice import netlist
from archsim.numeric.wires.transfer import transfer_matrix
from archsim.numeric.wires.transient import Settling, settling

__all__ = [
    "Cell",
    "Current",
    "LinearCell",
    "Passive",
    "ReadMargin",
    "Selector",
    "Settling",
    "Solution",
    "Transistor",
    "Wires",
    "WriteMargin",
    "netlist",
    "read_margin",
    "settling",
    "solve",
    "transfer_matrix",
    "write_margin",
]
