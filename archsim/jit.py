"""Numba, where it can be imported: typed decorators, two machine instructions, and what is said of compiling.

Compiling takes seconds, once: its result is kept on disk, and whoever waits for it is told so.  A run hangs neither on
a folder to keep it in nor on Numba: ``MISSING`` says why that is not there, and then plain Python runs.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

__all__ = [
    "MISSING",
    "NotKeptError",
    "either",
    "entry",
    "helper",
    "inlined",
    "leading_zeros",
    "nothing_compiled",
    "prefetch",
    "trailing_zeros",
    "words_of",
]

MISSING = ""
"""Why Numba cannot be imported; empty where it can."""

try:
    import llvmlite.ir
    import numba
    import numba.core.event
    import numba.extending
except Exception as error:  # it is not there, or not made for this Python, this NumPy or this machine
    MISSING = " ".join(str(error).split()) or type(error).__name__

Function = TypeVar("Function", bound=Callable[..., object])

log = logging.getLogger("archsim")


def either(function: Function) -> Function:
    """A function that plain Python and compiled functions can both call."""
    if MISSING:
        return function
    register: Any = numba.extending.register_jitable  # typed in late versions of Numba only, and not all of it
    return cast("Function", register(function))


def helper(function: Function) -> Function:
    """``numba.njit`` for what only compiled functions call: without wrappers it compiles a quarter faster."""
    return _called_by_compiled(function)


def inlined(function: Function) -> Function:
    """A helper that LLVM copies to each place where it is called, for those that are called all the time: what it
    copies by itself is little.  Compiling takes longer with each copy."""
    return _called_by_compiled(function, forceinline=True)


def _called_by_compiled(function: Function, **options: bool) -> Function:
    if MISSING:
        return function
    njit: Any = numba.njit
    return cast("Function", njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, **options)(function))


def entry(what: str, seconds: int) -> Callable[[Function], Function]:
    """``numba.njit`` with a cache on disk; who waits while ``what`` is compiled is told so, and about how long.

    Of all that one such decorator is put on, that is said once.
    """
    told: list[str] = []

    def decorate(function: Function) -> Function:
        return function if MISSING else cast("Function", _Entry(function, what, seconds, told))

    return decorate


KEPT = "kept for later runs"
NOT_KEPT = "not kept for later runs, for which NUMBA_CACHE_DIR can name a folder"


class _Entry:
    """A function that is compiled when it is first called, or found on disk."""

    def __init__(self, function: Callable[..., object], what: str, seconds: int, told: list[str]) -> None:
        functools.update_wrapper(self, function)
        njit: Any = numba.njit
        self.what = what
        self.seconds = seconds
        self.told = told
        self.alone: Any = njit(nogil=True)(function)
        try:
            self.compiled, self.kept = njit(cache=True, nogil=True)(function), KEPT
        except RuntimeError:  # Numba finds no folder that it can write to
            self.compiled, self.kept = self.alone, NOT_KEPT

    def __call__(self, *arguments: object) -> object:
        with numba.core.event.install_listener("numba:compile", _telling(self)):
            try:
                return self.compiled(*arguments)
            except OSError as problem:  # the folder has gone bad since then
                log.warning("the machine code of %s cannot be kept: %s", self.what, problem)
                if not self.compiled.signatures:
                    self.compiled, self.kept = self.alone, NOT_KEPT
                return self.compiled(*arguments)


class NotKeptError(Exception):
    """Something is not on disk and would have to be compiled."""


@contextmanager
def nothing_compiled() -> Iterator[None]:
    """Calls of entries in here find their machine code on disk, or raise NotKeptError."""
    refusing: Any = numba.core.event.Listener

    class Refusing(refusing):  # type: ignore[misc]
        def on_start(self, event: Any) -> None:
            raise NotKeptError(str(event.data["dispatcher"]))

        def on_end(self, event: Any) -> None:
            pass

    with numba.core.event.install_listener("numba:compile", Refusing()):
        yield


def _telling(entry: _Entry) -> Any:
    """Says so when ``entry`` is going to be compiled, which it is not when it is found on disk."""
    listener: Any = numba.core.event.Listener

    class Telling(listener):  # type: ignore[misc]
        def on_start(self, event: Any) -> None:
            if event.data["dispatcher"] is entry.compiled and not entry.told:
                entry.told.append(entry.what)
                log.warning("compiling %s once, about %d s; %s", entry.what, entry.seconds, entry.kept)

        def on_end(self, event: Any) -> None:
            pass

    return Telling()


def _instruction(name: str) -> Callable[[int], int]:
    """LLVM's ``cttz`` or ``ctlz``: the zero bits below or above the set bits of an int64 that is not 0."""
    intrinsic: Any = numba.extending.intrinsic

    def typed(_: object, value: object) -> tuple[object, Callable[..., object]]:
        def generate(_: object, builder: Any, __: object, values: Any) -> object:
            undefined_for_zero = llvmlite.ir.Constant(llvmlite.ir.IntType(1), 1)
            return getattr(builder, name)(values[0], undefined_for_zero)

        return numba.int64(numba.int64), generate

    return cast("Callable[[int], int]", intrinsic(typed))


def _words_of() -> Callable[[Any], Any]:
    """The words of a contiguous int64 array, without the array: read and written like it, but only an address, which
    costs nothing to hand to a helper, while of an array the references are counted twice at each call.  The caller
    holds the array meanwhile, and no index may be below 0."""
    intrinsic: Any = numba.extending.intrinsic
    types: Any = numba.types

    def typed(_: object, array: Any) -> tuple[object, Callable[..., object]]:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> object:
            return context.make_array(signature.args[0])(context, builder, values[0]).data

        return types.CPointer(types.int64)(array), generate

    return cast("Callable[[Any], Any]", intrinsic(typed))


def _prefetching() -> Callable[[Any, int], None]:
    """LLVM's ``prefetch``: the word of that place, of the words of an array, will soon be read and written."""
    intrinsic: Any = numba.extending.intrinsic

    def typed(_: object, words: Any, place: object) -> tuple[object, Callable[..., object]]:
        def generate(context: Any, builder: Any, _: object, values: Any) -> object:
            address = builder.bitcast(builder.gep(values[0], [values[1]]), llvmlite.ir.IntType(8).as_pointer())
            number = llvmlite.ir.IntType(32)
            kind = llvmlite.ir.FunctionType(llvmlite.ir.VoidType(), [address.type, number, number, number])
            prefetch = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
            builder.call(prefetch, [address, number(1), number(3), number(1)])  # to write, to keep, and it is data
            return context.get_dummy_value()

        return numba.void(words, numba.int64), generate

    return cast("Callable[[Any, int], None]", intrinsic(typed))


if not MISSING:
    words_of = _words_of()
    prefetch = _prefetching()
    trailing_zeros = _instruction("cttz")
    leading_zeros = _instruction("ctlz")
