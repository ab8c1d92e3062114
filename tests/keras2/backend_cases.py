"""Calls of the old backend whose results `backend.npz` has, as Keras's own legacy backend gives
them. `python -m tests.keras2.backend_cases` records them, where TensorFlow is installed.
"""

import pathlib
import sys

import jax
import numpy as np

RECORDED = pathlib.Path(__file__).with_name("backend.npz")
R = np.random.default_rng(3)


def numbers(*shape):
    """Some, which both libraries are given."""
    return R.normal(size=shape).astype("float32")


IMAGE, DEEP, WORDS = numbers(2, 7, 6, 4), numbers(2, 5, 6, 4, 2), numbers(2, 7, 4)
KERNEL, DEEP_KERNEL, LINE = numbers(3, 2, 4, 5), numbers(2, 3, 2, 2, 3), numbers(3, 4, 5)
DEPTH, POINT, BACK = numbers(3, 3, 4, 2), numbers(1, 1, 8, 3), numbers(3, 3, 5, 4)
DILATED = numbers(2, 2, 5, 4)
ROWS = np.abs(numbers(3, 4)) + 0.1
P = ROWS / ROWS.sum(-1, keepdims=True)
ONES = np.eye(4, dtype="float32")[[1, 3, 0]]
LOGITS = numbers(3, 4)
LABELS = np.array([[4, 5, 6], [7, 8, 9]], "int32")

