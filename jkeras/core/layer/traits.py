"""Facts about the layers of a class, which the class states."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Traits:
    """Facts about the layers of a class. A class of ours states them with its bases, as in
    `class Dense(Layer, is_batchwise=True)`; what it does not state is as in these.

    Attributes:
        is_native: whether layers run on values by path, without variables and ambient state.
        is_stateful: whether `forward` returns what it changed, too.
        has_children: whether `forward` is given a cursor over them.
        is_batchwise: whether the first axis of each output is that of each input, the batch, and no
            other size depends on how many rows there are.
        keeps_shape: whether the output has the shape of the input, the only one, whatever that is.
        says_output_shape: whether a class of the user's has a `compute_output_shape` of its own.
        announces_compute_dtype: whether the output for symbolic inputs of any dtype is in the
            compute dtype, as Keras's layers say.
        computes_in_float: whether inputs are cast to the compute dtype.
        casts_inputs: False of a model, whose layers cast for themselves.
        takes_floats: whether inputs may be rounded to floats on the host; None: where they are cast
            anyway.
        takes_ids: whether inputs are whole numbers, whatever their dtype.
        uncast: arguments by name whose floats keep their dtype.
        uses_mask: whether a mask changes what comes of the steps that count.
        uses_weights_whole: False where they are handed on in parts, to a loop over them.
        convolves: whether it computes convolutions.
        is_weightless: whether the class says nothing of weights of its own; set by what it defines.
        is_for_training_alone: whether what it does in training alone is no noise of the model: the
            batch's statistics, augmentation.
    """

    is_native: bool = True
    is_stateful: bool = False
    has_children: bool = False
    is_batchwise: bool = False
    keeps_shape: bool = False
    says_output_shape: bool = False
    announces_compute_dtype: bool = False
    computes_in_float: bool = True
    casts_inputs: bool = True
    takes_floats: bool | None = None
    takes_ids: bool = False
    uncast: tuple[str, ...] = ()
    uses_mask: bool = False
    uses_weights_whole: bool = True
    convolves: bool = False
    is_weightless: bool = False
    is_for_training_alone: bool = False


NAMES = frozenset(field.name for field in dataclasses.fields(Traits))


def traits_of(cls: type) -> Traits:
    """The facts that a class and its bases state, each as the first of them that states it."""
    # a layer's base defines it, too
    stated: dict = {"is_weightless": sum("weight_specs" in vars(b) for b in cls.__mro__) == 1}
    for base in reversed(cls.__mro__):
        stated |= vars(base).get("_stated", {})
    return Traits(**stated)
