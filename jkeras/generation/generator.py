"""Generator: tokens after prompts, one at a time, in two compiled programs."""

import collections
import functools
import numbers
import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.generation.decoding import Decoding, Uncached, forward
from jkeras.generation.judging import check_cached
from jkeras.generation.sampler import Sampler
from jkeras.generation.tables import tables_of

Tree = Any
SIDES = "left", "right"
SMALLEST_BUCKET = 16  # prompts are padded to this length, or the next power of two


class Rows(NamedTuple):
    """Texts that are being written, a pytree.

    Attributes:
        tokens: (batch, max_length).
        lengths: (batch,), how many of them there are.
        done: (batch,), which texts have ended.
        logits: (batch, vocabulary), of the next token.
        keys: (batch,), from which the random numbers of a row follow.
        cache: what attention keeps; None without a cache.
    """

    tokens: jax.Array
    lengths: jax.Array
    done: jax.Array
    logits: jax.Array
    keys: jax.Array
    cache: Tree


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
        sampler: chooses the next token, `(logits, rng, seen) -> token`.
        stop: a token or several that end a text; they belong to it.
        pad: the token behind the end.
        cache: True demands that keys and values are cached, False that they are not.
        padding_side: "right" or "left", where prompts are padded. Texts begin with their first
            token in any case.

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
        sampler: Sampler = Sampler(temperature=0.0),  # noqa: B008 (it is frozen)
        stop: Sequence[int] | int = (),
        pad: int = 0,
        cache: bool | None = None,
        padding_side: str = "right",
    ) -> None:
        if not isinstance(max_length, numbers.Integral) or max_length < 2:
            raise ValueError(explain("Generator", "`max_length` of 2 or more", f"{max_length!r}"))
        check_side("Generator", padding_side)
        self.model, self.max_length, self.sampler = model, int(max_length), sampler
        self.stop, self.pad = stop_tokens(stop), int(pad)
        self.padding_side = padding_side
        self.why_uncached = self.vocabulary = None
        self._buffer = self._length_of_buffer()
        self._demanded, self._is_decided = cache, False
        if cache is False:
            self.why_uncached = "`cache=False`"
        self._traces: collections.Counter = collections.Counter()
        self._prefill = jax.jit(self._counted("prefill", self.prefill))
        self._decode = jax.jit(self._counted("decode", self.decode))

    def _length_of_buffer(self) -> int:
        """How many positions the model gets without a cache."""
        fixed = self._fixed_length()
        if fixed is None:
            return self.max_length
        if fixed < self.max_length:
            expected = f"`max_length` of at most {fixed}, the length of the model's input"
            raise ValueError(explain("Generator", expected, f"max_length={self.max_length}"))
        return fixed

    def __call__(
        self,
        params: Tree,
        prompts: Any,
        prompt_lengths: Any = None,
        rng: jax.Array | int | None = None,
        *,
        state: Tree = None,
    ) -> tuple[jax.Array, jax.Array]:
        """`(tokens, lengths)`: texts (batch, max_length) with their prompts, and their lengths.

        Args:
            params: of the model; may be a tracer, as under `jax.vmap` over several models.
            prompts: (batch, time) whole numbers, padded on the `padding_side`.
            prompt_lengths: (batch,), 1 or more; by default all of `time`.
            rng: a key or an integer; row i samples the same whatever the other rows are.
            state: what else the model carries, by default `model.state`.

        Raises:
            ValueError: a prompt without a token, longer than a text, or with a token that the model
                does not know.
        """
        rows = self.begin(params, prompts, prompt_lengths, rng, state=state)
        rows = self.go_on(params, rows, state=state)
        return rows.tokens, rows.lengths

    def begin(
        self,
        params: Tree,
        prompts: Any,
        prompt_lengths: Any = None,
        rng: jax.Array | int | None = None,
        *,
        state: Tree = None,
    ) -> Rows:
        """The texts as far as their prompts; arguments as of a call."""
        prompts, lengths = self._checked(prompts, prompt_lengths)
        rng = 0 if rng is None else rng
        rng = jax.random.key(int(rng)) if isinstance(rng, numbers.Integral) else rng
        state = self.model.state if state is None else state
        self._decide(params, state, len(prompts))
        self._check_tokens(prompts, lengths)
        prompts, lengths = self._cut(prompts), jnp.asarray(lengths, "int32")
        bucket = min(bucket_of(prompts.shape[1]), self.max_length)
        behind = 0, bucket - prompts.shape[1]
        is_left = self.padding_side == "left"
        prompts = jnp.pad(prompts, [(0, 0), behind[::-1] if is_left else behind])
        keys = jax.vmap(lambda row: jax.random.fold_in(rng, row))(jnp.arange(len(prompts)))
        return self._prefill(params, state, prompts, lengths, keys)

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
        state: Tree = None,
    ) -> Iterator[np.ndarray]:
        """The next tokens (batch,) as they come, `pad` for texts that have ended."""
        rows = self.begin(params, prompts, prompt_lengths, rng, state=state)
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
        self, params: Tree, state: Tree, prompts: jax.Array, lengths: jax.Array, keys: jax.Array
    ) -> Rows:
        """Texts of prompts (batch, time), pure."""
        batch, time = prompts.shape
        if self.padding_side == "left":
            indices = (jnp.arange(time) - lengths[:, None]) % time
            prompts = jnp.take_along_axis(prompts, indices, axis=1)
        is_there = jnp.arange(time) < lengths[:, None]
        tokens = jnp.full((batch, self.max_length), self.pad, "int32")
        tokens = tokens.at[:, :time].set(jnp.where(is_there, prompts, self.pad))
        cache = None
        if self.why_uncached is None:
            decoding = Decoding(self.max_length, None, None)
            logits, _ = forward(self.model, params, state, prompts, decoding)
            logits, cache = _at(logits, lengths - 1), decoding.new
        else:
            logits = self._logits_of_all(params, state, tokens, lengths)
        done = lengths >= self.max_length
        return Rows(tokens, lengths, done, logits, keys, cache)

    def decode(self, params: Tree, state: Tree, rows: Rows, steps: jax.Array) -> Rows:
        """Texts with at most so many tokens more, pure."""

        def goes_on(carry: tuple[Rows, jax.Array]) -> jax.Array:
            rows, number = carry
            return (number < steps) & ~rows.done.all()

        def step(carry: tuple[Rows, jax.Array]) -> tuple[Rows, jax.Array]:
            rows, number = carry
            return self.step(params, state, rows), number + 1

        return jax.lax.while_loop(goes_on, step, (rows, 0))[0]

    def step(self, params: Tree, state: Tree, rows: Rows) -> Rows:
        """Texts with a token more each, those that have ended as they are; pure."""
        return self.extended(params, state, rows, self._next(rows))

    def extended(self, params: Tree, state: Tree, rows: Rows, token: jax.Array) -> Rows:
        """Texts with these tokens (batch,) behind them, those that have ended as they are; pure."""
        return self._extended(params, state, rows, token)[0]

    def tap(
        self,
        params: Tree,
        rows: Rows,
        *,
        at: Any = (),
        add: dict[Any, Any] | None = None,
        state: Tree = None,
    ) -> tuple[Rows, dict]:
        """`(rows, seen)`: texts with a token more each, and what layers give in the pass on it: a
        look into the model while it writes, and changes of that, which steer it. Pure.

        Args:
            rows: as `begin` and `go_on` give them.
            at, add: layers that are looked at, and what is added to their outputs (batch, 1, ...),
                as of `model.tap`; the next token follows from it.
            state: what else the model carries, by default `model.state`.

        Raises:
            ValueError: the model has no cache; a layer is not there, see `model.tap`.
        """
        if rows.cache is None:
            expected = "a model that allows a cache"
            raise ValueError(explain("Generator.tap", expected, f"{self.why_uncached}"))
        state = self.model.state if state is None else state
        return self._extended(params, state, rows, self._next(rows), at=at, add=add)

    def _extended(
        self, params: Tree, state: Tree, rows: Rows, token: jax.Array, **taps: Any
    ) -> tuple[Rows, dict]:
        """(texts with these tokens behind them, what was looked at)."""
        numbers = jnp.arange(len(token))
        position = jnp.where(
            rows.done, self.max_length, rows.lengths
        )  # outside: nothing is written
        tokens = rows.tokens.at[numbers, position].set(token, mode="drop")
        lengths = jnp.where(rows.done, rows.lengths, rows.lengths + 1)
        done = rows.done | (lengths >= self.max_length)
        for end in self.stop:
            done |= token == end
        rows = rows._replace(tokens=tokens, lengths=lengths, done=done)
        if rows.cache is None:
            return rows._replace(logits=self._logits_of_all(params, state, tokens, lengths)), {}
        first = jnp.minimum(position, self.max_length - 1)
        decoding = Decoding(self.max_length, rows.cache, first)
        logits, seen = forward(self.model, params, state, token[:, None], decoding, **taps)
        return rows._replace(logits=logits[:, 0], cache=decoding.new), seen

    def _next(self, rows: Rows) -> jax.Array:
        keys = jax.vmap(jax.random.fold_in)(rows.keys, rows.lengths)
        if getattr(self.sampler, "repetition_penalty", None) is None:
            return jax.vmap(self.sampler)(rows.logits, keys)
        is_there = jnp.arange(self.max_length) < rows.lengths[:, None]
        vocabulary = rows.logits.shape[-1]
        tokens = jnp.where(is_there, rows.tokens, vocabulary)  # outside: nothing is marked
        mark = lambda row: jnp.zeros(vocabulary, bool).at[row].set(True, mode="drop")  # noqa: E731
        return jax.vmap(self.sampler)(rows.logits, keys, jax.vmap(mark)(tokens))

    def _logits_of_all(
        self, params: Tree, state: Tree, tokens: jax.Array, lengths: jax.Array
    ) -> jax.Array:
        """The logits behind the last tokens, by a pass over the whole texts."""
        behind = self._buffer - self.max_length
        whole = jnp.pad(tokens, [(0, 0), (0, behind)], constant_values=self.pad)
        logits, _ = self.model.apply(params, state, whole, training=False)
        return _at(logits, lengths - 1)

    # ------------------------------------------------------------ arguments

    def _decide(self, params: Tree, state: Tree, batch: int) -> None:
        """Finds out whether the model allows a cache, and what tokens and positions it has."""
        if self._is_decided:
            return
        if self.why_uncached is None:
            self._try_cache(params, state, batch)
        if self.why_uncached is not None:

            def whole(params: Tree, state: Tree, tokens: jax.Array) -> jax.Array:
                return self.model.apply(params, state, tokens, training=False)[0]

            self._look(whole, params, state, batch, self._buffer)
        self._is_decided = True

    def _try_cache(self, params: Tree, state: Tree, batch: int) -> None:
        """Finds out for which layer there is no cache, if there is one."""

        def first(params: Tree, state: Tree, tokens: jax.Array) -> jax.Array:
            decoding = Decoding(self.max_length, None, None)
            return forward(self.model, params, state, tokens, decoding)[0]

        try:
            if self._fixed_length() is not None:
                raise Uncached("its input has a fixed length")
            check_cached(self.model, params, state, batch)
            self._look(first, params, state, batch, self.max_length)
        except Uncached as error:
            if self._demanded:
                expected = "a model that allows a cache"
                raise ValueError(explain("Generator", expected, str(error))) from None
            self.why_uncached = str(error)
            if error.fix:
                expected = "a cache, without which each token takes a pass over the whole text"
                message = explain("Generator", expected, self.why_uncached, error.fix)
                warnings.warn(message, stacklevel=5)

    def _look(
        self, function: Callable[..., Any], params: Tree, state: Tree, batch: int, length: int
    ) -> None:
        """Sees in a pass over texts of this length which tokens and positions there are.

        Args:
            function: `(params, state, tokens) -> logits`.
        """
        tokens = jax.ShapeDtypeStruct((batch, length), "int32")
        try:
            program, logits = jax.make_jaxpr(function, return_shape=True)(params, state, tokens)
        except TypeError as error:  # of a layer without positions for so many
            expected = f"a model of texts of {length} tokens"
            raise ValueError(explain("Generator", expected, f"its error: {error}")) from error
        tables = tables_of(program, len(program.in_avals) - 1)
        for most, count in tables.too_short:
            if count == length:
                expected = f"`max_length` of at most {most}, the positions that the model has"
                raise ValueError(explain("Generator", expected, f"max_length={self.max_length}"))
        # a model that looks nothing up has no other vocabulary than that of its logits
        self.vocabulary = logits.shape[-1] if tables.tokens is None else tables.tokens

    def _fixed_length(self) -> int | None:
        """The length of the model's input, where it is one."""
        shape = getattr(self.model, "input_shape", None)
        return shape[1] if isinstance(shape, tuple) and len(shape) == 2 else None

    def _checked(self, prompts: Any, lengths: Any) -> tuple[np.ndarray, np.ndarray]:
        """Prompts and lengths, checked where they are numbers."""
        if not isinstance(prompts, jax.Array):
            prompts = np.asarray(prompts)
        is_whole = jnp.issubdtype(prompts.dtype, jnp.integer)
        if prompts.ndim != 2 or not prompts.size or not is_whole:
            expected = "prompts of whole numbers (batch, time), of one token or more"
            raise ValueError(explain("Generator", expected, f"{prompts.dtype}{prompts.shape}"))
        if lengths is None:
            lengths = np.full(len(prompts), prompts.shape[1])
        if not isinstance(lengths, jax.core.Tracer):
            lengths = np.asarray(lengths)
            most = min(prompts.shape[1], self.max_length)
            if lengths.shape != prompts.shape[:1] or (lengths < 1).any() or (lengths > most).any():
                expected = f"a length from 1 to {most} for each of {len(prompts)} prompts"
                raise ValueError(explain("Generator", expected, f"{lengths}"))
        return prompts, lengths

    def _check_tokens(self, prompts: np.ndarray, lengths: np.ndarray) -> None:
        """Raises ValueError for a token that the model does not know, where they are numbers."""
        vocabulary = self.vocabulary
        if vocabulary is None or isinstance(prompts, jax.core.Tracer):
            return
        outside = [token for token in self.stop if token >= vocabulary]
        if outside:
            expected = f"`stop` of tokens below {vocabulary}, the model's vocabulary"
            raise ValueError(explain("Generator", expected, f"{outside[0]}"))
        if isinstance(lengths, jax.core.Tracer):
            lengths = np.full(len(prompts), prompts.shape[1])
        rows = np.asarray(prompts)
        positions = np.arange(rows.shape[1])
        begin = (rows.shape[1] - lengths if self.padding_side == "left" else 0 * lengths)[:, None]
        is_there = (positions >= begin) & (positions < begin + lengths[:, None])
        wrong = np.argwhere(is_there & ((rows < 0) | (rows >= vocabulary)))
        if len(wrong):
            row, position = wrong[0]
            expected = f"tokens from 0 to {vocabulary - 1}, the model's vocabulary"
            received = f"{rows[row, position]} in prompt {row} at {position - begin[row, 0]}"
            fix = "take the tokenizer that the model was trained with"
            raise ValueError(explain("Generator", expected, received, fix))

    def _cut(self, prompts: np.ndarray) -> Any:
        """Prompts that are at most as long as texts."""
        is_left = self.padding_side == "left"
        window = slice(-self.max_length, None) if is_left else slice(self.max_length)
        return jnp.asarray(prompts[:, window], "int32")


