"""Whole networks on the analog hardware, in value: what they get right."""
