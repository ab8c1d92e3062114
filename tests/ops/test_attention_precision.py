"""Gradients of attention in 16 bits: as accurate as those of JAX's own form, by products in 16
bits.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jkeras.ops import attention_plain
from jkeras.ops.attention_plain import Form, plain
from jkeras.programs.walk import operations

FORM = Form(32**-0.5, is_causal=True)


@pytest.fixture(autouse=True)
def few_are_many(monkeypatch):
    monkeypatch.setattr(attention_plain, "MANY", 0)


def arrays(scale, dtype, length=40):
    rng = np.random.default_rng(0)
    return [jnp.asarray(rng.normal(size=(2, 3, length, 32)) * scale, dtype) for _ in range(4)]


def of_jkeras(query, key, value):
    return plain(query, key, value, FORM)


def of_jax(query, key, value):
    split = (jnp.swapaxes(x, 1, 2) for x in (query, key, value))
    y = jax.nn.dot_product_attention(*split, scale=FORM.scale, is_causal=True)
    return jnp.swapaxes(y, 1, 2)


def gradients(attend, arrays):
    *given, cotangent = arrays
    return jax.vjp(attend, *given)[1](cotangent)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("scale", [1e-2, 1.0, 30.0])
def test_gradients_are_as_accurate_as_those_of_jax(dtype, scale):
    narrow = arrays(scale, dtype)
    exact = gradients(of_jax, [x.astype("float32") for x in narrow])

    def errors(attend):
        found = gradients(attend, narrow)
        return [float(jnp.linalg.norm(x.astype("float32") - e)) for x, e in zip(found, exact)]

    for own, of_others in zip(errors(of_jkeras), errors(of_jax)):
        assert own <= 1.7 * of_others


def test_no_product_of_the_gradient_takes_float32():
    program = jax.make_jaxpr(lambda *given: gradients(of_jkeras, given))(*arrays(1.0, "bfloat16"))
    products = [e for e in operations(program.eqns) if e.primitive.name == "dot_general"]
    assert len(products) >= 6
    taken = {str(value.aval.dtype) for product in products for value in product.invars}
    assert taken == {"bfloat16"}


def test_derivatives_of_every_kind():
    query, key, value, _ = arrays(1.0, "bfloat16", length=6)

    def squares(query):
        return jnp.sum(of_jkeras(query, key, value).astype("float32") ** 2)

    forwards = jax.jvp(squares, (query,), (query,))[1]
    backwards = jnp.vdot(jax.grad(squares)(query).astype("float32"), query.astype("float32"))
    np.testing.assert_allclose(forwards, backwards, rtol=0.03, atol=0.03)
    twice = jax.grad(lambda query: jnp.sum(jax.grad(squares)(query).astype("float32") ** 2))(query)
    assert bool(jnp.all(jnp.isfinite(twice))) and bool(jnp.any(twice != 0))
