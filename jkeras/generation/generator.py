"""Generator: tokens after prompts, one at a time, in two compiled programs."""

import collections
import copy
import functools
import numbers
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.core.run.tap_changes import Changes, changes_of
from jkeras.core.run.tapping import operations_of, tapped
from jkeras.generation.decoding import Decoding, forward
from jkeras.generation.ends import at_positions, logits_at, selected
from jkeras.generation.inputs import source_names, whole_inputs
from jkeras.generation.limits import Limits
from jkeras.generation.paged.decoding import decoding_of
from jkeras.generation.processors import check_processors, has_choice, init_all, process_all
from jkeras.generation.memory import Memory, encoded
from jkeras.generation.packing import Packing, unpacked
from jkeras.generation.prompts import Begun, Prompts, check_side
from jkeras.generation.rows import Draws, Logs, Rows
from jkeras.generation.sampler import Sampler
from jkeras.generation.sampling_params import (
    SamplingParams,
    Settings,
    params_of,
    settings_of,
    stop_tokens,
)
from jkeras.generation.source import asked
from jkeras.generation.steering import Halved, halved
from jkeras.ops.kernels import on_cpu
from jkeras.programs.matrices import matrices_of

Tree = Any


@public("jkeras.generation.Generator")
class Generator:
    """Writes on after prompts with a model of language, (batch, time) tokens -> logits (batch,
    time, vocabulary).

    Keys and values of attention are computed once for each token and cached, where all layers of
    the model allow it: attention with `use_causal_mask=True`, and layers that look at each position
    alone (`why_uncached` says which does not). Otherwise each token takes a pass over the whole
    text. One program is compiled for prompts of lengths up to a power of two, and one for all
    further tokens.

    Args:
        model: a built model. Inputs of a fixed length are filled up to it, without a cache.
        max_length: of a text with its prompt, in tokens.
        sampler: a `Sampler` or `SamplingParams`, or a function that chooses the next token of a
            row, `(logits, rng) -> token`.
        stop: a token or several that end a text; they belong to it.
        pad: the token behind the end.
        cache: True demands that keys and values are cached, False that they are not.
        padding_side: "right" or "left", where prompts are padded. Texts begin with their first
            token in any case.
        processors: functions `(state, text, logits) -> (state, logits)` that change the logits of
            all rows before a token is chosen, with a method `init(text, vocabulary)` where they
            have a state; see `Text`.
        logprobs: keep the logarithms of the probabilities that the model gives the chosen tokens,
            and so many of the likeliest, in `Rows.logs`; None: do not.

    Attributes:
        why_uncached: the layer for which there is no cache, or None; set by the first call.
        vocabulary: how many tokens the model knows; set by the first call.

    Raises:
        ValueError: `cache=True` for a model that does not allow it, another `padding_side`, or a
            `max_length` beyond the positions that the model has.

    >>> import jkeras
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> x = jkeras.layers.Embedding(20, 8)(tokens)
    >>> x = jkeras.layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)
    >>> model = jkeras.Model(tokens, jkeras.layers.Dense(20)(x))
    >>> generator = Generator(model, max_length=12)
    >>> tokens, lengths = generator(model.params, np.array([[3, 4], [5, 0]]), np.array([2, 1]))
    >>> tokens.shape, lengths.tolist()
    ((2, 12), [12, 12])
    """

    def __init__(
        self,
        model: Any,
        max_length: int,
        sampler: Any = Sampler(temperature=0.0),  # noqa: B008 (it is frozen)
        stop: Sequence[int] | int = (),
        pad: int = 0,
        cache: bool | None = None,
        padding_side: str = "right",
        processors: Sequence[Callable] = (),
        logprobs: int | None = None,
    ) -> None:
        if not isinstance(max_length, numbers.Integral) or max_length < 2:
            raise ValueError(explain("Generator", "`max_length` of 2 or more", f"{max_length!r}"))
        check_side("Generator", padding_side)
        if logprobs is not None and not _is_count(logprobs):
            raise ValueError(explain("Generator", "`logprobs` of 0 or more", f"{logprobs!r}"))
        self.model, self.max_length, self.sampler = model, int(max_length), sampler
        self.stop, self.pad = stop_tokens(stop), int(pad)
        self.padding_side = padding_side
        self.processors = check_processors("Generator", processors)
        self.logprobs = logprobs
        self.limits = Limits(model, self.max_length, cache)
        self._own_params = params_of(sampler, self.stop)
        self.compile_programs(())

    def compile_programs(self, changes: Changes) -> None:
        """Begins with new programs, in whose passes this changes."""
        self.changes = changes
        self._halved = Halved([], list(changes))
        self._traces: collections.Counter = collections.Counter()
        self._prefill = jax.jit(self._counted("prefill", self.prefill))
        self._decode = jax.jit(self._counted("decode", self.decode))

    def steered(
        self,
        *,
        add: Mapping[Any, Any] | None = None,
        set: Mapping[Any, Any] | None = None,
        edit: Mapping[Any, Callable] | None = None,
    ) -> "Generator":
        """A generator like this one, in whose passes outputs at places are changed: those of the
        prompt, (batch, time, ...), and those of each token behind it, (batch, 1, ...).

        Args:
            add, set, edit: as of `model.tap`; values must do for both shapes, such as a direction
                (features,).

        >>> import jkeras
        >>> tokens = jkeras.Input((None,), dtype="int32")
        >>> x = jkeras.layers.Embedding(20, 8, name="words")(tokens)
        >>> model = jkeras.Model(tokens, jkeras.layers.Dense(20, name="head")(x))
        >>> generator = Generator(model, max_length=6)
        >>> generator = generator.steered(set={"head": jnp.arange(20.0)})
        >>> generator(model.params, np.array([[3, 4]]))[0].tolist()
        [[3, 4, 19, 19, 19, 19]]
        """
        steered = copy.copy(self)
        steered.compile_programs([*self.changes, *changes_of(add, set, edit)])
        return steered

    @property
    def why_uncached(self) -> str | None:
        """The layer for which there is no cache, or None."""
        return self.limits.why_uncached

    @property
    def vocabulary(self) -> int | None:
        """How many tokens the model knows."""
        return self.limits.vocabulary

    def __call__(
        self,
        params: Tree,
        prompts: Any,
        prompt_lengths: Any = None,
        rng: jax.Array | int | None = None,
        *,
        sampling: Any = None,
        state: Tree = None,
    ) -> tuple[jax.Array, jax.Array]:
        """`(tokens, lengths)`: texts (batch, max_length) with their prompts, and their lengths.

        Args:
            params: of the model; may be a tracer, as under `jax.vmap` over several models.
            prompts: (batch, time) whole numbers, padded on the `padding_side`. Of a model with an
                encoder a dict: its inputs `encoder_token_ids` and `encoder_padding_mask`, or others
                that begin with `encoder_`, and the prompts as `decoder_token_ids` and
                `decoder_padding_mask`. What is left out is a mask of ones, and prompts of the one
                token that texts of the model begin with.
            prompt_lengths: (batch,), 1 or more; by default all of `time`.
            rng: a key or an integer, by default 0; row i samples the same whatever the other rows
                are.
            sampling: `SamplingParams` for all rows, or a list of one for each; None: the `sampler`.
                They are values, and other ones are no other program.
            state: what else the model carries, by default `model.state`.

        Raises:
            ValueError: a prompt without a token, longer than a text, or with a token that the model
                does not know.
        """
        rows = self.begin(params, prompts, prompt_lengths, rng, sampling=sampling, state=state)
        rows = self.go_on(params, rows, state=state)
        return rows.tokens, rows.lengths

    def begin(
        self,
        params: Tree,
        prompts: Any,
        prompt_lengths: Any = None,
        rng: jax.Array | int | None = None,
        *,
        sampling: Any = None,
        samples: Any = None,
        state: Tree = None,
    ) -> Rows:
        """The texts as far as their prompts; arguments as of a call.

        Args:
            samples: (batch,), 0, 1, ... for the rows of one prompt, which lie side by side; None:
                each row has a prompt of its own.
        """
        state = self.model.state if state is None else state
        source, prompts, lengths = asked(self.model, prompts, prompt_lengths, self.padding_side)
        given = Prompts.checked(prompts, lengths, self.max_length, self.padding_side, source)
        plain = unpacked(params)
        self.limits.find(plain, state, given.batch, source)
        self._halved = halved(self.model, (plain, state), self.changes, source)
        each = self._sampling_of(sampling, given.batch)
        given.check_tokens(self.limits, each)
        begun = given.in_bucket(self.max_length)
        draws = draws_of(rng, each, samples)
        return self._prefill(params, state, begun, settings_of(each), draws)

    def packed(self, params: Tree, state: Tree) -> Tree:
        """Parameters with what makes products of few rows fast on a CPU, see `packing`; for `begin`
        and `go_on`, once `limits` are found.
        """
        if not on_cpu() or self.why_uncached is not None or source_names(self.model):
            return params

        structure = jax.tree_util.tree_structure(params)

        def run(params: Tree) -> jax.Array:
            decoding = Decoding(self.max_length, None, None)
            return forward(self.model, params, state, jnp.zeros((1, 2), "int32"), decoding)[0]

        def find() -> set[int]:
            own = self.model.params
            if jax.tree_util.tree_structure(own) != structure:
                return set()  # the pass says what is wrong
            return matrices_of(jax.make_jaxpr(run)(own))

        key = "packing", structure
        return cached_on(self.model, key, lambda: Packing(find)).pack(params)

    def _sampling_of(self, sampling: Any, batch: int) -> list[SamplingParams]:
        """What each row is asked for.

        Raises:
            ValueError: another number of them than rows.
        """
        if sampling is None:
            return [self._own_params] * batch
        if isinstance(sampling, (SamplingParams, Sampler)):
            sampling = [sampling] * batch
        each = [params_of(one, self.stop) for one in sampling]
        if self.chooses_by_itself and any(params.temperature > 0 for params in each):
            expected = "no temperature in `sampling` beside a sampler that is a function"
            raise ValueError(explain("Generator", expected, f"{self.sampler!r}"))
        if len(each) != batch:
            expected = f"`sampling` for each of {batch} rows"
            raise ValueError(explain("Generator", expected, f"{len(each)} of them"))
        return each

    def go_on(
        self, params: Tree, rows: Rows, steps: int | None = None, *, state: Tree = None
    ) -> Rows:
        """The texts with more tokens, until all have ended.

        Args:
            steps: at most so many tokens.
        """
        state = self.model.state if state is None else state
        return self._decode(params, state, rows, self.max_length if steps is None else steps)

    def stream(
        self,
        params: Tree,
        prompts: Any,
        prompt_lengths: Any = None,
        rng: jax.Array | int | None = None,
        *,
        sampling: Any = None,
        state: Tree = None,
    ) -> Iterator[np.ndarray]:
        """The next tokens (batch,) as they come, `pad` for texts that have ended."""
        rows = self.begin(params, prompts, prompt_lengths, rng, sampling=sampling, state=state)
        while not np.asarray(rows.done).all():
            before = np.asarray(rows.lengths)
            rows = self.go_on(params, rows, 1, state=state)
            new = np.asarray(rows.tokens)[np.arange(len(before)), before % self.max_length]
            yield np.where(np.asarray(rows.lengths) > before, new, self.pad)

    def programs(self) -> dict[str, int]:
        """How many programs were compiled."""
        return {name: self._traces[name] for name in ("prefill", "decode")}

    def _counted(self, name: str, function: Callable) -> Callable:
        """The function, whose traces are counted: there is one for each program."""

        @functools.wraps(function)
        def traced(*args: Any) -> Any:
            self._traces[name] += 1
            return function(*args)

        return traced

    # ------------------------------------------------------------ the two programs

    def prefill(
        self,
        params: Tree,
        state: Tree,
        begun: Begun,
        settings: Settings,
        draws: Draws,
    ) -> Rows:
        """Texts of prompts (batch, time), pure."""
        prompts, lengths, source = begun
        batch, time = prompts.shape
        if self.padding_side == "left":
            indices = (jnp.arange(time) - lengths[:, None]) % time
            prompts = jnp.take_along_axis(prompts, indices, axis=1)
        is_there = jnp.arange(time) < lengths[:, None]
        tokens = jnp.full((batch, self.max_length), self.pad, "int32")
        tokens = tokens.at[:, :time].set(jnp.where(is_there, prompts, self.pad))
        cache = memory = None
        if source is not None:
            memory = encoded(self.model, unpacked(params), state, source, self._halved.encoder)
        if self.why_uncached is None:
            decoding = Decoding(self.max_length, None, None, memory)
            logits = self._logits_behind(params, state, prompts, lengths, decoding)
            cache = decoding.new
            memory = decoding.remembered()
        else:
            logits = self._logits_of_all(params, state, tokens, lengths, memory)
        done = (lengths >= self.max_length) | (settings.most <= 0)
        rows = Rows(tokens, lengths, done, logits, draws.keys(), cache, lengths, settings)
        each = (*settings.processors, *self.processors)
        states = init_all(each, rows.text, logits.shape[-1])
        logs = self.no_logs(*tokens.shape, logits.shape[-1])
        return rows._replace(states=states, logs=logs, memory=memory)

    def _logits_behind(
        self,
        params: Tree,
        state: Tree,
        prompts: jax.Array,
        lengths: jax.Array,
        decoding: Decoding,
    ) -> jax.Array:
        """The logits behind prompts, (batch, vocabulary)."""
        changes = self._halved.decoder
        if not changes:
            return logits_at(self.model, (params, state), prompts, decoding, lengths - 1)
        logits, _ = forward(self.model, params, state, prompts, decoding, (), changes)
        return at_positions(logits, lengths - 1)

    def no_logs(self, batch: int, length: int, choices: int) -> Logs | None:
        """What is kept of probabilities, for texts without a new token."""
        if self.logprobs is None:
            return None
        several = (batch, length, min(self.logprobs, choices))
        chosen = jnp.zeros((batch, length), "float32")
        return Logs(chosen, jnp.zeros(several, "int32"), jnp.zeros(several, "float32"))

    def decode(self, params: Tree, state: Tree, rows: Rows, steps: jax.Array) -> Rows:
        """Texts with at most so many tokens more, pure."""

        def goes_on(carry: tuple[Rows, jax.Array]) -> jax.Array:
            rows, number = carry
            return (number < steps) & ~rows.done.all()

        def step(carry: tuple[Rows, jax.Array]) -> tuple[Rows, jax.Array]:
            rows, number = carry
            return self._step_if_needed(params, state, rows), number + 1

        return jax.lax.while_loop(goes_on, step, (rows, 0))[0]

    def _step_if_needed(self, params: Tree, state: Tree, rows: Rows) -> Rows:
        """`step`, without a pass on the last token of all: nothing follows from its logits."""
        rows, token = self.chosen(rows)
        rows, position = self._written(rows, token)
        if rows.cache is None or not on_cpu():
            return self._passed(params, state, rows, (token, position))[0]
        # a loop of one turn or none, since XLA copies the cache for a branch; for a loop a GPU
        # would ask the host
        is_needed = lambda carry: carry[0]  # noqa: E731

        def go(carry: tuple[jax.Array, jax.Array, Tree]) -> tuple[jax.Array, jax.Array, Tree]:
            before = rows._replace(logits=carry[1], cache=carry[2])
            after, _ = self._passed(params, state, before, (token, position))
            return jnp.array(False), after.logits, after.cache

        begin = ~rows.done.all(), rows.logits, rows.cache
        _, logits, cache = jax.lax.while_loop(is_needed, go, begin)
        return rows._replace(logits=logits, cache=cache)

    def step(self, params: Tree, state: Tree, rows: Rows) -> Rows:
        """Texts with a token more each, those that have ended as they are; pure."""
        return self.extended(params, state, *self.chosen(rows))

    def extended(self, params: Tree, state: Tree, rows: Rows, token: jax.Array) -> Rows:
        """Texts with these tokens (batch,) behind them, those that have ended as they are; pure."""
        rows, position = self._written(rows, token)
        return self._passed(params, state, rows, (token, position))[0]

    def tap(
        self,
        params: Tree,
        rows: Rows,
        *,
        at: Any = (),
        state: Tree = None,
        **changes: Mapping[Any, Any] | None,
    ) -> tuple[Rows, dict]:
        """`(rows, seen)`: texts with a token more each, and what layers give in the pass on it: a
        look into the model while it writes, and changes of that, which steer it. Pure.

        Args:
            rows: as `begin` and `go_on` give them.
            at: places that are looked at, as of `model.tap`.
            state: what else the model carries, by default `model.state`.
            changes: `add`, `set` and `edit`, what happens to the outputs (batch, 1, ...), as of
                `model.tap`; the next token follows from it.

        Raises:
            ValueError: the model has no cache; a layer is not there, see `model.tap`.
        """
        if rows.cache is None:
            expected = "a model that allows a cache"
            raise ValueError(explain("Generator.tap", expected, f"{self.why_uncached}"))
        state = self.model.state if state is None else state
        rows, token = self.chosen(rows)
        rows, position = self._written(rows, token)
        new = token, position
        return self._passed(params, state, rows, new, at, changes_of(**changes))

    def _written(self, rows: Rows, token: jax.Array) -> tuple[Rows, jax.Array]:
        """`(texts, positions)`: with these tokens (batch,) behind them, the logits as before, and
        where the tokens are; outside: the text had ended.
        """
        numbers = jnp.arange(len(token))
        # outside: nothing is written
        position = jnp.where(rows.done, self.max_length, rows.lengths)
        tokens = rows.tokens.at[numbers, position].set(token, mode="drop")
        lengths = jnp.where(rows.done, rows.lengths, rows.lengths + 1)
        logs = self.logged(rows, position, token)
        rows = rows._replace(tokens=tokens, lengths=lengths, logs=logs)
        return rows._replace(done=rows.done | self.is_end(rows, token, lengths)), position

    def _passed(
        self,
        params: Tree,
        state: Tree,
        rows: Rows,
        new: tuple[jax.Array, jax.Array],
        at: Any = (),
        changes: Changes = (),
    ) -> tuple[Rows, dict]:
        """(texts with the logits behind their last tokens, what was looked at).

        Args:
            new: the last tokens and their positions, (batch,) each, as of `_written`.
        """
        if rows.cache is None:
            logits = self._logits_of_all(params, state, rows.tokens, rows.lengths, rows.memory)
            return rows._replace(logits=logits), {}
        token, position = new
        first = jnp.minimum(position, self.max_length - 1)
        decoding = decoding_of(self.max_length, rows.cache, first, rows.memory)
        changes = [*self._halved.decoder, *changes]
        tokens = token[:, None]
        logits, seen = forward(self.model, params, state, tokens, decoding, at, changes)
        return rows._replace(logits=logits[:, 0], cache=decoding.after(logits)), seen

    def is_end(self, rows: Rows, token: jax.Array, lengths: jax.Array) -> jax.Array:
        """(batch,): where a text of this length ends with this token (batch,), or is whole."""
        is_whole = lengths - rows.prompts >= rows.settings.most
        is_stop = (token[:, None] == rows.settings.stop).any(axis=1)
        return is_stop | is_whole | (lengths >= self.max_length)

    def logged(self, rows: Rows, position: jax.Array, token: jax.Array) -> Logs | None:
        """What is kept of probabilities, with those of new tokens (batch,) at a position, (batch,);
        outside of the texts nothing is kept. Pure.
        """
        if rows.logs is None:
            return None
        logs = jax.nn.log_softmax(rows.logits.astype("float32"), axis=-1)
        best, tokens = jax.lax.top_k(logs, rows.logs.tokens.shape[-1])
        chosen = jnp.take_along_axis(logs, token[:, None], axis=1)[:, 0]
        place = jnp.arange(len(token)), position
        return Logs(
            rows.logs.chosen.at[place].set(chosen, mode="drop"),
            rows.logs.tokens.at[place].set(tokens.astype("int32"), mode="drop"),
            rows.logs.likeliest.at[place].set(best, mode="drop"),
        )

    def chosen(self, rows: Rows) -> tuple[Rows, jax.Array]:
        """`(texts, tokens)`: the next token (batch,) of each, and what processors keep; pure. A
        text that no token may follow has ended.
        """
        states, logits = self.processed(rows.settings, rows.states, rows)
        keys = jax.vmap(jax.random.fold_in)(rows.keys, rows.lengths)
        done = rows.done | ~has_choice(logits)
        rows = rows._replace(states=states, done=done)
        return rows, self.choose(rows.settings, logits, keys)

    def processed(self, settings: Settings, states: Any, rows: Rows) -> tuple[Any, jax.Array]:
        """The states and the logits behind the processors, those of the settings first."""
        logits = rows.logits
        if not self.chooses_by_itself:
            logits = logits.astype("float32")
        each = (*settings.processors, *self.processors)
        return process_all(each, states, rows.text, logits)

    def choose(self, settings: Settings, logits: jax.Array, keys: jax.Array) -> jax.Array:
        """Tokens (batch,) for processed logits."""
        if self.chooses_by_itself:
            return jax.vmap(self.sampler)(logits, keys)
        return settings.choice.tokens(logits, keys)

    @property
    def chooses_by_itself(self) -> bool:
        """Whether the sampler is a function of a user's own."""
        return type(self.sampler) not in (Sampler, SamplingParams)

    def _logits_of_all(
        self,
        params: Tree,
        state: Tree,
        tokens: jax.Array,
        lengths: jax.Array,
        memory: Memory | None,
    ) -> jax.Array:
        """The logits behind the last tokens, by a pass over the whole texts."""
        params = unpacked(params)
        behind = self.limits.buffer - self.max_length
        whole = jnp.pad(tokens, [(0, 0), (0, behind)], constant_values=self.pad)
        inputs = whole_inputs(self.model, whole, lengths, memory)
        if not self._halved.decoder:

            def run(params: Tree) -> tuple[jax.Array, None]:
                return self.model.apply(params, state, inputs, training=False)[0], None

            return selected(run, lengths - 1)(params)[0][:, 0]
        given = (params, state, (inputs,), {}, [], self._halved.decoder)
        beyond = operations_of(self.model)
        logits, _, _ = tapped(self.model, given, beyond=beyond, training=False)
        return at_positions(logits, lengths - 1)


