"""Compiling a step for devices that may not be here, and reading what it takes."""

import contextlib
import numbers
import time
from collections.abc import Iterator
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from jkeras.core.errors import check_choice, check_whole, explain
from jkeras.core.session.settings import settings
from jkeras.distribution.chips import chip_of
from jkeras.distribution.strategies import DataParallel
from jkeras.distribution.topology import Topology, memory_of
from jkeras.ops.kernels import outside_loops, traced_for
from jkeras.core.run.remat import ALL_SAVED
from jkeras.kernel import in_force
from jkeras.programs.operations import bytes_of_products, has_kernels, operations_by_dtype
from jkeras.programs.walk import trace
from jkeras.training.data import placement
from jkeras.training.data.sizes import size_of
from jkeras.training.data.source import unpack
from jkeras.training.step.layout import StateLayout
from jkeras.training.step.offload import on_host
from jkeras.plans.plan import Memory, Plan, Roofline
from jkeras.plans.accesses import bytes_accessed
from jkeras.plans.cycles import estimated_cycles
from jkeras.plans.cached import Compiled, Refused, compiled_for
from jkeras.plans.on_paper import OnPaper, least_memory, on_paper
from jkeras.plans.traffic import over_links, traffic
from jkeras.training.step.state import TrainState
from jkeras.training.step.step import make_predict_step, make_train_step
from jkeras.training.step.label_checks import guess_labels
from jkeras.training.types import Structure, Tree
from jkeras.training.step.building import (
    build_for_training,
    input_shapes,
    input_specs,
    predicted_shapes,
    require_compiled,
)

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer

map_structure = jax.tree_util.tree_map
MOST_ROWS = 2**20
KINDS = {"train": "a training step", "predict": "a prediction"}


def plan(
    model: "Trainer",
    batch: Any,
    y: Structure = None,
    *,
    kind: str = "train",
    dtype: str | None = None,
    topology: Topology | OnPaper | str | None = None,
) -> Plan:
    """What a step of a model takes; see `Model.plan`."""
    check_choice("kind", kind, KINDS, "plan")
    if kind == "train":
        require_compiled(model, "plan")
    paper = on_paper(topology)
    with _scope(model, None if paper else topology) as devices:
        batch = _shapes(model, batch, y, dtype)
        build_for_training(model, batch)
        state = map_structure(_on_mesh, StateLayout(model).abstract())
        if settings.distribution is not None:
            batch = map_structure(_cut, batch)
        if kind == "predict":
            state, batch = state.replace(opt_state=()), batch[0]
        program = _Program(KINDS[kind], model.name, state, batch, devices)
        step = _step(model, kind, state)
        if paper is not None:
            return program.on_paper(step, paper)
        return program.plan(step)


def find_batch_size(
    model: "Trainer",
    topology: Topology | str | None = None,
    *,
    x: Structure = None,
    y: Structure = None,
) -> int:
    """The largest power of two of rows with which a training step fits on devices.

    It is found in a few compilations: the memory of two sizes tells about which one it will be.

    Args:
        model: compiled, its input shape known.
        topology: as of `Model.plan`.
        x: inputs for one row, arrays or `jax.ShapeDtypeStruct`s, where not all of their sizes
            follow from the model.
        y: labels likewise, where they do not follow from the outputs.

    Returns:
        The number of rows on all devices together.

    Raises:
        ValueError: the memory of the devices is not known, or a row for each does not fit.

    >>> import jkeras
    >>> model = jkeras.Sequential([jkeras.Input((256,)), jkeras.layers.Dense(1024)])
    >>> model.compile("adam", "mse")
    >>> find_batch_size(model)  # on a CPU; with the extra `aot` ask for "v5e:1x1"
    Traceback (most recent call last):
        ...
    ValueError: find_batch_size: expected a topology, received devices of unknown memory.
    """
    with _scope(model, topology):
        replicas = 1
        if settings.distribution is not None:
            replicas = settings.distribution.num_model_replicas

    def planned(rows):
        batch = rows if x is None else (of_rows(x, rows),)
        labels = None if y is None else of_rows(y, rows)
        return plan(model, batch, labels, topology=topology)

    return _largest(planned, replicas)


def _largest(planned, rows):
    """The largest power of two times `rows` that fits.

    Args:
        planned: function of a number of rows, gives its `Plan`.
    """
    fitting, needed = 0, {}
    while rows <= MOST_ROWS:
        found = planned(rows)
        if found.available is None:
            raise ValueError(explain("find_batch_size", "a topology", "devices of unknown memory"))
        if not found.fits:
            break
        fitting, needed[rows] = rows, found.needed
        rows = _next(needed, found.available)
    if not fitting:
        received = f"{found.needed} of {found.available} bytes for one row on each device"
        raise ValueError(explain("find_batch_size", "a model that fits", received))
    rows //= 2
    while rows > fitting:
        if planned(rows).fits:
            return rows
        rows //= 2
    return fitting


