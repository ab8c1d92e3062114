"""What files know of an optimizer that is code."""

import warnings
from typing import Any

from jkeras import optimizers
from jkeras.core.names import registry


def with_optimizer(compiled: dict[str, Any] | None, optimizer: Any) -> dict[str, Any] | None:
    """The compile config of a file with an optimizer that the user gives; None: the file's own."""
    if optimizer is None:
        return compiled
    return {**(compiled or {}), "optimizer": optimizers.get(optimizer)}


def is_missing(config: Any) -> bool:
    """Whether the config of a file says that the optimizer, or one inside it, is an optax
    transformation, which is in no file.
    """
    if not isinstance(config, dict) or registry.is_in_process():
        return False
    if config.get("class_name") == optimizers.OptaxOptimizer.__name__:
        return True
    inner = [value for value in config.values() if isinstance(value, dict)]
    return any(map(is_missing, inner))


def warn_of_missing(name: str) -> None:
    """Says how to go on with a model whose optimizer is not in its file."""
    warnings.warn(
        f"Model '{name}' was compiled with an optax transformation, which is code and not in the "
        "file: it is loaded without `compile`. To go on training where it stopped, give the "
        "transformation again: `load_model(path, optimizer=optax.adamw(…))`.",
        stacklevel=2,
    )


def warn_of_code(optimizer: Any) -> None:
    """Says what a file that is about to be written lacks, where the optimizer is code."""
    if not is_missing(registry.serialize(optimizer)):
        return
    warnings.warn(
        "The optimizer is an optax transformation, which is code: the file has its state, not the "
        "transformation. Load it with `load_model(path, optimizer=optax.adamw(…))`.",
        stacklevel=3,
    )