def draws_of(rng: Any, each: Sequence[SamplingParams], samples: Any) -> Draws:
    """What random numbers of rows follow from.

    Args:
        samples: (batch,), which of the texts of one prompt each row is; None: the first.

    Raises:
        ValueError: `rng` is no key and no whole number.
    """
    batch = len(each)
    samples = np.zeros(batch, "int32") if samples is None else np.asarray(samples, "int32")
    prompts = np.cumsum(samples == 0) - 1
    has_seed = np.array([params.seed is not None for params in each])
    key, seed = None, 0
    if isinstance(rng, numbers.Integral):
        seed = int(rng)
    elif rng is not None:
        key = _key(rng)
    seeds = [seed if params.seed is None else params.seed for params in each]
    apart = np.where(has_seed, 0, prompts).astype("int32")
    return Draws(key, np.array(seeds, "int64"), has_seed, apart, samples)


def _key(rng: Any) -> jax.Array:
    """A key, also of numbers in the older form.

    Raises:
        ValueError: it is none.
    """
    dtype = getattr(rng, "dtype", None)
    if dtype is None or jnp.ndim(rng) > 1:
        raise ValueError(explain("Generator", "`rng`, a key or a whole number", f"{rng!r}"))
    return rng if jnp.issubdtype(dtype, jax.dtypes.prng_key) else jax.random.wrap_key_data(rng)


def cached_on(model: Any, key: Hashable, make: Callable[[], Any]) -> Any:
    """What was made for a key before and lies on the model, so that its programs stay compiled from
    call to call; else it is made.
    """
    cached = getattr(model, "_generators", {})
    if key not in cached:
        cached = {**cached, key: make()}
        model.set_untracked(_generators=cached)
    return cached[key]


def _is_count(value: Any) -> bool:
    """Whether it is a whole number of 0 or more."""
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return is_whole and value >= 0
