"""What a likelihood is a function of: the logits of a classifier, the outputs of a regression."""

import collections
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.activations import sigmoid, softmax
from jkeras.core.errors import explain
from jkeras.core.names.family import families
from jkeras.core.layer import Layer
from jkeras.kernel.beside import log_odds_beside, logits_beside, mask_beside
from jkeras.kernel.scope import Scope
from jkeras.layers import Softmax

SIGMOIDS = 64  # of the last of a pass it is known what they are of
SMALLEST = 1e-12  # probability, where logits follow from probabilities alone


def logits_of(
    model: Layer,
    params: dict,
    state: dict,
    x: Any,
    *,
    from_logits: bool | None = None,
    where: str = "uncertainty",
) -> jax.Array:
    """The logits of a classifier, not in training: (rows, classes), or (rows, 1) of two classes.

    Of a softmax or sigmoid at the end of the model they are what goes into it. Of probabilities
    that come from elsewhere they are the logarithm, or the log of the odds where there is one
    output; logits of several classes are then shifted by a number for each row.

    Args:
        from_logits: whether the outputs are logits; None: what the model was compiled with says.

    Raises:
        ValueError: outputs that are no (rows, classes), or nothing says what they are.

    >>> import jkeras
    >>> layer = jkeras.layers.Dense(2, "softmax", kernel_initializer="ones", use_bias=False)
    >>> params, state = layer.init(0, jnp.ones((1, 3)))
    >>> logits_of(layer, params, state, jnp.ones((1, 3))).tolist()
    [[3.0, 3.0]]
    """
    if from_logits is None:
        from_logits = loss_takes_logits(model)
    ((logits, _),) = layer_heads(model, params, state, x, [from_logits], where=where)
    check_outputs(logits, where)
    return logits


def layer_heads(
    model: Layer,
    params: dict,
    state: dict,
    x: Any,
    from_logits: "list[bool | None] | None",
    *,
    where: str = "uncertainty",
) -> list:
    """(logits, mask or None) of each output of a model, not in training, as of `logits_of`.

    Args:
        from_logits: of each output, True for those that are taken as they are; None: of all.
    """
    with layer_pass(model, params, state) as flow:
        flow.sigmoids = collections.deque(maxlen=SIGMOIDS)
        outputs = jax.tree_util.tree_leaves(model.run_on(Scope(flow), (x,), {}))
        if from_logits is None:
            from_logits = [True] * len(outputs)
        if len(outputs) != len(from_logits):
            check_outputs(outputs, where)
        pairs = zip(outputs, from_logits, strict=True)
        return [(_logits(values, flag, where), mask_beside(values)) for values, flag in pairs]


def _logits(outputs: jax.Array, from_logits: bool | None, where: str) -> jax.Array:
    """The logits of one output, in a pass that is going on."""
    if from_logits:
        return outputs
    is_single = outputs.shape[-1] == 1
    noted = log_odds_beside(outputs) if is_single else logits_beside(outputs, -1)
    if noted is not None:
        return noted
    if from_logits is None:
        advice = "say `from_logits=True` or False, or compile the model with its loss"
        raise ValueError(explain(where, "outputs known as logits or not", "neither", advice))
    if is_single:
        p = jnp.clip(outputs, SMALLEST, 1 - jnp.finfo(outputs.dtype).epsneg)
        return jnp.log(p) - jnp.log1p(-p)
    return jnp.log(jnp.maximum(outputs, SMALLEST))


def outputs_of(
    model: Layer, params: dict, state: dict, x: Any, *, where: str = "uncertainty"
) -> jax.Array:
    """The outputs of a regression, not in training: (rows, outputs).

    Raises:
        ValueError: outputs of another shape.
    """
    outputs, _ = model.apply(params, state, x, training=False)
    check_outputs(outputs, where)
    return outputs


def layer_pass(model: Layer, params: dict, state: dict) -> Any:
    """A forward pass that is going on, as a `with` block, not in training."""
    return model.flow_type(model, params=params, state=state, training=False)


def check_outputs(outputs: Any, where: str) -> None:
    """Raises ValueError where outputs are not one array (rows, numbers)."""
    shapes = [leaf.shape for leaf in jax.tree_util.tree_leaves(outputs)]
    if len(shapes) != 1 or len(shapes[0]) != 2:
        advice = "give a model that ends there, such as `jkeras.Model(inputs, output)`"
        raise ValueError(explain(where, "one output (rows, numbers)", f"{shapes}", advice))


def gives_probabilities(model: Layer) -> bool:
    """Whether a model says that its outputs are probabilities: by the loss that it was compiled
    with, or by a softmax or sigmoid at its end.

    >>> import jkeras
    >>> gives_probabilities(jkeras.Sequential([jkeras.layers.Dense(2, "softmax")]))
    True
    """
    takes_logits = loss_takes_logits(model)
    if takes_logits is not None:
        return not takes_logits
    last = model
    while layers := getattr(last, "layers", None):
        last = layers[-1]
    return type(last) is Softmax or getattr(last, "activation", None) in (softmax, sigmoid)


def loss_takes_logits(model: Layer) -> bool | None:
    """Whether the loss that a model was compiled with takes logits; None: nothing says so."""
    return takes_logits(getattr(model, "loss", None))


def takes_logits(loss: Any) -> bool | None:
    """Whether a loss takes logits; None: nothing says so.

    >>> takes_logits("mse"), takes_logits("sparse_categorical_crossentropy")
    (None, False)
    """
    if isinstance(loss, str) and loss.lower() in ("crossentropy", "ce"):
        return False
    if loss is None or isinstance(loss, (dict, list, tuple)):
        return None
    if isinstance(loss, str):
        loss = families["losses"].get(loss)
    if hasattr(loss, "from_logits"):
        return bool(loss.from_logits)
    named = loss if hasattr(loss, "__name__") else type(loss)
    is_own = str(getattr(named, "__module__", "")).startswith("jkeras.")
    return False if is_own and "crossentropy" in named.__name__.lower() else None
