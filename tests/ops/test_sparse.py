"""Sparse arrays of JAX in ops, graphs and layers: the numbers of the dense ones, sparse where
Keras's are.
"""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.sparse import BCOO

from jkeras import KerasTensor, Model, layers, ops
from jkeras.core.graph.sparse import is_sparse
from tests.thinning import some_slow

X = np.array([[0.0, 0.5, -0.7], [0.9, 0.0, 0.0]], "float32")
Y = np.array([[0.0, 2.0, 0.0], [4.0, 0.0, 3.0]], "float32")
# the place (0, 1) stands twice, as 0.2 and 0.3
TWICE = BCOO(
    (jnp.array([0.2, -0.7, 0.3, 0.9]), jnp.array([[0, 1], [0, 2], [0, 1], [1, 0]])), shape=(2, 3)
)


def sparse(x):
    return BCOO.fromdense(jnp.asarray(x))


def rows(x):
    """As embeddings' gradients are: whole rows that are not 0."""
    return BCOO.fromdense(jnp.asarray(x), n_dense=1)


def check(result, expected, stays):
    assert is_sparse(result) == stays
    np.testing.assert_allclose(ops.convert_to_numpy(result), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [sparse, rows, lambda x: TWICE])
@pytest.mark.parametrize("name", ["abs", "negative", "square", "tanh", "sign", "expm1", "copy"])
def test_zeros_stay_zeros(name, make):
    function = getattr(ops, name)
    check(function(make(X)), np.asarray(function(X)), stays=True)
    assert function(KerasTensor((None, 3), sparse=True)).sparse


@pytest.mark.parametrize("make", [sparse, rows])
@pytest.mark.parametrize("name", ["exp", "cos", "log", "reciprocal", "isfinite"])
def test_zeros_become_something_else(name, make):
    function = getattr(ops, name)
    check(function(make(X)), np.asarray(function(X)), stays=False)
    assert not function(KerasTensor((None, 3), sparse=True)).sparse


@pytest.mark.parametrize("make", [sparse, rows])
@pytest.mark.parametrize("name", ["add", "subtract", "maximum", "minimum", "multiply", "divide"])
def test_two_arrays(name, make):
    function = getattr(ops, name)
    with np.errstate(all="ignore"):
        expected = getattr(np, name)(X, Y)
        by_sum = getattr(np, name)(X, Y + 2)
    both = name != "divide"
    of_one = name in ("multiply", "divide")
    check(function(make(X), make(Y)), expected, stays=both)
    check(function(make(X), jnp.asarray(Y)), expected, stays=of_one)
    check(function(jnp.asarray(X), make(Y)), expected, stays=name == "multiply")
    check(function(make(X), jnp.asarray(Y + 2)), by_sum, stays=of_one)
    x, y = (KerasTensor((2, 3), sparse=is_one) for is_one in (True, False))
    assert function(x, x).sparse == both
    assert function(x, y).sparse == of_one
    assert function(y, x).sparse == (name == "multiply")


def test_the_same_places():
    x = sparse(X)
    twice = ops.multiply(x, 2.0)
    assert twice.indices is x.indices
    check(ops.add(x, twice), 3 * X, stays=True)
    check(ops.divide(x, 2), X / 2, stays=True)


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 1), ()])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_sums(name, axis, keepdims):
    expected = getattr(np, name)(X, axis=axis, keepdims=keepdims)
    result = getattr(ops, name)(sparse(X), axis=axis, keepdims=keepdims)
    check(result, expected, stays=True)


def test_mean_of_integers_is_a_float():
    assert ops.mean(sparse(np.array([1, 0, 2, 2]))).todense() == 1.25


SHAPES = [
    ("reshape", {"newshape": (3, -1)}),
    ("transpose", {}),
    ("transpose", {"axes": (1, 0)}),
    ("expand_dims", {"axis": -1}),
    ("expand_dims", {"axis": (0, 2)}),
    ("squeeze", {}),
]


@pytest.mark.parametrize("name, options", SHAPES)
def test_shapes(name, options):
    expected = np.asarray(getattr(ops, name)(X, **options))
    check(getattr(ops, name)(sparse(X), **options), expected, stays=True)
    symbol = getattr(ops, name)(KerasTensor((2, 3), sparse=True), **options)
    assert symbol.sparse
    assert symbol.shape == expected.shape


