"""A program that fine-tunes a model of language by all means at once, which its test kills: a base
in four bits with an adapter, half precision, microbatches, chats and texts mixed and packed.
"""

import json
import os
import pathlib
import signal
import sys
import warnings

import jax
import numpy as np

import jkeras
from jkeras import layers
from jkeras.utils import TextLines, mix, pack_sequences

LENGTH, VOCABULARY, WIDTH, ROWS = 48, 128, 64, 8
LORA = {".*(query|value|wide).*kernel": 4}
TEMPLATE = (
    "{% for m in messages %}{{ m.role[0] }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}a: {% endif %}"
)


def encode(text):
    """Letters as tokens."""
    return list(text.encode())


def language_model():
    """Tokens with segments and positions -> logits; in half precision."""
    jkeras.utils.set_random_seed(0)
    names = "tokens", "segment_ids", "positions"
    tokens, ids, positions = (jkeras.Input((LENGTH,), dtype="int32", name=name) for name in names)
    h = layers.Embedding(VOCABULARY, WIDTH)(tokens) + layers.Embedding(LENGTH, WIDTH)(positions)
    attend = layers.MultiHeadAttention(2, WIDTH // 2, dropout=0.1, name="attention")
    h = h + attend(h, h, segment_ids=ids, use_causal_mask=True)
    h = h + layers.Dense(WIDTH, name="narrow")(layers.Dense(4 * WIDTH, "gelu", name="wide")(h))
    return jkeras.Model([tokens, ids, positions], layers.Dense(VOCABULARY, name="head")(h))


def compiled(few_bits=True, lora=LORA, microbatches=2):
    """The model as it is fine-tuned."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of layers without such a form
        model = language_model()
        if few_bits:
            model.quantize("int4")
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(1e-2), loss, lora=lora, microbatches=microbatches)
    return model


def data(folder):
    """Chats, of which the answers are learned, and texts, packed."""
    from jkeras.utils import ChatTemplate

    lines = []
    for i in range(40):
        words = {"user": f"say {i}", "assistant": "ab" * (1 + i % 5)}
        lines.append(json.dumps([{"role": role, "content": text} for role, text in words.items()]))
    (folder / "chats.jsonl").write_text("\n".join(lines))
    (folder / "texts.txt").write_text("\n".join("xy" * (3 + i % 9) for i in range(40)))
    template = ChatTemplate(TEMPLATE, encode)
    chats = TextLines(folder / "chats.jsonl", template.line, shuffle=16)
    texts = TextLines(folder / "texts.txt", encode, shuffle=16, end=0)
    mixed = mix([chats, texts], [2, 1], stopping_strategy="all_exhausted")
    return pack_sequences(mixed, LENGTH, batch_size=ROWS, window=4, longer="error")


class Kill(jkeras.callbacks.Callback):
    """Ends the process after some steps, as a power failure would."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder, kill):
    """Trains with checkpoints in a folder, and writes what comes of it."""
    jkeras.config.set_dtype_policy("mixed_bfloat16")
    folder = pathlib.Path(folder)
    model = compiled()
    checkpoint = jkeras.saving.Checkpointer(folder / "checkpoints", every=1)
    callbacks = [Kill(kill)] if kill else []
    history = model.fit(
        data(folder), epochs=3, verbose=0, checkpoint=checkpoint, callbacks=callbacks
    ).history
    leaves = [*jax.tree.leaves(model.lora), *(v.value for v in model.optimizer.variables)]
    np.savez(folder / "end.npz", *[np.asarray(v, "float32") for v in leaves])
    (folder / "losses.json").write_text(json.dumps(history["loss"]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
