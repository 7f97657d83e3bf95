"""What compiled code needs of Numba, typed: its decorators, and two machine instructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import llvmlite.ir
import numba
import numba.extending

__all__ = ["entry", "helper", "leading_zeros", "trailing_zeros"]

Function = TypeVar("Function", bound=Callable[..., object])


def entry(function: Function) -> Function:
    """``numba.njit``, typed, with a cache on disk."""
    njit: Any = numba.njit  # typed in late versions of Numba only, and not all of its options
    return cast("Function", njit(cache=True, nogil=True)(function))


def helper(function: Function) -> Function:
    """``numba.njit`` for what only compiled functions call: without wrappers it compiles a quarter faster."""
    njit: Any = numba.njit
    return cast("Function", njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function))


def instruction(name: str) -> Callable[[int], int]:
    """LLVM's ``cttz`` or ``ctlz``: the zero bits below or above the set bits of an int64 that is not 0."""
    intrinsic: Any = numba.extending.intrinsic

    def typed(_: object, value: object) -> tuple[object, Callable[..., object]]:
        def generate(_: object, builder: Any, __: object, values: Any) -> object:
            undefined_for_zero = llvmlite.ir.Constant(llvmlite.ir.IntType(1), 1)
            return getattr(builder, name)(values[0], undefined_for_zero)

        return numba.int64(numba.int64), generate

    return cast("Callable[[int], int]", intrinsic(typed))


trailing_zeros = instruction("cttz")
leading_zeros = instruction("ctlz")
