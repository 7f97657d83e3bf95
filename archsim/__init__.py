"""archsim: discrete-event, system-level simulation of accelerators that compute inside memristor crossbars."""

from archsim._version import __version__

__all__ = ["__version__"]