X, M, R_STACK = numbers(2, 3, 4), numbers(4, 5), numbers(2, 4, 5)
Q = np.abs(numbers(3, 4)) + 0.1
Q /= Q.sum(-1, keepdims=True)

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
    "gather": lambda K: K.gather(M, np.array([2, 0])),
    "one_hot": lambda K: K.one_hot(np.array([2, 0]), 3),
    "switch": lambda K: K.switch(np.array([[[True]], [[False]]]), X, -X),
    "pow": lambda K: K.pow(Q, 2.5),
    "cumsum": lambda K: K.cumsum(X),
    "reverse": lambda K: K.reverse(X, 1),
    "categorical_crossentropy": lambda K: K.categorical_crossentropy(Q[::-1], Q),
    "temporal_padding": lambda K: K.temporal_padding(X, (1, 2)),
    "bias_add": lambda K: K.bias_add(X, X[0, 0]),
    "stack": lambda K: K.stack([X, X], axis=1),
    "conv1d causal": lambda K: K.conv1d(WORDS, LINE, 1, "causal", None, 2),
    "conv2d": lambda K: K.conv2d(IMAGE, KERNEL, (2, 1), "same"),
    "conv3d": lambda K: K.conv3d(DEEP, DEEP_KERNEL),
    "conv3d same": lambda K: K.conv3d(DEEP, DEEP_KERNEL, (2, 2, 1), "same"),
    "conv3d dilated": lambda K: K.conv3d(DEEP, DEEP_KERNEL, dilation_rate=(2, 1, 2)),
    "conv2d_transpose": lambda K: K.conv2d_transpose(IMAGE, BACK, (2, 9, 8, 5)),
    "conv2d_transpose same": lambda K: K.conv2d_transpose(
        IMAGE, BACK, (2, 14, 12, 5), (2, 2), "same"
    ),
    "conv2d_transpose same, odd": lambda K: K.conv2d_transpose(
        IMAGE, BACK, (2, 13, 11, 5), (2, 2), "same"
    ),
    "conv2d_transpose, a larger output": lambda K: K.conv2d_transpose(
        IMAGE, BACK, (2, 23, 19, 5), (3, 3)
    ),
    "conv2d_transpose, strides beyond the kernel": lambda K: K.conv2d_transpose(
        IMAGE, BACK, (2, 28, 24, 5), (4, 4), "same"
    ),
    "conv2d_transpose dilated": lambda K: K.conv2d_transpose(
        IMAGE, DILATED, (2, 9, 8, 5), dilation_rate=(2, 2)
    ),
    "conv2d_transpose dilated, same": lambda K: K.conv2d_transpose(
        IMAGE, DILATED, (2, 7, 6, 5), (1, 1), "same", dilation_rate=(2, 2)
    ),
    "conv2d_transpose, batch unknown": lambda K: K.conv2d_transpose((IMAGE), BACK, (None, 9, 8, 5)),
    "depthwise_conv2d": lambda K: K.depthwise_conv2d(IMAGE, DEPTH),
    "depthwise_conv2d same": lambda K: K.depthwise_conv2d(IMAGE, DEPTH, (2, 2), "same"),
    "depthwise_conv2d dilated": lambda K: K.depthwise_conv2d(IMAGE, DEPTH, dilation_rate=(2, 2)),
    "separable_conv2d": lambda K: K.separable_conv2d(IMAGE, DEPTH, POINT, (2, 2), "same"),
    "pool2d": lambda K: K.pool2d(IMAGE, (2, 2), (2, 2), pool_mode="avg"),
    "pool3d": lambda K: K.pool3d(DEEP, (2, 2, 2)),
    "pool3d avg, same": lambda K: K.pool3d(DEEP, (2, 3, 2), (2, 2, 2), "same", pool_mode="avg"),
    "pool3d max, same": lambda K: K.pool3d(DEEP, (2, 3, 2), (2, 2, 2), "same"),
    "resize_volumes": lambda K: K.resize_volumes((DEEP), 2, 1, 3, "channels_last"),
    "resize_volumes, channels first": lambda K: K.resize_volumes((DEEP), 2, 1, 3, "channels_first"),
    "spatial_3d_padding": lambda K: K.spatial_3d_padding(DEEP, ((1, 0), (0, 2), (3, 1))),
    "spatial_3d_padding, channels first": lambda K: K.spatial_3d_padding(
        DEEP, ((1, 0), (0, 2), (3, 1)), "channels_first"
    ),
    "foldl": lambda K: K.foldl(lambda a, x: 0.5 * a + x, WORDS),
    "foldl, initializer": lambda K: K.foldl(
        lambda a, x: 0.5 * a + x, WORDS, np.ones_like(WORDS[0])
    ),
    "foldl of two": lambda K: K.foldl(
        lambda a, x: a * x[0] + x[1], (WORDS, WORDS[::-1]), np.ones_like(WORDS[0])
    ),
    "foldr": lambda K: K.foldr(lambda a, x: 0.5 * a + x, IMAGE),
    "foldr, initializer": lambda K: K.foldr(lambda a, x: 0.5 * a + x, IMAGE, 3 * IMAGE[0]),
    "to_dense": lambda K: K.to_dense(WORDS),
    "ctc_label_dense_to_sparse": lambda K: K.to_dense(
        K.ctc_label_dense_to_sparse(LABELS, np.array([1, 3], "int32"))
    ),
    "binary_focal": lambda K: K.binary_focal_crossentropy(ONES, P),
    "binary_focal of logits": lambda K: K.binary_focal_crossentropy(
        ONES, LOGITS, True, 0.3, 1.5, from_logits=True
    ),
    "categorical_focal": lambda K: K.categorical_focal_crossentropy(ONES, ROWS),
    "categorical_focal of logits": lambda K: K.categorical_focal_crossentropy(
        ONES, LOGITS, 0.4, 1.0, True
    ),
    "categorical_focal along an axis": lambda K: K.categorical_focal_crossentropy(
        ONES, ROWS, axis=0
    ),
}


class OnTensors:
    """The legacy backend, given tensors in the place of arrays, which not all of it takes."""

    def __getattr__(self, name):
        from keras.src.legacy import backend

        def call(*args, **kwargs):
            args = jax.tree_util.tree_map(tensor, args)
            return getattr(backend, name)(*args, **kwargs)

        return call


def tensor(x):
    """An array as TensorFlow has it."""
    import tensorflow as tf

    if isinstance(x, np.ndarray):
        return tf.constant(x)
    return x


def record():
    """Writes what Keras's legacy backend gives."""
    K = OnTensors()
    np.savez_compressed(RECORDED, **{name: np.asarray(run(K)) for name, run in CASES.items()})
    sys.stdout.write(f"{RECORDED}: {RECORDED.stat().st_size} bytes\n")


if __name__ == "__main__":
    record()
