"""A forward pass that also gives what layers inside give, beside the plain forward pass."""

import jax

import jkeras
from benchmarks.others import Experiment
from benchmarks.peers import keras_
from benchmarks.works import WORKS


def passes(model, x, compiled):
    """Forward passes with and without a look at all layers with weights, as functions."""
    places = [layer for layer in model.layers if layer.weights]
    values = model.params, model.state

    def plain(params, state, x):
        return model.apply(params, state, x)[0]

    def tapped(params, state, x):
        y, _, seen = model.tap(params, state, x, at=places)
        return y, list(seen.values())

    wrap = jax.jit if compiled else lambda function: function
    forms = {"apply": wrap(plain), "jkeras": wrap(tapped)}
    return {
        name: lambda run=run: jax.block_until_ready(run(*values, x)) for name, run in forms.items()
    }


def experiments(quick):
    """The plain form of both is `apply`."""
    for name in ("tiny",) if quick else ("mlp", "transformer"):
        work = WORKS[name]
        x, model = work.data()[0][: work.batch], keras_.network(jkeras, work)
        for compiled in (True, False):
            how = "compiled" if compiled else "outside jit"
            title = f"all layers' outputs with `tap`, {name}, {how}"
            yield Experiment(f"taps {name} {how}", title, passes(model, x, compiled))
