"""`recommend`: how to train a model on devices, found by compiling its step in several ways."""

import contextlib
import dataclasses
import functools
import inspect
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from jkeras.core.errors import check_whole, explain, readable
from jkeras.core.names.registry import public
from jkeras.core.say import console
from jkeras.core.session.settings import settings
from jkeras.distribution import FSDP, AutoParallel, DataParallel, Topology
from jkeras.distribution.strategies import Distribution
from jkeras.models.cloning import clone_model
from jkeras.plans.on_paper import OnPaper, on_paper
from jkeras.plans.plan import Plan, size_in_words
from jkeras.plans.planning import check_sizes_known, of_rows
from jkeras.training.shell.compilable import Compilable
from jkeras.training.shell.remat_blocks import set_remat
from jkeras.training.step.batch_loss import NoChunks
from jkeras.training.step.building import input_shapes, input_specs
from jkeras.training.step.compiled import Compilation
from jkeras.training.step.nonfinite import counter
from jkeras.training.types import Structure

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer

SHARED_BY = (2, 4, 8)  # devices that have a layer together
REMAT = ("dots_with_no_batch_dims_saveable", True)  # the one that computes less again comes first
MOST_MICROBATCHES = 16
CHUNKS = {"loss_chunks": 8}  # of a language model's loss
Options = dict[str, Any]  # arguments of `compile`
Maker = Callable[[], Distribution] | None  # of a distribution; None: there is one device
BEST = 3  # choices that are printed


@dataclasses.dataclass(frozen=True)
class Choice:
    """A way to train a model, and what a step of it takes.

    Attributes:
        layout: how it lies on the devices, in words.
        rows: of a batch, on all devices together.
        options: for `compile`: "remat", "microbatches", "loss_chunks".
        plan: of a step; None where the compiler refused it for another reason than its memory.
        reason: why it cannot be taken; "": it can.
        make_distribution: makes the distribution; None: there is one device.

    >>> Choice("one device", 32, {"microbatches": 2}, None, "it needs 3.0 of 2.0 GiB")
    one device, 32 rows, microbatches=2: it needs 3.0 of 2.0 GiB
    """

    layout: str
    rows: int
    options: Options
    plan: Plan | None
    reason: str
    make_distribution: Maker = None

    @property
    def fits(self) -> bool:
        """Whether it can be taken."""
        return not self.reason

    @property
    def seconds(self) -> float | None:
        """Of a step, by the larger of its `Plan.roofline` and `Plan.estimated`; None where that is
        not known.
        """
        if self.plan is None:
            return None
        return self.plan.seconds_of_a_step()

    def scope(self) -> contextlib.AbstractContextManager:
        """A block in which a model is made for it, on the devices that were asked for."""
        if self.make_distribution is None:
            return contextlib.nullcontext()
        return self.make_distribution().scope()

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"{self.layout}, {self.rows} rows{options}: {self._in_words()}"

    def _in_words(self) -> str:
        if self.reason:
            return self.reason
        memory = f"{self.plan.needed_in_words()} on each device"
        if self.seconds is None:
            return memory
        roofline, estimated = self.plan.roofline, ""
        if self.seconds > roofline.seconds:
            estimated = f", estimated {1000 * self.seconds:.3g} ms"
        by = "" if self.plan.is_compiled else "; by the roofline alone, nothing was compiled"
        return (
            f"at least {1000 * roofline.seconds:.3g} ms a step ({roofline.bound}){estimated}, "
            f"MFU at most {roofline.mfu:.0%}, {memory}{by}"
        )


class Choices(list):
    """The choices that can be taken, the best one first; printed are three, and all others.

    Attributes:
        others: those that cannot, with the reason of each.
    """

    def __init__(self, choices: Sequence[Choice], others: Sequence[Choice]) -> None:
        super().__init__(choices)
        self.others = list(others)

    def __repr__(self) -> str:
        return "\n".join(map(repr, [*self[:BEST], *self.others]))


