"""The rows of a live parity table."""

import typing


class Case(typing.NamedTuple):
    """One layer, made by both libraries with the same arguments and run on the same arrays and
    weights.
    """

    layer: str
    kwargs: dict
    inputs: list  # shapes; a list of shapes for an argument that is a list of arrays
    call: dict = {}  # further arguments of the call; lists stand for arrays
    training: bool | None = None
    dtype: str = "float32"  # of the layer: a dtype or the name of a policy
    ints: int | None = None  # integer inputs in [0, ints)
    gradient: bool = True  # False: a value lies at the end of a clip, and its last digit decides


class Part(typing.NamedTuple):
    """A layer as an argument of another: `Part("LSTM", dict(units=3))`."""

    layer: str
    kwargs: dict
