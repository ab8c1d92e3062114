"""What large models cost on many devices, on paper: their steps compiled, no array made.

    python -m benchmarks.scaling [--only devices pods offload attention]

Writes the figures of docs/scaling.md. `devices` compiles the training step of a decoder with
XLA:CPU for 1, 8 and 256 virtual devices, in a process of its own for each number; the others take
the compiler of TPUs, `pip install -e '.[aot]'`. All numbers are of the compiled programs: bytes on
each device, and bytes that the collectives give to each device in one step.
"""

import json
import sys

from benchmarks import kept, runner

BLOCKS, WIDTH, HEADS, LENGTH, VOCABULARY = 24, 2048, 16, 1024, 32000
CUT = {8: 2, 256: 16}  # devices: along how many of them the layers are cut
POD = "v5e:16x16"
OFFLOADED = ((24, 256), (24, 24576), (100, 256))  # layers, rows
CHIP = "v5e:1x1"
HERE = "--here"  # by which the script asks a process of its own for plans


# ---------------------------------------------------------------- models


def decoder():
    """A decoder of 1.3 billion parameters, each block computed again for its gradient."""
    import jkeras
    from jkeras import layers

    class Block(layers.Layer):
        """Attention and a wide layer, each normalized before, added after (Xiong et al. 2020)."""

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.norms = [layers.LayerNormalization(), layers.LayerNormalization()]
            self.attention = layers.MultiHeadAttention(HEADS, WIDTH // HEADS)
            self.up, self.down = layers.Dense(4 * WIDTH, "gelu"), layers.Dense(WIDTH)

        def call(self, x):
            y = self.norms[0](x)
            x = x + self.attention(y, y, use_causal_mask=True)
            return x + self.down(self.up(self.norms[1](x)))

    tokens = jkeras.Input((LENGTH,), dtype="int32")
    x = layers.Embedding(VOCABULARY, WIDTH, name="embedding")(tokens)
    x = layers.Stack(Block(), BLOCKS, remat=True, name="blocks")(x)
    model = jkeras.Model(
        tokens, layers.Dense(VOCABULARY, name="head")(layers.LayerNormalization()(x))
    )
    model.compile("adam", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def chain(depth):
    """Equally wide layers."""
    import jkeras
    from jkeras import layers

    dense = [layers.Dense(4096, activation="relu") for _ in range(depth)]
    model = jkeras.Sequential([jkeras.Input((4096,)), *dense])
    model.compile("adam", "mse")
    return model


def attention(**options):
    """One layer of attention over 4,096 positions."""
    import jkeras
    from jkeras import layers

    inputs = jkeras.Input((4096, 1024))
    attend = layers.MultiHeadAttention(8, 128, **options)
    model = jkeras.Model(inputs, attend(inputs, inputs, use_causal_mask=True))
    model.compile("sgd", "mse")
    return model


def cut_layers(devices, model):
    """The batch along one axis, the heads and the hidden units of each block along the other."""
    from jkeras import distribution

    shape = (len(devices) // model, model)
    layouts = distribution.LayoutMap(distribution.DeviceMesh(shape, ["batch", "model"], devices))
    layouts[".*/attention_(query|key|value)_dense_kernel"] = (None, "batch", "model", None)
    layouts[".*/attention_output_dense_kernel"] = (None, "model", None, "batch")
    layouts[".*/up_kernel"] = (None, "batch", "model")
    layouts[".*/down_kernel"] = (None, "model", "batch")
    layouts["embedding/.*"] = ("model", "batch")
    layouts["head/kernel"] = ("batch", "model")
    return distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch")


# ---------------------------------------------------------------- plans


def planned(model, batch, **more):
    """A plan, as JSON has it."""
    found = model.plan(batch, **more)
    memory = found.memory
    return {
        "parameters": model.count_params(),
        "state": memory.parameters + memory.optimizer + memory.state,
        "temporary": memory.temporary,
        "host": memory.host,
        "needed": found.needed,
        "available": found.available,
        "fits": found.fits,
        "collectives": found.collectives,
    }


def decoders(devices):
    """Plans of the decoder with one sequence for each of some devices, in three distributions."""
    import jkeras
    from jkeras import distribution

    count = len(devices)
    if count == 1:
        yield {"devices": 1, "distribution": "", **planned(decoder(), 1)}
        return
    for name, make in (
        ("data", lambda: distribution.DataParallel(devices=devices)),
        ("FSDP", lambda: distribution.FSDP(devices=devices)),
        (
            f"FSDP over {count // CUT[count]}, layers cut in {CUT[count]}",
            lambda: cut_layers(devices, CUT[count]),
        ),
    ):
        jkeras.utils.clear_session()
        with make().scope():
            yield {"devices": count, "distribution": name, **planned(decoder(), count)}


def on_devices():
    """By the CPU's compiler, for several numbers of virtual devices."""
    found = []
    for count in (1, *CUT):
        flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={count}"}
        found += runner.printed("scaling", HERE, environment=flags)
    return found


def on_pods():
    """By the TPU's compiler: the decoder on a pod, and in 16 bits on a part of one."""
    import jkeras
    from jkeras import distribution

    found = {"float32": list(decoders(distribution.Topology(POD).devices))}
    jkeras.config.set_dtype_policy("mixed_bfloat16")
    with distribution.FSDP(devices=distribution.Topology("v5e:4x4").devices).scope():
        found["mixed_bfloat16"] = planned(decoder(), 16)
    jkeras.config.set_dtype_policy("float32")
    return found


def offloaded():
    """Layers on one chip, with the optimizer's state there and in the memory of the host."""
    from jkeras import distribution

    devices, found = distribution.Topology(CHIP).devices, []
    for depth, rows in OFFLOADED:
        plans = []
        for place in (None, "optimizer"):
            with distribution.FSDP(devices=devices, offload=place).scope():
                plans.append(planned(chain(depth), rows))
        found.append({"layers": depth, "rows": rows, "without": plans[0], "with": plans[1]})
    return found


def attending():
    """One sequence of 4,096 positions, with the fused kernel and without."""
    return {
        "fused": planned(attention(), 1, topology=CHIP),
        "plain": planned(attention(flash_attention=False), 1, topology=CHIP),
    }


PARTS = {
    "devices": (on_devices, ()),
    "pods": (on_pods, ("libtpu",)),
    "offload": (offloaded, ("libtpu",)),
    "attention": (attending, ("libtpu",)),
}


def print_plans():
    """Prints what the plans for the devices of this process say, for the process that asks."""
    import jax

    for row in decoders(jax.devices()):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == [HERE]:
        print_plans()
    else:
        kept.command("scaling", __doc__, PARTS)
