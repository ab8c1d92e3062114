"""What a large transformer costs on many devices, on paper: its step compiled for a mesh, no array
made.

    python benchmarks/scaling.py [--devices 256] [--model 16] [--blocks 24] [--width 2048] [--batch
    256] [--length 1024]

For data parallelism, FSDP and FSDP with layers cut along a second axis: bytes of arguments and of
temporaries for each device, and bytes that each kind of collective moves for each device and step,
from the compiled program.
"""

import argparse
import collections
import os
import re
import time

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
for name, default in dict(
    devices=256, model=16, blocks=24, width=2048, heads=16, batch=256, length=1024, vocabulary=32000
).items():
    parser.add_argument(f"--{name}", type=int, default=default)
options = parser.parse_args()
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={options.devices}"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax

import jkeras
from jkeras import distribution, layers
from jkeras.training import placement
from jkeras.training.layout import StateLayout

SIZES = {
    "f32": 4,
    "bf16": 2,
    "s32": 4,
    "u32": 4,
    "pred": 1,
    "f16": 2,
    "s8": 1,
    "u8": 1,
    "s64": 8,
    "f64": 8,
}
COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")


class Block(layers.Layer):
    """A block of a decoder: attention and a wide layer, each normalized before and added after
    (Xiong et al. 2020).
    """

    def __init__(self, width, heads, **kwargs):
        super().__init__(**kwargs)
        self.norms = [layers.LayerNormalization(), layers.LayerNormalization()]
        self.attention = layers.MultiHeadAttention(heads, width // heads)
        self.up, self.down = layers.Dense(4 * width, "gelu"), layers.Dense(width)

    def call(self, x):
        y = self.norms[0](x)
        x = x + self.attention(y, y, use_causal_mask=True)
        return x + self.down(self.up(self.norms[1](x)))


def model():
    tokens = jkeras.Input((options.length,), dtype="int32")
    x = layers.Embedding(options.vocabulary, options.width, name="embedding")(tokens)
    x = layers.Stack(
        Block(options.width, options.heads), options.blocks, remat=True, name="blocks"
    )(x)
    return jkeras.Model(
        tokens, layers.Dense(options.vocabulary, name="head")(layers.LayerNormalization()(x))
    )


def cut_layers():
    """The batch along one axis, the heads and the hidden units of each block along the other."""
    mesh = distribution.DeviceMesh(
        (options.devices // options.model, options.model), ["batch", "model"]
    )
    layouts = distribution.LayoutMap(mesh)
    layouts[".*/attention_(query|key|value)_dense_kernel"] = (None, "batch", "model", None)
    layouts[".*/attention_output_dense_kernel"] = (None, "model", None, "batch")
    layouts[".*/up_kernel"] = (None, "batch", "model")
    layouts[".*/down_kernel"] = (None, "model", "batch")
    layouts["embedding/.*"] = ("model", "batch")
    layouts["head/kernel"] = ("batch", "model")
    return distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch")


def bytes_of(shapes):
    """The bytes of all arrays in a piece of HLO such as "(f32[8,4], bf16[2])"."""
    total = 0
    for kind, sizes in re.findall(r"\b([a-z]+\d*)\[([\d,]*)\]", shapes):
        count = 1
        for size in filter(None, sizes.split(",")):
            count *= int(size)
        total += count * SIZES.get(kind, 4)
    return total


def traffic(text, trips):
    """{collective: bytes of its results}; what stands in a loop's body counts as often as the loop
    runs.
    """
    moved = collections.Counter()
    loops = set(re.findall(r"body=%?([\w.\-]+)", text))
    computation = ""
    for line in text.splitlines():
        start = re.match(r"^(?:ENTRY )?%?([\w.\-]+) \(", line)
        computation = start.group(1) if start else computation
        for kind in COLLECTIVES:
            found = re.match(rf".* = (.*?) {kind}(?:-start)?\(", line)
            if found:
                moved[kind] += bytes_of(found.group(1)) * (trips if computation in loops else 1)
    return moved


def main():
    print(
        f"{options.blocks} blocks of {options.width}, {options.batch} sequences of "
        f"{options.length}, {options.devices} devices"
    )
    print(
        f"{'':12} {'parameters':>12} {'state/device':>13} {'temporary':>11}   collectives (bytes "
        "a device and step)"
    )
    for name, make in (
        ("data", distribution.DataParallel),
        ("FSDP", distribution.FSDP),
        ("FSDP+tensor", cut_layers),
    ):
        begin = time.perf_counter()
        with make().scope():
            jkeras.utils.clear_session()
            net = model()
            net.compile("adam", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
            net.build_for_training()
            state = StateLayout(net).abstract()
            shape = (options.batch, options.length)
            tokens = jax.ShapeDtypeStruct(shape, "int32", sharding=placement.layout_of(shape))
            out = jax.tree_util.tree_map(
                lambda v: v.sharding if isinstance(v, jax.ShapeDtypeStruct) else None, state
            )
            step = jax.jit(
                jkeras.training.make_train_step(net), donate_argnums=0, out_shardings=(out, None)
            )
            compiled = step.lower(state, (tokens, tokens)).compile()
        memory = compiled.memory_analysis()
        moved = ", ".join(
            f"{kind} {size / 2**20:.0f} MiB"
            for kind, size in sorted(traffic(compiled.as_text(), options.blocks).items())
            if size > 2**19
        )
        print(
            f"{name:12} {net.count_params() / 1e9:10.3f} B "
            f"{memory.argument_size_in_bytes / 2**20:9.0f} MiB "
            f"{memory.temp_size_in_bytes / 2**20:7.0f} MiB   {moved}  "
            f"({time.perf_counter() - begin:.0f} s)"
        )


if __name__ == "__main__":
    main()
