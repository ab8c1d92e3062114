"""Rematerialization: layers whose inner values are computed again for the gradient instead of being
kept.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import jax
import numpy as np

from jkeras.core.graph.keras_tensor import any_symbolic
from jkeras.core.errors import suggestion
from jkeras.core.names.registry import public
from jkeras.kernel import in_force

POLICIES = (
    "everything_saveable",
    "nothing_saveable",
    "dots_saveable",
    "dots_with_no_batch_dims_saveable",
)
MODES = ("full", "activations", "larger_than", "list_of_layers", None)
SCOPE = "remat scope"
ALL_SAVED = "all saved"


@public("keras.RematScope")
class RematScope:
    """Layers made in this block save memory in training: what they compute inside is computed again
    for gradients.

    Args:
        mode: "full": all layers; "activations": only the activation functions of layers;
            "larger_than": layers with more output elements than `output_size_threshold`;
            "list_of_layers": those named in `layer_names`; None: none, inside another scope.
        policy: what is kept all the same: a `jax.checkpoint_policies` or its name; by default
            nothing.

    Chen et al., Training Deep Nets with Sublinear Memory Cost (2016).

    >>> import jkeras
    >>> with RematScope(mode="larger_than", output_size_threshold=512):
    ...     layer = jkeras.layers.Dense(1024, activation="relu")
    """

    def __init__(
        self,
        mode: Literal["full", "activations", "larger_than", "list_of_layers"] | None = "full",
        output_size_threshold: int = 1024,
        layer_names: Sequence[str] | None = None,
        *,
        policy: Any = None,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f"Invalid mode '{mode}'. Supported modes are: {MODES}.")
        self.mode = mode
        self.output_size_threshold = output_size_threshold
        self.layer_names = layer_names or []
        self.policy = policy_of(policy)

    def __enter__(self) -> Self:
        self._token = in_force.begin(SCOPE, self)
        return self

    def __exit__(self, *exc: object) -> None:
        in_force.end(self._token)
        del self._token  # it cannot be copied, and layers that hold the scope can


def scope():
    """The scope in which code runs now, None where there is none."""
    active = in_force.value_of(SCOPE)
    return (
        None
        if active is None or active.mode is None
        else RematScope(
            active.mode, active.output_size_threshold, active.layer_names, policy=active.policy
        )
    )


def policy_of(policy):
    """A checkpoint policy of JAX: given as itself, by its name, or None.

    Raises:
        ValueError: no such name, or the name of what must be called to make a policy.
    """
    if policy is None or callable(policy):
        return policy
    if policy not in POLICIES:
        raise ValueError(
            "`policy` must be a function of `jax.checkpoint_policies`, or a name among "
            f"{POLICIES}. Received: policy={policy!r}.{suggestion(policy, POLICIES)}"
        )
    return getattr(jax.checkpoint_policies, policy)


def checkpointed(function: Callable[..., Any], policy: Any) -> Callable[..., Any]:
    """A function whose inner values are computed again for the gradient, but where `ALL_SAVED` is
    in force, as to count what a model needs whatever is saved of it.
    """
    if in_force.value_of(ALL_SAVED):
        return function
    return jax.checkpoint(function, policy=policy)


@public("keras.remat")
def remat(f: Callable[..., Any], *, policy: Any = None) -> Callable[..., Any]:
    """`f`, whose inner values are computed again for the gradient instead of being kept:
    `jax.checkpoint`.

    Arguments that are not arrays are passed as they are.

    Args:
        policy: as of `RematScope`.

    >>> import jax
    >>> float(jax.grad(remat(lambda x, power: x ** power))(3.0, 2))
    6.0
    """
    policy = policy_of(policy)

    @functools.wraps(f)
    def again(*args, **kwargs):
        if any_symbolic(args, kwargs):
            return f(*args, **kwargs)
        leaves, treedef = jax.tree_util.tree_flatten((args, kwargs))
        places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, (jax.Array, np.ndarray))]

        def on_arrays(arrays):
            filled = list(leaves)
            for place, array in zip(places, arrays):
                filled[place] = array
            args, kwargs = jax.tree_util.tree_unflatten(treedef, filled)
            return f(*args, **kwargs)

        return checkpointed(on_arrays, policy)([leaves[i] for i in places])

    return again


def execute(scope, layer, call, runner):
    """Runs a layer that was made in a `RematScope`. Only a traced run keeps anything that could be
    saved.

    Args:
        runner: what runs it, `running.execute`.
    """
    flow = scope.flow
    remat_scope = layer.remat_scope
    listed = remat_scope.mode != "list_of_layers" or layer.name in remat_scope.layer_names
    if flow.is_eager or flow.abstract or not listed:
        return runner(layer, scope, call)
    if remat_scope.mode == "activations":
        return _with_activation(scope, layer, call, runner)
    (params, param_values), (state, state_values) = map(_unzipped, scope.values_below())
    body = _Body(scope, layer, call, runner, params, state)
    values = param_values, state_values
    if (
        remat_scope.mode == "larger_than"
        and _elements_of(body, values) <= remat_scope.output_size_threshold
    ):
        return runner(layer, scope, call)
    outputs, *effects = checkpointed(body, remat_scope.policy)(*values)
    body.hand_on(outputs, *effects)
    return outputs


def _unzipped(pairs):
    """(owners, values) of (owner, value) pairs."""
    return [owner for owner, _ in pairs], [value for _, value in pairs]


def _elements_of(body, values):
    """The number of elements of what a layer puts out."""
    outputs = jax.eval_shape(body, *values)[0]
    return sum(np.prod(v.shape) for v in jax.tree_util.tree_leaves(outputs))


class _Body:
    """A layer's call as a pure function of its weights: state, losses and masks come out.

    Args:
        params, state: of what the arrays are the values.
    """

    def __init__(self, scope, layer, call, runner, params, state):
        self.scope = scope
        self.layer = layer
        self.call = call
        self.runner = runner
        self.params = params
        self.state = state

    def __call__(self, params, state):
        inner = self.scope.on([*zip(self.params, params), *zip(self.state, state)])
        with inner.flow as flow:
            outputs = self.runner(self.layer, inner, self.call)
        self.flow = flow
        self.owners, losses = _unzipped(flow.losses)
        masks = [flow.mask_of(v) for v in jax.tree_util.tree_leaves(outputs)]
        _, new_state = _unzipped(inner.values_below()[1])
        return outputs, new_state, losses, masks, flow.take()

    def hand_on(self, outputs, new_state, losses, masks, seen):
        """Lets the pass around know what the call left behind."""
        flow = self.scope.flow
        self.scope.take(list(zip(self.state, new_state)))
        flow.losses.extend(zip(self.owners, losses))
        flow.counts = self.flow.counts
        flow.join(self.flow, seen)
        for output, mask in zip(jax.tree_util.tree_leaves(outputs), masks):
            if mask is not None:
                flow.set_mask(output, mask)


def _with_activation(scope, layer, call, runner):
    """Runs a layer with another activation: a twin that shares all else with it."""
    activation = getattr(layer, "activation", None)
    if activation is None:
        return runner(layer, scope, call)
    twin = object.__new__(type(layer))
    again = remat(activation, policy=layer.remat_scope.policy)
    vars(twin).update(vars(layer), activation=again)
    stack = scope.flow.stack
    entry = stack[-1]
    stack[-1] = (twin, entry[1])
    try:
        return runner(twin, scope, call)
    finally:
        stack[-1] = entry
