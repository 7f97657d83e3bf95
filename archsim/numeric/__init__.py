"""The numerical core: what the analog arithmetic of a crossbar returns, in value.

It imports numpy, scipy, Numba and the tree of errors, and knows nothing of time, files or the simulator.

::

    matrix = program(weights, ArrayConfig(rows=128, columns=128), rng)    # archsim.numeric.matrix; once
    outputs = matrix.mvm(inputs)                                          # often, in batches
    later = matrix.at(time=3600.0)                                        # the same cells, an hour on
    print(matrix.report(inputs))                                          # SNR, saturation, error by cause

``docs/numeric.md`` gives the model and its formulas.
"""
