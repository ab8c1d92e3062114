"""What a call is in a jaxpr, in each of the forms in which JAX writes one: the same answers from
all that reads programs, with the forms that JAX is to have next and those that it has.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jkeras
from jkeras import explain, layers, privacy
from jkeras.programs.calls import call_of, inner_jaxprs
from jkeras.programs.primitives import Kind
from jkeras.programs.sites import uses
from jkeras.programs.tape import Tape, gradient
from jkeras.programs.batch_independence import are_independent
from jkeras.programs.operations import count_operations

X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
NEXT = ("jax_custom_jvp3", "jax_custom_vjp3", "jax_remat3")  # off by default up to JAX 0.12


@pytest.fixture
def as_next():
    """What switches to the forms that JAX is to have next."""
    known = [name for name in NEXT if hasattr(jax.config, name)]
    before = {name: getattr(jax.config, name) for name in known}

    def switch():
        for name in known:
            jax.config.update(name, True)

    yield switch
    for name, value in before.items():
        jax.config.update(name, value)


@jax.custom_vjp
def sine(x):
    return jnp.sin(x)


sine.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (2 * jnp.cos(x) * g,))

ROWS_APART = {
    "relu": jax.nn.relu,
    "custom_vjp": sine,
    "vmap of custom_vjp": jax.vmap(sine),
    "checkpoint": jax.checkpoint(lambda x: jnp.sin(jnp.sin(x))),
    "jit": jax.jit(jnp.tanh),
    "log2": jnp.log2,
    "sinc": jnp.sinc,
    "hypot": lambda x: jnp.hypot(x, x),
    "softmax": jax.nn.softmax,
    "scan": lambda x: jax.lax.scan(lambda c, v: (c + jax.nn.relu(v), c), x[:, 0], x.T)[0],
}
ROWS_TOGETHER = {
    "relu": lambda x: x + jax.nn.relu(x).sum(0),
    "in a call": jax.checkpoint(lambda x: x - x.mean(0)),
    "in a rule": jax.custom_jvp(lambda x: x - x.mean(0)),
}
ROWS_TOGETHER["in a rule"].defjvp(lambda p, t: (p[0], t[0]))


@pytest.mark.parametrize("is_next", [False, True])
def test_rows(as_next, is_next):
    if is_next:
        as_next()
    for name, function in ROWS_APART.items():
        assert are_independent(function, batch=X), name
    for name, function in ROWS_TOGETHER.items():
        assert not are_independent(function, batch=X), name


def network():
    jkeras.utils.set_random_seed(0)
    return jkeras.Sequential(
        [
            jkeras.Input((3,)),
            layers.Dense(4, activation="relu"),
            layers.Activation("gelu"),
            layers.Dense(4, activation="relu6"),
            layers.Dense(1),
        ]
    )


def predicted(sizes):
    """What is predicted of batches of these sizes, and how many programs are traced for it."""
    model, traces = network(), []

    class Counting(layers.Layer):
        def call(self, x):
            traces.append(x.shape[0])
            return x

    model.add(Counting())
    y = [model.predict(np.resize(X, (size, 3)), verbose=0) for size in sizes]
    return y, [rows for rows in traces if rows is not None]


def test_programs_of_predict(as_next):
    wanted, traces = predicted(range(1, 10))
    as_next()
    outputs, traces_next = predicted(range(1, 10))
    assert traces_next == traces and len(set(traces)) <= 8
    for a, b in zip(outputs, wanted):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def attributed():
    model = network()
    x = X[:2]
    yield explain.guided_backprop(model, x)
    yield explain.deconvnet(model, x)
    yield explain.deep_lift(model, x, baseline=np.zeros((3,), "float32"))
    yield explain.lrp(model, x)
    yield explain.saliency(model, x)


def test_attributions(as_next):
    wanted = list(attributed())
    as_next()
    for a, b in zip(attributed(), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def met(w, x):
    kernel, bias = w
    inner = jax.checkpoint(lambda kernel, x: jnp.tanh(x @ kernel))
    return jnp.sum(jax.nn.relu(inner(kernel, x)) + sine(bias))


def test_where_params_meet(as_next):
    w = jnp.ones((3, 2)), jnp.full((2,), 0.3)
    of_all = uses(met, w, X[0])
    as_next()
    of_next = uses(met, w, X[0])
    slopes = [
        [[np.asarray(s) for s in use.slopes if s is not None] for use in leaf]
        for leaf in (*of_all, *of_next)
    ]
    (use,) = of_next[0]
    assert use.facts.kind is Kind.CONTRACTION and use.place == 1
    jax.tree.map(np.testing.assert_allclose, slopes[:2], slopes[2:])
    # a call with a derivative of its own is one operation
    np.testing.assert_allclose(
        of_next[1][0].gradient(w[1]), 2 * np.cos(w[1]) * np.ones(2), rtol=1e-6
    )


def test_a_tape(as_next):
    """A call with a rule for cotangents keeps it; all others are opened."""
    results = []
    for switch in (lambda: None, as_next):
        switch()
        tape = Tape(lambda x: jnp.sum(jax.nn.relu(x) * sine(x)), jnp.asarray(X))
        assert "max" in [entry.primitive.name for entry in tape.entries]
        results.append(tape.backwards(gradient, jnp.ones(())))
    wanted = (X > 0) * np.sin(X) + np.maximum(X, 0) * 2 * np.cos(X)
    for result in results:
        np.testing.assert_allclose(result, wanted, rtol=1e-5, atol=1e-6)


def test_operations(as_next):
    function = jax.checkpoint(lambda w, x: jax.nn.relu(x @ w) @ w.T)
    as_next()
    jaxpr = jax.make_jaxpr(function)(np.ones((3, 4)), np.ones((2, 3))).jaxpr
    assert count_operations(jaxpr) == 2 * 2 * (2 * 3 * 4)


@pytest.mark.promise("So is an operation of which")
def test_private_rows(as_next):
    as_next()
    for model, mixes in ((network(), False), (network(), True)):
        if mixes:
            model.add(layers.Lambda(lambda x: jax.nn.relu(x) - jax.checkpoint(jnp.mean)(x)))
        model.compile("sgd", "mse", privacy=privacy.DPSGD(clip=1.0, noise_multiplier=1.0))
        if mixes:
            with pytest.raises(ValueError, match="brings the rows"):
                model.fit(X, X[:, :1], batch_size=5, verbose=0)
        else:
            model.fit(X, X[:, :1], batch_size=5, verbose=0)


def test_calls_by_kind(as_next):
    for switch in (lambda: None, as_next):
        switch()
        for function, is_group in (
            (jax.jit(jnp.sin), True),
            (jax.checkpoint(jnp.sin), True),
            (jax.nn.relu, None),
            (sine, False),
        ):
            (eqn,) = jax.make_jaxpr(function)(X).jaxpr.eqns
            call = call_of(eqn)
            assert is_group is None or call.is_group == is_group, eqn
            assert len(list(inner_jaxprs(eqn.params))) >= 1
            closed = jax.extend.core.ClosedJaxpr(call.jaxpr, call.consts)
            (output,) = jax.extend.core.jaxpr_as_fun(closed)(X)
            np.testing.assert_allclose(output, function(X), rtol=1e-6)
    for function in (jnp.sum, lambda x: jax.lax.scan(lambda c, v: (c, v), 0.0, x)[1]):
        assert call_of(jax.make_jaxpr(function)(X).jaxpr.eqns[0]) is None


def test_gradients_of_convolutions(as_next):
    """Their rules compute again what a transpose needs, where JAX transposes that."""
    images = np.random.default_rng(1).normal(size=(3, 6, 6, 2)).astype("float32")
    results = []
    for switch in (lambda: None, as_next):
        switch()
        for layer in (layers.Conv2D(4, 3), layers.DepthwiseConv2D(3)):
            params, state = layer.init(jax.random.key(0), images)
            loss = lambda p: (layer.apply(p, state, images)[0] ** 2).sum()  # noqa: B023, E731
            results.append(jax.jit(jax.grad(loss))(params))
    for a, b in zip(results[:2], results[2:]):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), a, b)
