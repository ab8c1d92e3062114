"""Adapters as weights of a model, which `fit` trains: beside each kernel lie its two matrices."""

import typing

from jkeras.core.errors import explain, place_of
from jkeras.core.layer import Layer
from jkeras.core.weights.paths import own_variables, walk
from jkeras.kernel import low_rank
from jkeras.lora.adapter import Adapter
from jkeras.lora.applying import init, missing, shape_of
from jkeras.lora.kernels import Site, kernel_sites, kernels
from jkeras.lora.matching import Ranks, ranks_of

if typing.TYPE_CHECKING:
    import jax
    from jkeras.kernel.low_rank import Change


def attach(model: typing.Any, adapter: Adapter) -> None:
    """Makes an adapter weights of a model, replacing the one it has. The model computes with it
    from now on; all other weights are frozen, and layers that keep statistics keep them as they
    are.

    What is to be trained too, such as a new head, can be unfrozen afterwards: `head.trainable =
    True`.

    Args:
        model: built.

    Raises:
        ValueError: a kernel is not there, has another shape, or is of a layer that reads it in a
            `call` of its own. The model is unchanged then.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> attach(model, jkeras.lora.init(kernels(model), 1, 0))
    >>> [weight.name for weight in model.trainable_weights]
    ['kernel_adapter_a', 'kernel_adapter_b']
    """
    sites = dict(kernel_sites(model))
    changes = dict(adapter.changes())
    for path, change in changes.items():
        _check(path, change, sites)
    detach(model)
    _freeze(model, [sites[path].layer for path in changes])
    for path, change in changes.items():
        layer, name, _ = sites[path]
        for part, value in zip(low_rank.PARTS, change):
            _add(layer, low_rank.name_of(name, part), value, trainable=part != "alpha")


def _check(path: tuple[str, ...], change: "Change", sites: dict[tuple[str, ...], Site]) -> None:
    """Raises unless a change can lie beside the kernel at a path."""
    if path not in sites:
        raise missing(path)
    layer, name, kernel = sites[path]
    if shape_of(change, len(kernel.shape)) != kernel.shape:
        received = f"matrices of shapes {change.a.shape} and {change.b.shape}"
        expected = f"a change of '{name}' of shape {kernel.shape}"
        raise ValueError(explain(place_of(layer), expected, received))
    if layer.is_lifted():
        advice = (
            "write the layer with `forward`, which is given its weights, or train with "
            "`jkeras.lora.apply` as a function"
        )
        expected, received = "a layer that is given its weights", f"a `call` that reads '{name}'"
        raise ValueError(explain(place_of(layer), expected, received, advice))


def _add(layer: Layer, name: str, value: "jax.Array", trainable: bool) -> None:
    """Makes a value a weight of a layer."""
    variable = layer.add_weight(
        value.shape, "zeros", "float32", name=name, trainable=trainable, autocast=trainable
    )
    variable.assign(value)
    variable.forget_initializer()  # a training from a key begins with this value too


def _freeze(model: typing.Any, adapted: list[Layer]) -> None:
    """Freezes all weights: where no layer below is adapted as `trainable = False` does."""
    for _, layer in list(walk(model)):
        if not isinstance(layer, Layer):
            continue
        below = [module for _, module in walk(layer)]
        if not any(module is other for module in below for other in adapted):
            layer.trainable = False
            continue
        for variable in own_variables(layer).values():
            if variable.learnable:
                variable.trainable = False


def detach(model: typing.Any) -> None:
    """Takes the adapter off a model, if it has one: it computes what it did without. What `attach`
    has frozen stays frozen until `model.trainable = True`.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)])
    >>> attach(model, jkeras.lora.init(kernels(model), 1, 0))
    >>> detach(model)
    >>> len(model.weights)
    2
    """
    for _, module in walk(model):
        own = own_variables(module)
        for name in [name for name in own if low_rank.is_part(name)]:
            del own[name]


def attached(model: typing.Any) -> Adapter | None:
    """The adapter that is attached to a model, with its values now; None where there is none."""
    pairs, alphas = {}, {}
    for path, module in walk(model):
        values = {
            name: variable.value
            for name, variable in own_variables(module).items()
            if low_rank.is_part(name)
        }
        for name in low_rank.changed(values):
            key = "/".join((*path, name))
            change = low_rank.beside(values, name)
            pairs[key] = {"a": change.a, "b": change.b}
            alphas[key] = float(change.alpha)
    if not pairs:
        return None
    if len(set(alphas.values())) == 1:
        return Adapter(pairs, next(iter(alphas.values())))
    return Adapter(pairs)  # each has its own rank for alpha


def adapt(model: typing.Any, spec: "Ranks | Adapter", rng: typing.Any) -> None:
    """Attaches the value of `compile(lora=)`: an adapter, or ranks, for which one is made unless
    the model has one of them.
    """
    if isinstance(spec, Adapter):
        return attach(model, spec)
    kernels_of_model, current = kernels(model), attached(model)
    if current is not None and current.ranks == ranks_of(kernels_of_model, spec):
        return None
    return attach(model, init(kernels_of_model, spec, rng))
