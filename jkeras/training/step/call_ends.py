"""What a pass through a model's own `call` shows of its end: the layer whose very output the loss
is given.
"""

import collections
from typing import TYPE_CHECKING, Any

import jax

from jkeras.core.run.tracebacks import is_built_in
from jkeras.kernel.beside import log_odds_beside, logits_beside
from jkeras.kernel.observer import Observer
from jkeras.kernel.scope import current_flow
from jkeras.training.step.model_ends import End, end_by

if TYPE_CHECKING:
    from jkeras.core.weights.frame import Run
    from jkeras.training.shell.trainer import Trainer

MOST_OUTPUTS = 8  # of a model that ends in a sigmoid for each


class Ends(Observer):
    """Remembers the outputs of layers that give logits or probabilities."""

    def __init__(self) -> None:
        self.made: list[tuple[Any, End]] = []

    def through(self, layer: Any, scope: Any, inputs: tuple[tuple, dict], outputs: Any) -> Any:
        """Remembers a layer's output."""
        end = end_by(layer)
        if end is not None:
            self.made.append((outputs, end))
        return outputs


def listen(model: "Trainer", run: "Run") -> None:
    """Lets a run remember what its layers gave, if the model's `call` is of the user's own."""
    if run.observer is None and not is_built_in(model) and not model.is_native():
        run.observer = Ends()
        run.sigmoids = collections.deque(maxlen=MOST_OUTPUTS)


def end_in_pass(y_pred: jax.Array) -> End | None:
    """What gave an output in the pass that is going on; None: nobody knows."""
    seen = getattr(current_flow(), "observer", None)
    if isinstance(seen, Ends):
        for made, end in seen.made:
            if made is y_pred:
                return end
    if logits_beside(y_pred, -1) is not None:
        return End("a softmax at its end", are_logits=False)
    if log_odds_beside(y_pred) is not None:
        return End("a sigmoid at its end", are_logits=False)
    return None
