"""`compile(remat=...)`: the blocks of a model compute their inner values again for the gradient."""

from typing import TYPE_CHECKING, Any

from jkeras.core.errors import ArgumentError, explain
from jkeras.core.layer import Layer
from jkeras.core.layer.view import layers_of, layers_right_below
from jkeras.core.run.remat import RematScope, policy_of
from jkeras.layers.stack import Stack
from jkeras.training.shell.extensions import Extensions

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer


def set_remat(model: "Trainer", remat: bool | str) -> None:
    """Lets the blocks of a model save what `remat` says, whatever they were made with.

    Args:
        remat: as of `compile`.

    Raises:
        ValueError: no such policy, or the model has no layers yet that it could hold for.

    >>> import jkeras
    >>> block = jkeras.Sequential([jkeras.layers.Dense(8, "relu"), jkeras.layers.Dense(4)])
    >>> model = jkeras.Sequential([jkeras.Input((4,)), block, jkeras.layers.Dense(1)])
    >>> set_remat(model, True)
    >>> [layer.remat_scope is not None for layer in model.layers]
    [True, False]
    """
    if not isinstance(remat, (bool, str)):
        wanted = "`remat` of True, False or the name of a policy"
        raise ArgumentError(explain("compile", wanted, f"remat={remat!r}"))
    policy = None
    if isinstance(remat, str):
        policy = policy_of(remat)
    blocks = blocks_of(model)
    if remat and not blocks:
        fix = "build it, or call it on data, before it is compiled with `remat`"
        wanted = "layers whose inner values can be computed again"
        raise ArgumentError(explain(f"Model '{model.name}'", wanted, "none", fix))
    for layer in layers_of(model):
        layer.remat_scope = None
        if isinstance(layer, Stack):
            layer.remat = False
    if not remat:
        return
    for block in blocks:
        if isinstance(block, Stack):
            block.remat = remat
        else:
            block.remat_scope = RematScope("full", policy=policy)


def blocks_of(model: "Trainer") -> list[Layer]:
    """The parts of a model between which values are saved: each `Stack`, which does so between its
    blocks; layers made of layers, and models of plain layers, in models in it too; where there are
    none, its layers that have weights.
    """
    below = layers_right_below(model)
    blocks = [block for layer in below for block in _blocks_in(layer)]
    if blocks:
        return _each_once(blocks)
    return _each_once([layer for layer in below if layer.weights or not layer.built])


def _blocks_in(layer: Layer) -> list[Layer]:
    inner = layers_right_below(layer)
    if isinstance(layer, Stack):
        return [layer]
    if not inner:
        return []
    composite = [one for one in inner if isinstance(one, Stack) or layers_right_below(one)]
    if composite and isinstance(layer, Extensions):
        return [block for one in composite for block in _blocks_in(one)]
    return [layer]


def _each_once(layers: list[Any]) -> list[Any]:
    return list(dict.fromkeys(layers))
