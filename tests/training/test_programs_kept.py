"""Compiled programs for ever new shapes do not pile up."""

import numpy as np

import jkeras
from jkeras.training.loop import program


def test_evaluations_of_ever_new_sizes(monkeypatch):
    monkeypatch.setattr(program, "MOST_SHAPES", 3)
    freed = []
    release = program.Program._keep

    def keep(self, shapes, jitted):
        before = [one for several in self._jitted.values() for one in several]
        release(self, shapes, jitted)
        kept = [one for several in self._jitted.values() for one in several]
        assert len(self._jitted) <= 3
        freed.extend(one for one in before if one not in kept)

    monkeypatch.setattr(program.Program, "_keep", keep)
    model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.ones((2, 1))])
    model.compile("sgd", "mse")
    x = np.arange(24.0).reshape(12, 2)
    losses = {size: model.evaluate(x[:size], x[:size, :1], verbose=0) for size in range(1, 7)}
    assert len(freed) == 3
    assert all(one._cache_size() == 0 for one in freed)
    for size in (6, 1, 5, 6):  # kept, and made again
        expected = np.mean(x[:size, 1] ** 2)
        np.testing.assert_allclose(losses[size], expected, rtol=1e-6)
        again = model.evaluate(x[:size], x[:size, :1], verbose=0)
        assert again == losses[size]