def test_concatenate():
    check(ops.concatenate([sparse(X), sparse(Y)], axis=-1), np.hstack([X, Y]), stays=True)
    check(ops.concatenate([sparse(X), Y], axis=0), np.vstack([X, Y]), stays=False)


@pytest.mark.parametrize("axes", [2, 3])
def test_matmul(axes):
    x = np.broadcast_to(X, (2, *X.shape))[3 - axes :].reshape((2, 3) if axes == 2 else (2, 2, 3))
    y = x.swapaxes(-1, -2)
    check(ops.matmul(sparse(x), y), x @ y, stays=False)
    check(ops.matmul(y, sparse(x)), y @ x, stays=False)
    check(ops.matmul(sparse(x), sparse(y)), x @ y, stays=True)


def test_conversions():
    x = sparse(X)
    assert ops.is_tensor(x)
    assert ops.shape(x) == (2, 3)
    assert ops.convert_to_tensor(x) is x
    assert ops.cast(x, "float16").dtype == "float16"
    check(ops.convert_to_tensor(x, sparse=True), X, stays=True)
    check(ops.convert_to_tensor(x, sparse=False), X, stays=False)
    symbol = KerasTensor((2, 3), sparse=True)
    assert ops.convert_to_tensor(symbol).sparse
    assert ops.cast(symbol, "int32").sparse
    assert not ops.convert_to_tensor(symbol, sparse=False).sparse


def test_counts():
    numbers = jnp.array([[1, 1, 3], [0, 2, 2]])
    expected = np.array([[0, 2, 0, 1], [1, 0, 2, 0]])
    check(ops.bincount(numbers, sparse=True), expected, stays=True)
    weights = jnp.array([1.0, 2.0, 4.0])
    check(ops.bincount(numbers[0], weights, sparse=True), [0, 3, 0, 4], stays=True)
    with pytest.raises(ValueError, match="indices"):
        ops.bincount(sparse(numbers), weights=sparse(numbers.T.reshape(2, 3)))


def test_ids_as_ones():
    ids = np.array([[2, -1, 2], [0, 1, 4]])
    for axis in (-1, 0, 1):
        check(ops.one_hot(ids, 3, axis, sparse=True), ops.one_hot(ids, 3, axis), stays=True)
    check(ops.multi_hot(ids, 3, sparse=True), ops.multi_hot(ids, 3), stays=True)
    assert ops.multi_hot(ids, 3, sparse=True, dtype="bool").dtype == bool


def test_under_jit():
    twice = jax.jit(lambda x, y: ops.add(ops.maximum(x, y), ops.abs(x)))
    check(twice(TWICE, sparse(Y)), np.maximum(X, Y) + abs(X), stays=True)
    quotient = jax.jit(lambda x, y: ops.divide(x, y))
    check(quotient(TWICE, Y + 2), X / (Y + 2), stays=True)


def test_an_op_without_a_form():
    with pytest.raises(TypeError, match="`less` is not defined for sparse arrays"):
        ops.less(sparse(X), 1)


def test_dense_layer():
    layer = layers.Dense(4, activation="tanh")
    check(layer(sparse(X)), np.asarray(layer(X)), stays=False)
    symbol = layers.Dense(4)(KerasTensor((None, 3), sparse=True))
    assert symbol.shape == (None, 4)
    assert not symbol.sparse
    params, state = layer.init(jax.random.key(0), X)

    def loss(params, x):
        return jnp.sum(layer.apply(params, state, x)[0] ** 2)

    for a, b in zip(*(jax.tree.leaves(jax.grad(loss)(params, x)) for x in (X, sparse(X)))):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_embedding_layer():
    ids = np.array([[2, 0], [0, 1]])
    layer = layers.Embedding(3, 4, mask_zero=True)
    check(layer(sparse(ids)), np.asarray(layer(ids)), stays=False)
    assert layers.Embedding(3, 4)(KerasTensor((None, 2), "int32", sparse=True)).shape == (
        None,
        2,
        4,
    )


CUBE = np.stack([X, Y])


