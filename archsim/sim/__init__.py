"""The engines, which run a Program, and the simulation of a compiled network."""
