"""Which methods of a model its class has written itself, instead of taking the library's."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from jkeras.core.errors import explain

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer

Method = TypeVar("Method", bound=Callable)
# methods of Keras's that nobody calls here, and what to write in their place
UNCALLED = {
    "make_train_function": "train_step",
    "make_test_function": "test_step",
    "make_predict_function": "predict_step",
}


def default(method: Method) -> Method:
    """Decorator: marks a method as the library's own, for `overrides`."""
    # the mark is the method itself: `functools.wraps` copies attributes to what wraps it
    method.default = method
    return method


def overrides(model: "Trainer", name: str) -> bool:
    """Whether the model's class has a method of its own in the place of a default one."""
    method = getattr(type(model), name)
    return getattr(method, "default", None) is not method


def has_own_step(model: "Trainer", *kinds: str) -> bool:
    """Whether a model's step of one of some kinds, "train" or "test", is the user's own, or has
    links of the user's around it; then its logs may be any.
    """
    is_linked = "train" in kinds and bool(model.compilation.links)
    if is_linked or hasattr(model, "pure_train_step"):
        return True
    for kind in kinds:
        method = getattr(type(model), f"{kind}_step")
        if getattr(method, "default", None) is not method:
            return True
    return False


def has_own_logs(model: "Trainer", kind: str) -> bool:
    """Whether the logs of a step of a kind may be others than those that the metrics give: the step
    is the user's own, or what makes the logs in it.
    """
    return overrides(model, "compute_metrics") or has_own_step(model, kind)


def refuse_uncalled(model: "Trainer") -> None:
    """Raises NotImplementedError for a model that writes a method of Keras's which nobody calls."""
    for name, instead in UNCALLED.items():
        if hasattr(type(model), name):
            raise NotImplementedError(
                explain(
                    f"Model '{model.name}'",
                    f"`{instead}` to be written, or links in `compile(steps=[…])`",
                    f"a `{name}` of {type(model).__name__}",
                    "the loop around a step is jkeras's own",
                )
            )
