"""Layers over the kernel of values: records, the layer contract, variables, graphs, the ambient
run. It knows nothing of Keras's catalogue.
"""
