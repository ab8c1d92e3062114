"""What follows from a layer's attributes and the form of its inputs, where it is not built for
them: its weights and its children. Of a layer of ours they are cached until an attribute of it is
set (`core.weights.module`); a class of the user's may ask for anything else.
"""

import operator
import typing

import jax

from jkeras.core.names.dtypes import name_of
from jkeras.core.run.tracebacks import is_built_in_class
from jkeras.core.session.settings import uncounted
from jkeras.core.weights.module import derived
from jkeras.kernel.spec import Spec, Weight

Ranks = list[tuple[int, int | None]]
# what may hold the layer itself, which would then be held for ever
NOTHING = {"initializer": None, "regularizer": None, "constraint": None}


def specs_for(layer: typing.Any, x: jax.Array) -> dict[str, Weight]:
    """The layer's own weights for an input, by name; for a look at shapes and dtypes."""
    if layer.traits.has_children:  # of which there are mostly none; they may follow from these
        return layer.weight_specs(Spec(x.shape, name_of(x.dtype)))
    asked = x.shape, x.dtype
    cached = derived.get(layer, {}).get("specs")
    if cached is not None and cached[0] == asked:
        return cached[1]
    return _caching(layer, "specs", asked, layer.weight_specs(Spec(x.shape, name_of(x.dtype))))


def specs_for_call(layer: typing.Any, call: typing.Any) -> dict[str, Weight]:
    """The layer's own weights for the inputs of a call, as stored, by name; for a look at shapes
    and dtypes.
    """
    if layer.traits.has_children or not is_built_in_class(type(layer)):
        return layer.specs_for(call)
    asked = list(call.specs().values())
    cached = derived.get(layer, {}).get("specs of a call")
    if cached is not None and cached[0] == asked:
        return cached[1]
    return _caching(layer, "specs of a call", asked, layer.specs_for(call))


def _caching(layer, name, asked, specs):
    """What follows for what is asked, cached where nothing else can change it."""
    if not is_built_in_class(type(layer)) or _holds_layers(layer):
        return specs
    bare = {name: weight.replace(**NOTHING) for name, weight in specs.items()}
    derived.setdefault(layer, {})[name] = asked, bare
    return bare


def _holds_layers(layer):
    """Whether weights may follow from another layer, whose attributes are set unseen: from a child,
    or from a pattern that is none.
    """
    state = vars(layer)
    held = (*state["_children"].values(), *state.values())
    return any(hasattr(thing, "weight_specs") for thing in held)


def children_for(layer: typing.Any, specs: list[Spec], is_declaring: bool) -> dict:
    """The children of a composite for inputs, by name.

    Args:
        is_declaring: they are to say which weights they have, so initializers count: new ones.
    """
    ranks = ranks_of(specs)
    if vars(layer).get("_children_are_for") == ranks:
        return {}
    caches = is_built_in_class(type(layer)) and not is_declaring
    cached = derived.get(layer, {}).get("children") if caches else None
    if cached is None or cached[0] != ranks:
        with uncounted():
            cached = ranks, layer.children(*specs)
        if caches:
            derived.setdefault(layer, {})["children"] = cached
    return cached[1]


def ranks_of(specs: list[Spec]) -> Ranks:
    """What children depend on: the number of axes and the size of the last one of each input."""
    try:
        shapes = list(map(operator.attrgetter("shape"), specs))
    except AttributeError:  # an input is a structure of arrays
        leaves = jax.tree_util.tree_leaves(specs, is_leaf=lambda spec: isinstance(spec, Spec))
        shapes = [spec.shape for spec in leaves]
    return list(zip(map(len, shapes), map(operator.itemgetter(-1), shapes)))
