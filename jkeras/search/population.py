"""Trials of one shape that are trained together, by one program."""

import math
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.weights.rng import key_from_seed
from jkeras.search.epochs import Epoch, Order, Trial, part_of
from jkeras.search.numbers import Numbers, explained
from jkeras.search.streamed import Streamed
from jkeras.training.data import ArraySource, placement
from jkeras.training.data.source import Batch
from jkeras.training.step.initial_state import init_train_state
from jkeras.training.step.layout import StateLayout
from jkeras.training.step.overrides import has_own_logs
from jkeras.training.loop.program import Program
from jkeras.training.step.results import metric_logs
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs
from jkeras.training.step.building import build_for_training

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer

MOST_ROWS = 2**25  # numbers of rows that are put on the device for one dispatch

# (trials, logs of each, a key) -> trials: what may happen between two epochs
Turn = Callable[[Trial, Logs, jax.Array], Trial]


class SweepData(typing.NamedTuple):
    """What all trials share.

    Attributes:
        seed: of the trials whose space has none.
        chunk: how many are trained at the same time; None: as many as there is memory for.
    """

    source: ArraySource | Streamed
    validation: ArraySource | None
    seed: int = 0
    chunk: int | None = None


class Population:
    """Trials of one model, on a leading axis.

    Args:
        model: compiled; all trials are of its shape, and begin with its weights unless they have
            seeds.
        rows: the values of each trial.
        turn: what happens after some epochs; None: nothing.

    Attributes:
        trials: their states and numbers; those that are trained still come first.
        alive: numbers of the trials that are trained still, by their indices in `trials`.
        epoch: how many epochs they have been trained.
        compiles: how often the program was traced.
        finished: {number: state} of trials that ended by themselves.
    """

    def __init__(
        self,
        model: "Trainer",
        data: SweepData,
        rows: Sequence[Mapping[str, Any]],
        turn: Turn | None = None,
    ) -> None:
        build_for_training(model, data.source.shapes())
        self.model = model
        self.turn = turn
        self.shared = data
        self.has_seeds = "seed" in rows[0]
        self.swept = Numbers(model, [name for name in rows[0] if name != "seed"])
        for row in rows:
            for name in self.swept.numbers:
                self.swept.check(name, row[name])
        self.chunk = data.chunk
        self.block = self.stride = None
        self._programs = {}
        self.start(rows)

    # ------------------------------------------------------------ the beginning

    def plan(self, epochs: Sequence[int], counts: Sequence[int]) -> None:
        """Says up to which epochs how many trials are to be trained, so that one program does it:
        it trains as many trials at a time as there are at last, and as many epochs as go into all
        parts.
        """
        if min(counts) == len(self.alive):
            return
        self.block = min(counts)
        self.stride = math.gcd(*np.diff([0, *epochs]).tolist())

    def start(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Begins with other trials, as many or fewer, by the same program."""
        self.seeds = [int(row.get("seed", self.shared.seed)) for row in rows]
        self.alive = np.arange(len(rows))
        self.epoch = 0
        self.finished: dict[int, TrainState] = {}
        numbers = {
            name: jnp.asarray([row[name] for row in rows], "float32") for name in self.swept.numbers
        }
        keys = jnp.stack([key_from_seed(seed) for seed in self.seeds])
        with explained(self.swept.numbers):
            self.trials = jax.jit(jax.vmap(self._first))(numbers, keys)
        self._prepare()

    def _first(self, numbers: dict[str, jax.Array], key: jax.Array) -> Trial:
        """A trial before its first epoch."""
        with self.swept.substituted(numbers):
            with jax.ensure_compile_time_eval():  # the optimizer's variables stay
                StateLayout(self.model).gather(copies=False)
            state = first_state(self.model, key if self.has_seeds else None)
        return Trial(state.replace(rng=key), numbers)

    def _prepare(self) -> None:
        """Puts the data on the device, once; of a stream that of the first epoch."""
        if self._programs:
            return
        self.read = 0
        one = jax.tree_util.tree_map(_shape_of_one, self.trials)
        source = self.shared.source
        if self.is_streamed:
            source = source.epoch(0)
        self.train = part_of(self.model, "train", source, one.state)
        self.data = self.train.source.on_device()
        test = self.validation = None
        if self.shared.validation is not None:
            test = part_of(self.model, "test", self.shared.validation, one.state)
            self.validation = test.source.on_device(), placement.everywhere(test.order(0, 0))
        self.one_epoch = Epoch(self.model, self.swept, self.train, test)

    @property
    def is_streamed(self) -> bool:
        """Whether each epoch has data of its own."""
        return isinstance(self.shared.source, Streamed)

    def _read(self) -> None:
        """Puts the data of the next epoch on the device, where each has its own."""
        if not self.is_streamed or self.read == self.epoch:
            return
        one = jax.tree_util.tree_map(_shape_of_one, self.trials)
        source = self.shared.source.epoch(self.epoch)
        self.train = part_of(self.model, "train", source, one.state)
        self.data, self.read = source.on_device(), self.epoch

    # ------------------------------------------------------------ training

    @property
    def compiles(self) -> int:
        """How often a program was traced, of all sizes."""
        return sum(program.traces for program in self._programs.values())

    def train_until(self, epoch: int, turns: Sequence[int] = ()) -> dict[str, Any]:
        """Trains all trials up to an epoch; in one dispatch, unless the orders of the rows are
        large.

        Args:
            turns: numbers of the epochs after which there is a turn.

        Returns:
            {name: array (epochs, trials)}, of logs and of the numbers that were used.
        """
        count = self._epochs_at_once(math.gcd(epoch - self.epoch, self.stride or 0))
        results = []
        while self.epoch < epoch:
            self._read()
            epochs = range(self.epoch, self.epoch + count)
            is_turn = np.asarray([number + 1 in turns for number in epochs])
            arguments = self.data, self._orders(epochs), is_turn, np.asarray(epochs)
            logs = self._run(arguments)
            trained = lambda v: placement.to_host(v)[:, : len(self.alive)]  # noqa: E731
            results.append(jax.tree_util.tree_map(trained, logs))
            self.epoch += count
        return jax.tree_util.tree_map(lambda *parts: np.concatenate(parts), *results)

    def _epochs_at_once(self, epochs: int) -> int:
        """How many of so many epochs are one dispatch: all, or an equal part of them."""
        if self.is_streamed:
            return 1
        orders = 1 if self.is_shared else len(self.alive)
        most = MOST_ROWS // (orders * self.train.source.size)
        parts = [n for n in range(1, min(most, epochs) + 1) if epochs % n == 0]
        return max(parts, default=1)

    @property
    def is_shared(self) -> bool:
        """Whether all trials see the data in the same order."""
        return len(set(self.seeds)) == 1

    def _orders(self, epochs: range) -> Order:
        """The rows of all steps of some epochs, for each trial where they are not the same."""
        seeds = self.seeds[:1]
        if not self.is_shared:
            seeds = [self.seeds[i] for i in self.alive]
            seeds += seeds[:1] * (self.size - len(seeds))
        turns = {seed: [self.train.order(seed, epoch) for epoch in epochs] for seed in set(seeds)}
        orders = [[turns[seed][i] for seed in seeds] for i in range(len(epochs))]
        order = _stacked([_stacked(row) for row in orders])
        if self.is_shared:
            return jax.tree_util.tree_map(lambda rows: rows[:, 0], order)
        return order

    def _run(self, arguments: tuple) -> Any:
        """The logs of a dispatch; where there is no memory for so many at once, of fewer."""
        while True:
            most = self.block or self.size
            size = min(self.chunk or most, most)
            program = self._program(size)
            try:
                with explained(self.swept.numbers):
                    count = None
                    if self.block is not None:
                        count = np.int32(len(self.alive))
                    self.trials, logs = program(self.trials, count, *arguments, self.validation)
                return logs
            except MemoryError as error:
                if size == 1:
                    raise
                self.chunk = -(-size // 2)
                self.trials = getattr(error, "saved", [self.trials])[0]

    def _program(self, size: int) -> Program:
        key = self.is_shared, size
        if key not in self._programs:
            function = _epochs(self.one_epoch, *key, self.turn, self.shared.seed)
            what = f"Training {size} trials of '{self.model.name}' at once"
            self._programs[key] = Program(function, donate=(0,), what=what)
        return self._programs[key]

    def logs_of(self, trials: Trial) -> tuple[dict[str, np.ndarray] | None, frozenset | None]:
        """(the logs of the last pass of some trials, as the metrics in their states have them, the
        names of all logs); None where a step of the model's own says what they are.
        """
        if has_own_logs(self.model, "train") or has_own_logs(self.model, "test"):
            return None, None
        layout = StateLayout(self.model)
        logs_of_each = jax.jit(jax.vmap(lambda state: metric_logs(self.model, layout, state)))
        logs = {name: np.asarray(values) for name, values in logs_of_each(trials.state).items()}
        validated = {f"val_{name}": values for name, values in logs.items()}
        if self.validation is None:
            return logs, frozenset(logs)
        return validated, frozenset([*logs, *validated])

    # ------------------------------------------------------------ some of them

    def keep(self, indices: Sequence[int]) -> None:
        """Goes on with the trials at some indices alone."""
        indices = np.asarray(indices)
        self.alive = self.alive[indices]
        self.trials = _arranged(self.trials, self._filled(indices))

    def finish(self, which: np.ndarray) -> None:
        """Trains some no longer, and keeps their states.

        Args:
            which: booleans, for each of those that are trained.
        """
        for index in np.flatnonzero(which).tolist():
            self.finished[int(self.alive[index])] = self.state_of(self.alive[index])
        self.keep(np.flatnonzero(~which))

    def rates(self) -> np.ndarray:
        """The learning rates of the trials that are trained."""
        state, numbers = self.kept
        if self.swept.rate is not None:
            return np.array(numbers[self.swept.rate])
        return np.array(jax.vmap(self.model.optimizer.learning_rate_of)(state.opt_state))

    def set_rates(self, rates: np.ndarray) -> None:
        """Sets the learning rates of the trials that are trained."""
        state, numbers = self.trials
        filled = rates[self._filled(np.arange(len(rates)))]
        opt_state = jax.vmap(self.model.optimizer.with_learning_rate)(state.opt_state, filled)
        if self.swept.rate is not None:  # an array of its own, since both are donated
            numbers = {**numbers, self.swept.rate: jnp.array(filled)}
        self.trials = Trial(state.replace(opt_state=opt_state), numbers)

    @property
    def size(self) -> int:
        """How many trials the arrays have place for."""
        return len(jax.tree_util.tree_leaves(self.trials)[0])

    def _filled(self, indices: np.ndarray) -> np.ndarray:
        """As many indices as there is place for; behind those that count are the first."""
        if self.block is None:
            return indices
        return np.concatenate([indices, np.zeros(self.size - len(indices), int)])

    @property
    def kept(self) -> Trial:
        """The trials that are trained still, alone."""
        if self.size == len(self.alive):
            return self.trials
        return jax.tree_util.tree_map(lambda v: v[: len(self.alive)], self.trials)

    def go_on(self, trials: Trial, alive: Sequence[int], epoch: int) -> None:
        """Goes on from what was saved after an epoch."""
        self.trials = _arranged(trials, self._filled(np.arange(len(alive))))
        self.alive = np.asarray(alive)
        self.epoch = epoch

    def state_of(self, trial: int) -> TrainState:
        """The state of a trial by its number."""
        if int(trial) in self.finished:
            return self.finished[int(trial)]
        (index,) = np.flatnonzero(self.alive == trial)
        return jax.tree_util.tree_map(lambda v: v[index], self.trials.state)


@jax.jit
def _arranged(trials: Trial, indices: jax.Array) -> Trial:
    """The trials at some indices."""
    return jax.tree_util.tree_map(lambda v: v[indices], trials)


def _shape_of_one(values: jax.Array) -> jax.ShapeDtypeStruct:
    """The shape of one of several values."""
    return jax.ShapeDtypeStruct(values.shape[1:], values.dtype)


def _stacked(orders: Sequence[Order]) -> Order:
    """Several orders as one."""
    return jax.tree_util.tree_map(lambda *each: np.stack(each), *orders)


def first_state(model: "Trainer", key: jax.Array | None) -> TrainState:
    """The state before a training: with new weights from a key, or with those of the model; the
    optimizer begins anew.
    """
    if key is not None:
        return init_train_state(model, key)
    layout = StateLayout(model)
    state = layout.gather()
    return state.replace(
        step=jnp.zeros((), "int32"),
        opt_state=layout.initial_opt_state(state.params),
        metrics=layout.initial_metrics(),
    )


def _epochs(
    epoch: Epoch, is_shared: bool, size: int, turn: Turn | None, seed: int
) -> Callable[..., tuple[Trial, Logs]]:
    """The program of a population: some epochs of all trials.

    Args:
        is_shared: whether all see the data in the same order.
        size: how many are trained at the same time.
        seed: of the turns.
    """

    def epochs(
        trials: Trial,
        count: jax.Array | None,
        data: Batch,
        orders: Order,
        turns: jax.Array,
        numbers: jax.Array,
        validation: tuple[Batch, Order] | None,
    ) -> tuple[Trial, Logs]:
        def all_of(trials: Trial, order: Order) -> tuple[Trial, Logs]:
            if is_shared:
                return _mapped(lambda one: epoch(one, data, order, validation), trials, size, count)
            both = trials, order
            return _mapped(
                lambda both: epoch(both[0], data, both[1], validation), both, size, count
            )

        def body(trials: Trial, now: tuple) -> tuple[Trial, Logs]:
            order, is_turn, number = now
            used = trials.numbers
            trials, logs = all_of(trials, order)
            if turn is not None:
                key = jax.random.fold_in(key_from_seed(seed), number)
                trials = jax.lax.cond(
                    is_turn, lambda trials: turn(trials, logs, key), lambda trials: trials, trials
                )
            return trials, {"logs": logs, "numbers": used}

        return jax.lax.scan(body, trials, (orders, turns, numbers))

    return epochs


def _mapped(function: Callable, values: Any, size: int, count: jax.Array | None) -> Any:
    """A function of each along the leading axis, so many at the same time.

    Args:
        count: how many there are to be, a number that may be traced; what it gives for others is
            anything. None: all.
    """
    total = len(jax.tree_util.tree_leaves(values)[0])
    if size >= total:
        return jax.vmap(function)(values)
    if count is None:
        return jax.lax.map(function, values, batch_size=size)
    places = -(-total // size) * size
    filled = jax.tree_util.tree_map(lambda v: _lengthened(v, places), values)

    def one_block(number: jax.Array, results: Any) -> Any:
        begin = number * size
        block = jax.tree_util.tree_map(
            lambda v: jax.lax.dynamic_slice_in_dim(v, begin, size), filled
        )
        return jax.tree_util.tree_map(
            lambda all_of, new: jax.lax.dynamic_update_slice_in_dim(all_of, new, begin, 0),
            results,
            jax.vmap(function)(block),
        )

    shapes = jax.eval_shape(jax.vmap(function), filled)
    results = jax.tree_util.tree_map(lambda v: jnp.zeros(v.shape, v.dtype), shapes)
    results = jax.lax.fori_loop(0, (count + size - 1) // size, one_block, results)
    return jax.tree_util.tree_map(lambda v: v[:total], results)


def _lengthened(values: jax.Array, count: int) -> jax.Array:
    """Values along a first axis of so many, behind them the first again."""
    more = jnp.broadcast_to(values[:1], (count - len(values), *values.shape[1:]))
    return jnp.concatenate([values, more])
