"""One transformer on eight devices: each batch cut in eight, and each layer cut in four with the
batch in two.

Eight virtual devices of the CPU stand for eight GPUs or TPU cores; XLA must be told before JAX is
imported. The model's code is the same in all cases: only the distribution around it changes. The
program compares the losses with those of one device, and what lies on each. Run it with `python
examples/many_devices.py`.
"""

import os

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
)
os.environ["JAX_PLATFORMS"] = "cpu"

import contextlib

import numpy as np

import jkeras
from jkeras import distribution, layers

TOKENS, LENGTH, WIDTH = 32, 16, 64


def build_model():
    """A causal transformer of one block: tokens (batch, time) -> logits of the next ones."""
    tokens = jkeras.Input((LENGTH,), dtype="int32")
    x = layers.Embedding(TOKENS, WIDTH, name="embedding")(tokens)
    h = layers.LayerNormalization(name="norm_1")(x)
    x = x + layers.MultiHeadAttention(4, WIDTH // 4, name="attention")(h, h, use_causal_mask=True)
    h = layers.Dense(4 * WIDTH, activation="gelu", name="up")(
        layers.LayerNormalization(name="norm_2")(x)
    )
    x = x + layers.Dense(WIDTH, name="down")(h)
    return jkeras.Model(tokens, layers.Dense(TOKENS, name="head")(x))


def data_parallel():
    """All of the model on each device, an eighth of each batch."""
    return distribution.DataParallel()


def model_parallel():
    """Heads and hidden units cut in four, batches in two (Shoeybi et al., 2019)."""
    layouts = distribution.LayoutMap(distribution.DeviceMesh((2, 4), ["batch", "model"]))
    layouts[".*attention/(query|key|value)/kernel"] = (None, "model", None)
    layouts[".*attention/attention_output/kernel"] = ("model", None, None)
    layouts[".*up/kernel"] = (None, "model")
    layouts[".*up/bias"] = ("model",)
    layouts[".*down/kernel"] = ("model", None)
    return distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch")


def sequences(count):
    """Tokens of which each is the one before it plus a step that the row keeps."""
    rng = np.random.default_rng(0)
    begin, step = rng.integers(0, TOKENS, (count, 1)), rng.integers(1, 4, (count, 1))
    text = (begin + step * np.arange(LENGTH + 1)) % TOKENS
    return text[:, :-1].astype("int32"), text[:, 1:].astype("int32")


def train(layout, epochs, count):
    """(losses by epoch, bytes of weights and optimizer on the first device) of a model made under a
    distribution.
    """
    jkeras.utils.set_random_seed(0)
    with layout.scope() if layout else contextlib.nullcontext():
        model = build_model()
        model.compile("adam", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
        losses = model.fit(*sequences(count), batch_size=64, epochs=epochs, verbose=0).history[
            "loss"
        ]
    arrays = [variable.value for variable in model.variables + model.optimizer.variables]
    return losses, sum(array.addressable_shards[0].data.nbytes for array in arrays)


def main(epochs=5, count=2048):
    """Trains in three ways; prints and returns {name: (losses, bytes on the first device)}."""
    ways = {
        "one device": None,
        "data parallel": data_parallel(),
        "model parallel": model_parallel(),
    }
    found = {name: train(layout, epochs, count) for name, layout in ways.items()}
    for name, (losses, size) in found.items():
        print(
            f"{name:>14}: losses {losses[0]:.5f} to {losses[-1]:.5f}, {size / 1024:,.0f} KiB on "
            "each device"
        )
    return found


if __name__ == "__main__":
    main()
