"""Runs and comparisons by name: load, compile, simulate."""
