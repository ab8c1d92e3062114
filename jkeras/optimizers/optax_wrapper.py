"""Any optax transformation as a Keras optimizer."""

import jax
import jax.numpy as jnp

from jkeras.core.record import Any
from jkeras.optimizers.base import Optimizer, optimizer
from jkeras.optimizers.transform import at, keys_of


def no_rate(self, **unknown):
    """The rate is the transformation's own affair."""
    object.__setattr__(self, "_learning_rate", lambda: jnp.nan)
    if unknown:
        raise ValueError(
            f"OptaxOptimizer: Argument(s) not recognized: {unknown}. Build them into the "
            "transformation."
        )


@optimizer(only="transformation, name", base_init=no_rate)
class OptaxOptimizer(Optimizer):
    """An optax transformation with the interface of this library; `compile(optimizer=…)` makes it
    by itself.

    `learning_rate` can be read and set where the transformation was made with
    `optax.inject_hyperparams`.

    Args:
        transformation: an `optax.GradientTransformation`.

    >>> import optax
    >>> tx, params = OptaxOptimizer(optax.sgd(0.5)), {"w": jnp.array([1.0])}
    >>> params, state = tx.step({"w": jnp.array([1.0])}, tx.init(params), params)
    >>> print(params["w"])
    [0.5]
    """

    transformation: Any
    keeps_values = True

    def _init(self, params, variables=None):
        return {"iterations": jnp.zeros((), "int32"), "optax": self.transformation.init(params)}

    def _step(self, grads, state, params, variables):
        """One step: (new params, new state). A gradient None counts as zeros."""
        leaves, treedef = jax.tree_util.tree_flatten(params)
        grads = treedef.unflatten(
            [
                jnp.zeros_like(p) if g is None else g
                for g, p in zip(treedef.flatten_up_to(grads), leaves)
            ]
        )
        updates, inner = self.transformation.update(grads, state["optax"], params)
        new = jax.tree_util.tree_map(lambda p, u: (p + u).astype(p.dtype), params, updates)
        return new, {"iterations": state["iterations"] + 1, "optax": inner}

    def addresses(self, state, order):
        """Paths of all arrays; those of a tree like the parameters in the order of the parameters,
        as JAX's own depends on whether they are a list or a dict.
        """
        places, groups, found = {path: i for i, path in enumerate(order)}, {}, []
        for keys, _ in jax.tree_util.tree_flatten_with_path(
            {"iterations": 0, "optax": state["optax"]}
        )[0]:
            path = keys_of(keys)
            cut = next((k for k in range(1, len(path)) if path[k:] in places), len(path))
            group = groups.setdefault(path[:cut], len(groups))
            found.append((group, places.get(path[cut:], 0), path))
        return [path for *_, path in sorted(found, key=lambda entry: entry[:2])]

    def _rate_address(self, state):
        """Where an injected learning rate stands in the state."""
        for address in self.addresses(state, ()):
            if address[-2:] == ("hyperparams", "learning_rate"):
                return address
        raise AttributeError(
            f"{self.name}: its learning rate is hidden in the optax transformation. Make it with "
            "`optax.inject_hyperparams(optax.adam)(learning_rate=…)`."
        )

    def learning_rate_of(self, state):
        return at(state, self._rate_address(state))

    def with_learning_rate(self, state, learning_rate):
        address = self._rate_address(state)
        return jax.tree_util.tree_map_with_path(
            lambda path, x: jnp.asarray(learning_rate, x.dtype) if keys_of(path) == address else x,
            state,
        )

    def _rate_variable(self):
        for address, variable in self._at.items():
            if address[-2:] == ("hyperparams", "learning_rate"):
                return variable
        raise AttributeError(
            f"{self.name}: no learning rate to see. It shows once the optimizer is built, if it "
            "was made with `optax.inject_hyperparams(optax.adam)(learning_rate=…)`."
        )

    @property
    def learning_rate(self):
        """The injected learning rate, a variable."""
        return self._rate_variable()

    @learning_rate.setter
    def learning_rate(self, value):
        self._rate_variable().assign(value)

    def constants(self):
        return (id(self.transformation),)

    def get_config(self):
        raise NotImplementedError(
            "An optax transformation is code and cannot be saved. Give it again when loading: "
            "`load_model(path, compile=False)`, then `compile(optimizer=…)`."
        )
