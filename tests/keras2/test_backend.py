"""The functions of the old backend, against numpy, closed forms and Keras's own legacy backend."""

import numpy as np
import pytest
from keras.src.legacy import backend as legacy

from jkeras.keras2 import backend as K
from jkeras.keras2.graph_functions import function, gradients, placeholder

R = np.random.default_rng(0)
X = R.normal(size=(2, 3, 4)).astype("float32")
M = R.normal(size=(4, 5)).astype("float32")
P = np.abs(R.normal(size=(3, 4)).astype("float32")) + 0.1
P /= P.sum(-1, keepdims=True)

CASES = {
    "mean": lambda K: K.mean(X, axis=-1, keepdims=True),
    "var": lambda K: K.var(X, axis=1),
    "argmax": lambda K: K.argmax(X),
    "dot": lambda K: K.dot(X, M),
    "dot of two stacks": lambda K: K.dot(X, R_STACK),
    "batch_dot": lambda K: K.batch_dot(X, X, axes=2),
    "batch_dot of rows": lambda K: K.batch_dot(X[:, 0], X[:, 1], axes=1),
    "batch_dot by default": lambda K: K.batch_dot(X, np.swapaxes(X, 1, 2)),
    "batch_flatten": lambda K: K.batch_flatten(X),
    "permute_dimensions": lambda K: K.permute_dimensions(X, (2, 0, 1)),
    "repeat": lambda K: K.repeat(X[0], 3),
    "repeat_elements": lambda K: K.repeat_elements(X, 2, 1),
    "concatenate": lambda K: K.concatenate([X, X]),
    "expand_dims": lambda K: K.expand_dims(X),
    "clip": lambda K: K.clip(X, -0.5, 0.5),
    "sqrt": lambda K: K.sqrt(X),
    "relu": lambda K: K.relu(X, alpha=0.1, max_value=1.0),
    "hard_sigmoid": lambda K: K.hard_sigmoid(X),
    "l2_normalize": lambda K: K.l2_normalize(X, axis=-1),
    "logsumexp": lambda K: K.logsumexp(X, axis=1),
    "gather": lambda K: K.gather(M, np.array([2, 0])),
    "one_hot": lambda K: K.one_hot(np.array([2, 0]), 3),
    "switch": lambda K: K.switch(np.array([True, False]), X, -X),
    "pow": lambda K: K.pow(P, 2.5),
    "cumsum": lambda K: K.cumsum(X),
    "reverse": lambda K: K.reverse(X, 1),
    "categorical_crossentropy": lambda K: K.categorical_crossentropy(P[::-1], P),
    "temporal_padding": lambda K: K.temporal_padding(X, (1, 2)),
    "bias_add": lambda K: K.bias_add(X, X[0, 0]),
    "stack": lambda K: K.stack([X, X], axis=1),
}
R_STACK = R.normal(size=(2, 4, 5)).astype("float32")


@pytest.mark.promise("backend | `K.mean`, `K.dot`")
@pytest.mark.parametrize("name", CASES)
def test_as_legacy_keras_has_it(name):
    """Keras's own legacy functions run on TensorFlow; where it is missing numpy has the formula."""
    compute = CASES[name]
    pytest.importorskip("tensorflow")
    want = np.asarray(compute(legacy))
    np.testing.assert_allclose(np.asarray(compute(K)), want, rtol=1e-5, atol=1e-6)


FORMULAS = {
    "mean": X.mean(-1, keepdims=True),
    "var": X.var(1),
    "argmax": X.argmax(-1),
    "dot": X @ M,
    "dot of two stacks": np.einsum("abc,dce->abde", X, R_STACK),
    "batch_dot": np.einsum("bik,bjk->bij", X, X),
    "batch_dot of rows": np.einsum("bk,bk->b", X[:, 0], X[:, 1])[:, None],
    "batch_dot by default": X @ np.swapaxes(X, 1, 2),
    "batch_flatten": X.reshape(2, 12),
    "repeat": np.stack([X[0]] * 3, axis=1),
    "sqrt": np.sqrt(np.maximum(X, 0)),
    "hard_sigmoid": np.clip(0.2 * X + 0.5, 0, 1),
    "l2_normalize": X / np.linalg.norm(X, axis=-1, keepdims=True),
    "switch": np.stack([X[0], -X[1]]),
    "cumsum": np.cumsum(X, 0),
    "expand_dims": X[..., None],
    "categorical_crossentropy": -(P[::-1] * np.log(P)).sum(-1),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name):
    got = np.asarray(CASES[name](K))
    np.testing.assert_allclose(got, FORMULAS[name], rtol=1e-5, atol=1e-6)


def test_ctc_of_one_label_and_one_step_is_its_log_probability():
    cost = K.ctc_batch_cost(np.array([[2]]), P[None, :1], np.array([[1]]), np.array([[1]]))
    np.testing.assert_allclose(np.asarray(cost), [[-np.log(P[0, 2])]], rtol=1e-4)


def test_ctc_of_two_steps_adds_up_the_three_ways():
    p = P[:2]
    ways = p[0, 1] * p[1, 1] + p[0, 1] * p[1, 3] + p[0, 3] * p[1, 1]
    cost = K.ctc_batch_cost(np.array([[1]]), p[None], np.array([[2]]), np.array([[1]]))
    np.testing.assert_allclose(np.asarray(cost), [[-np.log(ways)]], rtol=1e-4)


def test_greedy_decoding_leaves_out_blanks_and_repetitions():
    y = np.eye(4)[[0, 0, 3, 0, 2]][None]
    decoded, _ = K.ctc_decode(y, np.array([5]))
    assert np.asarray(decoded[0])[0][:3].tolist() == [0, 0, 2]


def test_variables_are_read_and_assigned():
    x = K.variable([[1.0, 2.0]])
    K.set_value(x, K.get_value(x) + 1)
    K.update_add(x, [[1.0, 1.0]])
    assert K.eval(x).tolist() == [[3.0, 4.0]]
    assert (K.int_shape(x), K.ndim(x), K.count_params(x), K.dtype(x)) == ((1, 2), 2, 2, "float32")


def test_gradients_of_an_inner_tensor():
    x = placeholder((None, 2))
    y = x * 3.0
    (gradient,) = gradients(y * y, [y])
    (value,) = function([x], [gradient])([np.array([[1.0, 2.0]])])
    np.testing.assert_allclose(value, [[6.0, 12.0]])


def test_functions_take_updates_and_single_outputs():
    x, total = placeholder((2,)), K.variable(0.0)
    step = function([x], x * 2.0, updates=[(total, K.sum(x))])
    assert step([np.array([1.0, 2.0])]).tolist() == [2.0, 4.0]
    assert K.eval(total) == 3.0
