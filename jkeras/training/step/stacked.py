"""Equal layers that follow one another are one loop in a training: their weights lie in one array
while it lasts, and the layer, its gradient and its update are compiled once.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jkeras.core.weights import frame
from jkeras.core.weights.by_variable import ByVariable
from jkeras.core.layer import Layer
from jkeras.core.run.context import Children
from jkeras.core.weights.paths import shared_paths
from jkeras.core.session.settings import settings
from jkeras.core.run.tracebacks import is_built_in
from jkeras.core.weights.variable import Variable
from jkeras.kernel import tree
from jkeras.ops.kernels import inside_loop
from jkeras.training.step import chains
from jkeras.training.step.layout import LazyLayout, StateLayout, state_layout
from jkeras.training.step.overrides import overrides
from jkeras.training.step.rows import Row, Rows
from jkeras.training.step.state import TrainState, copied
from jkeras.training.types import Tree

# what of the training may look at single weights
OWN_STEPS = "train_step", "test_step", "compute_loss", "compute_metrics"


def stacked_layout(layout: StateLayout) -> StateLayout:
    """The layout of states whose equal layers are stacked; the given one where there are none, or
    where something looks at single weights.
    """
    if len(layout.params) < chains.FEWEST or not _may_stack(layout):
        return layout
    if layout.stacked is None:
        found = [_chain(layers, layout) for layers in chains.chains_of(layout.model)]
        whole = [chain for chain in found if chain is not None]
        layout.stacked = StackedLayout(layout, whole) if whole else layout
    return layout.stacked


def loop_layout(model: Any, from_key: bool = False) -> StateLayout:
    """Which variable of a model is which leaf of the states that loops over steps run on.

    Args:
        from_key: as of `state_layout`.
    """
    return stacked_layout(state_layout(model, from_key))


def _chain(layers: list[Layer], layout: StateLayout) -> "Chain | None":
    """The chain of some layers; None where one or its weights are part of something else, too."""
    shared = {path[0] for pair in shared_paths(layout.model).items() for path in pair}
    paths = ByVariable((variable, path) for path, variable in layout.params)
    places = [[paths.find(variable) for variable in layer.weights] for layer in layers]
    names = [own[0][0] for own in places if own[0] is not None]
    expected = [[(name, variable.name) for variable in layers[0].weights] for name in names]
    is_whole = places == expected and shared.isdisjoint(names)
    return Chain(layers, names) if is_whole else None


def _may_stack(layout: StateLayout) -> bool:
    """Whether what an optimizer and a step do to a weight does not depend on whose it is."""
    model, optimizer = layout.model, layout.model.optimizer
    if not layout.is_single or layout.resting or optimizer is None:
        return False
    special = (
        settings.distribution,
        not model.jit_compile,
        model.compilation.has_own_opt_state,
        model.compilation.microbatches > 1,
        model.compilation.privacy,
        model.compilation.adversarial,
        model.compilation.links,
        not is_built_in(model),
        any(overrides(model, name) for name in OWN_STEPS),
    )
    return not any(special) and is_built_in(optimizer) and optimizer.is_elementwise()


class Chain:
    """A chain of equal layers of a model, and the names of their parts of its params."""

    def __init__(self, layers: list[Layer], names: list[str]) -> None:
        self.layers = layers
        self.names = names
        self.pattern = layers[0]

    def run(self, flow: frame.Run, layer: Layer, x: jax.Array) -> jax.Array:
        """The output of a layer: the first runs them all, the others give what they are given."""
        if layer is not self.pattern:
            return x
        params = flow.params[self.names[0]]
        y = self._in_a_loop(flow, params, x)
        mask = flow.mask_of(x)
        if mask is not None:
            flow.set_mask(y, mask)
        return y

    def _in_a_loop(self, flow: frame.Run, params: Tree, x: jax.Array) -> jax.Array:
        def block(x: jax.Array, params: Tree) -> tuple[jax.Array, None]:
            return self.pattern.apply(params, {}, x, training=flow.training)[0], None

        first = jax.tree_util.tree_map(lambda stack: stack[0], params)
        others = jax.tree_util.tree_map(lambda stack: stack[1:], params)
        y, _ = block(x, first)  # which may be given another type than the others
        return jax.lax.scan(inside_loop(block), y, others)[0]

    def stacked(self, parts: Tree) -> Tree:
        """Nested dicts in which the layers' parts are those of the first, along a new axis."""
        if not isinstance(parts, dict):
            return parts
        if not parts.keys() >= set(self.names):
            return {name: self.stacked(part) for name, part in parts.items()}
        whole = jax.tree_util.tree_map(_stack, *[parts[name] for name in self.names])
        left = {name: part for name, part in parts.items() if name not in self.names[1:]}
        return left | {self.names[0]: whole}

    def single(self, parts: Tree, unstack: Callable[[jax.Array], list]) -> Tree:
        """The nested dicts that were stacked, each layer's part under its name."""
        if not isinstance(parts, dict):
            return parts
        if self.names[0] not in parts:
            return {name: self.single(part, unstack) for name, part in parts.items()}
        leaves, treedef = jax.tree_util.tree_flatten(parts[self.names[0]])
        layers = [treedef.unflatten(own) for own in zip(*map(unstack, leaves))]
        return parts | dict(zip(self.names, layers))


