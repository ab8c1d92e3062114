"""A primitive that a table of rules has never seen is refused by its name, or takes the slow way
that is right for any: derivatives of its own.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import Primitive, jaxpr_as_fun
from jax.interpreters import ad, mlir

import jkeras
from jkeras import explain, layers
from jkeras.programs.products import product_of
from jkeras.programs.sites import uses
from jkeras.programs.tape import Tape

X = np.random.default_rng(0).normal(size=(4, 6)).astype("float32")
BEFORE = np.random.default_rng(1).normal(size=(4, 6)).astype("float32")
KERNEL = np.random.default_rng(2).normal(size=(6, 3)).astype("float32")


def unknown(name, function):
    """A primitive that computes a function and has derivatives, and that nobody has heard of."""
    primitive = Primitive(name)
    primitive.def_impl(function)
    primitive.def_abstract_eval(lambda *avals: jax.core.ShapedArray(avals[0].shape, avals[0].dtype))
    mlir.register_lowering(primitive, mlir.lower_fun(function, multiple_results=False))

    def jvp(primals, tangents):
        return jax.jvp(function, primals, tuple(map(ad.instantiate_zeros, tangents)))

    ad.primitive_jvps[primitive] = jvp
    return primitive


def unknown_call(name):
    """A primitive that runs a jaxpr, as calls do; nobody knows how it runs it."""
    primitive = Primitive(name)
    primitive.multiple_results = True

    def run(*args, jaxpr):
        return jaxpr_as_fun(jaxpr)(*args)

    primitive.def_impl(run)
    primitive.def_abstract_eval(lambda *avals, jaxpr: jaxpr.out_avals)
    mlir.register_lowering(primitive, mlir.lower_fun(run, multiple_results=True))

    def jvp(primals, tangents, *, jaxpr):
        tangents = tuple(map(ad.instantiate_zeros, tangents))
        return jax.jvp(lambda *args: run(*args, jaxpr=jaxpr), primals, tangents)

    ad.primitive_jvps[primitive] = jvp
    return primitive


CUBE = unknown("mystery", lambda x: x * x * x)
CALL = unknown_call("mystery_call")


def called(function, *args):
    (result,) = CALL.bind(*args, jaxpr=jax.make_jaxpr(function)(*args))
    return result


UNKNOWN = {
    "primitive": (CUBE.bind, "`mystery`"),
    "call": (lambda x: called(lambda x: x * x, x), "`mystery_call`"),
    "call of a relu": (lambda x: called(jax.nn.relu, x), "`mystery_call`"),
}


@pytest.mark.parametrize("kind", UNKNOWN)
@pytest.mark.parametrize("method", [explain.deep_lift, explain.lrp])
@pytest.mark.parametrize("behind", [False, True])
def test_rules_refuse_it_by_name(method, kind, behind):
    function, name = UNKNOWN[kind]
    score = (lambda x: function(x) @ KERNEL) if behind else (lambda x: function(x @ KERNEL))
    with pytest.raises(ValueError, match=f"that it has a rule for, received {name}"):
        method(score, X, 0)


@pytest.mark.promise("`deep_lift` and `lrp` work")
def test_rules_name_its_layer():
    model = jkeras.Sequential(
        [jkeras.Input((6,)), layers.Dense(4), layers.Lambda(CUBE.bind, name="odd"), layers.Dense(2)]
    )
    for method in (explain.deep_lift, explain.lrp):
        with pytest.raises(ValueError, match=r"received `mystery` in layer 'odd' \(Lambda\)"):
            method(model, X, 0)


@pytest.mark.parametrize("kind", ["primitive", "call"])
def test_guided_backprop_takes_its_gradient(kind):
    function, _ = UNKNOWN[kind]
    ours = explain.deconvnet(lambda x: function(jax.nn.relu(x)) @ KERNEL, X, 0)
    relu = np.maximum(X, 0)
    slope = (3 * relu**2 if kind == "primitive" else 2 * relu) * KERNEL[:, 0]
    np.testing.assert_allclose(ours, np.maximum(slope, 0), rtol=1e-5, atol=1e-6)


def test_guided_backprop_refuses_a_relu_that_is_hidden_in_it():
    function, _ = UNKNOWN["call of a relu"]
    with pytest.raises(ValueError, match="relus that run once, received one within `mystery_call`"):
        explain.guided_backprop(lambda x: jax.nn.relu(function(x)) @ KERNEL, X, 0)


@pytest.mark.parametrize(
    "kind, function",
    {
        "primitive": lambda w, x: jnp.sum(jnp.tanh(x) @ CUBE.bind(w)),
        "call": lambda w, x: jnp.sum(called(lambda w, x: jnp.sin(x @ w), w, x)),
        "both": lambda w, x: jnp.sum(called(lambda w: w @ w.T, CUBE.bind(w)) @ x),
    }.items(),
)
def test_the_gradient_of_a_weight_is_that_of_its_uses(kind, function):
    """Where it meets a weight, nothing is known of the product, and its derivative is taken."""
    ((use,),) = uses(function, KERNEL, X[0])
    assert use.site.entry.primitive in (CUBE, CALL)
    assert product_of(use) is None
    wanted = jax.grad(function)(jnp.asarray(KERNEL), X[0])
    np.testing.assert_allclose(use.gradient(KERNEL), wanted, rtol=1e-4, atol=1e-5)


def test_it_stays_closed_on_the_tape():
    tape = Tape(lambda x: called(lambda x: x + 1, x), jnp.asarray(X))
    assert [entry.primitive.name for entry in tape.entries] == ["mystery_call"]


# what depends on the input by integers has no gradient, and all the same a difference
BY_INTEGERS = {
    "rounded": (lambda x: x.astype("int32").astype("float32") @ KERNEL, None),
    "signs": (lambda x: (x > 0).astype("float32") @ KERNEL, None),
    "a count": (lambda x: (x > 0).sum(1, keepdims=True) * 1.0, "convert_element_type"),
    "a place": (lambda x: x.argmax(1)[:, None] * 1.0, "convert_element_type"),
    "an integer": (lambda x: x.astype("int32"), "gather"),
    "a row by number": (lambda x: jnp.asarray(KERNEL)[x.argmax(1)], "gather"),
    "complex": (lambda x: jnp.abs(jnp.fft.fft(x)), "abs"),
    "sorted": (lambda x: jnp.take_along_axis(x, jnp.argsort(x), 1), "gather"),
}


@pytest.mark.parametrize("kind", BY_INTEGERS)
def test_what_depends_by_integers_adds_up_or_is_refused(kind):
    score, refused = BY_INTEGERS[kind]
    x, before = 3 * X, 3 * BEFORE
    if refused:
        for method in (explain.deep_lift, explain.lrp):
            with pytest.raises(ValueError, match="a rule for, received `"):
                method(score, x, 0)
        return
    ours = explain.deep_lift(score, x, 0, baseline=before)
    difference = (np.asarray(score(x)) - np.asarray(score(before)))[:, 0]
    np.testing.assert_allclose(ours.sum(1), difference, atol=1e-5)
    assert np.abs(difference).max() > 0.1


def test_the_smallest_goes_to_where_it_is():
    """Where the baseline had the same number at the place, too."""
    x, before = np.array([[2.0, 3.0], [1.0, 5.0]]), np.array([[2.0, 1.0], [4.0, 1.5]])
    score = lambda x: x.min(1, keepdims=True)  # noqa: E731
    ours = explain.deep_lift(score, np.float32(x), baseline=np.float32(before))
    np.testing.assert_allclose(ours.sum(1), x.min(1) - before.min(1), atol=1e-6)


@pytest.mark.parametrize("axes", [1, 2, (1, 2), (2, 1)])
@pytest.mark.parametrize("extreme", [jnp.max, jnp.min])
def test_of_equal_numbers_one_is_the_largest(axes, extreme):
    """Over any axes, of ties too, which a program may round apart."""
    score = lambda x: extreme(x, axes).reshape(len(x), -1).sum(1, keepdims=True)  # noqa: E731
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32")
    for baseline in (np.zeros(()), np.roll(x, 1, 0)):
        ours = explain.deep_lift(score, x, baseline=baseline)
        before = score(jnp.broadcast_to(baseline, x.shape))
        np.testing.assert_allclose(ours.sum((1, 2)), (score(x) - before)[:, 0], atol=1e-5)
    np.testing.assert_allclose(explain.lrp(score, x).sum((1, 2)), score(x)[:, 0], atol=1e-5)
