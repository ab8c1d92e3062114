"""Normalization layers, run by both libraries."""

from tests.parity.case import Case

CASES = [
    Case("BatchNormalization", {}, inputs=[(4, 3)], training=True),
    Case("BatchNormalization", {}, inputs=[(4, 3)], training=False),
    Case(
        "BatchNormalization",
        dict(axis=1, momentum=0.9, epsilon=0.01),
        inputs=[(3, 2, 4, 5)],
        training=True,
    ),
    Case("BatchNormalization", dict(center=False), inputs=[(2, 4, 3)], training=True),
    Case("BatchNormalization", dict(scale=False), inputs=[(2, 4, 3)], training=False),
    Case("BatchNormalization", dict(trainable=False), inputs=[(4, 3)], training=True),
    Case("BatchNormalization", dict(renorm=True), inputs=[(4, 3)], training=True),
    Case(
        "BatchNormalization",
        dict(
            renorm=True,
            scale=False,
            renorm_momentum=0.5,
            renorm_clipping={"rmax": 1.5, "rmin": 0.5, "dmax": 1.0},
        ),
        inputs=[(4, 3)],
        training=True,
    ),
    Case("BatchNormalization", dict(dtype="mixed_bfloat16"), inputs=[(4, 5, 3)], training=True),
    Case("LayerNormalization", {}, inputs=[(3, 4)]),
    Case("LayerNormalization", dict(axis=1, epsilon=0.1), inputs=[(2, 3, 4)]),
    Case("LayerNormalization", dict(axis=(-1, -2), center=False), inputs=[(2, 3, 4)]),
    Case("LayerNormalization", dict(scale=False, dtype="mixed_float16"), inputs=[(2, 3, 4)]),
    Case("LayerNormalization", dict(rms_scaling=True), inputs=[(2, 3, 4)]),
    Case("GroupNormalization", dict(groups=2), inputs=[(2, 3, 4)]),
    Case("GroupNormalization", dict(groups=-1, axis=1), inputs=[(2, 4, 3, 3)]),
    Case("GroupNormalization", dict(groups=1, center=False, scale=False), inputs=[(2, 3, 4)]),
    Case("RMSNormalization", {}, inputs=[(2, 3, 4)]),
    Case("RMSNormalization", dict(axis=(1, 2), epsilon=0.1), inputs=[(2, 3, 4)]),
    Case("UnitNormalization", {}, inputs=[(2, 3, 4)]),
    Case("UnitNormalization", dict(axis=(1, 2)), inputs=[(2, 3, 4)]),
]