def stop_tokens(stop: Sequence[int] | int) -> tuple[int, ...]:
    """The tokens that end a text.

    Raises:
        ValueError: what is no token.

    >>> stop_tokens(3), stop_tokens([1, 2])
    ((3,), (1, 2))
    """
    tokens = (stop,) if isinstance(stop, (numbers.Integral, str)) else tuple(stop)
    for token in tokens:
        if not isinstance(token, numbers.Integral) or isinstance(token, bool) or token < 0:
            expected = "`stop` of tokens, whole numbers of 0 or more"
            raise ValueError(explain("Generator", expected, f"{token!r}"))
    return tuple(map(int, tokens))


def cached_on(model: Any, key: Hashable, make: Callable[[], Any]) -> Any:
    """What was made for a key before and lies on the model, so that its programs stay compiled from
    call to call; else it is made.
    """
    cached = getattr(model, "_generators", {})
    if key not in cached:
        cached = {**cached, key: make()}
        model.set_untracked(_generators=cached)
    return cached[key]


def check_side(where: str, padding_side: str) -> None:
    """Raises ValueError for what is no side."""
    if padding_side not in SIDES:
        expected = "`padding_side` 'left' or 'right'"
        raise ValueError(explain(where, expected, repr(padding_side)))


def bucket_of(length: int) -> int:
    """The length that prompts are padded to.

    >>> [bucket_of(n) for n in (1, 16, 17, 100)]
    [16, 16, 32, 128]
    """
    return max(SMALLEST_BUCKET, 2 ** (length - 1).bit_length())


def _at(logits: jax.Array, positions: jax.Array) -> jax.Array:
    """(batch, time, vocabulary) at one position of each row."""
    return jnp.take_along_axis(logits, positions[:, None, None], axis=1)[:, 0]
