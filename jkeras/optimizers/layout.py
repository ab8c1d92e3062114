"""The state as Keras's flat list of variables, and back."""

import itertools
from collections.abc import Iterator, Sequence

import jax

from jkeras.optimizers.transform.leaves import Path, at, keys_of
from jkeras.optimizers.transform.pair import State, Tree
from jkeras.optimizers.transform.rule import Rule

ADDED = "extra_{:05d}"  # names in the state of the variables that a subclass added itself


class Layout(Rule):
    """Which array of the state stands where in `optimizer.variables`."""

    def addresses(self, state: State, order: Sequence[Path]) -> Iterator[Path]:
        """Paths into the state of all its arrays, in the order in which Keras lists the variables.

        Args:
            order: paths of the parameters (tuples of keys), in Keras's order.
        """
        regular = self._regular_addresses(state, order)
        if ADDED.format(0) not in state.get("scalars", ()):
            return regular
        names = self.added_variables()
        # what a subclass added may stand between them
        slots = map(names.find, self._variables)
        return (next(regular) if name is None else ("scalars", name) for name in slots)

    def _regular_addresses(self, state: State, order: Sequence[Path]) -> Iterator[Path]:
        """Those of what all optimizers have."""
        arrays = self._of_parameters(state, order)
        return itertools.chain(
            [(name,) for name in ("iterations", "learning_rate") if name in state],
            [address for address in arrays if at(state, address) is not None],
            # JAX sorts the keys of dicts, so their order says nothing
            itertools.product(("scalars",), self.scalar_names),
        )

    def _of_parameters(self, state: State, order: Sequence[Path]) -> list[Path]:
        """Where arrays of the parameters may stand."""
        groups = [[(name,)] for name in ("ema", "accumulators") if name in state]
        groups += [[("slots", name) for name in group] for group in self.slot_groups()]
        pairs = itertools.chain(*(itertools.product(order, group) for group in groups))
        return [(*column, *path) for path, column in pairs]

    def state_to_variables(self, state: State, order: Sequence[Path]) -> list:
        """The state's arrays as the flat list that `optimizer.variables` is."""
        return [at(state, address) for address in self.addresses(state, order)]

    def variables_to_state(
        self, values: Sequence, params: Tree, order: Sequence[Path], variables: Tree = None
    ) -> State:
        """The state that a flat list stands for; the inverse of `state_to_variables`."""
        template = jax.eval_shape(lambda p: self.init(p, variables), params)
        return self.filled(template, values, order)

    def filled(self, state: State, values: Sequence, order: Sequence[Path]) -> State:
        """A state like this one with the arrays of a flat list."""
        placed = dict(zip(self.addresses(state, order), values, strict=True))
        return jax.tree_util.tree_map_with_path(lambda path, _: placed[keys_of(path)], state)
