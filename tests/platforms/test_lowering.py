"""The train step of every kind of model lowers for TPUs and GPUs, where there are none, through
`jax.export`.
"""

import re

import jax
import numpy as np
import pytest

import jkeras
from jkeras import layers
from jkeras.ops.kernels import traced_for
from tests.thinning import every

KEY = jax.random.key(0)


def classifier(*parts, shape, dtype="float32"):
    return jkeras.Sequential([jkeras.Input(shape, dtype=dtype), *parts, layers.Dense(3)])


def transformer():
    tokens = jkeras.Input((6,), dtype="int32")
    x = layers.Embedding(9, 8, mask_zero=True)(tokens)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x, use_causal_mask=True)])
    return jkeras.Model(
        tokens, layers.Dense(3)(layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x)))
    )


MODELS = {
    "mlp": lambda: classifier(
        layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dropout(0.5), shape=(5,)
    ),
    "convolutions": lambda: classifier(
        layers.Conv2D(4, 3, padding="same"),
        layers.MaxPooling2D(),
        layers.DepthwiseConv2D(3),
        layers.SeparableConv2D(4, 2),
        layers.Conv2DTranspose(3, 2),
        layers.AveragePooling2D(2),
        layers.Flatten(),
        shape=(12, 12, 3),
    ),
    "recurrent": lambda: classifier(
        layers.Embedding(9, 4, mask_zero=True),
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.GRU(4),
        shape=(6,),
        dtype="int32",
    ),
    "transformer": transformer,
    "augmentation": lambda: classifier(
        layers.RandomFlip(),
        layers.RandomRotation(0.1),
        layers.Rescaling(1 / 255),
        layers.GlobalMaxPooling2D(),
        shape=(8, 8, 3),
    ),
}


def batch_for(model, size=4):
    shape, rng = (size, *model.input_shape[1:]), np.random.default_rng(0)
    whole = "int" in str(model.inputs[0].dtype)
    x = rng.integers(0, 9, shape, "int32") if whole else rng.normal(size=shape).astype("float32")
    return x, rng.integers(0, 3, size)


def lowered(model, platform):
    """The train step as StableHLO text for a platform."""
    state = jkeras.training.init_train_state(model, KEY)
    step = jax.jit(jkeras.training.make_train_step(model))
    with traced_for(platform):
        return jax.export.export(step, platforms=[platform])(state, batch_for(model))


@pytest.mark.parametrize("platform", ["tpu", "cuda"])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", every(2, MODELS))
def test_train_steps_lower(name, policy, platform):
    jkeras.config.set_dtype_policy(policy)
    try:
        model = MODELS[name]()
        model.compile(
            "adam",
            jkeras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        exported = lowered(model, platform)
    finally:
        jkeras.config.set_dtype_policy("float32")
    assert exported.platforms == (platform,)
    assert len(exported.mlir_module_serialized) > 1000


def test_forms_for_cpu_stay_there():
    """Convolutions and pooling are the plain ones elsewhere; recurrent layers project all steps at
    once.
    """

    def operations(name, platform):
        model = MODELS[name]()
        model.compile("sgd", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return set(re.findall(r"stablehlo\.[a-z_]+", lowered(model, platform).mlir_module()))

    assert "stablehlo.select_and_scatter" in operations("convolutions", "tpu")
    assert "stablehlo.select_and_scatter" not in operations("convolutions", "cpu")
