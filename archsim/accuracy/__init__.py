"""Whole networks on the analog arrays of a chip, in value, on real data.

::

    network = load_network(path)                     # archsim.accuracy.network: an ONNX model that runs batch by batch
    scales = calibrated(network, samples, config)    # archsim.accuracy.quantised: ranges of inputs and weights by layer
    network.arithmetic = Analog(...)                 # archsim.accuracy.analog: every weight layer on arrays
    outputs = network.run(images)

``docs/accuracy.md`` says what is computed where, and what is not.
"""
