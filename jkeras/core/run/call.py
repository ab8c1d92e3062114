"""One call of a layer: its arguments bound to names, inputs cast, `training` and masks filled
in.
"""

import functools
import inspect

import jax

from jkeras.core.graph import keras_tensor
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.errors import explain, place_of
from jkeras.core.graph.sparse import is_sparse
from jkeras.core.names.registry import LEAVES
from jkeras.kernel.spec import Spec

KERNEL = ("self", "w", "sub", "ctx")  # what the kernel hands to `forward`; the rest is the caller's
# arguments of built-in layers that say what is seen; no weight depends on them
VISIBILITY = ("_mask", "segment_ids", "cache", "position")
CONTEXT = ("training", "mask")  # what a layer is told of the call besides its inputs


class Target:
    """The function that a layer class runs, `forward` or the user's `call`, and what it takes."""

    def __init__(self, cls, lifted):
        self.lifted, self.own = lifted, None
        parameters = self._of_call(cls) if lifted else self._of_forward(cls)
        self.signature = inspect.Signature(parameters)
        self.names = [p.name for p in parameters]
        by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        # of those that may be given by position: which one it is
        self.positions = {p.name: i for i, p in enumerate(parameters) if p.kind in by_position}
        self.star = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None)
        # what may be given all the same, and is not looked at
        self.ignored = ()
        if not self.open:
            self.ignored = tuple(name for name in CONTEXT if name not in self.names)

    def _of_call(self, cls):
        """The parameters of the user's `call`."""
        parameters = list(inspect.signature(cls.call).parameters.values())[takes_self(cls) :]
        self.context = {
            p.name: None if p.default is p.empty else p.default
            for p in parameters
            if p.name in CONTEXT
        }
        self.open = any(p.kind is p.VAR_KEYWORD for p in parameters)
        return parameters

    def _of_forward(self, cls):
        """The parameters of `forward` as those of Keras's `call`: `training` and `mask` behind the
        positional ones.
        """
        self.context, self.open = dict(cls.call_context), False
        parameters = inspect.signature(cls.forward).parameters.values()
        if not any(p.name == "ctx" or p.kind is p.VAR_KEYWORD for p in parameters):
            received = f"forward{inspect.signature(cls.forward)}"
            fix = "call the method `call`, as in Keras"
            raise TypeError(explain(cls.__name__, "`forward(self, w, x, ctx)`", received, fix))
        places, named = [], []
        for parameter in parameters:
            if parameter.name not in KERNEL:
                has_place = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
                side = places if has_place else named
                side.append(parameter)
        if places and places[0].name == "x":
            places[0] = places[0].replace(name="inputs")
        if any(p.kind is p.VAR_POSITIONAL for p in named):
            return [*places, *named, *self._of_context(inspect.Parameter.KEYWORD_ONLY)]
        self.own = len(places)
        return [*places, *self._of_context(inspect.Parameter.POSITIONAL_OR_KEYWORD), *named]

    def _of_context(self, kind):
        return [inspect.Parameter(name, kind, default=v) for name, v in self.context.items()]


def takes_self(cls):
    """Whether the first parameter of a user's `call` is the layer, whatever its name."""
    return not isinstance(inspect.getattr_static(cls, "call"), staticmethod)


@functools.cache
def target_of(cls):
    """The target of a layer class, looked up once."""
    return Target(cls, cls.is_lifted())


@functools.cache
def forward_of(cls):
    """The target of a layer class that is `forward`, whatever `call` a subclass put before it."""
    return Target(cls, lifted=False)


def is_array(x):
    """Whether x is a value that flows: an array or a symbolic tensor."""
    return isinstance(x, (jax.Array, KerasTensor, jax.ShapeDtypeStruct)) or is_sparse(x)


def is_nested_arrays(value):
    """Whether a value is an array or a structure of arrays (None allowed beside one)."""
    if is_array(value):
        return True
    if isinstance(value, (list, tuple, dict)) and value:
        leaves = keras_tensor.flatten(value)
        return any(map(is_array, leaves)) and all(v is None or is_array(v) for v in leaves)
    return False


class Inputs:
    """The inputs of what is run without binding arguments to names, for what follows from their
    shapes.
    """

    def __init__(self, *values):
        self._values = values

    def specs(self):
        """The inputs as `Spec`s, by position, in order."""
        return dict(enumerate(jax.tree_util.tree_map(_as_spec, self._values)))


