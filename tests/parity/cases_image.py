"""Layers of images, run by both libraries: with seeds given, what they draw is the same, too."""

from tests.parity.case import Case

IMAGES, FIRST = [(2, 6, 5, 3)], [(2, 3, 6, 5)]
DRAWN = [  # layers that draw, trained with a given seed
    ("RandomFlip", dict(mode="horizontal")),
    ("RandomRotation", dict(factor=0.2, fill_mode="constant", fill_value=0.5)),
    (
        "RandomTranslation",
        dict(height_factor=0.2, width_factor=(-0.3, 0.1), interpolation="nearest"),
    ),
    ("RandomZoom", dict(height_factor=(-0.2, 0.3), width_factor=0.1, fill_mode="wrap")),
    ("RandomBrightness", dict(factor=0.3, value_range=(-1, 1))),
    ("RandomContrast", dict(factor=0.4, value_range=(-2, 2))),
    ("RandomSharpness", dict(factor=0.8, value_range=(-2, 2))),
    ("RandomGaussianBlur", dict(kernel_size=(5, 3), sigma=(0.3, 1.0), value_range=(-2, 2))),
    ("RandomInvert", dict(factor=0.7, value_range=(0, 1))),
    ("RandomColorDegeneration", dict(factor=0.6, value_range=(-2, 2))),
]

CASES = [
    Case("Resizing", dict(height=4, width=7), inputs=IMAGES),
    Case(
        "Resizing",
        dict(height=4, width=4, interpolation="bicubic", data_format="channels_first"),
        inputs=FIRST,
    ),
    Case("Resizing", dict(height=3, width=2, antialias=True), inputs=IMAGES),
    Case("Resizing", dict(height=4, width=4, crop_to_aspect_ratio=True), inputs=IMAGES),
    Case(
        "Resizing", dict(height=4, width=9, pad_to_aspect_ratio=True, fill_value=0.5), inputs=IMAGES
    ),
    Case("CenterCrop", dict(height=3, width=2), inputs=IMAGES),
    Case("CenterCrop", dict(height=8, width=3), inputs=IMAGES),
    Case("RandomCrop", dict(height=3, width=2, seed=3), inputs=IMAGES, training=False),
    # the largest pixel is brought to 255, where the clip ends
    Case("AutoContrast", dict(value_range=(-1, 1)), inputs=IMAGES, gradient=False),
    Case(
        "ContrastLimitedAdaptiveHistogramEqualization",
        dict(tile_grid_size=(2, 2), value_range=(-1, 1)),
        inputs=[(1, 5, 6, 1)],
    ),
    Case("RandomPerspective", dict(scale=0.3), inputs=IMAGES, training=False),
    Case("RandAugment", {}, inputs=IMAGES, training=False),
    Case(
        "RandomColorJitter",
        dict(brightness_factor=0.2, hue_factor=0.1),
        inputs=IMAGES,
        training=False,
    ),
    *(Case(name, {**kwargs, "seed": 7}, inputs=IMAGES, training=True) for name, kwargs in DRAWN),
]
