"""The state as Keras's flat list of variables, and back."""

import itertools
from collections.abc import Iterator, Sequence

import jax

from jkeras.optimizers.transform.leaves import Path, at, keys_of
from jkeras.optimizers.transform.pair import State, Tree
from jkeras.optimizers.transform.rule import Rule


class Layout(Rule):
    """Which array of the state stands where in `optimizer.variables`."""

    def addresses(self, state: State, order: Sequence[Path]) -> Iterator[Path]:
        """Paths into the state of all its arrays, in the order in which Keras lists the variables.

        Args:
            order: paths of the parameters (tuples of keys), in Keras's order.
        """
        regular = self._regular_addresses(state, order)
        own = (
            self._own_variables() if len(state.get("scalars", ())) > len(self.scalar_names) else {}
        )
        if not own:
            yield from regular
        for variable in self._variables if own else ():
            yield ("scalars", own[variable]) if variable in own else next(regular)

    def _regular_addresses(self, state: State, order: Sequence[Path]) -> Iterator[Path]:
        """Those of what all optimizers have; a subclass's own variables may stand between them."""
        yield from ((name,) for name in ("iterations", "learning_rate") if name in state)
        groups = [[(name,)] for name in ("ema", "accumulators") if name in state]
        groups += [[("slots", name) for name in group] for group in self.slot_groups()]
        for group in groups:
            for path, column in itertools.product(order, group):
                if at(state, (*column, *path)) is not None:
                    yield (*column, *path)
        # JAX sorts the keys of dicts, so their order says nothing
        yield from (("scalars", name) for name in self.scalar_names)

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
