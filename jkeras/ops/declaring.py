"""The decorator of the ops of `keras.ops.numpy`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jkeras.core.graph.op import op
from jkeras.core.graph.sparse import SparseForm
from jkeras.core.names.registry import Thing
from jkeras.core.weights.types import Function
from jkeras.ops.promotion import both_names

MODULE = "keras.src.ops.numpy"


def sparse_form(function: Function) -> SparseForm | None:
    """What an op does with sparse arrays, by its function; None: none of the ops that take them."""
    from jkeras.ops.sparse_forms import form_of  # takes long to import

    return form_of(function)


def numpy_op(
    inputs: int | None = None,
    class_name: str | None = None,
    spec: Function | None = None,
    keywords: Sequence[str] = (),
    public_names: bool = True,
) -> Callable[[Thing], Thing]:
    """Decorator: an op of `keras.ops` and `keras.ops.numpy`; see `jkeras.core.graph.op.op`."""

    def decorate(function: Thing) -> Thing:
        names = ()
        if public_names:
            names = both_names(function.__name__)
        return op(
            MODULE,
            *names,
            inputs=inputs,
            class_name=class_name,
            spec=spec,
            keywords=keywords,
            find_sparse=sparse_form,
        )(function)

    return decorate
