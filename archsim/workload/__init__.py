"""Networks: from a workload file to the graph that ``compile`` and ``accuracy`` read.

``load_graph(name)`` reads a file; :mod:`~archsim.workload.graph` has the frozen records, :mod:`~archsim.workload.build`
makes them from the specification, with :mod:`~archsim.workload.expand` for the blocks and
:mod:`~archsim.workload.operators` for shapes and counts.  :mod:`~archsim.workload.onnx` reads networks from ONNX files.
"""

from archsim.workload.build import ImportOptions, build_graph, load_graph
from archsim.workload.graph import Graph, Layer, Matrix

__all__ = ["Graph", "ImportOptions", "Layer", "Matrix", "build_graph", "load_graph"]
