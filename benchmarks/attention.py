"""Attention on a TPU by the kernel and in its plain form, as the compiler sees them: the figures of
docs/scaling.md.

    python -m benchmarks.attention [--topology v5e:1x1]

A training step of one causal layer in mixed_bfloat16, on as many tokens whatever their length:
bytes that it reads and writes, the seconds that it takes at least, temporaries. Needs the extra
`aot`.
"""

import argparse

from benchmarks import kept

TOKENS = 8192  # of a batch
HEADS = 12
SIZES = (64, 128)  # of a head
LENGTHS = (128, 256, 512, 1024, 2048, 4096)


def account(length, size, kernel, topology):
    """What a plan says of a step."""
    import jkeras
    from jkeras import layers

    x = jkeras.Input((length, HEADS * size))
    attend = layers.MultiHeadAttention(HEADS, size, flash_attention=kernel)
    model = jkeras.Model(x, attend(x, x, use_causal_mask=True))
    model.compile("sgd", "mse")
    plan = model.plan(TOKENS // length, topology=topology)
    return {
        "bytes": plan.bytes_accessed,
        "seconds": plan.roofline.seconds,
        "temporaries": plan.memory.temporary,
    }


def main():
    import jkeras

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--topology", default="v5e:1x1")
    topology = parser.parse_args().topology
    jkeras.config.set_dtype_policy("mixed_bfloat16")
    found = {}
    for size in SIZES:
        for length in LENGTHS:
            forms = {"kernel": True, "plain": False}
            rows = {name: account(length, size, form, topology) for name, form in forms.items()}
            found[f"{length}, {size}"] = rows
            print(length, size, rows, flush=True)
    kept.keep("attention", topology, found, ("libtpu",))


if __name__ == "__main__":
    main()
