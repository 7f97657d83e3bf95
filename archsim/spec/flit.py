"""The keys of a flit-level router: virtual channels, buffers, and every delay in cycles."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archsim.spec.base import Strict

__all__ = ["MAX_VIRTUAL_CHANNELS", "FlitRouter"]

MAX_VIRTUAL_CHANNELS = 62
"""The compiled engine keeps the state of a port's virtual channels in the bits of one signed word."""

Cycles = Annotated[int, Field(ge=1, le=1000)]
FromZero = Annotated[int, Field(ge=0, le=1000)]


class FlitRouter(Strict):
    """An input-queued wormhole router with virtual channels, credits and a pipeline of four stages.

    After Dally and Towles, *Principles and Practices of Interconnection Networks* (2004), chapters 13 and 16 to 19.
    ``docs/noc.md`` says cycle by cycle what each key does.
    """

    virtual_channels: Annotated[int, Field(ge=1, le=MAX_VIRTUAL_CHANNELS)] = 8
    """Virtual channels of each channel."""
    buffer_flits: Annotated[int, Field(ge=1, le=4096)] = 8
    """Flits that the input buffer of one virtual channel holds."""
    source_cycles: Cycles = 1
    """From the head of the queue at a terminal onto the injection channel."""
    injection_cycles: Cycles = 1
    """The injection channel."""
    routing_cycles: FromZero = 0
    """Route computation; 0 with look-ahead routing, where the router before has done it."""
    vc_allocation_cycles: Cycles = 1
    switch_allocation_cycles: Cycles = 1
    switch_traversal_cycles: Cycles = 1
    link_cycles: Cycles = 1
    """A channel between two routers, where the topology does not give it a latency of its own."""
    ejection_cycles: Cycles = 1
    """The ejection channel."""
    credit_cycles: FromZero = 2
    """The work on a credit that has come back, over the same wires as long as the channel's."""
    wait_for_tail_credit: bool = False
    """Whether a virtual channel is given to the next packet only when its buffer is empty again."""
    order: Literal["reorder", "vc-by-flow"] = "reorder"
    """What keeps the packets of a flow in order: a reorder buffer at the end, or one virtual channel for a flow."""

    @property
    def pipeline_cycles(self) -> int:
        """Cycles of a head in a router: route computation, both allocations and the switch."""
        return (
            self.routing_cycles
            + self.vc_allocation_cycles
            + self.switch_allocation_cycles
            + self.switch_traversal_cycles
        )
