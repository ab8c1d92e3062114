"""Dense layers, run by both libraries."""

from tests.parity.case import Case

CASES = [
    Case("Dense", dict(units=3), inputs=[(2, 4)]),
    Case("Dense", dict(units=3, activation="softmax", use_bias=False), inputs=[(2, 5, 4)]),
    Case(
        "Dense",
        dict(
            units=3,
            kernel_regularizer="l2",
            bias_regularizer="l1",
            activity_regularizer="l2",
            kernel_constraint="max_norm",
            activation="selu",
        ),
        inputs=[(2, 4)],
    ),
    Case("Dense", dict(units=3, lora_rank=2), inputs=[(2, 4)]),
    Case("Dense", dict(units=3, trainable=False), inputs=[(2, 4)]),
    Case("Dense", dict(units=3), inputs=[(2, 4)], dtype="mixed_bfloat16"),
    Case("Dense", dict(units=3), inputs=[(2, 4)], dtype="bfloat16"),
    Case(
        "EinsumDense",
        dict(equation="abc,cd->abd", output_shape=(None, 4), bias_axes="d"),
        inputs=[(2, 3, 5)],
    ),
    Case(
        "EinsumDense",
        dict(equation="...x,xy->...y", output_shape=4, activation="tanh"),
        inputs=[(2, 3, 5)],
    ),
    Case(
        "EinsumDense",
        dict(equation="abc,cde->abde", output_shape=(None, 2, 3), bias_axes="de"),
        inputs=[(2, 3, 4)],
    ),
    Case(
        "EinsumDense",
        dict(equation="ab,bc->ac", output_shape=3, lora_rank=1, lora_alpha=4),
        inputs=[(2, 4)],
    ),
    Case(
        "EinsumDense",
        dict(equation="ab...,bc->ac...", output_shape=(4,), bias_axes="c"),
        inputs=[(2, 3, 5)],
    ),
    Case("Dense", dict(units=3, lora_rank=2, lora_alpha=5), inputs=[(2, 4)]),
]
