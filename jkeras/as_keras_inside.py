"""What libraries take from inside Keras, a name or two of a module: given to them alone, for others
an import of a private module stays an error.
"""

import sys

from jkeras.as_keras_store import ArrayStore
from jkeras.core.run.scopes import is_symbolic, mask_beside, set_mask_beside
from jkeras.core.graph.keras_tensor import standardize_shape
from jkeras.core.names.registry import is_untrusted
from jkeras.core.weights.rng import global_generator
from jkeras.core.run.scopes import StatelessScope
from jkeras.distribution import distribute_tensor, distribution

from jkeras.losses.base import LossFunctionWrapper
from jkeras.training.data.weights import class_weights


def no_automatic_dependency_tracking(function):
    """Of keras.src.utils.tracking: jkeras tracks by attribute alone."""
    return function


def in_grain_data_pipeline():
    """Of keras.src.utils.backend_utils."""
    return False


def class_weight_to_sample_weights(y, class_weight):
    """Of keras.src.trainers.data_adapters.data_adapter_utils."""
    return class_weights(y, None, class_weight)


# by library: the private modules of Keras that it imports, and what it takes from each
TAKEN = {
    "k3_node": {
        "keras.src.backend.common.stateless_scope": {"StatelessScope": StatelessScope},
        "keras.src.backend.common.symbolic_scope": {"in_symbolic_scope": is_symbolic},
        "keras.src.random.seed_generator": {"global_seed_generator": global_generator},
    },
    "keras_hub": {
        "keras.src.backend": {"get_keras_mask": mask_beside, "set_keras_mask": set_mask_beside},
        "keras.src.distribution.distribution_lib": {
            "distribute_tensor": distribute_tensor,
            "distribution": distribution,
        },
        "keras.src.losses.losses": {"LossFunctionWrapper": LossFunctionWrapper},
        "keras.src.saving.saving_lib": {"H5IOStore": ArrayStore},
        "keras.src.saving.serialization_lib": {"in_safe_mode": is_untrusted},
        "keras.src.trainers.data_adapters.data_adapter_utils": {
            "class_weight_to_sample_weights": class_weight_to_sample_weights
        },
        "keras.src.utils.backend_utils": {"in_grain_data_pipeline": in_grain_data_pipeline},
    },
    "keras_rs": {
        "keras.src.backend": {"standardize_shape": standardize_shape},
        "keras.src.utils.tracking": {
            "no_automatic_dependency_tracking": no_automatic_dependency_tracking
        },
    },
}


def taken_from(module):
    """What the libraries that are imported by now take from a private module of Keras, by name;
    nothing where they do not import it.

    >>> taken_from("keras.src.layers.core.dense")
    {}
    """
    taken = {}
    for library, modules in TAKEN.items():
        if library in sys.modules:
            taken |= modules.get(module, {})
    return taken


def leads_to_taken(module):
    """Whether one of the modules that are taken from is below a module of Keras.

    >>> leads_to_taken("keras.src.layers")
    False
    """
    inner = [name for modules in TAKEN.values() for name in modules]
    return any(name.startswith(f"{module}.") and taken_from(name) for name in inner)