@public("jkeras.training.recommend")
def recommend(
    model: "Trainer | Callable[..., Trainer]",
    topology: Topology | str | None = None,
    *,
    batch: int | Sequence[int] | None = None,
    tokens: int | Sequence[int] | None = None,
    y: Any = None,
    length: int | None = None,
    most: int = 24,
    verbose: int = 1,
) -> Choices:
    """Ways to train a model on devices, the fastest one first, by compiling its step for them;
    nothing is run.

    Tried are layouts (the batch in parts, weights in parts, layers in parts), and for each, until
    it fits, the loss of a language model in chunks, what is computed again for the gradient,
    microbatches, and the optimizer's state in the memory of the host. Those are ordered by the rows
    that a second takes at most, by what the chips can do (`Plan.roofline`), or, where that is
    less, by what the compiler of TPUs estimates (`Plan.estimated`). That is no measurement: what
    comes close together should be run.

    Args:
        model: a compiled model that can be cloned, or a function that makes one: it is called with
            arguments for `compile`, such as `microbatches=2`.
        topology: devices that need not be here, such as "v5e:4x4"; None: the one that is here, or
            those of the distribution in whose scope this is called. "mi300x:8" is by the roofline
            alone: its compiler is nowhere else.
        batch: rows of a batch on all devices together, or several numbers of which one is to be
            chosen.
        tokens: instead, the tokens of a batch, of a model whose inputs are (rows, length).
        y: labels for one row, arrays or `jax.ShapeDtypeStruct`s, where they do not follow from the
            outputs.
        length: of inputs (rows, length), where the model leaves it open.
        most: as many steps are compiled.
        verbose: 1: a line for each step that is compiled.

    Raises:
        ValueError: no number of rows can be cut evenly over the devices; neither `batch` nor
            `tokens` is given, or both; the length of a row is not known, or does not divide
            `tokens`.
        ImportError: the devices' compiler is not installed.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((256,)), jkeras.layers.Dense(1024)])
    >>> model.compile("adam", "mse")
    >>> (choice,) = recommend(model, batch=32, verbose=0)  # on the CPU that is here
    >>> choice.layout, choice.options, choice.fits
    ('one device', {}, True)
    """
    if isinstance(topology, str):
        topology = on_paper(topology) or Topology(topology)
    check_whole("most", most, at_least=1)
    sizes = _sizes(model, batch, tokens, length)
    make, shapes = _maker(model, length)
    search = _Search(make, shapes, y, most, verbose, _takes_chunks(model))
    layouts = list(_layouts(topology))
    tried = [choice for layout in layouts for choice in search.of(layout, sizes)]
    if not tried:
        wanted = f"`batch` in parts for {layouts[0].parts} devices"
        raise ValueError(explain("recommend", wanted, str(batch or tokens)))
    fitting = sorted((one for one in tried if one.fits), key=_seconds_of_a_row)
    return Choices(fitting, [one for one in tried if not one.fits])


