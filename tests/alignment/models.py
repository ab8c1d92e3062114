"""A small model of language, and data for it."""

import numpy as np

import jkeras
from jkeras import alignment, layers

VOCABULARY = 12


def language_model(seed=0, dtype=None, dropout=0.0):
    """(batch, time) tokens -> logits."""
    jkeras.utils.set_random_seed(seed)
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(VOCABULARY, 8, dtype=dtype)(tokens)
    attend = layers.MultiHeadAttention(2, 4, name="attention", dtype=dtype, dropout=dropout)
    x = layers.add([x, attend(x, x, use_causal_mask=True)], dtype=dtype)
    head = layers.Dense(VOCABULARY, name="head", dtype=dtype)
    return jkeras.Model(tokens, head(layers.Dense(8, "gelu", name="dense", dtype=dtype)(x)))


def texts(count=8, seed=0, longest=4):
    """(prompts, chosen, rejected), lists of tokens; the answers end otherwise."""
    rng = np.random.default_rng(seed)

    def some():
        return [
            rng.integers(1, VOCABULARY - 2, rng.integers(1, longest)).tolist() for _ in range(count)
        ]

    prompts, chosen, rejected = some(), some(), some()
    return (
        prompts,
        [[*answer, VOCABULARY - 1] for answer in chosen],
        [[*answer, VOCABULARY - 2] for answer in rejected],
    )


def pairs(count=8, **options):
    return alignment.pairs(*texts(count, **options))


def unpaired(count=8):
    prompts, chosen, rejected = texts(count)
    answers = [chosen[i] if i % 3 else rejected[i] for i in range(count)]
    return alignment.unpaired(prompts, answers, [bool(i % 3) for i in range(count)])


def answers(count=8):
    """A batch as `GRPO` takes it."""
    rows = pairs(count)
    rng = np.random.default_rng(1)
    shape = count, rows["chosen"].shape[1] - 1
    return {
        "tokens": rows["chosen"],
        "mask": rows["chosen_mask"],
        "advantages": rng.normal(size=count).astype("float32"),
        "old_logps": -rng.uniform(1, 4, size=shape).astype("float32"),
    }
