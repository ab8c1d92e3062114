"""A model and a method in the form in which quantus, a package of metrics of explanations, takes
them: a module of torch, and a function of a module.

Images have their channels first there.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.layer import Layer
from jkeras.core.weights.rng import as_key
from jkeras.explain.running import values_of
from jkeras.kernel import tree

if TYPE_CHECKING:
    import torch


def quantus_model(model: Any, x: Any) -> "torch.nn.Module":
    """A model as a module of torch, whose parameters are copies of the model's: for quantus, which
    asks it for predictions and draws the weights of its layers anew. It has no gradients.

    Args:
        model: a layer or model of one array.
        x: rows of what it is given, channels last, to find the shapes.

    Returns:
        a `torch.nn.Module`.

    Raises:
        ImportError: torch is not installed.
        ValueError: no model of jkeras.

    >>> import jkeras  # doctest: +SKIP
    >>> model = jkeras.Sequential([jkeras.layers.Dense(2)])  # doctest: +SKIP
    >>> metric = quantus.PixelFlipping()  # doctest: +SKIP
    >>> function = explain.quantus_function(explain.saliency)  # doctest: +SKIP
    >>> scores = metric(quantus_model(model, x), x, y, explain_func=function)  # doctest: +SKIP
    """
    torch = _torch()
    if not isinstance(model, Layer):
        raise ValueError(explain("quantus_model", "a layer or model", f"{model!r}"))
    params, state = values_of(model, x, None, None)
    return _module(torch, _Held(model, state, x), params)


def quantus_function(method: Callable, **options: Any) -> Callable:
    """A method of attributions as the `explain_func` of quantus: `(model, inputs, targets) ->
    attributions`, where the model is what `quantus_model` made.

    Args:
        method: such as `explain.saliency`.
        options: further arguments of the method.

    Returns:
        the function; its attributions are numpy arrays.

    >>> quantus_function(lambda model, x, target: x).__name__
    'explain_func'
    """

    def explain_func(model: Any, inputs: Any, targets: Any, **_: Any) -> np.ndarray:
        held = getattr(model, "held", None)
        if held is None:
            wanted = "a model by `explain.quantus_model`"
            raise ValueError(explain("quantus_function", wanted, type(model).__name__))
        x = _channels(np.asarray(inputs, "float32"), 1, -1)
        given = {"params": model.values(), "state": held.state}
        said = np.asarray(method(held.model, x, np.asarray(targets), **given, **options))
        if said.ndim == x.ndim - 1:  # a map
            said = said[..., None]
        return np.array(_channels(said, -1, 1))

    return explain_func


class _Held:
    """What a module computes with besides its parameters; its copies have the same."""

    def __init__(self, model: Layer, state: dict, x: Any) -> None:
        self.model = model
        self.state = state
        self.run = jax.jit(lambda params, x: model.apply(params, state, x, training=False)[0])
        self._x = np.asarray(x)[:1]

    def drawn(self, seed: int) -> dict:
        """Fresh weights, by path."""
        fresh, _ = self.model.init(as_key(seed), self._x)
        return dict(tree.flatten(fresh))

    def __deepcopy__(self, memo: dict) -> "_Held":
        return self


def _module(torch: Any, held: _Held, params: dict) -> "torch.nn.Module":
    """The module: one of the layers with weights in each of its own, in order."""

    class Weights(torch.nn.Module):
        """The weights of one layer."""

        def __init__(self, values: dict) -> None:
            super().__init__()
            self.paths = list(values)
            self.arrays = torch.nn.ParameterList(
                torch.nn.Parameter(torch.tensor(np.array(value)), requires_grad=False)
                for value in values.values()
            )

        def reset_parameters(self) -> None:
            """Draws the weights anew, by torch's seed."""
            fresh = held.drawn(int(torch.randint(2**31 - 1, ())))
            for path, array in zip(self.paths, self.arrays):
                array.copy_(torch.tensor(np.array(fresh[path])))

    class Model(torch.nn.Module):
        """A model of jkeras."""

        def __init__(self) -> None:
            super().__init__()
            self.held = held
            for owner, values in _by_layer(params).items():
                self.add_module("/".join(owner) or "own", Weights(values))

        def values(self) -> dict:
            """The params of the model."""
            pairs = [
                (path, jnp.asarray(array.detach().cpu().numpy()))
                for layer in self.children()
                for path, array in zip(layer.paths, layer.arrays)
            ]
            return tree.unflatten(pairs)

        def forward(self, x: Any) -> Any:
            """Predictions, channels first as torch has them."""
            x = _channels(x.detach().cpu().numpy(), 1, -1)
            y = held.run(self.values(), x)
            return torch.tensor(np.array(_channels(np.asarray(y), -1, 1)))

    return Model().eval()


def _by_layer(params: dict) -> dict:
    """{path of a layer: {path of a weight: its value}} in order."""
    found: dict = {}
    for path, value in tree.flatten(params):
        found.setdefault(path[:-1], {})[path] = value
    return found


def _channels(x: np.ndarray, source: int, target: int) -> np.ndarray:
    """Arrays with places have their channels moved; others none."""
    return np.moveaxis(x, source, target) if x.ndim > 2 else x


def _torch() -> Any:
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "`explain.quantus_model` needs torch. Install it with `pip install torch`."
        ) from error
    return torch


__all__ = ["quantus_function", "quantus_model"]
