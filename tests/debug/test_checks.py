"""`error_if` and `breakpoint_if`: within transformations, against Equinox where it is there, and in
trainings.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import debug, layers
from jkeras.core.errors import StepError

X = np.random.default_rng(0).uniform(size=(60, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
BAD = X.copy()
BAD[[37, 33], 0] = 9


class Looks(layers.Layer):
    """Gives what it is given, unless it is too large."""

    def call(self, x):
        return debug.error_if(x, x[:, 0] > 5, "the first column is above 5")


def model_with(*others, **compiled):
    jkeras.utils.set_random_seed(1)
    model = jkeras.Sequential(
        [jkeras.Input((3,)), Looks(name="looks"), *others, layers.Dense(1, name="out")]
    )
    model.compile("adam", "mse", **compiled)
    return model


def fitted(model, x=X, y=Y, **options):
    return model.fit(x, y, batch_size=10, shuffle=False, verbose=0, **options)


def weights_after(count, **compiled):
    model = model_with(**compiled)
    fitted(model, X[: 10 * count], Y[: 10 * count])
    return model.get_weights()


# ---------------------------------------------------------------- transformations


def checked(x):
    return debug.error_if(x, x > 1, "above one")


TRANSFORMED = {
    "jit": checked,
    "grad": jax.grad(lambda x: (checked(x) ** 2).sum()),
    "vmap": jax.vmap(checked),
    "vmap of grad": jax.vmap(jax.grad(lambda x: checked(x) ** 2)),
    "grad of vmap": jax.grad(lambda x: (jax.vmap(checked)(x) ** 2).sum()),
    "scan": lambda x: jax.lax.scan(lambda c, v: (c, checked(v)), 0.0, x)[1],
    "grad of scan": jax.grad(
        lambda x: jax.lax.scan(lambda c, v: (c, checked(v) ** 2), 0.0, x)[1].sum()
    ),
    "fori_loop": lambda x: jax.lax.fori_loop(0, 2, lambda _, v: checked(v), x),
    "cond": lambda x: jax.lax.cond(x.sum() > -9, checked, lambda x: x, x),
    "remat": jax.grad(lambda x: jax.checkpoint(lambda v: jnp.sin(checked(v)).sum())(x)),
    "jvp": lambda x: jax.jvp(checked, (x,), (x,))[1],
    "forward over reverse": jax.hessian(lambda x: (checked(x) ** 3).sum()),
}


@pytest.mark.promise("also in `jax.jit`, `vmap`, `grad`, `scan` and `cond`")
@pytest.mark.parametrize("name", TRANSFORMED)
def test_it_raises_where_the_condition_holds_alone(name, monkeypatch):
    function = jax.jit(TRANSFORMED[name])
    fine, wrong = jnp.array([0.5, 0.25]), jnp.array([0.5, 2.0])
    got = function(fine)
    with monkeypatch.context() as patch:  # the same without the condition
        patch.setattr(debug, "error_if", lambda x, condition, message: x)
        wanted = jax.jit(lambda x: TRANSFORMED[name](x))(fine)
    np.testing.assert_array_equal(got, wanted)
    with pytest.raises(jax.errors.JaxRuntimeError, match="error_if: above one"):
        jax.block_until_ready(function(wrong))
        jax.effects_barrier()
    np.testing.assert_array_equal(function(fine), got)  # and goes on


@pytest.mark.parametrize("name", ["jit", "grad", "vmap", "grad of scan", "cond"])
def test_it_raises_where_equinox_does(name, monkeypatch):
    equinox = pytest.importorskip("equinox")
    with monkeypatch.context() as patch:
        patch.setattr(debug, "error_if", equinox.error_if)
        theirs = jax.jit(lambda x: TRANSFORMED[name](x))
        fine = theirs(jnp.array([0.5, 0.25]))
        with pytest.raises((RuntimeError, ValueError), match="above one"):
            jax.block_until_ready(theirs(jnp.array([0.5, 2.0])))
    np.testing.assert_array_equal(jax.jit(TRANSFORMED[name])(jnp.array([0.5, 0.25])), fine)


def test_without_compiling_it_raises_at_once():
    tree = {"a": jnp.ones(2), "b": (jnp.zeros(()), 3)}
    assert debug.error_if(tree, False, "no") is tree
    with pytest.raises(debug.ConditionError, match=r"^error_if: wrong$") as caught:
        debug.error_if(tree, np.True_, "wrong")
    assert caught.value.rows == ()
    with pytest.raises(debug.ConditionError, match=r"\(rows 1, 3 of 4\)") as caught:
        jax.grad(lambda x: debug.error_if(x, x > 1, "wrong").sum())(jnp.array([0.0, 2, 1, 3]))
    assert caught.value.rows == (1, 3)
    assert caught.value.count == 4
    assert isinstance(caught.value, RuntimeError)


def test_rows_within_vmap_are_those_of_the_condition():
    values = jnp.zeros((2, 3)).at[1, 2].set(5.0)
    with pytest.raises(debug.ConditionError, match=r"row 2 of 3, at \(1,\) of what `vmap`"):
        jax.vmap(checked)(values)
    with pytest.raises(debug.ConditionError, match=r"\(row 1 of 2\)"):
        jax.vmap(lambda row: debug.error_if(row, row.sum() > 1, "wrong"))(values)


def test_many_rows_are_not_all_named():
    with pytest.raises(debug.ConditionError, match="6, 7 and 92 more of 100"):
        checked(jnp.full(100, 2.0))


@pytest.mark.parametrize("condition", [1.0, jnp.ones(3), "yes", None])
def test_what_is_no_condition_is_refused(condition):
    with pytest.raises(TypeError, match="a condition of booleans"):
        debug.error_if(jnp.ones(3), condition, "wrong")


def test_symbolic_inputs_are_refused():
    with pytest.raises(ValueError, match="write a layer"):
        debug.error_if(jkeras.Input((3,)), False, "wrong")


# ---------------------------------------------------------------- trainings

COMPILED = {
    "as fit likes": {},
    "several steps in a dispatch": {"steps_per_execution": 4},
    "one step": {"steps_per_execution": 1, "steps": [lambda step: step]},
    "eagerly": {"run_eagerly": True},
    "nonfinite": {"nonfinite": "skip"},
}


@pytest.mark.promise("the error says which layer, step and rows it is about")
@pytest.mark.promise("The model holds what it was before that step")
@pytest.mark.parametrize("compiled", COMPILED.values(), ids=COMPILED)
def test_fit_raises_at_the_step_and_keeps_what_was_trained(compiled):
    model = model_with(**compiled)
    with pytest.raises(debug.ConditionError) as caught:
        fitted(model, BAD, epochs=3)
    message = str(caught.value)
    assert "Layer 'sequential/looks' (Looks)" in message or "/looks' (Looks)" in message
    assert "the first column is above 5 (rows 3, 7 of 10)" in message
    assert "at step 3 of epoch 1 (steps count from 0)" in message
    assert ("in rows 33, 37 of the data" in message) == ("run_eagerly" not in compiled)
    assert caught.value.rows == (3, 7)
    for mine, wanted in zip(model.get_weights(), weights_after(3, **compiled), strict=True):
        np.testing.assert_array_equal(mine, wanted)
    assert int(model.optimizer.iterations) == 3
    fitted(model)  # and it can be trained on
    assert int(model.optimizer.iterations) == 9


def test_shuffled_rows_are_named_by_their_number_in_the_data():
    model = model_with()
    with pytest.raises(debug.ConditionError, match="in row 37 of the data"):
        one = X.copy()
        one[37, 0] = 9
        model.fit(one, Y, batch_size=10, shuffle=True, seed=3, verbose=0)


def test_batches_of_a_generator():
    def batches():
        for i in range(0, 60, 10):
            yield BAD[i : i + 10], Y[i : i + 10]

    model = model_with()
    with pytest.raises(debug.ConditionError, match=r"rows 3, 7 of 10.*step 3 of epoch 1"):
        model.fit(batches(), verbose=0)
    for mine, wanted in zip(model.get_weights(), weights_after(3), strict=True):
        np.testing.assert_array_equal(mine, wanted)


def test_microbatches_say_so():
    with pytest.raises(debug.ConditionError, match=r"\(rows 1, 3 of 5 of a microbatch\)"):
        fitted(model_with(microbatches=2), BAD)


def test_a_loss_and_a_train_step_of_ones_own():
    def loss(y, p):
        return debug.error_if(jnp.mean((y - p) ** 2, -1), y[:, 0] > 5, "a label above 5")

    model = model_with()
    model.compile("sgd", loss)
    with pytest.raises(debug.ConditionError, match=r"error_if: a label above 5 \(row 4 of 10\)"):
        labels = Y.copy()
        labels[14] = 6
        fitted(model, X, labels)

    class Own(jkeras.Sequential):
        def train_step(self, state, data):
            logs, state = super().train_step(state, data)
            debug.error_if(state, logs["loss"] > -1, "any loss")
            return logs, state

    model = Own([jkeras.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(debug.ConditionError, match="any loss. That was at step 0 of epoch 1"):
        fitted(model)
    for mine, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, wanted)


@pytest.mark.promise("Batches are not filled up then")
def test_rows_that_fill_up_a_batch_are_not_looked_at():
    class Positive(layers.Layer):
        def call(self, x):
            return debug.error_if(x, x[:, 0] <= 0, "not positive")

    class Sum(layers.Layer):
        def call(self, x):
            return debug.error_if(x, jkeras.ops.sum(x[:, 0] < 1) > 1, "more than one row")

    model = jkeras.Sequential([jkeras.Input((3,)), Positive(), Sum(), layers.Dense(1)])
    model.compile("sgd", "mse")
    data = X[:13] + 1
    data[-1, 0] = 0.5
    model.fit(data, Y[:13], batch_size=8, verbose=0)
    model.evaluate(data, Y[:13], batch_size=8, verbose=0)
    assert model.predict(data, batch_size=8, verbose=0).shape == (13, 1)


@pytest.mark.promise("So do `evaluate`, `predict`, `train_on_batch` and the call of a model")
def test_other_methods_raise_the_same_error():
    model = model_with()
    before = model.get_weights()
    runs = {
        r"step 3 of an evaluation": lambda: model.evaluate(BAD, Y, batch_size=10, verbose=0),
        r"rows 1, 5 of 28": lambda: model.predict(BAD, verbose=0),
        r"rows 33, 37 of 60": lambda: model.predict_on_batch(BAD),
        r"\(rows 3, 7 of 10\)": lambda: model.train_on_batch(BAD[30:40], Y[30:40]),
        r"of 60\)\s": lambda: model(BAD),
    }
    for text, run in runs.items():
        for _ in range(2):
            with pytest.raises(debug.ConditionError, match=text):
                run()
    for mine, wanted in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, wanted)
    assert np.isfinite(model.predict(X, verbose=0)).all()


def test_validation_data_and_an_ensemble():
    with pytest.raises(debug.ConditionError, match="`validation_data`: Layer.*an evaluation"):
        fitted(model_with(), validation_data=(BAD, Y))
    with pytest.raises(debug.ConditionError, match=r"of 10, at \(\d,\).* of what `vmap`"):
        model_with().fit(BAD, Y, batch_size=10, ensemble=2, seed=0, verbose=0)


@pytest.mark.promise("Where there is no condition, nothing is done and nothing is kept")
@pytest.mark.promise("A program with one keeps the weights that it starts from")
def test_a_program_without_a_condition_consumes_its_state():
    found = {}
    for name, model in (("with", model_with()), ("without", jkeras.Sequential([layers.Dense(1)]))):
        model.compile("sgd", "mse")
        fitted(model)
        programs = [v for v in vars(model)["_functions"].values() if hasattr(v, "may_raise")]
        found[name] = {(program.may_raise, program.donate) for program in programs}
    assert found == {"with": {(True, ())}, "without": {(False, (0,))}}


# ---------------------------------------------------------------- breakpoints


@pytest.mark.promise("`breakpoint_if` opens Python's debugger")
def test_a_debugger_opens_where_the_condition_holds(monkeypatch):
    seen = []

    def hook():
        outer = sys._getframe(1).f_locals
        seen.append((outer["values"], outer["named"]))

    monkeypatch.setattr(sys, "breakpointhook", hook)

    def function(x):
        debug.breakpoint_if(x.sum() > 3, x, double={"x": 2 * x})
        return x + 1

    run = jax.jit(function)
    assert run(jnp.ones(2)).tolist() == [2, 2]
    jax.effects_barrier()
    assert not seen
    run(jnp.full(2, 4.0))
    jax.effects_barrier()
    ((values, named),) = seen
    assert values[0].tolist() == [4, 4]
    assert named["double"]["x"].tolist() == [8, 8]
    jax.vmap(jax.grad(lambda v: (function(v)).sum()))(jnp.array([[4.0], [1.0]]))
    jax.effects_barrier()
    assert len(seen) == 2


def test_leaving_the_debugger_ends_a_training(monkeypatch):
    class Quit(Exception):
        """As pdb's."""

    def hook():
        raise Quit

    monkeypatch.setattr(sys, "breakpointhook", hook)

    class Stops(layers.Layer):
        def call(self, x):
            debug.breakpoint_if(x > 5, x=x)
            return x

    model = jkeras.Sequential([jkeras.Input((3,)), Stops(), layers.Dense(1)])
    model.compile("sgd", "mse")
    fitted(model)
    kept = model.get_weights()
    with pytest.raises(StepError, match="Quit"):
        fitted(model, BAD[30:], Y[30:])
    for mine, wanted in zip(model.get_weights(), kept, strict=True):
        np.testing.assert_array_equal(mine, wanted)
