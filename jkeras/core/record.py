"""Records: a class body of annotated fields becomes a constructor, a config, a repr and a public
name.

    @record("keras.constraints")
    class MaxNorm(Constraint):
        max_value: Any = 2
        axis: Any = 0

Fields are the annotated names of the class and of its bases that declare fields (records and
`typed.fields`), in order, as a dataclass has them and a type checker reads them; `arguments` gives
another order. Those after a `_: KW_ONLY` are keyword arguments. Other names that begin with an
underscore and `ClassVar`s are none. A field without a default is required. An annotation that is a
`Kind` converts the value on its way in and out of configs: `Initializer` makes an object of
"zeros", and a config of that object. `__post_init__` checks and derives. What a record is as a
value, `core.layer.equality` says.
"""

import functools
import inspect
import itertools
import typing

from jkeras.core.say import shown
from jkeras.core.names import typed
from jkeras.core.names.family import families
from jkeras.core.names.registry import LEAVES, public, serialize

Any = typing.Any


class Kind:
    """How a field's value is read from an argument and written to a config; by default as it is."""

    def read(self, value: typing.Any) -> typing.Any:
        return value

    def write(self, value: typing.Any) -> typing.Any:
        return serialize(value)


class FamilyKind(Kind):
    """A name, config or object of a family, such as `Initializer`."""

    def __init__(self, family: str) -> None:
        self.family = family

    @functools.cached_property
    def read(self) -> typing.Callable[[typing.Any], typing.Any]:
        return families[self.family].get

    @functools.cached_property
    def write(self) -> typing.Callable[[typing.Any], typing.Any]:
        return families[self.family].serialize


class Hidden(Kind):
    """A field that is written to the config only when it is not None."""


class HiddenFamily(Hidden, FamilyKind):
    """A value of a family that is written to the config only when it is not None."""


# Kinds when this runs, types for a checker.
if typing.TYPE_CHECKING:
    Activation = typed.Converted[typed.Named, typed.Function]
    Initializer = typed.Converted[typed.Named, Any]
    Constraint = typed.Converted[typed.Named, Any]
    Regularizer = typed.Converted[typed.Regularization, Any]
    ActivityRegularizer = typed.Converted[typed.Regularization, Any]
    HIDDEN = OF_BASE = Any
else:
    Activation = FamilyKind("activations")
    Initializer = FamilyKind("initializers")
    Regularizer = FamilyKind("regularizers")
    Constraint = FamilyKind("constraints")
    ActivityRegularizer = HiddenFamily("regularizers")
    HIDDEN = Hidden()
    # of an argument that only the constructor of the base takes, but that stands in the signature
    OF_BASE = Kind()
BASE_ARGUMENTS = ("name", "dtype", "trainable")


def defines(cls: type, name: str) -> bool:
    """Whether a class itself, rather than a base of it, has an attribute."""
    return name in vars(cls)


def _own_keywords(cls: type) -> list[str]:
    """The names that a class annotates after a `_: KW_ONLY`."""
    names = list(inspect.get_annotations(cls))
    return names[names.index("_") + 1 :] if "_" in names else []


class Field(typing.NamedTuple):
    """One argument of a record's constructor."""

    name: str
    kind: Kind
    default: typing.Any  # inspect.Parameter.empty: required


PLAIN_KIND = Kind()


def collect_fields(cls: type, arguments: str | None = None) -> tuple[Field, ...]:
    """The fields of a class: annotated names of the bases that declare fields, then its own, or
    in the order of `arguments` those of any base.
    """
    bases = cls.__mro__[::-1]
    kinds = _annotated_kinds(bases)
    if arguments is None:
        declaring = [base for base in bases if base is cls or typed.declares_fields(base)]
        names = _annotated_kinds(declaring)
    else:
        names = arguments.replace(",", " ").split()
    return tuple(_field(cls, name, kinds) for name in names)


def _annotated_kinds(classes: typing.Iterable[type]) -> dict[str, Kind]:
    """{name: Kind} of the names that classes annotate, in the order of the first annotations. A
    plain type in a later one leaves the kind as it is.
    """
    kinds = {}
    for cls in classes:
        for name, kind in _own_kinds(cls).items():
            if name not in kinds or kind is not PLAIN_KIND:
                kinds[name] = kind
    return kinds