def _stack(*arrays: jax.Array | Row) -> jax.Array:
    """Arrays along a new axis, by numpy, since XLA compiles long for so many arguments; of rows,
    which all are of one stack, the stack.
    """
    if isinstance(arrays[0], Row):
        return arrays[0].stack
    return jax.device_put(np.stack([np.asarray(array) for array in arrays]), may_alias=False)


def _unstack(stack: jax.Array) -> list[jax.Array]:
    return jax.device_put(list(np.asarray(stack)), may_alias=False)


def _rows(stack: jax.Array) -> list[Row]:
    return [Row(stack, number) for number in range(len(stack))]


class ChildrenInLoops(Children):
    """The children of a model, of which some are chains."""

    def run(self, child: Layer, *args: Any, **kwargs: Any) -> Any:
        chain = self._scope.flow.chains.get(child)
        if chain is None:
            return super().run(child, *args, **kwargs)
        return chain.run(self._scope.flow, child, *args)


class StackedRun(frame.Run):
    """A run on params in which the weights of equal layers are stacked.

    Attributes:
        chains: by each of their layers.
    """

    children_type = ChildrenInLoops
    chains: dict[Layer, Chain]

    def value_at(self, path: tuple[str, ...]) -> jax.Array | None:
        for chain in set(self.chains.values()):
            if path[0] in chain.names:
                stack = tree.get(self.params, (chain.names[0], *path[1:]))
                return None if stack is None else stack[chain.names.index(path[0])]
        return super().value_at(path)


class StackedLayout(StateLayout):
    """The `StateLayout` of a model whose states have the weights of equal layers, and what the
    optimizer keeps of them, in one array each.
    """

    run_type = StackedRun

    def __init__(self, single: StateLayout, found: list[Chain]) -> None:
        super().__init__(single.model, single.counts)
        self.chains = found
        self.key = (self.key, tuple((chain.names[0], len(chain.names)) for chain in found))
        self._by_layer = {layer: chain for chain in found for layer in chain.layers}
        in_stacks = {name for chain in found for name in chain.names[1:]}
        self._variables_of_step = {
            name: part for name, part in self.variable_tree.items() if name not in in_stacks
        }

    @property
    def count_of_arrays(self) -> int:
        rows = sum(len(chain.pattern.weights) * (len(chain.names) - 1) for chain in self.chains)
        return super().count_of_arrays - rows

    @property
    def variables_of_step(self) -> Tree:
        return self._variables_of_step

    def of_step(self) -> LazyLayout:
        return LazyLayout(self.model, self)

    def run(self, state: TrainState, **options: Any) -> frame.Run:
        run = super().run(state, **options)
        run.chains = self._by_layer
        return run

    def in_loops(self, state: TrainState) -> TrainState:
        for chain in self.chains:
            params, opt_state = chain.stacked(state.params), chain.stacked(state.opt_state)
            state = state.replace(params=params, opt_state=opt_state)
        return state

    def whole(self, state: TrainState) -> TrainState:
        return self._single(state, _unstack)

    def _single(self, state: TrainState, unstack: Callable[[jax.Array], list]) -> TrainState:
        for chain in self.chains:
            params = chain.single(state.params, unstack)
            opt_state = chain.single(state.opt_state, unstack)
            state = state.replace(params=params, opt_state=opt_state)
        return state

    def gather(self, copies: bool = True) -> TrainState:
        rows = self.chains[0].pattern.weights[0].held
        are_ours = isinstance(rows, Rows) and rows.maker is self and rows.are_untouched()
        read = rows.read if are_ours else Variable.own_value
        state = self.in_loops(self._arranged(map(read, self.leaves())))
        return copied(state) if copies else state

    def scatter(self, state: TrainState) -> None:
        super().scatter(self._single(state, _rows))
        Rows(self, self.variables())  # which the variables hold from here on
