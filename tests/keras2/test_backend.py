"""The functions of the old backend, against numpy, closed forms and what Keras's own gives."""

import ast
import pathlib
import types

import keras
import numpy as np
import pytest

import jkeras
from jkeras.keras2 import namespace
from jkeras.keras2.graph_functions import function, gradients, placeholder
from tests.keras2 import backend_cases as cases

K = types.SimpleNamespace(**namespace.old_backend())

X, M, Q, R_STACK = cases.X, cases.M, cases.Q, cases.R_STACK

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
    "categorical_crossentropy": -(Q[::-1] * np.log(Q)).sum(-1),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name):
    got = np.asarray(cases.CASES[name](K))
    np.testing.assert_allclose(got, FORMULAS[name], rtol=1e-5, atol=1e-6)


def test_logsumexp():
    want = np.log(np.exp(X).sum(1))
    np.testing.assert_allclose(np.asarray(K.logsumexp(X, axis=1)), want, rtol=1e-5)


def test_ctc_of_one_label_and_one_step_is_its_log_probability():
    cost = K.ctc_batch_cost(np.array([[2]]), Q[None, :1], np.array([[1]]), np.array([[1]]))
    np.testing.assert_allclose(np.asarray(cost), [[-np.log(Q[0, 2])]], rtol=1e-4)


def test_ctc_of_two_steps_adds_up_the_three_ways():
    p = Q[:2]
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


@pytest.fixture(scope="module")
def recorded():
    return np.load(cases.RECORDED)


@pytest.mark.promise("backend | `K.mean`, `K.dot`")
@pytest.mark.parametrize("name", cases.CASES)
def test_as_keras_recorded_it(name, recorded):
    got = np.asarray(cases.CASES[name](K))
    assert got.dtype.kind == recorded[name].dtype.kind  # int64 of TensorFlow is int32 of JAX
    np.testing.assert_allclose(got, recorded[name], rtol=1e-4, atol=1e-5)


class ChannelsFirst:
    """The old backend, given with channels first what comes with channels last."""

    constant = staticmethod(np.asarray)

    def __getattr__(self, name):
        def call(x, *args, **kwargs):
            args = list(args)
            if name == "conv2d_transpose":
                batch, *space, filters = args[1]
                args[1] = (batch, filters, *space)
            return getattr(K, name)(np.moveaxis(x, -1, 1), *args, **kwargs)

        return call


@pytest.mark.parametrize("name", [name for name in cases.CASES if "conv" in name])
def test_channels_first_is_the_same_with_axes_moved(name, recorded):
    """TensorFlow computes these on GPUs alone."""
    jkeras.config.set_image_data_format("channels_first")
    try:
        got = np.asarray(cases.CASES[name](ChannelsFirst()))
    finally:
        jkeras.config.set_image_data_format("channels_last")
    np.testing.assert_allclose(np.moveaxis(got, 1, -1), recorded[name], rtol=1e-4, atol=1e-5)


def test_in_a_graph():
    x = placeholder((2, 7, 6, 4))
    y = K.conv2d_transpose(x, cases.BACK, (2, 13, 11, 5), (2, 2), "same")
    got = function([x], [y, K.foldr(lambda a, x: a + x, x)])([cases.IMAGE])
    want = np.load(cases.RECORDED)["conv2d_transpose same, odd"]
    np.testing.assert_allclose(got[0], want, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got[1], cases.IMAGE.sum(0), rtol=1e-4, atol=1e-5)


def test_to_dense_in_a_graph():
    x = jkeras.Input((3,), sparse=True)
    assert K.is_sparse(x) and not K.is_sparse(K.to_dense(x))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: K.conv2d_transpose(cases.IMAGE, cases.BACK, (2, 30, 8, 5)), "output_shape"),
        (
            lambda: K.conv2d_transpose(
                cases.IMAGE, cases.BACK, (2, 9, 8, 5), (2, 2), dilation_rate=(2, 2)
            ),
            "strides of 1",
        ),
        (lambda: K.pool3d(cases.DEEP, (2, 2, 2), pool_mode="mean"), "pool_mode"),
        (lambda: K.spatial_3d_padding(cases.DEEP, ((1, 1), (1, 1))), "3 axes"),
        (lambda: K.conv2d(cases.IMAGE, cases.KERNEL, data_format="first"), "data_format"),
    ],
)
def test_what_is_wrong_is_named(wrong, words):
    with pytest.raises(ValueError, match=words):
        wrong()


def test_random_variables_are_of_their_range_and_type():
    x = K.random_uniform_variable((500,), 2.0, 3.0, "float16", seed=1)
    values = K.get_value(x)
    assert K.dtype(x) == "float16" and values.min() >= 2 and values.max() <= 3
    assert np.array_equal(
        values, K.get_value(K.random_uniform_variable((500,), 2, 3, "float16", seed=1))
    )
    assert abs(K.get_value(K.random_normal_variable((4000,), 2.0, 0.1, seed=1)).mean() - 2) < 0.01


@pytest.mark.promise("backend | `K.mean`, `K.dot`")
def test_all_functions_are_there():
    inside = pathlib.Path(keras.__file__).parent / "_tf_keras" / "keras" / "backend" / "__init__.py"
    imports = [node for node in ast.parse(inside.read_text()).body if hasattr(node, "names")]
    names = {alias.asname for node in imports for alias in node.names}
    assert len(names) > 100
    assert names - set(vars(K)) - set(jkeras.backend.__all__) == set()
