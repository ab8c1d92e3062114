"""Decorators for the ops that Keras exports twice: as `keras.ops.NAME` and in a submodule."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jkeras.core.graph.op import op
from jkeras.core.session.settings import standardize_data_format
from jkeras.core.names.registry import Thing
from jkeras.core.weights.types import Function

OF_SETTINGS = {"data_format": standardize_data_format}


def exported(module: str) -> Callable[..., Callable[[Thing], Thing]]:
    """The decorator maker for one submodule of `keras.ops`, such as "nn".

    `@nn_op("swish")` on `silu` gives four names: `keras.ops.silu`, `keras.ops.nn.silu` and both for
    "swish".
    """

    def op_of_module(
        *aliases: str,
        inputs: int | None = None,
        class_name: str | None = None,
        spec: Function | None = None,
        resolve: Mapping[str, Function] | None = None,
    ) -> Callable[[Thing], Thing]:
        def decorate(function: Thing) -> Thing:
            return op(
                f"keras.src.ops.{module}",
                *public_names(module, function.__name__, *aliases),
                inputs=inputs,
                class_name=class_name,
                spec=spec,
                resolve=OF_SETTINGS if resolve is None else resolve,
            )(function)

        return decorate

    return op_of_module


def public_names(module: str, *names: str) -> list[str]:
    """Both public names of each op: `keras.ops.NAME` and `keras.ops.MODULE.NAME`."""
    return [f"keras.ops.{prefix}{name}" for name in names for prefix in ("", f"{module}.")]


nn_op = exported("nn")
linalg_op = exported("linalg")
