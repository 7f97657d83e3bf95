"""The decorator of the compiled functions of the numerical core, which are told of as one."""

from __future__ import annotations

from archsim.jit import entry

__all__ = ["kernel"]

kernel = entry("the numerical core", 10)
"""For what plain Python calls; ``archsim.jit.helper`` for what only compiled functions call."""