def _next(needed, available):
    """The number of rows to try next: twice as many, and more where memory grows slowly.

    Args:
        needed: bytes by the number of rows, of those that fitted.
    """
    rows = max(needed)
    size = 2 * rows
    if len(needed) > 1:
        before = sorted(needed)[-2]
        each = max(needed[rows] - needed[before], 1) / (rows - before)
        while 2 * size <= rows + (available - needed[rows]) / each:
            size *= 2
    return size


# ---------------------------------------------------------------- where it would lie


@contextlib.contextmanager
def _scope(model, topology) -> Iterator[list[jax.Device]]:
    """A block in which the distribution is that of the plan; gives its devices."""
    if isinstance(topology, str):
        topology = Topology(topology)
    distribution = settings.distribution or model.compilation.distribution
    if topology is not None and not _is_on(distribution, topology):
        distribution = DataParallel(devices=topology.devices)
    if distribution is None:
        yield jax.devices()[:1]
        return
    with distribution.scope():
        yield list(distribution.device_mesh.backend_mesh.devices.ravel())


def _is_on(distribution, topology):
    if distribution is None:
        return False
    return set(distribution.device_mesh.backend_mesh.devices.ravel()) <= set(topology.devices)


def _on_mesh(value):
    """A leaf of a state as a shape, on the mesh where there is one."""
    sharding = getattr(value, "sharding", None)
    if settings.distribution is not None and not placement.is_placed(value):
        sharding = placement.replicated()
    if settings.distribution is None:
        sharding = None
    return jax.ShapeDtypeStruct(np.shape(value), value.dtype, sharding=sharding)


def _cut(value):
    sharding = placement.layout_of(value.shape)
    return jax.ShapeDtypeStruct(value.shape, value.dtype, sharding=sharding)


# ---------------------------------------------------------------- shapes of a batch


def _shapes(model, batch, y, dtype):
    """(x, y, sample_weight) as shapes."""
    if isinstance(batch, numbers.Integral):
        check_whole("batch", batch, at_least=1)
        build_for_training(model)
        check_sizes_known(model)
        x = of_rows(input_shapes(model), int(batch))
    elif isinstance(batch, tuple) and all(isinstance(n, numbers.Integral) for n in batch):
        x = _shape(batch, dtype or _dtype_of_input(model))
    else:
        x, labels, weight = unpack(batch)
        y = labels if y is None else y
        if y is not None or weight is not None:
            return map_structure(_as_shape, (x, y, weight))
        x = map_structure(_as_shape, x)
    if y is None:
        y = guess_labels(model, predicted_shapes(model, x))
    return map_structure(_as_shape, (x, y, None))


def check_sizes_known(model):
    """Raises ValueError where an input has another axis of unknown size than that of rows: what a
    step takes would be told of one position.
    """
    for spec in jax.tree_util.tree_leaves(input_specs(model), is_leaf=_has_dtype):
        if None in spec.shape[1:]:
            raise ValueError(
                explain(
                    f"A plan of model '{model.name}'",
                    "inputs whose sizes are known",
                    f"a number of rows, and an input of shape {tuple(spec.shape)}",
                    "give the shape, as `plan((8, 512))`, or arrays or `jax.ShapeDtypeStruct`s, "
                    "as `plan((x, y))`; `find_batch_size(model, x=shape_of_one_row)`",
                )
            )


def _has_dtype(value):
    return hasattr(value, "dtype")


def of_rows(values, rows):
    """The shapes of so many rows."""
    return map_structure(lambda v: _shape((rows, *np.shape(v)[1:]), v.dtype), values)


def _dtype_of_input(model):
    (one,) = jax.tree_util.tree_leaves(input_shapes(model))
    return one.dtype


def _shape(shape, dtype):
    return jax.ShapeDtypeStruct(tuple(shape), dtype)


def _as_shape(value):
    return _shape(np.shape(value), jax.dtypes.canonicalize_dtype(value.dtype))


# ---------------------------------------------------------------- the program


def _step(model, kind, state):
    """The jitted step of a kind, with its results where its arguments lie."""
    if kind == "predict":
        return jax.jit(outside_loops(make_predict_step(model)))
    out = None
    if settings.distribution is not None:
        out = map_structure(lambda v: v.sharding, state), None
    return jax.jit(outside_loops(make_train_step(model)), donate_argnums=0, out_shardings=out)


