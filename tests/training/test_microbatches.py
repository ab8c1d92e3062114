"""A batch taken in microbatches: the gradient, losses and metrics of the whole batch, with weights,
masks and padding.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import layers, losses
from jkeras.training import init_train_state, make_train_step
from tests.training.test_padding import CASES, OwnLoss, two, two_outputs
from tests.thinning import every

COUNT = 4
# are those of a microbatch
STATISTICS = ("batch norm", "renorm", "masked batch norm", "convolutions", "two outputs")
HERE = {name: case for name, case in CASES.items() if name not in STATISTICS} | {
    "outputs": (lambda: two_outputs(batch_norm=False), two)
}


def stepped(model, data, count, rows=None):
    """State and logs after two steps."""
    model.compile(**model.compilation.arguments, microbatches=count)
    state = init_train_state(model, jax.random.key(0), data)
    step = jax.jit(make_train_step(model))
    for _ in range(2):
        state, logs = step(state, data, rows)
    return state, logs


@pytest.mark.promise("the same gradient, a quarter of the activations")
@pytest.mark.promise("takes a batch in four parts, to the same gradient")
@pytest.mark.promise("equal to that of 256, with masks and weights")
@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("name", every(2, HERE))
def test_microbatches_make_the_whole(name, padding):
    build, make = HERE[name]
    if padding and name in ("attention", "regularized", "reduction mean"):
        pytest.skip("the same reductions as in other cases")
    jkeras.utils.set_random_seed(0)
    model, data = build(), make(8)
    rows = np.array([True, True, False, True, True, False, True, True]) if padding else None
    found = [stepped(model, data, count, rows) for count in (1, COUNT)]
    jax.tree_util.tree_map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6), *found
    )


def test_a_fit_in_microbatches_with_a_ragged_end():
    x, y = np.random.default_rng(0).normal(size=(21, 6)).astype("float32"), np.arange(21) % 3
    histories = []
    for count in (1, 4):
        jkeras.utils.set_random_seed(3)
        model = jkeras.Sequential(
            [jkeras.Input((6,)), layers.Dense(4, "tanh"), layers.Dense(3, "softmax")]
        )
        model.compile(
            "adam", "sparse_categorical_crossentropy", metrics=["accuracy"], microbatches=count
        )
        histories.append(model.fit(x, y, batch_size=8, epochs=3, verbose=0).history)
    for name in histories[0]:
        np.testing.assert_allclose(histories[1][name], histories[0][name], rtol=1e-4)


def test_penalties_count_once_and_odd_batches_are_taken_whole():
    model = jkeras.Sequential(
        [jkeras.Input((6,)), layers.Dense(3, kernel_regularizer="l2", activity_regularizer="l1")]
    )
    model.compile("sgd", "mse")
    data = np.ones((7, 6), "float32"), np.ones((7, 3), "float32")
    for rows in (slice(6), slice(7)):
        part = data[0][rows], data[1][rows]
        found = [stepped(model, part, count) for count in (1, 3)]
        jax.tree_util.tree_map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), *found)


def test_a_loss_of_ones_own_is_averaged():
    model = OwnLoss([jkeras.Input((6,)), layers.Dense(3)])
    model.compile("sgd")
    data = np.ones((8, 6), "float32"), np.arange(8.0, dtype="float32")
    found = [stepped(model, data, count) for count in (1, 4)]
    jax.tree_util.tree_map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), *found)


@pytest.mark.promise("the same gradient, a quarter of the activations")
@pytest.mark.promise("the gradient of a batch of 256 in the memory of 64")
def test_it_takes_the_memory_of_a_piece():
    def temporary(count):
        model = jkeras.Sequential(
            [jkeras.Input((64,)), *[layers.Dense(64, "tanh") for _ in range(4)], layers.Dense(1)]
        )
        model.compile("sgd", losses.MeanSquaredError(), microbatches=count)
        state, data = init_train_state(model), (jnp.ones((4096, 64)), jnp.ones((4096, 1)))
        return (
            jax.jit(make_train_step(model))
            .lower(state, data)
            .compile()
            .memory_analysis()
            .temp_size_in_bytes
        )

    assert temporary(16) < 0.6 * temporary(1)


@pytest.mark.parametrize("wrong", [0, 1.5, "2"])
def test_wrong_numbers_are_explained(wrong):
    with pytest.raises(ValueError, match="`microbatches` must be a positive integer"):
        jkeras.Sequential([layers.Dense(1)]).compile("sgd", "mse", microbatches=wrong)
