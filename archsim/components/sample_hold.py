"""The sample-and-hold circuits that keep a column's value while the ADC works through them."""

from __future__ import annotations

from typing import ClassVar, Literal

from archsim.spec.component import Component

__all__ = ["SampleHold"]


class SampleHold(Component):
    """``count`` circuits in a core; one action ``sample`` is one column for one input step."""

    unit_action: ClassVar[str] = "sample"

    kind: Literal["sample-hold"]
