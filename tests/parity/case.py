"""The row of a live parity table."""

import typing


class Case(typing.NamedTuple):
    """One layer, made by both libraries with the same arguments and run on the same arrays and weights."""

    layer: str
    kwargs: dict
    inputs: list  # shapes
    call: dict = {}
    training: bool | None = None
    dtype: str = "float32"
    ints: int | None = None  # integer inputs in [0, ints)
