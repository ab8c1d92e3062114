"""Small models of the kinds that adapters are of, and adapters that change something."""

import jax
import numpy as np

import jkeras
from jkeras import layers, lora

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(6, 5, 8)).astype("float32")
IDS = RANDOM.integers(0, 20, (6, 5)).astype("int32")
Y = RANDOM.normal(size=(6, 5, 8)).astype("float32")


def with_dense():
    return jkeras.Sequential(
        [
            jkeras.Input((5, 8)),
            layers.Dense(16, "relu"),
            layers.BatchNormalization(),
            layers.Dense(8),
        ]
    )


def with_attention():
    inputs = jkeras.Input((5, 8))
    return jkeras.Model(inputs, layers.MultiHeadAttention(2, 4)(inputs, inputs))


def with_stack():
    return jkeras.Sequential([jkeras.Input((5, 8)), layers.Stack(layers.Dense(8, "tanh"), 3)])


def with_stacked_attention():
    inputs = jkeras.Input((5, 8))
    attended = layers.MultiHeadAttention(2, 4, name="attention")(inputs, inputs)
    block = jkeras.Model(inputs, layers.add([inputs, attended]))
    return jkeras.Sequential([jkeras.Input((5, 8)), layers.Stack(block, 3)])


def with_convolution():
    return jkeras.Sequential([jkeras.Input((5, 8)), layers.Conv1D(8, 3, padding="same")])


def with_embedding():
    table = layers.Embedding(20, 8)
    return jkeras.Sequential([jkeras.Input((5,), dtype="int32"), table, layers.Dense(8)])


IN_FEW_BITS = [with_dense, with_attention, with_embedding]  # what can be quantized
FAMILIES = [*IN_FEW_BITS, with_stack, with_stacked_attention, with_convolution]


def inputs_of(model):
    if model.input.dtype == "int32":
        return IDS
    return X


def changing(model, rank=2, alpha=3.0, seed=0):
    """An adapter of all kernels of a model, of which no matrix is zeros."""
    adapter = lora.init(lora.kernels(model), rank, jax.random.key(seed), alpha=alpha)
    leaves, treedef = jax.tree.flatten(adapter)
    keys = jax.random.split(jax.random.key(seed + 1), len(leaves))
    noisy = [v + 0.3 * jax.random.normal(k, v.shape) for v, k in zip(leaves, keys)]
    return treedef.unflatten(noisy)


def assert_within_a_millionth(found, expected):
    """Outputs that differ by less than a millionth of their norm: by the rounding of float32."""
    difference = np.linalg.norm(np.subtract(found, expected))
    assert difference <= 1e-6 * np.linalg.norm(expected)
