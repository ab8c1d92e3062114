"""Says which layers of a subclassed model are trained here and are not in Keras: its `call` does
not pass `training` on to them.
"""

from typing import TYPE_CHECKING, Any

from jkeras.core.layer import Layer
from jkeras.core.run.tracebacks import is_built_in
from jkeras.core.say.warning import warn
from jkeras.core.weights.paths import walk
from jkeras.core.weights.rng import SeedGenerator
from jkeras.core.weights.structure import named_weights

if TYPE_CHECKING:
    from jkeras.core.weights.frame import Run
    from jkeras.training.shell.trainer import Trainer

RATES = "dropout", "recurrent_dropout"  # of layers that have a generator also where these are 0


def listen(model: "Trainer", run: "Run") -> None:
    """Lets a run take note of the layers that a model's own `call` says nothing of `training`."""
    if not is_built_in(model) and not model.is_native():
        run.unsaid = []


def tell(model: "Trainer", run: "Run") -> None:
    """Warns, once for a model, of layers that a run took note of and for which it matters."""
    names = [layer.name for layer in run.unsaid or () if differs_in_training(layer)]
    if not names or vars(model).get("_warned_of_training"):
        return
    model.set_untracked(_warned_of_training=True)
    warn(
        f"Model '{model.name}': its `call` does not pass `training` on to "
        f"{', '.join(map(repr, dict.fromkeys(names)))}, which do otherwise in training. Here they "
        "do so in `fit`, as everybody means; in Keras on JAX they do not. Pass `training=training` "
        "to them, which makes both the same."
    )


def differs_in_training(layer: Layer) -> bool:
    """Whether a layer, or one below, draws random numbers or updates its state in training.

    >>> import jkeras
    >>> differs_in_training(jkeras.layers.Dropout(0.5)), differs_in_training(jkeras.layers.ReLU())
    (True, False)
    """
    modules = dict(walk(layer))
    owners = [modules.get(p[:-1]) for p, m in modules.items() if isinstance(m, SeedGenerator)]
    return any(map(_draws, owners)) or any(map(_updates, modules.values()))


def _draws(owner: Any) -> bool:
    """Whether the owner of a seed generator draws from it."""
    rates = [getattr(owner, name) for name in RATES if hasattr(owner, name)]
    return not rates or any(rates)


def _updates(module: Any) -> bool:
    """Whether a module is a layer without others below that updates its state in training; a
    frozen one does not.
    """
    if not isinstance(module, Layer) or module.traits.has_children:
        return False
    asks = "training" in module.call_context
    if not asks or not module.trainable:
        return False
    return any(not variable.learnable for _, variable in named_weights(module))