@pytest.mark.parametrize("batch_axes", [0, 1])
@pytest.mark.parametrize(
    "layer",
    [
        layers.Flatten(),
        layers.Flatten("channels_first"),
        layers.Reshape((3, -1)),
        layers.Permute((2, 1)),
        layers.Identity(),
    ],
)
def test_layers_that_move_entries(layer, batch_axes):
    x = BCOO.fromdense(jnp.asarray(CUBE), n_batch=batch_axes)
    check(layer(x), np.asarray(layer(CUBE)), stays=True)
    assert layer(KerasTensor((None, 2, 3), sparse=True)).sparse
    assert not layer(KerasTensor((None, 2, 3))).sparse


@pytest.mark.parametrize("batch_axes", [0, 1])
@pytest.mark.parametrize(
    "name",
    some_slow(
        ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot"],
        "Add",
        "Multiply",
        "Concatenate",
        "Dot",
    ),
)
def test_layers_that_merge(name, batch_axes):
    layer = getattr(layers, name)(**({"axes": (1, 1)} if name == "Dot" else {}))
    x, y = (BCOO.fromdense(jnp.asarray(v), n_batch=batch_axes) for v in (CUBE, CUBE[::-1]))
    expected = np.asarray(layer([CUBE, CUBE[::-1]]))
    check(layer([x, y]), expected, stays=True)
    check(layer([x, y.todense()]), expected, stays=name == "Multiply")
    check(layer([x.todense(), y]), expected, stays=name == "Multiply")
    one = KerasTensor((None, 2, 3), sparse=True)
    assert layer([one, one]).sparse
    assert not layer([one, KerasTensor((None, 2, 3))]).sparse


@pytest.mark.parametrize("name", ["Add", "Subtract", "Multiply", "Minimum", "Concatenate", "Dot"])
def test_one_row_of_entries_for_all_samples(name):
    layer = getattr(layers, name)(**({"axes": -1} if name == "Dot" else {}))
    x = BCOO((jnp.array([[1.0, 2.0]]), jnp.array([[[0], [2]]])), shape=(2, 3))
    y = BCOO((jnp.array([[4.0, 5.0]]), jnp.array([[[0], [1]]])), shape=(2, 3))
    dense = [np.array([row, row], "float32") for row in ([1, 0, 2], [4, 5, 0])]
    check(layer([x, y]), np.asarray(layer(dense)), stays=True)


def test_a_dot_of_vectors():
    check(layers.Dot(-1)([sparse(X), sparse(Y)]), (X * Y).sum(1, keepdims=True), stays=True)


def test_layers_that_know_no_sparse_array_announce_a_dense_one():
    inputs = layers.Input((4, 3), sparse=True)
    assert not layers.Conv1D(2, 3)(inputs).sparse
    assert not layers.LayerNormalization()(inputs).sparse


def test_model_of_sparse_layers():
    first, second = layers.Input((2, 3), sparse=True), layers.Input((2, 3), sparse=True)
    flat = layers.Flatten()(layers.Concatenate(axis=1)([first, second]))
    assert flat.sparse
    model = Model([first, second], layers.Dense(2)(flat))
    x = [BCOO.fromdense(jnp.asarray(CUBE))] * 2
    check(model(x), np.asarray(model([CUBE, CUBE])), stays=False)


def test_model_with_a_sparse_input():
    inputs = layers.Input((3,), sparse=True)
    model = Model(inputs, layers.Dense(2)(inputs))
    model.compile("sgd", "mse")
    check(model(sparse(X)), np.asarray(model(X)), stays=False)
    assert np.isfinite(model.fit(sparse(X), np.ones((2, 2)), verbose=0).history["loss"]).all()


def test_what_a_symbolic_tensor_says():
    x = KerasTensor((2,), sparse=True)
    with pytest.raises(AttributeError, match="The `sparse` attribute of KerasTensor is immutable"):
        x.sparse = False
    with pytest.raises(ValueError, match="cannot have `sparse=True` and `ragged=True`"):
        KerasTensor((2,), sparse=True, ragged=True)


def test_import_loads_no_sparse_module():
    code = "import sys, jkeras.layers; sys.exit('jax.experimental.sparse' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
