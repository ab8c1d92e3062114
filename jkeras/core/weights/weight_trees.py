"""The weights of a layer as nested dicts of arrays by path, read and set."""

from jkeras.core.errors import NotBuiltError, place_of
from jkeras.core.weights.structure import named_weights
from jkeras.kernel import tree
from jkeras.kernel.losses import is_loss


def tree_of_weights(layer, learnable: bool) -> dict:
    """The arrays that a gradient may reach, or the others.

    Raises:
        ValueError: the layer has no weights yet.
    """
    return tree.unflatten((path, v.value) for path, v in _weights(layer, learnable, "").items())


def trees_of_weights(layer) -> tuple[dict, dict]:
    """The arrays that a gradient may reach, and the others, in one walk.

    Raises:
        ValueError: the layer has no weights yet.
    """
    _check_built(layer, "")
    pairs: dict[bool, list] = {True: [], False: []}
    for path, variable in named_weights(layer):
        pairs[bool(variable.learnable)].append((path, variable.value))
    return tree.unflatten(pairs[True]), tree.unflatten(pairs[False])


def set_tree_of_weights(layer, values: dict, learnable: bool) -> None:
    """Sets the arrays that a gradient may reach, or the others.

    Raises:
        ValueError: the layer has no weights yet.
        ValueError: a tree with other paths; then nothing is changed.
    """
    weights = _weights(layer, learnable, " to set")
    arrays = {path: value for path, value in tree.flatten(values) if not is_loss(path)}
    missing = ["/".join(path) for path in weights if path not in arrays]
    unexpected = ["/".join(path) for path in arrays if path not in weights]
    if missing or unexpected:
        name = "params" if learnable else "state"
        raise ValueError(
            f"{place_of(layer)}: the tree given as `{name}` does not fit. Missing: {missing}; "
            f"unexpected: {unexpected}."
        )
    for path, variable in weights.items():
        variable.assign(arrays[path])
    layer.set_untracked(_state_kept=True)


def _weights(layer, learnable, purpose):
    _check_built(layer, purpose)
    return {path: v for path, v in named_weights(layer) if v.learnable is learnable}


def _check_built(layer, purpose):
    if not layer.built:
        raise NotBuiltError(
            f"{place_of(layer)} has no weights yet{purpose}: it is not built. Call it on an input, "
            "or `layer.build(input_shape)`."
        )
