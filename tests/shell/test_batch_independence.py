"""`predict` fills batches up where their rows are kept apart, and nowhere else."""

import jax
import numpy as np
import pytest

import jkeras


def predicted(build, sizes):
    """The model, and whether predict gave for each size what the model itself gives."""
    model = build()
    for size in sizes:
        x = np.random.default_rng(size).normal(size=(size, 6)).astype("float32")
        for y in (model.predict(x, verbose=0), model.predict_on_batch(x)):
            jax.tree_util.tree_map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
                y,
                jax.tree_util.tree_map(np.asarray, model(x)),
            )
    return model


@pytest.mark.promise("`fit` pads a smaller last batch, `predict`")
@pytest.mark.promise("`predict` compiles few")
def test_few_sizes_are_compiled():
    def build():
        x = jkeras.Input((6,))
        y = jkeras.layers.BatchNormalization()(jkeras.layers.Dense(3, "softmax")(x))
        return jkeras.Model(
            x, {"a": y, "b": jkeras.layers.Flatten()(jkeras.layers.Reshape((3, 2))(x))}
        )

    model = predicted(build, range(1, 9))
    assert model._functions["predict", key_of(model), None].traces == 3


def test_a_ragged_end_is_no_new_size():
    model = jkeras.Sequential([jkeras.Input((6,)), jkeras.layers.Dense(2)])
    x = np.ones((21, 6), "float32")
    assert model.predict(x, batch_size=8, verbose=0).shape == (21, 2)
    assert model._functions["predict", key_of(model), None].traces == 1


def key_of(model):
    return next(key[1] for key in model._functions if key[0] == "predict")


def test_rows_that_belong_together_are_not_padded():
    predicted(
        lambda: jkeras.Sequential(
            [jkeras.Input((6,)), jkeras.layers.Lambda(lambda x: x - x.mean(0))]
        ),
        (3, 5, 8),
    )


def test_a_stateful_layer_is_not_padded():
    model = jkeras.Sequential(
        [jkeras.Input(batch_shape=(3, 2, 4)), jkeras.layers.LSTM(2, stateful=True)]
    )
    assert model.predict(np.ones((3, 2, 4), "float32"), verbose=0).shape == (3, 2)
