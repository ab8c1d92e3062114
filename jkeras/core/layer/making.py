"""Variables of a layer: from its weight specs when it is built, or one by one as in Keras."""

import inspect
from typing import Any

from jkeras.core.graph import keras_tensor
from jkeras.core.names import naming, typed
from jkeras.core.weights import policy
from jkeras.core.errors import explain, place_of
from jkeras.core.names.family import families
from jkeras.core.weights.types import Aggregation, DType, PartialShape
from jkeras.core.weights.variable import Variable
from jkeras.kernel.scope import current_flow


def make_weights(layer, specs):
    """Makes the variables that a layer has for inputs (`Spec`s), and shows what Keras shows."""
    weights, dtype = layer.weight_specs(*specs), layer.variable_dtype
    for name, weight in weights.items():
        if None in weight.shape:
            expected = "an input whose size is known on the axes its weights depend on"
            advice = f"give the size that '{name}' needs: `Input(shape=…)`"
            raise ValueError(explain(place_of(layer), expected, f"input {specs}", advice))
        variable = Variable(
            weight.initializer,
            shape=weight.shape,
            dtype=weight.dtype or dtype,
            trainable=weight.trainable,
            autocast=weight.autocast,
            name=name,
            regularizer=weight.regularizer,
            constraint=weight.constraint,
            layout=weight.layout,
        )
        layer.own(name, variable)
        _show(layer, name, variable)
    if weights:
        _show_absent(layer)
    for name, value in layer.attributes_when_built(*specs).items():
        setattr(layer, name, value)


def _show(layer: Any, name: str, variable: Variable) -> None:
    """Makes a weight an attribute, unless the class has another one of this name."""
    of_class = getattr(type(layer), name, None)
    if of_class is None or inspect.isdatadescriptor(of_class):
        vars(layer)[name] = variable


def _show_absent(layer: Any) -> None:
    """Shows None where a layer has an initializer for a weight that its arguments leave out."""
    for field in type(layer)._fields:
        name = field.name.removesuffix("_initializer")
        if name != field.name and not hasattr(layer, name):
            object.__setattr__(layer, name, None)


def add_weight(
    self: Any,
    *args: Any,
    shape: PartialShape | int | None = None,
    initializer: typed.Named = None,
    dtype: DType | None = None,
    trainable: bool = True,
    autocast: bool = True,
    regularizer: typed.Regularization = None,
    constraint: typed.Named = None,
    aggregation: Aggregation | None = "none",
    layout: Any = None,
    overwrite_with_gradient: bool = False,
    name: str | None = None,
) -> Variable:
    """Makes a weight of this layer, inside `build` or the constructor, and returns it as a
    `Variable`.

    Args:
        args: shape, initializer and dtype, where they are not passed by name.
    """
    by_name = {"shape": shape, "initializer": initializer, "dtype": dtype}
    shape, initializer, dtype = _bound(self, args, by_name).values()
    dtype = self.variable_dtype if dtype is None else policy.standardize_dtype(dtype)
    if initializer is None:
        initializer = "glorot_uniform" if policy.is_float(dtype) else "zeros"
    if shape is None:
        shape = ()
    elif isinstance(shape, int):
        shape = (shape,)
    variable = Variable(
        families["initializers"].get(initializer),
        shape=keras_tensor.standardize_shape(shape) if shape else (),
        dtype=dtype,
        trainable=trainable,
        autocast=autocast,
        aggregation=aggregation,
        layout=layout,
        name=name,
        regularizer=families["regularizers"].get(regularizer),
        constraint=families["constraints"].get(constraint),
        overwrite=overwrite_with_gradient,
    )
    if not naming.path_around():
        variable.scope = self.path
    self.own(variable.name, variable)
    return variable


def refuse_in_call(layer: Any, part: Any) -> None:
    """Raises ValueError for a weight or a layer that becomes part of one whose `call` runs: it
    would be another one, with new values, in each call.
    """
    if all(running is not layer for running, _ in current_flow().stack):
        return
    name = getattr(part, "name", type(part).__name__)
    expected = "all its weights and layers from `__init__` or `build`"
    fix = "you cannot add new elements of state in a call: make it in `build`"
    raise ValueError(explain(place_of(layer), expected, f"'{name}' in its `call`", fix))


def _bound(layer: Any, args: tuple[Any, ...], by_name: dict[str, Any]) -> dict[str, Any]:
    """The first arguments of `add_weight`, each passed by position or by name."""
    if args and isinstance(args[0], str):
        raise ValueError(
            f"{place_of(layer)}: `add_weight` takes the `name` as a keyword argument. Received: "
            f"add_weight({args[0]!r}, …). Write add_weight(shape=…, name={args[0]!r})."
        )
    if len(args) > len(by_name):
        raise TypeError(
            f"add_weight() takes at most {len(by_name)} positional arguments "
            f"({', '.join(by_name)}); {place_of(layer)} gives it {len(args)}. To fix it: give the "
            "others by name."
        )
    for name, value in zip(by_name, args):
        if by_name[name] is not None:
            raise ValueError(
                f"add_weight() of {place_of(layer)}: `{name}` was passed both positionally and as "
                "a keyword argument. Leave one of them out."
            )
        by_name[name] = value
    return by_name