class Call:
    """The arguments of one call of `layer`."""

    def __init__(self, layer, args, kwargs, cast=True):
        self.layer, self.target = layer, target_of(type(layer))
        convert = layer._convert if cast else keras_tensor.as_tensor
        args = tuple(
            [convert(v) if isinstance(v, jax.Array) else _converted(v, convert) for v in args]
        )
        self.user_training = None
        self.extra = {}  # `training` and `mask` given to a layer that does not look at them
        if kwargs:
            kwargs = self._take_named(kwargs, convert)
        try:
            bound = self.target.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(
                explain(
                    place_of(layer),
                    f"arguments {self.target.signature}",
                    str(error),
                    "check the call",
                )
            ) from None
        self.positional, self.named = tuple(args), kwargs
        bound.apply_defaults()
        self.arguments, self._bound = bound.arguments, bound
        self.tensors = {
            k: v
            for k, v in self.arguments.items()
            if k not in CONTEXT and type(v) not in LEAVES
            if isinstance(v, jax.Array) or is_nested_arrays(v)
        }
        self._specs = None
        self._check_positional(args)

    def _take_named(self, kwargs, convert):
        """The named arguments, converted, but for those that the layer does not look at."""
        uncast = self.layer.traits.uncast
        named = {}
        for name, value in kwargs.items():
            kind = keras_tensor.as_tensor if name in uncast else convert
            named[name] = _converted(value, kind)
        self.user_training = named.get("training")
        for name in self.target.ignored:
            if name in named:
                self.extra[name] = named.pop(name)
        return named

    def _check_positional(self, args):
        if self.layer.allow_non_tensor_positional_args:
            return
        for value in args:
            if isinstance(value, jax.Array):
                continue
            for leaf in keras_tensor.flatten(value):
                if leaf is not None and not is_array(leaf):
                    advice = "Pass this one as a keyword argument"
                    if hasattr(leaf, "weight_specs"):
                        advice = "Call this layer on a tensor first, `layer(inner(x))`"
                    raise ValueError(
                        f"{place_of(self.layer)}: Only input tensors may be passed as positional "
                        f"arguments. {advice}: {leaf!r} (of type {type(leaf).__name__})"
                    )

    @property
    def first(self):
        """The first argument."""
        return next(iter(self.arguments.values()), None)

    def populate(self, run, outer):
        """Fills in the masks that travel beside the inputs, and `training`: as given here, as in
        the layer around (`outer`), or the layer's own default.
        """
        mask_of = run.mask_of
        self.mask = self.arguments.get("mask", self.extra.get("mask"))
        if len(self.tensors) == 1 and self.mask is None:
            (only,) = self.tensors.values()
            self.mask = mask_of(only) if isinstance(only, jax.Array) else masks_of(only, mask_of)
            if self.target.lifted and "mask" in self.target.context:
                self._set("mask", self._mask_as_told(only, mask_of))
        elif len(self.tensors) > 1:
            self._populate_masks(mask_of)
        training = self.user_training
        if training is None:
            training = outer
        if training is None:
            training = self.target.context.get("training")
        self.now_training = training
        is_told = self.target.lifted and "training" in self.target.context
        if is_told and training is not None:
            self._set("training", training)

    def _mask_as_told(self, inputs, mask_of):
        """What `mask` is: of several inputs a user's `call` is given a structure of None where no
        input has one, as in Keras.
        """
        if self.mask is None and not is_array(inputs):
            return map_arrays(lambda _: None, inputs)
        return self.mask

    def _populate_masks(self, mask_of):
        """Fills in the masks of several inputs, in arguments such as `value_mask`."""
        for name, value in self.tensors.items():
            mask_name = f"{name}_mask"
            mask = mask_of(value) if isinstance(value, jax.Array) else masks_of(value, mask_of)
            if mask is None:
                continue
            if mask_name in self.target.names and self.arguments.get(mask_name) is None:
                self._set(mask_name, mask)
            if self.mask is None and value is self.first:
                self.mask = mask

    def _set(self, name, value):
        self.arguments[name] = value
        index = self.target.positions.get(name)
        if index is not None and index < len(self.positional):
            self.positional = (*self.positional[:index], value, *self.positional[index + 1 :])
        else:
            self.named = {**self.named, name: value}

    def call_arguments(self):
        """(args, kwargs) as they were given, what was filled in by name."""
        return self.positional, self.named

    def forward_arguments(self):
        """(args, kwargs) for `forward`: without what goes into `ctx`."""
        named = self._bound.kwargs
        for name in self.target.context:
            named.pop(name, None)
        return self._bound.args[: self.target.own], named

    # ------------------------------------------------------------ shapes for build

    def inputs(self):
        """The tensors that weights may depend on; masks and segments given to a built-in layer are
        not among them.
        """
        return {
            name: value
            for name, value in self.tensors.items()
            if self.target.lifted or not name.endswith(VISIBILITY)
        }

    def specs(self):
        """The inputs as `Spec`s, by name, in order."""
        if self._specs is None:
            self._specs = {
                name: _as_spec(v) if isinstance(v, jax.Array) else _as_specs(v)
                for name, v in self.inputs().items()
            }
        return self._specs

    def shapes(self):
        """The shapes of the inputs, by name, in order."""
        return {
            name: map_arrays(lambda v: tuple(v.shape), value)
            for name, value in self.inputs().items()
        }


def _converted(value, convert):
    """A value that is given, with its arrays converted."""
    if isinstance(value, jax.Array):
        return convert(value)
    return jax.tree_util.tree_map(convert, value, is_leaf=keras_tensor.is_leaf)


def _as_specs(value):
    return map_arrays(_as_spec, value)


def _as_spec(array):
    return Spec(tuple(array.shape), str(array.dtype))


def map_arrays(function, structure):
    """A structure with `function` applied to its arrays; None stays."""
    if isinstance(structure, jax.Array):
        return function(structure)
    return jax.tree_util.tree_map(
        lambda v: function(v) if is_array(v) else v, structure, is_leaf=keras_tensor.is_leaf
    )


def masks_of(structure, mask_of):
    """The masks beside a structure of arrays, in its structure; None where there is none at all."""
    if isinstance(structure, jax.Array) or is_array(structure):
        return mask_of(structure)
    masks = [mask_of(v) if is_array(v) else None for v in keras_tensor.flatten(structure)]
    if all(m is None for m in masks):
        return None
    treedef = jax.tree_util.tree_structure(structure, is_leaf=keras_tensor.is_leaf)
    return jax.tree_util.tree_unflatten(treedef, masks)
