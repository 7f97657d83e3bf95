"""The transimpedance amplifiers that turn the current of a column into a voltage, which drives what follows."""

from __future__ import annotations

from typing import ClassVar, Literal

from archsim.spec.component import Component

__all__ = ["TransimpedanceAmplifier"]


class TransimpedanceAmplifier(Component):
    """``count`` amplifiers in a core; one action ``amplify`` is one column for one input step.

    ``time`` is that of one column.  Fewer amplifiers than columns work through them one after another, so that an input
    step takes ceil(arrays · columns / count) · ``time`` (CASCADE: 32 for the 64 columns of an array, Chou et al., MICRO
    2019).
    """

    unit_action: ClassVar[str] = "amplify"

    kind: Literal["transimpedance"]
