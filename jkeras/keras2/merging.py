"""Merging in Keras 1: one layer and one function for all kinds of it, also of whole models."""

import jkeras
from jkeras.models import Functional

KINDS = {
    "sum": "add",
    "mul": "multiply",
    "ave": "average",
    "max": "maximum",
    "concat": "concatenate",
    "dot": "dot",
    "cos": "dot",
}


def layer_for(mode, concat_axis=-1, dot_axes=-1, output_shape=None, arguments=None, name=None):
    """The layer of today for a mode of Keras 1.

    >>> type(layer_for("sum")).__name__
    'Add'

    Raises:
        ValueError: there is no such mode.
    """
    if callable(mode):
        return jkeras.layers.Lambda(mode, output_shape, arguments=arguments, name=name)
    if mode not in KINDS:
        raise ValueError(f"merge: expected `mode` among {list(KINDS)}, received {mode!r}")
    options = {"name": name}
    if mode == "concat":
        options["axis"] = concat_axis
    if mode in ("dot", "cos"):
        options.update(axes=dot_axes, normalize=mode == "cos")
    return getattr(jkeras.layers, KINDS[mode].capitalize())(**options)


def merge_function(notes):
    """`merge(inputs, mode=)`."""

    def merge(inputs, mode="sum", **options):
        _note(notes, "merge", mode)
        return layer_for(mode, **_accepted(options))(inputs)

    return merge


def merge_class(notes):
    """`Merge`, the layer."""

    def make(*args, **kwargs):
        layer = Merge(*args, **kwargs)
        _note(notes, "Merge", layer.mode)
        return layer

    return make


class Merge(jkeras.layers.Layer):
    """Merges its inputs, or the outputs of models on their inputs.

    Args:
        layers: the models, as many as there are inputs; None: what is merged are the inputs.
        mode: kind of merging, or a function of the list.
    """

    def __init__(self, layers=None, mode="sum", name=None, **options):
        super().__init__(name=name)
        self.mode = mode
        self.branches = list(layers or ())
        self.merging = layer_for(mode, **_accepted(options))

    def call(self, inputs):
        if self.branches:
            inputs = list(inputs)
            inputs = [branch(_taken(inputs, count_inputs(branch))) for branch in self.branches]
        return self.merging(inputs)


def count_inputs(model):
    """How many arrays a branch of a `Merge` takes."""
    if isinstance(model, Functional):
        return len(model.inputs)
    first = next(iter(getattr(model, "layers", ())), None)
    if isinstance(first, Merge) and first.branches:
        return sum(map(count_inputs, first.branches))
    return 1


def _taken(inputs, count):
    """The first inputs of a list, which are taken out of it."""
    taken = [inputs.pop(0) for _ in range(count)]
    return taken if count > 1 else taken[0]


def _accepted(options):
    """The options that merging has today."""
    gone = ("output_mask", "node_indices", "tensor_indices")
    return {key: value for key, value in options.items() if key not in gone}


def _note(notes, name, mode):
    if callable(mode):
        notes.add(f"{name}(mode=function)", "Lambda(function)")
    else:
        notes.add(f"{name}(mode={mode!r})", f"layers.{KINDS.get(mode)}()")
