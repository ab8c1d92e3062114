"""`DPSGD(check=)`: ghosts against gradients by row."""

import numpy as np
import pytest

import jkeras
from jkeras import layers, privacy
from jkeras.privacy import checking, clipping, ghost

RANDOM = np.random.default_rng(0)
LOSS = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
Y = RANDOM.integers(0, 3, 40)
NUMBERS = RANDOM.normal(size=(40, 6)).astype("float32")
WORDS = RANDOM.integers(0, 9, size=(40, 5))
MODELS = {
    "dense": (NUMBERS, lambda: [layers.Dense(8, "tanh"), layers.Dropout(0.3), layers.Dense(3)]),
    "bfloat16": (NUMBERS, lambda: [layers.Dense(8, dtype="mixed_bfloat16"), layers.Dense(3)]),
    "convolution": (
        RANDOM.normal(size=(40, 6, 6, 2)).astype("float32"),
        lambda: [layers.Conv2D(4, 3, strides=2), layers.Flatten(), layers.Dense(3)],
    ),
    "words": (
        WORDS,
        lambda: [layers.Embedding(9, 4, mask_zero=True), layers.LSTM(3), layers.Dense(3)],
    ),
    "norms": (
        RANDOM.normal(size=(40, 5, 4)).astype("float32") * 1e3,
        lambda: [layers.LayerNormalization(), layers.Flatten(), layers.Dense(3)],
    ),
}


def fitted(x, parts, batch_size=10, **options):
    jkeras.utils.clear_session()
    jkeras.utils.set_random_seed(0)
    model = jkeras.Sequential(parts())
    dp = privacy.DPSGD(0.5, 1.0, delta=1e-3, **options)
    model.compile("sgd", LOSS, privacy=dp)
    return model.fit(x, Y[: len(x)], batch_size=batch_size, epochs=2, seed=0, verbose=0)


@pytest.fixture
def checks(monkeypatch):
    """How often ghosts were compared."""
    times, compare = [], checking.check

    def noted(*arguments):
        times.append(1)
        compare(*arguments)

    monkeypatch.setattr(checking, "check", noted)
    return times


@pytest.mark.promise("`DPSGD(check=True)` compares lengths and sums of 8 rows")
@pytest.mark.parametrize("x, parts", MODELS.values(), ids=MODELS)
def test_models_pass_and_train_as_without(x, parts, checks):
    with_check = fitted(x, parts, check=True).history
    assert len(checks) == 1
    assert with_check == fitted(x, parts, check=False).history
    assert len(checks) == 1


def changed_ghosts(monkeypatch, change):
    def changed(*arguments):
        return change(ghost.ghosts(*arguments))

    monkeypatch.setattr(clipping, "ghosts", changed)


@pytest.mark.promise("raises where a length is too small or a sum another one")
def test_a_length_that_is_too_small_raises(monkeypatch):
    x, parts = MODELS["dense"]

    def smaller(found):
        squares = clipping.map_structure(lambda v: v.at[3].multiply(0.9), found.squares)
        return ghost.Ghosts(squares, found.aux, found.weighted)

    changed_ghosts(monkeypatch, smaller)
    with pytest.raises(RuntimeError, match="for row 3 by `norms='ghost'`"):
        fitted(x, parts, check=True)
    fitted(x, parts, check=False)


def test_another_sum_raises(monkeypatch):
    x, parts = MODELS["dense"]

    def another(found):
        def weighted(weights, counts):
            first, *others = found.weighted(weights, counts)
            return [1.1 * first, *others]

        return ghost.Ghosts(found.squares, found.aux, weighted)

    changed_ghosts(monkeypatch, another)
    with pytest.raises(RuntimeError, match="of all lengths away"):
        fitted(x, parts, check=True)


@pytest.mark.promise("the training has lasted 200 times as long as its step took to compile")
def test_without_check_it_is_done_where_it_costs_little(checks, monkeypatch):
    x, parts = MODELS["dense"]
    fitted(x, parts)
    assert not checks  # a training of a moment
    monkeypatch.setattr(checking, "PATIENCE", 0.0)
    fitted(x, parts)
    assert len(checks) == 1
    fitted(x, parts, norms="vmap", check=True)  # which has no ghosts
    assert len(checks) == 1


def test_fewer_rows_than_are_compared(checks):
    x, parts = MODELS["dense"]
    fitted(x[:5], parts, batch_size=3, check=True)
    assert len(checks) == 1
