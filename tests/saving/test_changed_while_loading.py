"""Layers that change in place what they are given to load."""

import numpy as np
import pytest

import jkeras


class Doubled(jkeras.layers.Dense):
    """Changes the arrays that it loads."""

    def load_own_variables(self, store):
        kernel = store["0"]
        kernel *= 2
        self.kernel.assign(kernel)


@pytest.mark.parametrize("ending", [".weights.h5", ".keras"])
def test_a_layer_may_change_what_it_loads(ending, tmp_path):
    saved, loaded = (jkeras.Sequential([jkeras.Input((200,)), Doubled(200)]) for _ in range(2))
    path = tmp_path / f"model{ending}"
    (saved.save if ending == ".keras" else saved.save_weights)(path)
    loaded.load_weights(path)
    np.testing.assert_array_equal(loaded.get_weights()[0], 2 * saved.get_weights()[0])