def _sizes(model: Any, batch: Any, tokens: Any, length: int | None) -> list[int]:
    """The numbers of rows that are asked for."""
    given = {n: v for n, v in (("batch", batch), ("tokens", tokens)) if v is not None}
    if len(given) != 1:
        received = " and ".join(given) or "neither"
        raise ValueError(explain("recommend", "either `batch` or `tokens`", received))
    ((name, asked),) = given.items()
    sizes = [asked] if isinstance(asked, int) else list(asked)
    for size in sizes:
        check_whole(name, size, at_least=1)
    if name == "batch":
        return sizes
    length = length or _length(model)
    if any(size % length for size in sizes):
        wanted = f"`tokens` that are a multiple of the {length} of a row"
        raise ValueError(explain("recommend", wanted, str(tokens)))
    return [size // length for size in sizes]


def _length(model: Any) -> int:
    """The tokens of a row, as the input of a model says.

    Raises:
        ValueError: it does not.
    """
    inputs = []
    if isinstance(model, Compilable):
        specs = jax.tree_util.tree_leaves(input_specs(model), is_leaf=lambda v: hasattr(v, "dtype"))
        inputs = [(spec.shape, str(spec.dtype)) for spec in specs]
    ids = [shape for shape, dtype in inputs if jnp.issubdtype(dtype, jnp.integer)]
    lengths = {shape[1] for shape in ids if len(shape) == 2}
    if len(lengths) != 1 or None in lengths:
        wanted = "`length` beside `tokens`, where no input of whole numbers says it"
        raise ValueError(explain("recommend", wanted, f"inputs {inputs or 'of a function'}"))
    return lengths.pop()


def _seconds_of_a_row(choice: Choice) -> tuple[float, int]:
    """What choices are ordered by; of two that take as long, or of which that is unknown, the one
    that takes less memory comes first.
    """
    return (choice.seconds or 0.0) / choice.rows, choice.plan.needed


def _maker(
    model: Any, length: int | None
) -> "tuple[Callable[..., Trainer], Callable[[int], Structure]]":
    """(what makes the model, given arguments for `compile`; the batch of so many rows, for a
    plan).
    """

    def of_length(rows: int) -> Structure:
        return rows if length is None else (rows, length)

    if not isinstance(model, Compilable):
        return model, of_length

    def of_model(rows: int) -> Structure:
        if length is not None:
            return of_length(rows)
        check_sizes_known(model)
        return (of_rows(input_shapes(model), rows),)

    return functools.partial(_cloned, model), of_model


def _cloned(model: "Trainer", remat: bool | str | None = None, **changed: int) -> "Trainer":
    """A clone that is compiled likewise, but for what is said.

    Raises:
        ValueError: the model cannot be cloned, or its clone is not compiled.
    """
    wanted = "a compiled model that can be cloned, or a function that makes one"
    try:
        twin = clone_model(model)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ValueError(explain("recommend", wanted, readable(error))) from error
    if not twin.compiled:
        raise ValueError(explain("recommend", wanted, f"model '{model.name}'"))
    twin.set_untracked(compilation=_likewise(model, twin, changed))
    if remat is not None:
        set_remat(twin, remat)
    return twin


def _likewise(model: "Trainer", twin: "Trainer", changed: dict[str, int]) -> Compilation:
    """What a clone is compiled with: what no config has is the model's, too, but for what changes.

    Raises:
        ValueError: the model is trained with privacy, whose account is of one model.
    """
    said = model.compilation
    if said.privacy is not None:
        wanted = "a function that makes the model, for one with `privacy`"
        raise ValueError(explain("recommend", wanted, f"model '{model.name}'"))
    other = dataclasses.replace(
        twin.compilation,
        microbatches=1,
        loss_chunks=said.loss_chunks,
        nonfinite=said.nonfinite,
        nonfinite_steps=said.nonfinite and counter(),
        adversarial=said.adversarial,
        links=said.links,
    )
    return dataclasses.replace(other, **changed)


# ---------------------------------------------------------------- what is tried


@dataclasses.dataclass(frozen=True)
class Placement:
    """How a model may lie on devices.

    Attributes:
        name: in words.
        make: its distribution; None: there is one device.
        parts: in how many a batch is cut.
        topology: that it is for, as of `Model.plan`.
        offloaded: the same with the optimizer's state with the host; None: that cannot be.
    """

    name: str
    make: Maker
    parts: int
    topology: Topology | OnPaper | None = None
    offloaded: Maker = None


def _layouts(topology: Topology | OnPaper | None) -> Iterator[Placement]:
    """The layouts for devices, the plainest one first."""
    if isinstance(topology, OnPaper):
        yield Placement("data in parts", None, topology.count, topology)
        if topology.count > 1:
            cut = topology._replace(has_parts=True)
            yield Placement("weights in parts (FSDP)", None, topology.count, cut)
        return
    if topology is None:
        distribution = settings.distribution
        if distribution is None:
            yield Placement("one device", None, 1)
        else:
            name = f"{type(distribution).__name__} of the scope around"
            yield Placement(name, None, distribution.num_model_replicas)
        return
    devices, count = topology.devices, len(topology.devices)
    has_host = topology.platform == "tpu"

    def layout(name, kind, parts, **options):
        def make(**more):
            return kind(devices=devices, **options, **more)

        offloaded = None
        if has_host:
            offloaded = functools.partial(make, offload="optimizer")
        return Placement(name, make, parts, topology, offloaded)

    yield layout("data in parts", DataParallel, count)
    if count == 1:
        return
    yield layout("weights in parts (FSDP)", FSDP, count)
    for shared in SHARED_BY:
        if count % shared == 0:
            name = f"layers over {shared} devices (AutoParallel)"
            yield layout(name, AutoParallel, count // shared, model=shared)


class _Search:
    """Compiles steps, at most so many.

    Args:
        make: makes the model, given arguments for `compile`.
        shapes: gives the batch of so many rows.
        takes_chunks: whether the loss may be tried in chunks.
    """

    def __init__(
        self,
        make: "Callable[..., Trainer]",
        shapes: Callable[[int], Structure],
        y: Structure,
        most: int,
        verbose: int,
        takes_chunks: bool,
    ) -> None:
        self.make = make
        self.shapes = shapes
        self.y = y
        self.left = most
        self.verbose = verbose
        self.takes_chunks = takes_chunks

    def of(self, layout: Placement, sizes: Sequence[int]) -> Iterator[Choice]:
        """What is tried of a layout, for each number of rows until it fits."""
        for rows in sizes:
            if rows % layout.parts == 0:
                yield from self._until_it_fits(layout, rows)

    def _until_it_fits(self, layout: Placement, rows: int) -> Iterator[Choice]:
        plain = self._choice(layout, layout.make, rows, {})
        yield from plain
        if not plain or plain[0].fits or isinstance(layout.topology, OnPaper):
            return
        base = yield from self._in_chunks(layout, rows, plain[0])
        # both take time: that of operations, or that of reading weights again
        again = yield from self._first(layout, rows, [{**base, "remat": remat} for remat in REMAT])
        halves = [{**base, "microbatches": n} for n in _microbatches(rows // layout.parts)]
        yield from self._first(layout, rows, halves)
        if again:
            return
        both = [{**options, "remat": True} for options in halves]
        found = yield from self._first(layout, rows, both)
        if not found and layout.offloaded is not None:
            yield from self._choice(layout, layout.offloaded, rows, {**base, "remat": True})
            yield from self._choice(layout, layout.offloaded, rows, both[-1] if both else base)

    def _in_chunks(
        self, layout: Placement, rows: int, plain: Choice
    ) -> Generator[Choice, None, Options]:
        """Yields a choice with the loss in chunks, where that has an effect; returns the options
        that what is tried next has as well: chunks, where these alone save memory, and not enough.
        """
        if not self.takes_chunks:
            return {}
        for choice in self._choice(layout, layout.make, rows, CHUNKS):
            yield choice
            if choice.plan is None or choice.fits or plain.plan is None:
                return {}
            return CHUNKS if choice.plan.needed < plain.plan.needed else {}
        return {}

    def _first(
        self, layout: Placement, rows: int, many: Sequence[Options]
    ) -> Generator[Choice, None, bool]:
        """Yields choices until one fits; returns whether one did."""
        for options in many:
            for choice in self._choice(layout, layout.make, rows, options):
                yield choice
                if choice.fits:
                    return True
        return False

    def _choice(self, layout: Placement, make: Maker, rows: int, options: Options) -> list[Choice]:
        """One choice; none where no step is to be compiled any more, or chunks have no effect."""
        if self.left <= 0:
            return []
        name = layout.name
        if make is not layout.make:
            name += ", the optimizer's state with the host"
        try:
            plan, reason = self._plan(layout, make, rows, options)
        except NoChunks:  # alone, or since what makes the logits is itself computed again
            if options == CHUNKS:
                self.takes_chunks = False
                return []
            others = {name: value for name, value in options.items() if name not in CHUNKS}
            return self._choice(layout, make, rows, others)
        self.left -= 1
        choice = Choice(name, rows, options, plan, reason, make)
        if self.verbose:
            console.write(f"{choice!r}\n")
        return [choice]

    def _plan(
        self, layout: Placement, make: Maker, rows: int, options: Options
    ) -> tuple[Plan | None, str]:
        """(the plan of a step, why it cannot be taken).

        Raises:
            NoChunks: `options` has chunks that have no effect.
        """
        scope = contextlib.nullcontext() if make is None else make().scope()
        labels = None
        if self.y is not None:
            labels = jax.tree_util.tree_map(
                lambda one: jax.ShapeDtypeStruct((rows, *one.shape[1:]), one.dtype), self.y
            )
        try:
            with scope, warnings.catch_warnings():
                if options.keys() & CHUNKS.keys():
                    warnings.simplefilter("error", NoChunks)
                model = self.make(**options)
                plan = model.plan(self.shapes(rows), labels, topology=layout.topology)
        except jax.errors.JaxRuntimeError as error:
            return None, f"the compiler refuses it: {readable(error, lines=False)}"
        if plan.fits:
            return plan, ""
        sizes = f"{plan.needed_in_words()} of {size_in_words(plan.available)}"
        return plan, f"it needs {sizes} on each device"


def _takes_chunks(model: "Trainer | Callable[..., Trainer]") -> bool:
    """Whether the loss may be in chunks: it is whole now, or a function takes such an argument."""
    if isinstance(model, Compilable):
        return model.compilation is not None and model.compilation.loss_chunks == 1
    try:
        inspect.signature(model).bind(**CHUNKS)
    except TypeError:
        return False
    return True


def _microbatches(rows: int) -> Iterator[int]:
    """In how many microbatches the rows of a device may be taken."""
    count = 2
    while count <= min(rows, MOST_MICROBATCHES) and rows % count == 0:
        yield count
        count *= 2
