"""What trainings take on a device: seconds, MFU, memory beside the plan, the kernels chosen."""

import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jkeras import config, layers
from jkeras.callbacks import LambdaCallback, ThroughputMonitor
from jkeras.distribution.topology import memory_of
from jkeras.doctor.machine import in_a_line
from jkeras.losses import SparseCategoricalCrossentropy
from jkeras.models import Model, Sequential

KERNEL = re.compile(r'custom_call_target="([^"]+)"')
SECONDS = 20.0  # that a work is trained for at most, after it was compiled
STEPS = 8  # of an epoch


class Size(NamedTuple):
    """How large works are.

    Attributes:
        rows: of a batch.
        width: of layers.
        depth: how many blocks.
        length: of sequences; images have an eighth of it.
    """

    rows: int
    width: int
    depth: int
    length: int


SMALL, LARGE = Size(8, 32, 2, 64), Size(32, 512, 8, 512)


class Work(NamedTuple):
    """A network with the shape and the kind of a row of its data."""

    network: Callable[[Size], Any]
    row: Callable[[Size], tuple[int, ...]]
    dtype: str = "float32"


def _dense(size: Size) -> Any:
    hidden = [layers.Dense(4 * size.width, "relu") for _ in range(size.depth)]
    return Sequential([layers.Input((size.width,)), *hidden, layers.Dense(10)])


def _convolutional(size: Size) -> Any:
    hidden = []
    for _ in range(size.depth):
        hidden += [layers.Conv2D(size.width // 4, 3, padding="same"), layers.BatchNormalization()]
        hidden.append(layers.ReLU())
    side = size.length // 8
    ends = [layers.GlobalAveragePooling2D(), layers.Dense(10)]
    return Sequential([layers.Input((side, side, 3)), *hidden, *ends])


def _recurrent(size: Size) -> Any:
    ends = [layers.LSTM(size.width), layers.Dense(10)]
    return Sequential([layers.Input((size.length, size.width)), *ends])


def _transformer(size: Size) -> Any:
    tokens = layers.Input((size.length,), dtype="int32")
    x = layers.Embedding(1000, size.width)(tokens)
    for _ in range(size.depth):
        attention = layers.MultiHeadAttention(4, size.width // 4)
        normal = layers.LayerNormalization()(x)
        x = x + attention(normal, normal, use_causal_mask=True)
        hidden = layers.Dense(4 * size.width, "gelu")(layers.LayerNormalization()(x))
        x = x + layers.Dense(size.width)(hidden)
    return Model(tokens, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


WORKS = {
    "dense": Work(_dense, lambda size: (size.width,)),
    "convolutional": Work(_convolutional, lambda size: (size.length // 8, size.length // 8, 3)),
    "LSTM": Work(_recurrent, lambda size: (size.length, size.width)),
    "transformer": Work(_transformer, lambda size: (size.length,), "int32"),
}
POLICIES = ("float32", "mixed_bfloat16")


def measured(name: str, policy: str, size: Size) -> dict[str, Any]:
    """What a work takes, as JSON data; where it fails, the error in its place, since the rest of a
    report is of use without it.

    Returns:
        "step_ms", "mfu", "compile_s", "planned_mib" and "limit_mib" of the device's memory,
        "kernels", "loss"; what is not known is None.

    >>> found = measured("dense", "float32", SMALL)
    >>> found["step_ms"] > 0, found["mfu"] is None  # of a CPU
    (True, True)
    """
    before = config.dtype_policy()
    config.set_dtype_policy(policy)
    try:
        return {"work": name, "policy": policy, **_measured(WORKS[name], size)}
    except Exception as error:  # of a compiler, a driver, a device
        return {"work": name, "policy": policy, "trouble": in_a_line(error)}
    finally:
        config.set_dtype_policy(before)


def _measured(work: Work, size: Size) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    shape = (STEPS * size.rows, *work.row(size))
    if work.dtype == "int32":
        x = rng.integers(0, 1000, shape).astype("int32")
    else:
        x = rng.normal(size=shape).astype("float32")
    y = rng.integers(0, 10, len(x))
    model = work.network(size)
    loss = SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    begin = time.perf_counter()
    plan = model.plan((x[: size.rows], y[: size.rows]))
    compiled = time.perf_counter() - begin
    history, lasted = _trained(model, x, y, size.rows)
    memory = memory_of(jax.local_devices()[0])
    return {
        "step_ms": round(1000 * size.rows / history["rows_per_second"][-1], 3),
        "at_least_ms": plan.roofline and round(1000 * plan.roofline.seconds, 3),
        "mfu": history.get("mfu", [None])[-1],
        "flops_per_second": history["flops_per_second"][-1],
        "compile_s": round(compiled, 2),
        "trained_s": round(lasted, 2),
        "planned_mib": round(plan.needed / 2**20, 3),
        "limit_mib": memory and round(memory / 2**20, 1),
        "kernels": sorted(set(KERNEL.findall(plan.text))),
        "loss": history["loss"][-1],
    }


def _trained(model: Any, x: np.ndarray, y: np.ndarray, rows: int) -> tuple[dict, float]:
    """(the history of a training, the seconds that it took); it ends early on a slow device."""
    begin = time.perf_counter()

    def look(epoch: int, logs: dict[str, Any]) -> None:
        model.stop_training = epoch > 0 and time.perf_counter() - begin > SECONDS

    callbacks = [ThroughputMonitor(warns=False), LambdaCallback(on_epoch_end=look)]
    options = {"batch_size": rows, "epochs": 6, "verbose": 0, "callbacks": callbacks, "seed": 0}
    history = model.fit(x, y, **options).history
    return history, time.perf_counter() - begin
