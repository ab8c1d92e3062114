"""Weights of modules of PyTorch and of Flax NNX, carried over as a whole."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from jkeras.core.errors import ArgumentError, explain
from jkeras.core.layer.view import layers_right_below
from jkeras.core.names.registry import public
from jkeras.core.system.torch_tensors import of_torch
from jkeras.core.weights.paths import own_variables
from jkeras.saving.module_rules import Arrays, Rule, named, rule_of, rules_of_flax, rules_of_torch
from jkeras.saving.models import check_built

UNUSED = ("num_batches_tracked", "count", "key")  # counts and keys, which no formula here has
LEVEL = re.compile(r"_l(\d+)(_reverse)?$")  # of PyTorch's recurrent modules of several levels
INSIDE = {  # modules whose parts are modules, too: what tells them
    "out_proj": "in_proj_weight",
    **{part: "out.kernel" for part in ("query", "key", "value", "out")},
}
Units = list[tuple[Any, Rule]]


@public("jkeras.saving.from_state_dict")
def from_state_dict(
    model: Any, state_dict: Mapping[str, Any], names: Mapping[str, str] | None = None
) -> None:
    """Gives a model the weights of a module of PyTorch, or of Flax NNX, with the same layers.

    Modules and layers that have weights are taken in order, each module for one layer; with
    `names` they may be in any. Kernels are transposed, gates reordered, and numbers that were made
    flat with channels first come in Keras's order. Numbers that no weight holds are yours to
    compare: epsilons, momenta, paddings, slopes.

    Args:
        model: a built model.
        state_dict: arrays or tensors by name: `module.state_dict()`; of NNX, what
            `nnx.to_pure_dict(nnx.state(module))` gives, nested or with dots between names. An entry
            named `weight` tells PyTorch's.
        names: {a module's name: the path or the name of its layer}, of all or of some modules.

    Raises:
        ValueError: there are more modules than layers or fewer, a layer has no rule here or other
            shapes, an array is left over. The model is as it was then.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(3, name="head")])
    >>> weight, bias = np.arange(6.0).reshape(3, 2), np.zeros(3)
    >>> from_state_dict(model, {"fc.weight": weight, "fc.bias": bias})
    >>> print(model.get_layer("head").kernel.numpy())
    [[0. 2. 4.]
     [1. 3. 5.]]
    """
    check_built(model)
    arrays = dict(_flat(state_dict))
    rules = rules_of_flax()
    if any(name.split(".")[-1].startswith("weight") for name in arrays):
        rules = rules_of_torch()
    modules = _modules(arrays)
    units = list(_units(model, rules))
    pairs = _paired(model, modules, units, names or {})
    found = [(layer, _weights(name, modules[name], layer, rule)) for name, layer, rule in pairs]
    for layer, weights in found:
        layer.set_weights(weights)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """(name with dots, array) of each leaf but counts."""
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}.")
        elif path.split(".")[-1] not in UNUSED:
            yield path, of_torch(value) if hasattr(value, "detach") else np.asarray(value)


def _modules(arrays: Arrays) -> dict[str, Arrays]:
    """{module: its arrays by name}, in order; levels of a recurrent module are modules."""
    found: dict[str, Arrays] = {}
    for name, array in arrays.items():
        module, _, last = name.rpartition(".")
        above, dot, part = module.rpartition(".")
        if part in INSIDE and f"{above}{dot}{INSIDE[part]}" in arrays:
            module, last = above, f"{part}.{last}"
        level = LEVEL.search(last)
        if level and level[1] != "0":
            module = f"{module}[{level[1]}]"
            last = LEVEL.sub(lambda one: f"_l0{one[2] or ''}", last)
        found.setdefault(module, {})[last] = array
    return found


def _units(layer: Any, rules: dict[type, Rule]) -> Iterator[tuple[Any, Rule]]:
    """(layer, rule) of all that have weights, in order.

    Raises:
        ValueError: one has weights of its own, and no rule.
    """
    rule = rule_of(layer, rules)
    if rule is not None:
        if layer.weights:
            yield layer, rule
        return
    if own_variables(layer):
        known = ", ".join(sorted(kind.__name__ for kind in rules))
        fix = "set its weights by `layer.set_weights`, and leave it out of the model"
        raise ArgumentError(explain(named(layer), f"one of {known}", type(layer).__name__, fix))
    for one in layers_right_below(layer):
        yield from _units(one, rules)


def _paired(
    model: Any, modules: dict[str, Arrays], units: Units, names: Mapping[str, str]
) -> list[tuple[str, Any, Rule]]:
    """(module, layer, rule), those in `names` first, the others in order.

    Raises:
        ValueError: a name is that of none, or there are not as many of both.
    """
    left, pairs = list(units), []
    for module, wanted in names.items():
        chosen = [unit for unit in left if wanted in (unit[0].path, unit[0].name)]
        if module not in modules or len(chosen) != 1:
            found = f"{module!r}: {wanted!r}"
            expected = "`names` of one of the modules and one of the layers each"
            raise ArgumentError(explain(f"Model '{model.name}'", expected, found))
        left.remove(chosen[0])
        pairs.append((module, *chosen[0]))
    others = [module for module in modules if module not in names]
    if len(others) != len(left):
        layers = ", ".join(layer.path for layer, _ in left)
        wanted = f"{len(left)} modules for the layers {layers}"
        received = f"{len(others)}: {', '.join(others)}"
        fix = "take out modules that are none of them, or say by `names` which is which"
        raise ArgumentError(explain(f"Model '{model.name}'", wanted, received, fix))
    return pairs + [(module, *unit) for module, unit in zip(others, left)]


def _weights(name: str, arrays: Arrays, layer: Any, rule: Rule) -> list[np.ndarray]:
    """The weights of a layer.

    Raises:
        ValueError: the module is another kind, has other shapes, or arrays that no weight is of.
    """
    left = dict(arrays)
    try:
        weights = rule(layer, left)
    except KeyError as error:
        received = f"module '{name}' with {', '.join(arrays)}"
        raise ArgumentError(explain(named(layer), f"a module with {error}", received)) from error
    shapes = [tuple(weight.shape) for weight in layer.weights]
    received = [array.shape for array in weights]
    if received != shapes or left:
        unused = f", and {', '.join(left)} beside them" if left else ""
        found = f"{received} of module '{name}'{unused}"
        raise ArgumentError(explain(named(layer), f"weights of {shapes}", found))
    return weights
