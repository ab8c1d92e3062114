"""Ctrl-C while weights are loaded: the model has the old ones or the new ones, never both."""

import os
import signal

import numpy as np
import pytest

import jkeras
from jkeras.core.errors import SerializationError
from jkeras.core.weights.variable import Variable
from tests.thinning import some_slow


def model(value):
    options = dict(kernel_initializer=value, bias_initializer=value)
    layers = [jkeras.layers.Dense(3, name=name, **options) for name in ("a", "b")]
    return jkeras.Sequential([jkeras.Input((3,)), *layers], name="net")


def write(new, path, ending):
    if ending == "orbax":
        callback = jkeras.callbacks.OrbaxCheckpoint(path)
        new.compile("sgd", "mse")
        new.fit(np.zeros((2, 3)), np.zeros((2, 3)), epochs=1, verbose=0, callbacks=[callback])
    elif ending == ".h5":
        new.save(path)
    else:
        new.save_weights(path)


def once(interrupt):
    interrupt()


def twice(interrupt):
    interrupt()
    interrupt()


def thrice(interrupt):
    twice(interrupt)
    interrupt()


def broken(interrupt):
    raise KeyboardInterrupt


def full(interrupt):
    raise MemoryError


def in_place(ways):
    """{name: function that gives a model other values}, of a model that has them."""
    return {
        "set_weights": lambda old, new: old.set_weights(new.get_weights()),
        "set_state_tree": lambda old, new: old.set_state_tree(new.get_state_tree()),
        "by name": lambda old, new: old.load_weights(ways["path"] + ".h5", by_name=True),
        **{
            ending: lambda old, new, path=ways["path"] + ending: old.load_weights(path)
            for ending in ENDINGS
        },
    }


ENDINGS = (".weights.h5", ".safetensors", ".npz", ".h5", ".keras", ".weights.json", "orbax")
NAMES = ("set_weights", "set_state_tree", "by name", *ENDINGS)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The way to the files of a model of ones, without an ending."""
    path = str(tmp_path_factory.mktemp("files") / "m")
    new = model("ones")
    for ending in ENDINGS:
        if ending == ".weights.json":
            new.save_weights(path + ending, max_shard_size=40 / 2**30)  # each array in its own file
        elif ending == ".keras":
            new.save(path + ending)
        else:
            write(new, path + ending, ending)
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", some_slow([once, twice, thrice, broken, full], once, thrice))
def test_cut_off_at_every_weight(files, name, how, monkeypatch):
    """By signals, also several, by an interrupt that is no signal, by an error."""
    new, assign = model("ones"), Variable.assign
    change = in_place({"path": files})[name]
    for when in range(4):
        old, count = model("zeros"), []

        def cut(variable, value, count=count, when=when):
            count.append(variable)
            if len(count) == when + 1:
                how(lambda: os.kill(os.getpid(), signal.SIGINT))
            return assign(variable, value)

        monkeypatch.setattr(Variable, "assign", cut)
        with pytest.raises((KeyboardInterrupt, MemoryError, SerializationError)):
            change(old, new)
            for _ in range(100):  # where nothing interrupts
                pass
        monkeypatch.undo()
        assert len(count) > when, "it was not cut"
        loaded = {bool(np.ravel(w)[0] != 0) for w in old.get_weights()}
        assert len(loaded) == 1, "some weights are old and some new"
        assert how is once or how is twice or loaded == {False}
        change(old, new)
        assert all(np.asarray(w).all() for w in old.get_weights())


def test_a_value_that_cannot_be_converted():
    old = model("zeros")
    values = [np.ones_like(w) for w in old.get_weights()]
    values[-1] = values[-1].astype(str).astype(object) + "x"
    with pytest.raises((ValueError, TypeError)):
        old.set_weights(values)
    assert not any(np.asarray(w).any() for w in old.get_weights())


def test_a_state_tree_whose_last_group_is_unknown():
    old, new = model("zeros"), model("ones")
    with pytest.raises(ValueError, match="Unknown variable name: more"):
        old.set_state_tree({**new.get_state_tree(), "more": {}})
    assert not any(np.asarray(w).any() for w in old.get_weights())


def test_a_train_state_that_lacks_an_array():
    old = model("zeros")
    state = jkeras.training.init_train_state(model("ones"))
    first, *_, last = sorted(state.params)
    params = {first: state.params[first], last: {}}
    with pytest.raises(ValueError, match="lacks the values of.*'net/b/.*init_train_state"):
        old.load_train_state(state._replace(params=params))
    assert not any(np.asarray(w).any() for w in old.get_weights())


def test_an_optimizer_whose_last_value_does_not_fit():
    made = model("zeros")
    made.compile("adam", "mse")
    made.fit(np.ones((2, 3)), np.ones((2, 3)), verbose=0)
    before = [np.asarray(v.value) for v in made.optimizer.variables]
    values = [np.full_like(value, 7) for value in before]
    with pytest.raises(ValueError, match="shape"):
        made.optimizer.set_weights([*values[:-1], np.ones(99)])
    for value, variable in zip(before, made.optimizer.variables):
        np.testing.assert_array_equal(value, variable.value)
