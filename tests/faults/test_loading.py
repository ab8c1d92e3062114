"""Ctrl-C while weights are loaded: the model has the old ones or the new ones, never both."""

import os
import signal

import numpy as np
import pytest

import jkeras
from jkeras.core.variable import Variable


def model(value):
    layers = [jkeras.layers.Dense(3, kernel_initializer=value, bias_initializer=value)]
    layers += [jkeras.layers.Dense(3, kernel_initializer=value, bias_initializer=value)]
    return jkeras.Sequential([jkeras.Input((3,)), *layers])


def write(new, path, ending):
    if ending == "orbax":
        callback = jkeras.callbacks.OrbaxCheckpoint(path)
        new.compile("sgd", "mse")
        new.fit(np.zeros((2, 3)), np.zeros((2, 3)), epochs=1, verbose=0, callbacks=[callback])
    elif ending == ".h5":
        new.save(path)
    else:
        new.save_weights(path)


@pytest.mark.parametrize("ending", [".weights.h5", ".safetensors", ".npz", ".h5", "orbax"])
@pytest.mark.parametrize("when", [1, 3])
def test_ctrl_c_between_two_weights(ending, when, tmp_path, monkeypatch):
    path = str(tmp_path / f"m{ending}")
    new = model("ones")
    write(new, path, ending)
    old, assign, count = model("zeros"), Variable.assign, []

    def interrupted(variable, value):
        count.append(variable)
        if len(count) == when:
            os.kill(os.getpid(), signal.SIGINT)
        return assign(variable, value)

    monkeypatch.setattr(Variable, "assign", interrupted)
    with pytest.raises(KeyboardInterrupt):
        old.load_weights(path)
        for _ in range(100):  # where nothing interrupts
            pass
    monkeypatch.undo()
    loaded = {float(np.ravel(w)[0]) != 0 for w in old.get_weights()}
    assert len(loaded) == 1, "some weights are old and some new"
