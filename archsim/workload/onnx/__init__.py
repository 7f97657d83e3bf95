"""Reads networks from ONNX files.

``import_onnx(path)`` does all of it, in these steps:

1. :mod:`~archsim.workload.onnx.wire` walks the file without its weights, :mod:`~archsim.workload.onnx.model` parses and
   checks what is left.
2. :mod:`~archsim.workload.onnx.trace` writes functions, loops and branches out into one flat list of nodes, with
   shapes and constants from :mod:`~archsim.workload.onnx.infer`.
3. :mod:`~archsim.workload.onnx.simplify` and :mod:`~archsim.workload.onnx.recognise` rewrite what exporters wrote as
   many nodes.
4. :mod:`~archsim.workload.onnx.lower` makes the layers of a workload of it, which
   :func:`~archsim.workload.build.build_graph` reads like those of a file.
"""

from archsim.workload.onnx.load import Imported, import_onnx

__all__ = ["Imported", "import_onnx"]
