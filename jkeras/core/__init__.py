"""The kernel: layers as pure pairs, graphs, runs, variables, records. It knows nothing of Keras's
catalogue.
"""
