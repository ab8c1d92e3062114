"""A language model that counts up or down, and learns from pairs of answers to count up.

First it is trained on both, so that it does each about as often. Then it is shown pairs of answers
to one prompt, of which the one that counts up is preferred: direct preference optimization (DPO)
makes it likelier than the other, held to what the model was. The first loss looks at the difference
alone, and lets both answers become rare; "apo_zero" makes the preferred one likelier as well. Only
a low-rank change is trained, so the model without it is the reference, and no second copy is
needed. Run it with `python examples/preferences.py`.
"""

import jax
import numpy as np

import jkeras
from jkeras import alignment, layers

DIGITS, LENGTH, WIDTH = 10, 6, 32  # of an answer with its prompt: LENGTH tokens


def make_model():
    """(batch, time) digits -> logits of the next ones."""
    tokens = jkeras.Input((None,), dtype="int32")
    x = layers.Embedding(DIGITS, WIDTH)(tokens)
    x = x + layers.PositionEmbedding(LENGTH)(x)
    for _ in range(2):
        y = layers.RMSNormalization()(x)
        x = x + layers.MultiHeadAttention(2, WIDTH // 2)(y, y, use_causal_mask=True)
        x = x + layers.Dense(WIDTH)(layers.Dense(2 * WIDTH, "gelu")(layers.RMSNormalization()(x)))
    return jkeras.Model(tokens, layers.Dense(DIGITS)(layers.RMSNormalization()(x)))


def counting(first, step):
    """Rows that count from digits on, around after 9."""
    return (np.asarray(first)[:, None] + step * np.arange(LENGTH)) % DIGITS


def train_on_both(model, rows, epochs):
    """Up and down alike."""
    first = np.arange(rows) % DIGITS
    texts = np.concatenate([counting(first, 1), counting(first, -1)]).astype("int32")
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(3e-3), loss)
    model.fit(texts[:, :-1], texts[:, 1:], epochs=epochs, verbose=0)


def shares(model, count):
    """How many of the answers that it writes count up, and down."""
    first = np.arange(count) % DIGITS
    sampler = jkeras.generation.Sampler(1.0)
    written = np.array(model.generate(first[:, None].tolist(), LENGTH, sampler, rng=0))
    return [float(np.mean((written == counting(first, step)).all(1))) for step in (1, -1)]


def prefer_up(model, rows, epochs, loss_type):
    """Trains a low-rank change on pairs, and takes it off again; the shares with it, its size."""
    first = np.arange(rows) % DIGITS
    up, down = counting(first, 1), counting(first, -1)
    pairs = alignment.pairs(up[:, :1], up[:, 1:], down[:, 1:])
    dpo = alignment.DPO(model, beta=0.3, loss_type=loss_type)
    dpo.compile(jkeras.optimizers.Adam(1e-3), lora={".*(query|value|dense).*kernel": 4})
    history = dpo.fit(pairs, epochs=epochs, verbose=0).history
    print(f"{loss_type}: margin of the rewards {history['reward_margin'][-1]:.2f}")
    after, size = shares(model, 400), model.lora.nbytes
    jkeras.lora.detach(model)
    return after, size


def main(rows=300, epochs=12, tuning=15):
    """Prints and returns the shares of answers that count up and down, {of which: (up, down)},
    and whether the weights of the model stayed the same.
    """
    jkeras.utils.set_random_seed(0)
    model = make_model()
    train_on_both(model, rows, epochs)
    found = {"before": shares(model, 400)}
    weights = [np.asarray(v) for v in jax.tree.leaves(model.params)]
    for loss_type in ("sigmoid", "apo_zero"):
        found[loss_type], size = prefer_up(model, rows, tuning, loss_type)
    for name, (up, down) in found.items():
        print(f"{name}: {up:.2f} of the answers count up, {down:.2f} down")
    kept = all(map(np.array_equal, weights, jax.tree.leaves(model.params)))
    share = 100 * size / sum(w.nbytes for w in weights)
    print(f"changes of {share:.0f} % of the size; the model under them is the same: {kept}")
    return found, kept


if __name__ == "__main__":
    main()
