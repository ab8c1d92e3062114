"""Data that steps take from where it was put once: the values and types of arrays on a device."""

import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras.core.system.host_memory import aligned
from jkeras.training.data import placement


@pytest.mark.parametrize("dtype", ["float32", "int64", "float64", "bool", "bfloat16"])
@pytest.mark.parametrize("step", [1, -2])
def test_values_and_types_are_those_of_the_device(dtype, step):
    rows = np.arange(14).reshape(7, 2).astype(jnp.dtype(dtype))[::step]
    put, wanted = placement.put_once(rows), jnp.asarray(rows)
    assert put.dtype == wanted.dtype
    np.testing.assert_array_equal(put, wanted)


def test_rows_that_change_during_a_training_are_those_of_its_beginning():
    def losses(change):
        x, y = aligned((6, 2), "float32"), np.ones((6, 1), "float32")
        x[...] = 1
        model = jkeras.Sequential(
            [jkeras.Input((2,)), jkeras.layers.Dense(1, kernel_initializer="ones")]
        )
        model.compile("sgd", "mse")

        def after_an_epoch(epoch, logs):
            x[...] *= change

        callback = jkeras.callbacks.LambdaCallback(on_epoch_end=after_an_epoch)
        return model.fit(x, y, 3, 3, callbacks=[callback], shuffle=False, verbose=0).history["loss"]

    assert losses(change=5) == losses(change=1)


def test_a_memory_map_for_reading_is_not_copied(tmp_path):
    np.save(tmp_path / "rows.npy", np.arange(40.0, dtype="float32").reshape(10, 4))
    for mode, is_shared in (("r", True), ("c", False)):
        rows = np.load(tmp_path / "rows.npy", mmap_mode=mode)
        put = placement.put_once(rows)
        assert np.shares_memory(put, rows) is is_shared
        np.testing.assert_array_equal(put, rows)
    rows = np.load(tmp_path / "rows.npy")
    view = rows[:]
    view.flags.writeable = False  # but `rows` may be written to
    assert not np.shares_memory(placement.put_once(view), rows)
