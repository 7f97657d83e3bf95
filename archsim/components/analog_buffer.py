"""The analog stores in which partial sums wait and add up before they are converted."""

from __future__ import annotations

from typing import ClassVar, Literal

from archsim.spec.component import Component

__all__ = ["AnalogBuffer"]


class AnalogBuffer(Component):
    """``count`` cells (or capacitors) in a core; one action ``store`` is one column for one input step.

    CASCADE writes each partial sum into a memristor of a buffer array by the voltage of a transimpedance amplifier, and
    adds up by reading columns of such cells (Chou et al., MICRO 2019).  How many conversions that leaves is said in
    ``core.encoding``: ``accumulate`` and ``conversions_per_output``.
    """

    unit_action: ClassVar[str] = "store"

    kind: Literal["analog-buffer"]
