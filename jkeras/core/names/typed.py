"""What type checkers and editors see of records, and which classes declare fields for both.

A checker makes a record's constructor from its fields, as for dataclasses: `record` and `layer`
are marked by `typing.dataclass_transform`. A base class without a constructor of its own, whose
fields belong to its subclasses' constructors, is marked by `fields`. What any other base annotates
are attributes: a class that takes them as arguments declares them itself, where they stand in its
order. Where the constructor's order
of arguments is not that of the fields, the class says `if TYPE_CHECKING: def __init__(...)`.
`tests/test_typed.py` compares what a checker believes with the constructors.
"""

import typing
from collections.abc import Callable

Taken = typing.TypeVar("Taken")
Stored = typing.TypeVar("Stored")
Class = typing.TypeVar("Class")
Function = Callable[..., typing.Any]
# what may be passed for an activation, initializer, regularizer or constraint
Named = str | dict | Function | None
Regularization = str | dict | float | Function | None
Shape = tuple | list | int | None
Sizes = int | tuple | list  # one number, or one for each axis
Factor = float | tuple | list  # one number, or a range


class Converted(typing.Generic[Taken, Stored]):
    """A field that takes values of one type and holds them as another: a name becomes an object."""

    if typing.TYPE_CHECKING:

        def __get__(self, instance: object, owner: typing.Any = None) -> Stored: ...

        def __set__(self, instance: object, value: Taken) -> None: ...


Name = Converted[str | None, str]
Rate = Converted[float | dict | Function, typing.Any]  # a learning rate


def keyword(*, default: typing.Any, alias: str) -> typing.Any:
    """A keyword argument that is no attribute, or another one than a field of that name."""


@typing.dataclass_transform(eq_default=False)
def fields(cls: type[Class]) -> type[Class]:
    """Marks a base class whose fields are arguments of its subclasses."""
    cls._declares_fields = True
    return cls


def own_fields(cls: type[Class]) -> type[Class]:
    """Marks a record whose fields are no arguments of its subclasses."""
    cls._declares_fields = False
    return cls


def declares_fields(cls: type) -> bool:
    """Whether the names that a class annotates itself are arguments of its subclasses."""
    return vars(cls).get("_declares_fields", False)


@typing.dataclass_transform(eq_default=False, kw_only_default=True, field_specifiers=(keyword,))
def keyword_fields(cls: type[Class]) -> type[Class]:
    """Marks a base class whose fields are keyword arguments of all subclasses."""
    return cls


class LayerArguments(typing.TypedDict, total=False):
    """The keyword arguments of all layers, for a constructor that is written out."""

    name: str | None
    trainable: bool
    dtype: typing.Any
    autocast: bool
    input_shape: Shape
    batch_input_shape: Shape
    batch_size: int | None
