"""Building: shapes as users write them, and the scope in which a layer's variables are made."""

import copy
import functools
import inspect

import jax

from jkeras.kernel.scope import is_abstract
from jkeras.core.graph import inference, keras_tensor
from jkeras.core.names import naming
from jkeras.core.graph.keras_tensor import KerasTensor
from jkeras.core.run.call import target_of
from jkeras.core.errors import place_of
from jkeras.core.weights.module import TrackedDict, TrackedList
from jkeras.kernel.spec import Spec


class build_scope:
    """Inside this block a layer is being built; the outermost one records shapes by name and sets
    `built`.
    """

    def __init__(self, layer, shapes, names):
        self.layer, self.shapes, self.names = layer, shapes, names

    def __enter__(self):
        layer = self.layer
        self.outer = getattr(layer, "_in_build", False)
        if not self.outer:
            if not hasattr(layer, "_before_build"):
                layer.set_untracked(_before_build=snapshot(layer))
            layer.set_untracked(_in_build=True, _scope=naming.path_around())
            self.scope = naming.inside(layer)
            self.scope.__enter__()
        return self

    def __exit__(self, kind, *exc):
        if not self.outer:
            self.scope.__exit__(kind, *exc)
            self.layer.set_untracked(_in_build=False)
            if kind is None:
                shapes = known(self.shapes) if is_abstract() else self.shapes
                self.layer.set_untracked(built=True, _build_shapes=dict(zip(self.names, shapes)))


def snapshot(layer):
    """A layer's attributes as they are, for a copy that is not built."""
    return attributes(layer) | {"built": False}


def attributes(module):
    """A module's attributes at one moment, with containers of their own."""
    copies = {}
    for name, value in dict(vars(module)).items():
        if isinstance(value, (TrackedList, TrackedDict)):
            copies[name] = type(value)(value, module, name)
        elif isinstance(value, (list, dict)):
            copies[name] = copy.copy(value)
        else:
            copies[name] = value
    return copies


def known(shapes):
    """Shapes met in an abstract run, with None again where a stand-in was put for it."""
    if isinstance(shapes, dict):
        return {k: known(v) for k, v in shapes.items()}
    if isinstance(shapes, (list, tuple)):
        return keras_tensor.alike(shapes, map(known, shapes))
    return None if shapes in inference.UNKNOWN else shapes


def scoped(build):
    """A `build` method inside a build scope."""
    parameters = list(inspect.signature(build).parameters.values())[1:]
    own = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    @functools.wraps(build)
    def in_scope(self, *args, **kwargs):
        args = tuple(as_tuples(a) for a in args)
        names = (own or [f"input{i or ''}_shape" for i in range(len(args))])[: len(args)]
        with build_scope(self, (*args, *kwargs.values()), [*names, *kwargs]):
            return build(self, *args, **kwargs)

    return in_scope


def call_build(layer, shapes):
    """Calls a user's `build` with the shapes it asks for."""
    args, kwargs = shape_arguments(layer, "build", shapes)
    return layer.build(*args, **kwargs)


def shape_arguments(layer, name, shapes):
    """(args, kwargs): the shapes of a call's arguments, `{name: shape}`, as a method of the user's
    of this name asks for them.

    Raises:
        ValueError: the method has arguments that stand for none of the call's.
    """
    method = getattr(type(layer), name)
    method = getattr(method, "__wrapped__", method)
    _, *parameters = inspect.signature(method).parameters.values()
    parameters = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters) or len(parameters) == 1:
        return (next(iter(shapes.values()), None),), {}
    if not parameters:
        return (), {}
    by_name = _by_argument(shapes, {p.name for p in parameters})
    if not by_name:
        return tuple(shapes.values()), {}
    known = target_of(type(layer)).names
    for parameter in parameters:
        if parameter.name not in by_name and parameter.default is parameter.empty:
            _check_shape_argument(layer, name, parameter.name, known)
    return (), by_name


def _check_shape_argument(layer, method, argument, known):
    """Raises where an argument of `build` or `compute_output_shape` is not the shape of one of
    `call`'s.
    """
    of = argument.removesuffix("_shape")
    if of != argument and of in known:
        return
    reason = f"`{argument}`, but `call()` does not have argument `{of}`"
    if of == argument:
        reason = f"`{argument}`, which does not end in `_shape`"
    raise ValueError(
        f"{place_of(layer)}: each argument of a `{method}()` method with several of them is the "
        f"shape of an argument of `call()`, with `_shape` behind its name, as in `{method}(self, "
        f"a_shape, b_shape)` for `call(self, a, b)`. Received `{method}()` argument {reason}."
    )


def _by_argument(shapes, names):
    """The shapes that arguments of these names stand for: "value_shape" for that of "value"."""
    shapes = {f"{name}_shape": shape for name, shape in shapes.items()}
    return {name: shape for name, shape in shapes.items() if name in names}


def is_shape(value):
    """Whether a value is one shape, rather than a structure of shapes."""
    return isinstance(value, (tuple, list)) and all(d is None or isinstance(d, int) for d in value)


def as_tuples(shape):
    """A shape, or a structure of shapes, with every shape as a tuple; anything else as it is."""
    if is_shape(shape):
        return tuple(shape)
    if isinstance(shape, dict):
        return {k: as_tuples(v) for k, v in shape.items()}
    return [as_tuples(s) for s in shape] if isinstance(shape, (list, tuple)) else shape


def as_specs(shape, dtype):
    """Specs for a shape or a structure of shapes."""
    if is_shape(shape):
        return Spec(tuple(shape), dtype)
    if isinstance(shape, dict):
        return {k: as_specs(v, dtype) for k, v in shape.items()}
    if isinstance(shape, (list, tuple)):
        return [as_specs(s, dtype) for s in shape]
    raise ValueError(
        f"Cannot interpret {shape!r} as a shape: expected a tuple of integers and None."
    )


def map_shapes(function, shapes):
    """A structure of shapes with `function` applied to each of them."""
    if is_shape(shapes):
        return function(tuple(shapes))
    if isinstance(shapes, dict):
        return {k: map_shapes(function, v) for k, v in shapes.items()}
    return keras_tensor.alike(shapes, [map_shapes(function, s) for s in shapes])


def as_tensors(specs):
    """KerasTensors for a structure of specs."""
    return jax.tree_util.tree_map(
        lambda s: KerasTensor(s.shape, s.dtype), specs, is_leaf=lambda s: isinstance(s, Spec)
    )
