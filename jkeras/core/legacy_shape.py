"""`input_dim`, `input_shape` and `batch_input_shape`, which people still type on a first layer."""


def take_first_shape(kwargs: dict) -> tuple | None:
    """The shape of the first input that a layer's arguments say, with the batch axis; None where
    they say none. The arguments that say it are taken out.
    """
    size = kwargs.pop("input_dim", None)
    shape = kwargs.pop("input_shape", None)
    batch_shape = kwargs.pop("batch_input_shape", None)
    batch_size = kwargs.pop("batch_size", None)
    first_shape = None
    if size is not None:
        first_shape = (None, size)
    if shape is not None:
        first_shape = (None, *((shape,) if isinstance(shape, int) else shape))
    if batch_shape is not None:
        first_shape = tuple(batch_shape)
    if first_shape is not None and batch_size is not None:
        first_shape = (batch_size, *first_shape[1:])
    return first_shape
