"""Layers that are written on variables, as in Keras, in a forward pass on values by path.

Such a layer runs on its variables, whose values are those of the pass. Neither `init` nor `apply`
builds the object or writes on it: where it is not built for the inputs at hand, or is of a class of
the user's, a copy runs.
"""

import contextlib

import jax

from jkeras.core.weights import frame
from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.run.copies import copied_for, is_copy, leaves_no_tracers, of_users, unbuilt_copy
from jkeras.core.errors import explain, place_of
from jkeras.core.weights.paths import walk
from jkeras.core.weights.rng import SeedGenerator
from jkeras.core.session.settings import uncounted
from jkeras.core.weights.structure import all_built, constant_initializer, named_weights
from jkeras.kernel.apply import on_shapes
from jkeras.kernel.spec import Weight


def run_adapted(layer, scope, args, kwargs, bare):
    """Runs a layer on its variables, with the values that a scope has for them."""
    flow = scope.flow
    if flow.is_built:
        module = layer
    elif flow.declared is None:
        module = built_for(layer, args, kwargs)
    else:
        module = layer if is_built_for(layer, args, kwargs) else unbuilt_copy(layer)
    guard = contextlib.nullcontext()
    writing = [] if flow.is_built else of_users(layer)
    if writing:
        guard = leaves_no_tracers(writing)
        module = copied_for(flow, layer) if module is layer else module
    flow.adopt(module, scope.path)
    if flow.declared is None and not flow.is_built:
        check_values(layer, module, flow)
    with guard, uncounted():
        outputs = module.run_on(frame.ObjectScope(flow, module), args, kwargs, bare)
    if flow.declared is not None:
        declare(module, scope)
    return outputs


def run_copy(layer, scope, args, kwargs, bare):
    """Runs a layer of the user's that is written with `forward` as a copy."""
    module = copied_for(scope.flow, layer)
    with leaves_no_tracers([layer]):
        return module.run_on(scope, args, kwargs, bare)


def runs_as_copy(layer, scope):
    """Whether a pass has to run a copy of a layer of the user's that is written with `forward`: it
    may write on itself, and it is no copy.
    """
    flow = scope.flow
    return not flow.is_built and layer.is_native() and not is_copy(flow, layer)


def loop_body(layer, training):
    """A layer as a function for loops, `(t, *args) -> outputs`, in a run of its own, which knows
    the values that its weights have now.

    Layers in it that draw random numbers get another key for each t. A write to its state raises.
    """
    run = frame.current()
    generators = [module for _, module in walk(layer) if isinstance(module, SeedGenerator)]
    key = generators[0].next() if training and generators else None
    values = None
    if not run.abstract:
        values = ByVariable((v, run.read(v)) for _, v in named_weights(layer))
    inner = frame.Run(layer, values, training=training, abstract=run.abstract)

    def body(t, *args):
        inner.rng = None if key is None else jax.random.fold_in(key, t)
        with inner:
            return inner.call(layer, args, {})

    return body


def needs_objects(layer, scope):
    """Whether a layer has to be run on its variables, in a pass on values by path."""
    if not layer.is_native():
        return True
    return scope.flow.shared and not runs_apart(layer, scope)


def runs_apart(layer, scope):
    """Whether the parts of a layer can be run one by one: false at a root below which a layer that
    runs on its variables shares some with others.
    """
    shared = scope.flow.shared
    if scope.path:
        return True
    outsiders = [path for path, module in walk(layer) if path and not module.is_native()]
    return not any(path[: len(outer)] == outer for path in shared for outer in outsiders)


def declare(module, scope):
    """Says which weights a built module has, at their canonical paths."""
    flow = scope.flow
    flow.adopt(module, scope.path)
    for _, variable in named_weights(module):
        path = flow.places.find(variable)
        flow.declared.setdefault(path[:-1], {}).setdefault(path[-1], weight_of(variable))