class _Program:
    """A step on a state and a batch, both shapes, for devices.

    Args:
        what: kind of step, in words.
    """

    def __init__(
        self, what: str, name: str, state: TrainState, batch: Tree, devices: list[jax.Device]
    ) -> None:
        self.what = f"{what} of model '{name}', {size_of(batch)} rows"
        self.state, self.batch, self.devices = state, batch, devices
        self.platform = devices[0].platform
        self.begin = time.perf_counter()

    def plan(self, step: Any) -> Plan:
        """The plan of a jitted step."""
        with traced_for("cuda" if self.platform == "gpu" else self.platform):
            traced = step.trace(self.state, self.batch)
            lowered = traced.lower()
        placement.check_layouts()
        work = self._work(step, traced.jaxpr.jaxpr)
        said = compiled_for(lowered, self.devices)
        if isinstance(said, Refused):
            return self._refused(work, said)
        return self._compiled(work, said)

    def on_paper(self, step: Any, paper: OnPaper) -> Plan:
        """The plan of a jitted step for chips whose compiler is not here."""
        jaxpr = trace(outside_loops(step.__wrapped__), self.state, self.batch)[0].jaxpr
        work, memory = self._work(step, jaxpr), least_memory(paper, self.state, self.batch)
        is_written = self.state.opt_state != ()  # by a training step
        kept = (memory.parameters + memory.optimizer) * (1 + is_written)
        accessed = bytes_of_products(jaxpr) // paper.count + kept
        return self._with(
            devices=str(paper),
            fits=memory.total <= paper.available,
            memory=memory,
            needed=memory.total,
            available=paper.available,
            flops=work.done.total(),
            collectives={},
            bytes_accessed=accessed,
            roofline=paper.roofline(work, accessed, self.state.params if is_written else ()),
            text="",
            is_compiled=False,
        )

    def _work(self, step: Any, jaxpr: Any) -> "Work":
        """The operations of a step; what is in kernels counts as in their plain forms."""

        def traced():
            return trace(outside_loops(step.__wrapped__), self.state, self.batch)[0].jaxpr

        done = operations_by_dtype(traced() if has_kernels(jaxpr) else jaxpr)
        with in_force.having(ALL_SAVED, True):
            return Work(done, operations_by_dtype(traced()))

    def _refused(self, work: "Work", said: Refused) -> Plan:
        """Of a program that the compiler has not fitted in."""
        memory = Memory(**self._arguments(), temporary=0, results=0, code=0)
        return self._with(
            fits=False,
            memory=memory,
            needed=said.needed,
            available=said.available,
            flops=work.done.total(),
            collectives={},
            bytes_accessed=None,
            roofline=None,
            text="",
        )

    def _compiled(self, work: "Work", said: Compiled) -> Plan:
        given = Memory(**self._arguments(), temporary=0, results=0, code=0)
        memory = given._replace(
            padding=max(said.arguments - given.total, 0),
            temporary=said.temporary,
            results=said.results,
            code=said.code,
        )
        available, text = memory_of(self.devices[0]), said.text
        accessed = bytes_accessed(text)
        return self._with(
            fits=available is None or memory.total <= available,
            memory=memory,
            needed=memory.total,
            available=available,
            flops=work.done.total(),
            collectives=traffic(text),
            bytes_accessed=accessed,
            roofline=self._roofline(work, accessed, text),
            estimated=self._estimated(text),
            text=text,
        )

    def _estimated(self, text: str) -> float | None:
        """The seconds of the cycles that the compiler estimates."""
        chip = chip_of(self.devices[0])
        if chip is None or chip.clock is None:
            return None
        return (estimated_cycles(text) / chip.clock) or None

    def _roofline(self, work: "Work", accessed: int, text: str) -> Roofline | None:
        """What a step takes at least, where operations are shared evenly."""
        chip = chip_of(self.devices[0])
        if chip is None:
            return None
        done, of_model = (seconds / len(self.devices) for seconds in map(chip.seconds, work))
        memory = accessed / chip.bandwidth
        network = over_links(text, len(self.devices)) / chip.link
        return Roofline(done, memory, network, of_model)

    def _with(self, **found: Any) -> Plan:
        devices = f"{len(self.devices)} of {self.devices[0].device_kind}"
        seconds = time.perf_counter() - self.begin
        return Plan(**{"what": self.what, "devices": devices, "seconds": seconds} | found)

    def _arguments(self) -> dict[str, int]:
        """The bytes for a device of what goes in."""
        state = self.state
        return {
            "parameters": _bytes((state.params, state.frozen)),
            "optimizer": _bytes(state.opt_state),
            "state": _bytes((state.state, state.metrics, state.step, state.rng)),
            "batch": _bytes(self.batch),
            "host": _bytes(state, with_host=True),
        }


class Work(NamedTuple):
    """The operations of a step by dtype: those that are done, those that the model needs whatever
    is computed again.
    """

    done: "Counter[str]"
    of_model: "Counter[str]"


def _bytes(tree, with_host=False):
    """The bytes on a device of what lies in its memory, or in that of its host."""
    total = 0
    for leaf in jax.tree_util.tree_leaves(tree):
        if on_host(leaf) != with_host:
            continue
        shape = leaf.shape if leaf.sharding is None else leaf.sharding.shard_shape(leaf.shape)
        total += int(np.prod(shape)) * leaf.dtype.itemsize
    return total
