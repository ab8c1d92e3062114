"""`input_dim`, `input_shape` and `batch_input_shape`, which people still type on a first layer."""


def take_first_shape(layer, kwargs: dict) -> None:
    """Takes out the arguments that say the shape of a layer's first input; it is stored, with the
    batch axis, for the model that the layer begins.
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
    if first_shape is not None:
        layer.set_untracked(_first_shape=first_shape)
