"""Training steps of two large networks on chips that are not here: the figures of docs/scaling.md.

    python -m benchmarks.chips [--chips v5e:1x1 h100:1] [--works resnet50 gpt2]

Compiled for one chip each, in mixed_bfloat16; `Plan` says what a step needs, and by the roofline
what it takes at least. Needs the extra `aot`, and minutes.
"""

import argparse
import json

from benchmarks import kept, runner

CHIPS = ("t4:1", "l4:1", "a100:1", "h100:1", "b200:1", "v5e:1x1", "v6e:1x1")


def resnet50():
    """(ResNet50, images of a batch)."""
    import jkeras

    model = jkeras.applications.ResNet50(weights=None, classifier_activation=None)
    return model, 64


def gpt2():
    """(the smallest GPT-2, 124 million weights; a batch of texts of 1,024 tokens)."""
    import jkeras
    from jkeras import layers

    width, length, words = 768, 1024, 50_257

    def block():
        x = inputs = jkeras.Input((length, width))
        h = layers.LayerNormalization()(x)
        x = layers.add([x, layers.MultiHeadAttention(12, 64)(h, h, use_causal_mask=True)])
        h = layers.Dense(4 * width, "gelu")(layers.LayerNormalization()(x))
        return jkeras.Model(inputs, layers.add([x, layers.Dense(width)(h)]))

    tokens = jkeras.Input((length,), dtype="int32")
    embedding = layers.ReversibleEmbedding(words, width)
    x = layers.PositionEmbedding(length)(embedding(tokens))
    x = layers.LayerNormalization()(layers.Stack(block(), 12)(x))
    return jkeras.Model(tokens, embedding(x, reverse=True)), 8


WORKS = {"resnet50": resnet50, "gpt2": gpt2}


def account(name, chip):
    """What the compiler says of a step of a work on a chip."""
    import jkeras

    jkeras.config.set_dtype_policy("mixed_bfloat16")
    model, rows = WORKS[name]()
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss)
    plan = model.plan(rows, topology=chip)
    found = {"rows": rows, "fits": plan.fits, "needed": plan.needed, "flops": plan.flops}
    if plan.roofline is not None:
        found |= {
            "seconds": plan.roofline.seconds,
            "bound": plan.roofline.bound,
            "mfu": plan.roofline.mfu,
            "bytes": plan.bytes_accessed,
        }
    return found | {"compile": plan.seconds}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chips", nargs="*", default=list(CHIPS), choices=CHIPS)
    parser.add_argument("--works", nargs="*", default=list(WORKS), choices=list(WORKS))
    parser.add_argument("--one", nargs=2, metavar=("WORK", "CHIP"))
    given = parser.parse_args()
    if given.one:
        print(json.dumps(account(*given.one)), flush=True)
        return
    for name in given.works:
        found = kept.found("chips", name)  # of the other chips
        for chip in given.chips:
            environment = {"XLA_FLAGS": ""}  # the compiler of TPUs ends a process with others
            said = runner.printed("chips", "--one", name, chip, environment=environment)
            found[chip] = said[-1]
            print(name, chip, found[chip], flush=True)
        kept.keep("chips", name, found, ("libtpu", "jax-cuda12-plugin"))


if __name__ == "__main__":
    main()
