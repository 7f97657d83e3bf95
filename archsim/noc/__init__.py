"""The network: topologies as graphs, deterministic routing, and the board of several chips."""
