"""Which annotations become arguments of a record, and in which order: as of dataclasses."""

import dataclasses
import inspect
from dataclasses import KW_ONLY

from jkeras.core.names import typed
from jkeras.core.record import Initializer, Record, base_record, record
from jkeras.initializers import Zeros


@typed.fields
class Sized(Record):
    size: int
    start: Initializer = "zeros"


class Held(Record):
    """Declares nothing: what it annotates are attributes."""

    held: int = 3


@record("tests.records")
class Counted(Sized):
    count: int = 1
    size: int = 2  # stays where the base has it, with another default
    _: KW_ONLY
    last: str = "z"


@record("tests.records")
class OwnOrder(Held):
    name: str = "n"
    held: int = 4


@base_record("tests.records")
class Whole(Record):
    a: int = 0
    b: int = 0


@record("tests.records")
class Other(Whole):
    b: int = 1
    start: Initializer = "zeros"
    a: int = 2


@record("tests.records")
class Plainly(Sized):
    start: object = "ones"


def arguments(cls):
    return str(inspect.signature(cls))


def test_fields_are_those_of_a_dataclass():
    @dataclasses.dataclass
    class Base:
        size: int
        start: str = "zeros"

    @dataclasses.dataclass
    class Same(Base):
        count: int = 1
        size: int = 2
        _: KW_ONLY
        last: str = "z"

    plain = [(p.name, p.kind, p.default) for p in inspect.signature(Same).parameters.values()]
    own = [(p.name, p.kind, p.default) for p in inspect.signature(Counted).parameters.values()]
    assert own == plain
    assert list(Counted(last="y").get_config()) == ["size", "start", "count", "last"]


def test_attributes_of_a_base_are_arguments_where_a_class_declares_them():
    assert arguments(OwnOrder) == "(name='n', held=4)"
    assert arguments(Whole) == "(a=0, b=0)"
    assert arguments(Other) == "(b=1, start='zeros', a=2)"


def test_a_plain_annotation_leaves_the_kind():
    made = Plainly(1, "zeros")
    assert isinstance(made.start, Zeros) and made.get_config()["start"]["class_name"] == "Zeros"