@functools.lru_cache(maxsize=1024)  # at import, most bases are asked for a hundred times
def _own_kinds(cls: type) -> dict[str, Kind]:
    """{name: Kind} of the names that a class annotates itself."""
    kinds = {}
    for name, kind in inspect.get_annotations(cls).items():
        is_field = typing.ClassVar not in (kind, typing.get_origin(kind))
        if is_field and not name.startswith("_"):
            kinds[name] = kind if isinstance(kind, Kind) else PLAIN_KIND
    return kinds


def _field(cls: type, name: str, kinds: dict[str, Kind]) -> Field:
    if name in BASE_ARGUMENTS and name not in kinds:
        return Field(name, OF_BASE, None)
    kind = kinds[name]
    if kind is OF_BASE:
        return Field(name, kind, None)
    return Field(name, kind, getattr(cls, name, inspect.Parameter.empty))


def signature_of(
    fields: typing.Sequence[Field],
    base_init: typing.Callable | None,
    keyword_only: typing.Sequence[str] = (),
):
    """The signature of the constructor that the fields describe."""
    P = inspect.Parameter
    parameters = [P("self", P.POSITIONAL_OR_KEYWORD)]
    parameters += [
        P(f.name, P.POSITIONAL_OR_KEYWORD, default=f.default)
        for f in fields
        if f.name not in keyword_only
    ]
    parameters += [
        P(f.name, P.KEYWORD_ONLY, default=f.default) for f in fields if f.name in keyword_only
    ]
    if base_init is not None:
        parameters.append(P("kwargs", P.VAR_KEYWORD))
    return inspect.Signature(parameters)


