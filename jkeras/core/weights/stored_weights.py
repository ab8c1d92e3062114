"""A layer's own weights in files, as Keras numbers them."""

import numpy as np

from jkeras.core.weights.assigning import assign_all
from jkeras.core.errors import place_of
from jkeras.core.weights.paths import own_variables


def in_file_order(self):
    """{key: variable} of the layer's own weights, in the order in which files have them."""
    own = own_variables(self)
    learnable = {key: variable for key, variable in own.items() if variable.learnable}
    return learnable | {key: variable for key, variable in own.items() if key not in learnable}


def save_own_variables(self, store):
    """Puts the layer's own weights into a dict-like store, numbered."""
    for i, variable in enumerate(self._stored().values()):
        store[str(i)] = np.asarray(variable.value)


def load_own_variables(self, store):
    """Takes the layer's own weights from a store that `save_own_variables` filled."""
    variables = self._stored()
    if len(store.keys()) != len(variables):
        raise ValueError(
            f"{place_of(self)} expected {len(variables)} variables, but received "
            f"{len(store.keys())} variables during loading. Expected: {', '.join(variables)}."
        )
    if variables:
        take = getattr(store, "take", store.__getitem__)  # a file's arrays have no other owner
        arrays = (take(str(i)) for i in range(len(variables)))
        if hasattr(self, "in_other_forms"):  # weights that files may have in another shape
            arrays = map(self.in_own_form, variables, arrays)
        assign_all(zip(variables.values(), arrays))
    self._after_loading(variables)
