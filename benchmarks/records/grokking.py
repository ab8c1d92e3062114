"""Grokking: a network knows its training examples long before it understands them.

Power et al. (2022): of all sums modulo a prime, a network with weight decay soon knows those that
it is trained on, and the others only many times as many steps later. Nanda et al. (2023): what it
has learnt then are rotations, so the embedding of the numbers, as a function of the number,
consists of a few frequencies.

The network here is a multilayer perceptron on the sum of two embeddings, so a pair and its mirror
image count as one. All seeds are one program.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.records.record import Record, Row, over

PRIME, PART, EMBEDDED, HIDDEN, RATE, DECAY = 47, 0.65, 24, 96, 3e-3, 1.0
SEEDS, STEPS, EVERY, KNOWN, FEW = 4, 6000, 20, 0.99, 7


def build() -> Any:
    """Pairs of numbers (rows, 2) -> logits of their sum, compiled."""
    import jkeras
    from jkeras import layers

    pair = jkeras.Input((2,), dtype="int32")
    embedded = layers.Embedding(PRIME, EMBEDDED, name="numbers")(pair)
    hidden = layers.Dense(HIDDEN, "relu", name="hidden")(embedded[:, 0] + embedded[:, 1])
    model = jkeras.Model(pair, layers.Dense(PRIME, use_bias=False)(hidden))
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.AdamW(RATE, DECAY, beta_2=0.98), loss)
    return model


def of_seed(model: Any) -> Any:
    """A function of a key: (params before, after, accuracies on the training pairs and on the
    others each `EVERY` steps).
    """
    from jkeras.training import init_train_state, make_predict_step, make_train_step

    step, predict = make_train_step(model), make_predict_step(model)
    pairs = jnp.stack(jnp.triu_indices(PRIME), -1)
    count = round(PART * len(pairs))

    def run(key):
        rows = jax.random.permutation(jax.random.fold_in(key, 1), pairs)
        sums = rows.sum(-1) % PRIME

        def some(state, _):
            one = lambda state, _: (step(state, (rows[:count], sums[:count]))[0], None)
            state = jax.lax.scan(one, state, None, EVERY)[0]
            right = predict(state, rows).argmax(-1) == sums
            return state, (right[:count].mean(), right[count:].mean())

        first = init_train_state(model, key)
        last, found = jax.lax.scan(some, first, None, STEPS // EVERY)
        return first.params, last.params, *found

    return run


def spectrum(embedding: Any) -> np.ndarray:
    """(seeds, frequencies): shares of an embedding's power, without its mean, largest first."""
    power = (np.abs(np.fft.rfft(embedding, axis=-2)) ** 2).sum(-1)[..., 1:]
    return np.sort(power / power.sum(-1, keepdims=True))[..., ::-1]


def steps_until_known(accuracies: np.ndarray) -> np.ndarray:
    """(seeds,), of (seeds, times); one that never gets there is not a number."""
    known = accuracies >= KNOWN
    return np.where(known.any(-1), EVERY * (1 + known.argmax(-1)), np.nan)


def measure() -> tuple[list[Row], dict]:
    run = jax.jit(jax.vmap(of_seed(build())))
    before, after, train, test = run(jax.random.split(jax.random.key(0), SEEDS))
    first, last = (spectrum(each["numbers"]["embeddings"]) for each in (before, after))
    train, test = np.asarray(train), np.asarray(test)
    known, understood = map(steps_until_known, (train, test))
    then = test[np.arange(SEEDS), (known // EVERY).astype(int) - 1]
    few = f"share of the embedding's power in {FEW} of {PRIME // 2} frequencies"
    rows = [
        over("steps until 99 % of the training sums are right", known),
        over("accuracy on other sums then", then, published="by chance", most=0.1),
        over("steps until 99 % of the others are right", understood),
        over("so many times as many", understood / known, published="many", least=5.0),
        over("accuracy on other sums in the end", test[:, -1], published="1", least=0.99),
        over(few, last[:, :FEW].sum(-1), published="nearly all, in about 5", least=0.8),
        over("the same before training", first[:, :FEW].sum(-1), most=0.5),
    ]
    means = {"train": train.mean(0), "test": test.mean(0), "before": first[0], "after": last[0]}
    return rows, {name: np.round(each, 4).tolist() for name, each in means.items()}


def draw(figure: Any, data: dict) -> None:
    """Accuracies over the steps, and the spectrum of an embedding before and after."""
    over, of = figure.subplots(1, 2, width_ratios=(3, 2))
    steps = EVERY * (1 + np.arange(len(data["train"])))
    over.plot(steps, data["train"], label="training sums")
    over.plot(steps, data["test"], label="other sums")
    over.set(xscale="log", xlabel="steps", ylabel="accuracy")
    over.legend(frameon=False, loc="upper left")
    of.bar(range(len(data["after"])), data["after"], color="C1", label="after")
    of.plot(data["before"], color="0.3", label="before training")
    of.set(xlabel="frequencies, by power", ylabel="share of the power", xticks=[])
    of.legend(frameon=False)


RECORD = Record(
    group="papers",
    title="Grokking: sums modulo a prime, understood long after they are known",
    about="A perceptron with weight decay on 65 % of the sums modulo 47, and the Fourier spectrum "
    "of its embedding; four seeds in one program.",
    packages=(),
    licence="no data",
    source="Power et al. 2022, arXiv:2201.02177; Nanda et al., ICLR 2023",
    measure=measure,
    draw=draw,
)