def make_init(
    cls,
    fields: typing.Sequence[Field],
    base_init: typing.Callable | None,
    keyword_only: typing.Sequence[str],
):
    """The constructor: binds the arguments, hands the rest to `base_init`, converts and stores the
    fields.
    """
    signature = signature_of(fields, base_init, keyword_only)
    of_base = [f.name for f in fields if f.kind is OF_BASE]
    own = [f for f in fields if f.kind is not OF_BASE]

    def __init__(self, *args, **kwargs):
        try:
            bound = signature.bind(self, *args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{cls.__name__}(): {error}. Its arguments: {signature}") from None
        arguments = bound.arguments
        if base_init is not None:
            base = {name: arguments[name] for name in of_base if name in arguments}
            base_init(self, **base, **arguments.get("kwargs", {}))
        for field in own:
            value = arguments.get(field.name, field.default)
            if field.kind is not PLAIN_KIND:
                value = field.kind.read(value)
            setattr(self, field.name, value)
        self.__post_init__()

    __init__.__signature__, __init__.__qualname__ = signature, f"{cls.__qualname__}.__init__"
    return __init__


class Form(typing.NamedTuple):
    """The settings of `record` for a class."""

    cls: type
    arguments: str | None
    keyword_only: str
    base_init: typing.Callable | None


@functools.cache
def fields_of(form: Form) -> tuple[Field, ...]:
    """The fields of a record, without those that are the base's."""
    fields = collect_fields(form.cls, form.arguments)
    return tuple(field for field in fields if field.kind is not OF_BASE)


@functools.cache
def constructor_of(form: Form) -> typing.Callable:
    """The constructor of a record."""
    fields = collect_fields(form.cls, form.arguments)
    keywords = [form.keyword_only.replace(",", " ").split(), *map(_own_keywords, form.cls.__mro__)]
    return make_init(form.cls, fields, form.base_init, [*itertools.chain(*keywords)])


class FirstUse:
    """A class attribute that is made when it is first looked at. There are hundreds of records, of
    which a program uses a few: `import jkeras` need not wait for the others. From then on the class
    has the value itself.
    """

    def __init__(self, make: typing.Callable[[Form], typing.Any], form: Form) -> None:
        self._make = make
        self._form = form

    def __get__(self, instance: typing.Any, owner: type):
        # in one step, so that threads that look at the same time get the same one
        value = vars(self).setdefault("_value", self._make(self._form))
        cls = self._form.cls
        for name in [name for name, attribute in vars(cls).items() if attribute is self]:
            setattr(cls, name, value)
        if hasattr(value, "__get__"):
            return value.__get__(instance, owner)
        return value


class Record:
    """Base of all records: config and repr from the fields. They compare as values (`equality`)."""

    _fields = ()
    _internal, __dir__ = shown.RECORD, shown.public_dir
    # the generated constructor; a subclass with its own constructor is no record itself
    _record_init = None

    # the constructor is made from the fields, which a type checker does not see
    if typing.TYPE_CHECKING:

        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __post_init__(self) -> None:
        """Checks and derived values; runs after the fields are set."""

    def get_config(self) -> dict[str, typing.Any]:
        """The constructor's arguments as plain data."""
        return self.field_config()

    def field_config(self) -> dict[str, typing.Any]:
        """The part of the config that comes from the fields."""
        config = {}
        for field in self._fields:
            value = getattr(self, field.name)
            if field.kind is PLAIN_KIND:
                config[field.name] = value if type(value) in LEAVES else serialize(value)
            elif value is not None or not isinstance(field.kind, Hidden):
                config[field.name] = field.kind.write(value)
        return config

    @classmethod
    def from_config(cls, config: dict[str, typing.Any]) -> typing.Self:
        """A new instance from `get_config()`."""
        return cls(**config)

    def __repr__(self) -> str:
        shown = (
            f"{f.name}={getattr(self, f.name)!r}"
            for f in self._fields
            if getattr(self, f.name, None) is not f.default
        )
        return f"{type(self).__name__}({', '.join(shown)})"


@typing.dataclass_transform(eq_default=False)
def record(
    module: str,
    *aliases: str,
    name: str | None = None,
    arguments: str | None = None,
    keyword_only: str = "",
    base_init: typing.Callable | None = None,
    init: bool = True,
) -> typing.Callable[[type[typed.Class]], type[typed.Class]]:
    """Decorator that makes a class a record and gives it its public names.

    Args:
        module: "keras.layers"; the public name is this and the class's name.
        aliases: further full public names.
        name: public class name where it differs from the Python one.
        arguments: order of the constructor's arguments, as one string, where it is not the order of
            the fields; may name "name", "dtype" and "trainable" where they stand in the signature
            but are the base's.
        keyword_only: names of keyword-only arguments, as one string.
        base_init: takes `self` and the keyword arguments that are not fields.
        init: for type checkers: False where a base class says the arguments (`core.names.typed`).
    """

    def decorate(cls):
        form = Form(cls, arguments, keyword_only, base_init or getattr(cls, "_base_init", None))
        typed.fields(cls)
        cls._fields = FirstUse(fields_of, form)
        cls.__init__ = cls._record_init = FirstUse(constructor_of, form)
        return public(f"{module}.{name or cls.__name__}", *aliases)(cls)

    return decorate


def base_record(
    module: str, *aliases: str, **options: typing.Any
) -> typing.Callable[[type[typed.Class]], type[typed.Class]]:
    """Decorator that makes a class a record whose fields are not those of its subclasses: these
    declare them again, in their own order. For a checker, its constructor is written out.

    Args:
        module, aliases, options: as of `record`.
    """

    def decorate(cls):
        return typed.own_fields(record(module, *aliases, **options)(cls))

    return decorate


def automatic_config(obj: typing.Any) -> dict[str, typing.Any]:
    """The arguments of a class without its own `get_config`, passed or by default, where they are
    plain data.

    Raises:
        NotImplementedError: there are arguments by position that have no names, or one is an object
            that has no config.
    """
    args, kwargs = obj._given
    signature = inspect.signature(type(obj).__init__)
    plain = {
        k: p.default
        for k, p in signature.parameters.items()
        if isinstance(p.default, (str, int, float, bool, type(None)))
    }
    bound = plain | signature.bind(obj, *args, **kwargs).arguments
    bound.pop("self", None)
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            bound |= bound.pop(name, {})
        elif parameter.kind is parameter.VAR_POSITIONAL and bound.pop(name, ()):
            raise _no_config(obj, f"it was given `*{name}`, which a config has no names for")
    arguments = {k: v for k, v in bound.items() if k not in ("name", "trainable", "dtype")}
    try:
        return {k: serialize(v) for k, v in arguments.items()}
    except TypeError as error:
        raise _no_config(obj, str(error)) from error


def _no_config(obj: typing.Any, why: str):
    return NotImplementedError(
        f"Object {getattr(obj, 'name', '')!r} of class {type(obj).__name__} has no config: {why}. "
        "Override `get_config()` in the class in order to make it serializable."
    )


def takes(function: typing.Callable, name: str) -> bool:
    """Whether a function has an argument of a name, or takes any by name.

    >>> takes(lambda a, **more: None, "b"), takes(lambda a: None, "b")
    (True, False)
    """
    parameters = inspect.signature(function).parameters
    return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
