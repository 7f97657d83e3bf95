"""A PyTorch module as a network, by PyTorch's own export to ONNX.  PyTorch is imported here alone."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from typing import Any

from archsim.errors import WorkloadError
from archsim.spec.loader import Loaded
from archsim.spec.workload import Workload
from archsim.workload.build import ImportOptions, load_graph
from archsim.workload.graph import Graph

__all__ = ["from_torch"]


def from_torch(
    model: Any, example_inputs: Any, *, name: str = "model", imports: ImportOptions | None = None
) -> tuple[Graph, Loaded[Workload]]:
    """The graph and the workload of the ``torch.nn.Module`` ``model``, as :func:`~archsim.load_graph` gives them.

    ``example_inputs`` are a tensor or a tuple of tensors, as ``torch.onnx.export`` takes them; their sizes are those of
    the network.  WorkloadError if PyTorch is not installed or cannot export the model.
    """
    try:
        torch = importlib.import_module("torch")
        exporter = importlib.import_module("torch.onnx")
    except ModuleNotFoundError as error:
        raise WorkloadError(f"from_torch needs PyTorch, which is not installed (no module {error.name!r})") from None
    arguments = example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)
    training = bool(getattr(model, "training", False))
    with tempfile.TemporaryDirectory(prefix="archsim-") as folder:
        path = Path(folder) / f"{name}.onnx"
        try:
            if training:
                model.eval()
            with torch.no_grad():
                exporter.export(model, arguments, str(path))
        except Exception as error:  # an exporter raises what it likes
            text = str(error).strip() or type(error).__name__
            raise WorkloadError(f"PyTorch cannot export the model: {text.splitlines()[0]:.300}") from error
        finally:
            if training:
                model.train()
        return load_graph(str(path), [], imports)
