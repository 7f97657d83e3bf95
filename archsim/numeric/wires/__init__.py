"""The wires of a crossbar: voltages and currents everywhere in an array with resistive lines, exactly.

``solve`` gives the operating point for one vector of voltages, ``transfer_matrix`` the linear map of all reads.
"""

from archsim.numeric.wires.cells import Cell, Current, LinearCell, Passive, Selector, Sinh, Transistor
from archsim.numeric.wires.model import Wires
from archsim.numeric.wires.solver import Solution, solve
from archsim.numeric.wires.transfer import transfer_matrix

__all__ = [
    "Cell",
    "Current",
    "LinearCell",
    "Passive",
    "Selector",
    "Sinh",
    "Solution",
    "Transistor",
    "Wires",
    "solve",
    "transfer_matrix",
]
