"""The numbers of a model that can be arguments of a compiled training: rates, decays, weights of
losses and penalties. Each is an attribute of some object; while a program is traced, the attribute
is the traced value.
"""

import contextlib
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import jax

from jkeras.core.errors import explain, suggestion
from jkeras.core.layer import Layer
from jkeras.core.weights.paths import walk
from jkeras.core.names.registry import in_process
from jkeras.regularizers import Regularizer

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer

RATE = "learning_rate"  # it is in the optimizer's state already
NOISE = ("rate", "dropout", "recurrent_dropout", "stddev")  # of layers; without it, no random keys
SHORT = {"dropout": ("dropout", "rate")}  # a name for the attributes of several kinds of layers
OPTIONAL = ("weight_decay",)  # numbers of optimizers that may be None, which is as 0
OTHERS = ("loss_scale_factor",)  # numbers of optimizers that are chosen by the machine's dtypes
OPTIMIZER, LOSS, WEIGHT = "optimizer", "loss", "loss_weights"


class Number(typing.NamedTuple):
    """One number of a model.

    Attributes:
        owner: name of the object, such as "optimizer" or the path of a layer.
        field: its name there.
        read, write: the number now; sets it, to a traced value too.
    """

    owner: str
    field: str
    read: Callable[[], Any]
    write: Callable[[Any], None]

    @property
    def name(self) -> str:
        """The full name."""
        return f"{self.owner}.{self.field}"

    @property
    def is_noise(self) -> bool:
        """Whether it says how much noise a layer makes."""
        return self.owner not in (OPTIMIZER, LOSS, WEIGHT) and self.field in NOISE


def numbers_of(model: "Trainer") -> list[Number]:
    """The numbers of a compiled model that is built for training.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dropout(0.1)])
    >>> model.compile(jkeras.optimizers.SGD(), "mse")
    >>> _ = jkeras.training.init_train_state(model)
    >>> [number.name for number in numbers_of(model)]  # doctest: +ELLIPSIS
    ['optimizer.learning_rate', 'optimizer.momentum', ..., 'dropout.rate']
    """
    return [*_of_optimizer(model.optimizer), *_of_losses(model), *_of_layers(model)]


def _of_optimizer(optimizer: Any) -> Iterator[Number]:
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    config = _config(inner)
    if isinstance(config.get(RATE), float):
        yield _attribute(OPTIMIZER, inner, RATE)
    for name, value in config.items():
        is_left_out = value is None and name in OPTIONAL
        is_number = isinstance(value, float) or is_left_out
        if is_number and name not in (RATE, *OTHERS):
            yield _attribute(OPTIMIZER, inner, name)


def _of_losses(model: "Trainer") -> Iterator[Number]:
    losses = model.compiled_loss()
    if losses is None or not losses.built:
        return
    for entry in losses.entries:
        yield _weight(losses, entry.name)
        yield from _floats(LOSS, entry.loss)


def _weight(losses: Any, name: str) -> Number:
    """The weight of the losses of a name; 1 where there is none."""

    def read() -> Any:
        return next(entry.weight for entry in losses.entries if entry.name == name)

    return Number(WEIGHT, name, read, lambda weight: losses.set_weight(name, weight))


def _of_layers(model: "Trainer") -> Iterator[Number]:
    for path, layer in walk(model):
        if not path or not isinstance(layer, Layer):
            continue
        owner = "/".join(path)
        yield from _floats(owner, layer)
        for name in _config(layer):
            penalty = getattr(layer, name, None)
            if isinstance(penalty, Regularizer):
                yield from _floats(f"{owner}.{name}", penalty)


def _floats(owner: str, thing: Any) -> Iterator[Number]:
    """The attributes that an object's config has as floats."""
    for name, value in _config(thing).items():
        numbers = (int, float) if name in NOISE else float
        if isinstance(value, numbers) and isinstance(getattr(thing, name, None), numbers):
            yield _attribute(owner, thing, name)


def _attribute(owner: str, thing: Any, name: str) -> Number:
    return Number(owner, name, lambda: getattr(thing, name), lambda v: setattr(thing, name, v))


def _config(thing: Any) -> dict[str, Any]:
    """The config of an object; {} where it has none."""
    try:
        with in_process():
            return thing.get_config()
    except (AttributeError, NotImplementedError, TypeError, ValueError):
        return {}


