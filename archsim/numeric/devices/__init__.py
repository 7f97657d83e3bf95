"""Memory devices by name: programming, write-and-verify, drift, read noise, current, faults, each with its source.

::

    from archsim.numeric.devices import device

    pcm = device("pcm-aihwkit")
    written = pcm.programmed(targets_s, rng)
    after_a_day = pcm.at(written.g_s, targets_s, 86400.0, None, rng)

``docs/devices.md`` lists every device with its source and what it does not model.
"""

from archsim.numeric.devices.catalogue import device, names, settings
from archsim.numeric.devices.device import EFFECTS, Device, Programmed

__all__ = ["EFFECTS", "Device", "Programmed", "device", "names", "settings"]
