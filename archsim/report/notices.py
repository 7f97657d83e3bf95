"""What archsim has to say beside its results, such as what a run waits for: a line each on standard error."""

from __future__ import annotations

import logging
import sys

__all__ = ["show_notices"]


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # looked up each time: while a progress bar is drawn, it takes the place of standard error
        print(f"archsim: {record.getMessage()}", file=sys.stderr, flush=True)


def show_notices() -> None:
    """Print what is logged under ``archsim``; the command line does so, a program that uses archsim has its own way."""
    log = logging.getLogger("archsim")
    if not any(isinstance(handler, _Lines) for handler in log.handlers):
        log.addHandler(_Lines())
