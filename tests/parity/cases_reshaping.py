"""Layers that move entries, add or drop them, run by both libraries."""

from tests.parity.case import Case

CASES = [
    Case("Flatten", {}, inputs=[(2, 3, 4)]),
    Case("Flatten", dict(data_format="channels_first"), inputs=[(2, 3, 4, 5)]),
    Case("Flatten", {}, inputs=[(3,)]),
    Case("Reshape", dict(target_shape=(-1, 2)), inputs=[(2, 3, 4)]),
    Case("Permute", dict(dims=(3, 1, 2)), inputs=[(2, 3, 4, 5)]),
    Case("RepeatVector", dict(n=3), inputs=[(2, 4)]),
    Case("Cropping1D", dict(cropping=(1, 0)), inputs=[(2, 5, 3)]),
    Case("Cropping2D", dict(cropping=((1, 0), (0, 2))), inputs=[(2, 5, 6, 3)]),
    Case("Cropping2D", dict(cropping=(1, 2), data_format="channels_first"), inputs=[(2, 3, 5, 6)]),
    Case("Cropping3D", dict(cropping=((1, 0), 1, (0, 2))), inputs=[(2, 3, 4, 5, 2)]),
    Case("ZeroPadding1D", dict(padding=(1, 2), data_format="channels_first"), inputs=[(2, 3, 4)]),
    Case("ZeroPadding2D", dict(padding=((1, 0), 2)), inputs=[(2, 3, 4, 2)]),
    Case("ZeroPadding3D", dict(padding=1), inputs=[(1, 2, 3, 2, 2)]),
    Case("UpSampling1D", dict(size=3), inputs=[(2, 4, 3)]),
    Case("UpSampling2D", dict(size=(2, 3)), inputs=[(2, 3, 4, 2)]),
    Case("UpSampling2D", dict(size=2, interpolation="bilinear"), inputs=[(2, 3, 4, 2)]),
    Case(
        "UpSampling2D",
        dict(size=(2, 1), interpolation="bicubic", data_format="channels_first"),
        inputs=[(2, 2, 3, 4)],
    ),
    Case("UpSampling2D", dict(interpolation="lanczos3"), inputs=[(1, 4, 4, 2)]),
    Case("UpSampling3D", dict(size=(1, 2, 3)), inputs=[(1, 2, 3, 2, 2)]),
]
