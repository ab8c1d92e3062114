"""The kernel of values: what a layer computes, as functions of its hyper-parameters, its values and
its inputs. It imports jax, numpy and itself, and knows nothing of Keras.
"""
