"""The shape of an architecture's images, as programs with architectures of their own ask for it."""

import jkeras


def obtain_input_shape(
    input_shape, default_size, min_size, data_format, require_flatten, weights=None
):
    """The shape (without the batch axis) of a network's input.

    Args:
        input_shape: what the user gives, or None.
        default_size: side of the square images that the network was made for.
        min_size: the smallest side.
        require_flatten: whether the network ends in dense layers, and so needs static sizes.
        weights: "imagenet": dense layers have the sizes of the network it was made for.

    >>> obtain_input_shape(None, 224, 32, "channels_last", True)
    (224, 224, 3)

    Raises:
        ValueError: the shape is not of images, too small, or not the one that the weights are for.
    """
    is_first = (data_format or jkeras.config.image_data_format()) == "channels_first"

    def shape(side, channels=3):
        return (channels, side, side) if is_first else (side, side, channels)

    if input_shape is None:
        return shape(default_size if require_flatten else None)
    input_shape = tuple(input_shape)
    if len(input_shape) != 3:
        raise ValueError(
            "`input_shape`: expected three whole numbers, those of one image. Received: "
            f"{input_shape}"
        )
    _check_sides(input_shape[1:] if is_first else input_shape[:2], min_size)
    if require_flatten:
        _check_for_dense_layers(input_shape, shape(default_size), weights)
    return input_shape


def _check_sides(sides, min_size):
    """Raises where a side is too small."""
    if any(side is not None and side < min_size for side in sides):
        raise ValueError(f"Input size must be at least {min_size}x{min_size}. Received: {sides}")


def _check_for_dense_layers(input_shape, default, weights):
    """Raises where dense layers at the end could not be made for a shape, or not with weights."""
    if weights == "imagenet" and input_shape != default:
        raise ValueError(
            "With `include_top=True` and weights of ImageNet, `input_shape` should be "
            f"{default}. Received: {input_shape}"
        )
    if None in input_shape:
        raise ValueError(
            f"With `include_top=True` all sizes must be known. Received: {input_shape}"
        )
