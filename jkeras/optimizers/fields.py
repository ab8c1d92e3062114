"""Constructors of optimizers from their annotated fields, with Keras's order of the arguments."""

import inspect
import typing
import warnings
from collections.abc import Callable
from typing import Any

from jkeras.core.errors import suggestion
from jkeras.core.record import Field, collect_fields, make_init
from jkeras.core.names import typed
from jkeras.core.names.registry import public
from jkeras.core.names.typed import Class

COMMON = (
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
    "name",
)


def refuse(self: Any, decay: Any = None, **unknown: Any):
    """What constructors do with arguments that are no fields."""
    if decay is not None:
        warnings.warn(
            "Argument `decay` is no longer supported and is ignored. Use a learning rate schedule.",
            stacklevel=4,
        )
    if unknown:
        names = [field.name for field in self._fields]
        raise ValueError(
            f"{type(self).__name__}: Argument(s) not recognized: {unknown}. Its arguments: "
            f"{', '.join(names)}.{suggestion(unknown, names)}"
        )


@typing.dataclass_transform(eq_default=False)
def optimizer(
    *aliases: str,
    arguments: str = "",
    after: str = "",
    only: str | None = None,
    base_init: Callable = refuse,
) -> Callable[[type[Class]], type[Class]]:
    """Decorator like `record`: own fields between `learning_rate` and the common ones.

    Args:
        arguments: names that come right after `learning_rate`.
        after: names that come after the common ones.
        only: all names, where the common ones are no arguments.
    """
    early, late = arguments.replace(",", " ").split(), after.replace(",", " ").split()

    def decorate(cls: type[Class]) -> type[Class]:
        typed.fields(cls)
        own = [f.name for f in collect_fields(cls) if f.name not in (*COMMON, *late)]
        order = only or " ".join(dict.fromkeys(["learning_rate", *early, *own, *COMMON, *late]))
        cls._fields = tuple(map(_without_property, collect_fields(cls, order)))
        if "learning_rate" in vars(cls) and not isinstance(cls.learning_rate, property):
            del cls.learning_rate  # its default is in the field now; the property shows again
        cls.__init__ = cls._record_init = make_init(cls, cls._fields, base_init, ())
        return public(f"keras.optimizers.{cls.__name__}", *aliases)(cls)

    return decorate


def _without_property(field: Field) -> Field:
    """A field is required where what stands in the class is a property, not a default."""
    if isinstance(field.default, property):
        return Field(field.name, field.kind, inspect.Parameter.empty)
    return field
