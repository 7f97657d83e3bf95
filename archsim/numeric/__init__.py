"""The numerical core: what the analog arithmetic returns.  It knows nothing of time, files or networks."""