class Numbers:
    """The numbers of a model that a space names.

    A name alone is the optimizer's number; where it has none, that of all losses and layers that
    have one. "dropout" is the rate of dropout layers, too. A full name, such as
    "block/dropout.rate" or "loss_weights.mask", is that one; of a layer with layers in it, that of
    these, too.

    Args:
        names: of the space.

    Raises:
        ValueError: the model has no number of a name, or noise that is switched off.
    """

    def __init__(self, model: "Trainer", names: Iterable[str]) -> None:
        self.optimizer = model.optimizer
        numbers_of_model = numbers_of(model)
        self.numbers = {name: _named(name, numbers_of_model) for name in names}
        for name, numbers in self.numbers.items():
            for number in numbers:
                _check_is_on(name, number)

    @contextlib.contextmanager
    def substituted(self, values: Mapping[str, Any]) -> Iterator[None]:
        """In the block the numbers are these, which may be traced; but for the learning rate, which
        is in the optimizer's state.
        """
        held = [
            (number, values[name])
            for name, numbers in self.numbers.items()
            for number in numbers
            if number.field != RATE
        ]
        before = [(number, number.read()) for number, _ in held]
        try:
            for number, value in held:
                number.write(value)
            yield
        finally:
            for number, value in before:
                number.write(value)

    @property
    def rate(self) -> str | None:
        """The name of the learning rate; None: it is not searched."""
        return next((n for n, numbers in self.numbers.items() if numbers[0].field == RATE), None)

    def into(self, opt_state: Any, values: Mapping[str, Any]) -> Any:
        """The optimizer's state with the learning rate of the values, if there is one."""
        if self.rate is None:
            return opt_state
        return self.optimizer.with_learning_rate(opt_state, values[self.rate])

    def assign(self, values: Mapping[str, float]) -> None:
        """Sets the numbers for good."""
        for name, numbers in self.numbers.items():
            for number in numbers:
                number.write(float(values[name]))

    def check(self, name: str, value: Any) -> None:
        """Raises ValueError unless a value can be that of a name."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(explain("sweep", f"numbers for {name!r}", repr(value)))
        if any(number.is_noise for number in self.numbers[name]) and not 0 <= value < 1:
            expected = f"{name!r} to be at least 0 and below 1"
            raise ValueError(explain("sweep", expected, repr(value)))


def _named(name: str, candidates: list[Number]) -> list[Number]:
    """The numbers of a name."""
    exact = [number for number in candidates if number.name == name]
    if exact:
        return [*exact, *_inside(exact[0], candidates)]
    fields = SHORT.get(name, (name,))
    matches = [number for number in candidates if number.field in fields and number.owner != WEIGHT]
    of_optimizer = [number for number in matches if number.owner == OPTIMIZER]
    if not matches:
        raise _unknown(name, candidates)
    return of_optimizer or matches


def _unknown(name: str, candidates: list[Number]) -> ValueError:
    names = [number.name for number in candidates]
    return ValueError(
        f"The space names {name!r}, which is no number of the model. It has {', '.join(names)}; "
        '"seed" can be searched too, and the arguments of the function that makes the model.'
        f"{suggestion(name, [*names, *(number.field for number in candidates), 'dropout', 'seed'])}"
    )


def _inside(outer: Number, candidates: list[Number]) -> list[Number]:
    """The same number of the layers in a layer, which gave it to them, as an RNN to its cell."""
    fields = SHORT.get(outer.field, (outer.field,))
    return [n for n in candidates if n.owner.startswith(f"{outer.owner}/") and n.field in fields]


def _check_is_on(name: str, number: Number) -> None:
    if number.is_noise and number.read() == 0:
        raise ValueError(
            explain(
                f"sweep: {number.name}",
                f"noise in the model, since {name!r} is searched",
                f"{number.field}=0, which makes a layer without random keys",
                "make the model with any other rate",
            )
        )


UNTRACEABLE = (
    jax.errors.TracerBoolConversionError,
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
)


@contextlib.contextmanager
def explained(names: Iterable[str]) -> Iterator[None]:
    """In the block the error of a model that asks for the value of a traced number says what to
    do.
    """
    try:
        yield
    except UNTRACEABLE as error:
        raise ValueError(
            f"The model decides in Python by the value of one of {list(names)}, which one program "
            "for all trials cannot. Make it an argument of the function that makes the model: its "
            "values then make programs of their own."
        ) from error