def weight_of(variable):
    """The spec of a weight that a variable is."""
    return Weight(
        tuple(variable.shape),
        variable.initializer or constant_initializer(variable),
        variable.own_dtype,
        variable.learnable,
        variable.regularizer,
        variable.constraint,
        variable.autocast,
    )


def check_values(layer, module, flow):
    """Raises where the values given to `apply` are not those of a layer."""
    for _, variable in named_weights(module):
        path = flow.places.find(variable)
        value = flow.value_at(path)
        if value is None or jax.numpy.shape(value) != tuple(variable.shape):
            raise wrong_value(layer, path, value, weight_of(variable))


def check_own_values(layer, scope, values, specs):
    """The same for the layer's own weights, values and specs by name."""
    for name, weight in specs.items():
        value = values.get(name)
        if value is None or jax.numpy.shape(value) != tuple(weight.shape):
            raise wrong_value(layer, (*scope.path, name), value, weight)


def wrong_value(layer, path, value, weight):
    """The error for a value given to `apply` at a path that is not what the layer has there."""
    place = "/".join(path)
    if value is None:
        tree_name = "params" if weight.trainable else "state"
        wanted, received = f"an array at {place!r} in {tree_name}", "none"
    else:
        wanted = f"shape {tuple(weight.shape)} at {place!r}"
        received = f"shape {jax.numpy.shape(value)}"
    fix = "pass what `init` returned for this layer"
    return ValueError(explain(place_of(layer), wanted, received, fix))


# ---------------------------------------------------------------- built for what


def built_for(layer, args, kwargs):
    """A layer that has its weights, or a copy of it that was built for these inputs."""
    if is_built_for(layer, args, kwargs):
        return layer
    module = unbuilt_copy(layer)
    build_on_shapes(module, args, kwargs)
    return module


def is_built_for(layer, args, kwargs):
    """Whether a layer has its weights, made for inputs of these shapes."""
    if not layer.built or not all_built(layer):
        return False
    shapes = layer._build_shapes
    if not shapes:
        return True
    call = layer.bind_call(args, kwargs)
    call_shapes = {f"{name}_shape": shape for name, shape in call.shapes().items()}
    common = shapes.keys() & call_shapes.keys()
    if not common:  # `build` has names of its own for them
        built_for, wanted = list(shapes.values()), list(call_shapes.values())
    else:
        built_for = [shapes[name] for name in sorted(common)]
        wanted = [call_shapes[name] for name in sorted(common)]
    first_axis = 0 if getattr(layer, "stateful", False) else 1
    return all(_fits(*pair, first_axis) for pair in zip(built_for, wanted))


def _fits(built_for, shape, first_axis):
    """Whether a shape is one that a layer was built for; the batch does not matter."""
    if isinstance(built_for, dict) and isinstance(shape, dict):
        both = built_for.keys() & shape.keys()
        return all(_fits(built_for[key], shape[key], first_axis) for key in both)
    if not isinstance(built_for, (list, tuple)) or not isinstance(shape, (list, tuple)):
        return built_for is None or built_for == shape
    if _is_nested(built_for) or _is_nested(shape):
        return all(_fits(a, b, first_axis) for a, b in zip(built_for, shape))
    return _fit_from(first_axis, built_for, shape)


def _fit_from(axis, built_for, shape):
    """Whether the sizes of two shapes from an axis on are equal where the first has them."""
    if len(built_for) != len(shape):
        return False
    return all(wanted in (None, size) for wanted, size in zip(built_for[axis:], shape[axis:]))


def _is_nested(shapes):
    """Whether a sequence holds shapes, rather than being one."""
    return any(isinstance(size, (list, tuple, dict)) for size in shapes)


def build_on_shapes(module, args, kwargs):
    """Builds a module for inputs of which only the shapes count."""

    def run_once(args, kwargs):
        with frame.Run(module, abstract=True) as run:
            run.call(module, args, kwargs)

    with uncounted():
        on_shapes(run_once, tuple(args), dict(kwargs))
