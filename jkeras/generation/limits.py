"""What a model allows: whether new tokens can be run alone, which tokens it knows, and how many
positions it has.
"""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.graph.halves import ENCODER
from jkeras.generation.decoding import Decoding, Uncached, forward
from jkeras.generation.inputs import TOKENS, check_inputs, fixed_length, whole_inputs
from jkeras.generation.judging import check_cached
from jkeras.generation.memory import Memory, Source, encoded, memory_shapes, shapes_of
from jkeras.generation.source import check_no_encoder
from jkeras.generation.tables import tables_of

Tree = Any


class TooFewPositionsError(ValueError):
    """A model has fewer positions than a text.

    Args:
        message: for users.
        most: so many has it.
    """

    def __init__(self, message: str, most: int) -> None:
        super().__init__(message)
        self.most = most


class Limits:
    """What a model allows for texts of a length; found by the first call of `find`.

    Args:
        model: a built model.
        max_length: of texts.
        cache: True demands that there is a cache, False that there is none.

    Attributes:
        buffer: how many positions the model gets without a cache.
        why_uncached: the layer for which there is no cache, or None.
        vocabulary: how many tokens the model knows.
        choices: how many tokens it gives a logit for.
        read: how many tokens its encoder knows; None: it reads none, or looks none up.
    """

    def __init__(self, model: Any, max_length: int, cache: bool | None) -> None:
        check_inputs(model)
        self.model, self.max_length = model, max_length
        self.buffer = self._length_of_buffer()
        self.why_uncached: str | None = None
        self.vocabulary: int | None = None
        self.choices: int | None = None
        self.read: int | None = None
        self._sizes: set = set()  # of what the encoder was seen to read
        self._demanded, self._is_found = cache, False
        if cache is False:
            self.why_uncached = "`cache=False`"

    def _length_of_buffer(self) -> int:
        """How many positions the model gets without a cache."""
        fixed = fixed_length(self.model)
        if fixed is None:
            return self.max_length
        if fixed < self.max_length:
            expected = f"`max_length` of at most {fixed}, the length of the model's input"
            message = explain("Generator", expected, f"max_length={self.max_length}")
            raise TooFewPositionsError(message, fixed)
        return fixed

    def find(
        self,
        params: Tree,
        state: Tree,
        batch: int,
        source: Source | None = None,
        warns: bool = True,
    ) -> None:
        """Finds out whether the model allows a cache, and what tokens and positions it has.

        Args:
            source: the inputs of the model's encoder, or their shapes.
            warns: of a cache that a user can have by saying so.

        Raises:
            ValueError: a cache is demanded and there is none, or there are too few positions.
        """
        if source is not None:
            source = shapes_of(source, batch)
            self.look_at(params, state, source)
        if self._is_found:
            return
        memory = None
        if source is None:
            check_no_encoder("Generator", self.model)
        else:
            memory = memory_shapes(self.model, params, state, source)
        if self.why_uncached is None:
            self._try_cache(params, state, batch, memory, warns)
        if self.why_uncached is not None:

            def whole(params: Tree, state: Tree, memory: Tree, tokens: jax.Array) -> jax.Array:
                inputs = whole_inputs(self.model, tokens, tokens[:, 0], memory)
                return self.model.apply(params, state, inputs, training=False)[0]

            self._look(whole, (params, state, memory), batch, self.buffer)
        self._is_found = True

    def look_at(self, params: Tree, state: Tree, source: Source) -> None:
        """Sees which tokens the encoder knows, and whether it has positions for its inputs.

        Raises:
            ValueError: it has too few.
        """
        sizes = tuple(value.shape[1:] for value in source.values())
        if sizes in self._sizes:
            return
        names = [name for name in source if name.removeprefix(ENCODER) in TOKENS]
        if names:
            rest = {name: value for name, value in source.items() if name != names[0]}

            def read(params: Tree, state: Tree, rest: Source, tokens: jax.Array) -> Memory:
                return encoded(self.model, params, state, {**rest, names[0]: tokens})

            tokens = source[names[0]]
            program = jax.make_jaxpr(read)(params, state, rest, tokens)
            tables = tables_of(program, len(program.in_avals) - 1)
            for most, count in tables.too_short:
                if count == tokens.shape[1]:
                    expected = f"`{names[0]}` of at most {most}, the positions of the encoder"
                    raise ValueError(explain("Generator", expected, f"{count}"))
            self.read = tables.tokens
        self._sizes.add(sizes)

    def check_source(self, source: Source | None) -> None:
        """Raises ValueError for a token that the encoder does not know, where they are numbers."""
        for name, value in ({} if source is None else source).items():
            is_read = name.removeprefix(ENCODER) in TOKENS and self.read is not None
            if not is_read or isinstance(value, jax.core.Tracer):
                continue
            wrong = np.argwhere((np.asarray(value) < 0) | (np.asarray(value) >= self.read))
            if len(wrong):
                row, place = wrong[0]
                expected = f"tokens from 0 to {self.read - 1}, which the encoder knows"
                received = f"{value[row, place]} in `{name}`, row {row} at {place}"
                raise ValueError(explain("Generator", expected, received))

    def _try_cache(
        self, params: Tree, state: Tree, batch: int, memory: Memory | None, warns: bool
    ) -> None:
        """Finds out for which layer there is no cache, if there is one."""

        def first(params: Tree, state: Tree, memory: Tree, tokens: jax.Array) -> jax.Array:
            decoding = Decoding(self.max_length, None, None, memory)
            return forward(self.model, params, state, tokens, decoding)[0]

        try:
            if fixed_length(self.model) is not None:
                raise Uncached("its input has a fixed length")
            check_cached(self.model, params, state, batch, memory)
            self._look(first, (params, state, memory), batch, self.max_length)
        except Uncached as error:
            if self._demanded:
                expected = "a model that allows a cache"
                raise ValueError(explain("Generator", expected, str(error))) from None
            self.why_uncached = str(error)
            if error.fix and warns:
                expected = "a cache, without which each token takes a pass over the whole text"
                message = explain("Generator", expected, self.why_uncached, error.fix)
                warnings.warn(message, stacklevel=5)

    def _look(self, function: Callable[..., Any], given: tuple, batch: int, length: int) -> None:
        """Sees in a pass over texts of this length which tokens and positions there are.

        Args:
            function: `(*given, tokens) -> logits`.
        """
        tokens = jax.ShapeDtypeStruct((batch, length), "int32")
        try:
            program, logits = jax.make_jaxpr(function, return_shape=True)(*given, tokens)
        except TypeError as error:  # of a layer without positions for so many
            expected = f"a model of texts of {length} tokens"
            raise ValueError(explain("Generator", expected, f"its error: {error}")) from error
        tables = tables_of(program, len(program.in_avals) - 1)
        for most, count in tables.too_short:
            if count == length:
                expected = f"`max_length` of at most {most}, the positions that the model has"
                message = explain("Generator", expected, f"max_length={self.max_length}")
                raise TooFewPositionsError(message, most)
        # a model that looks nothing up has no other vocabulary than that of its logits
        self.choices = logits.shape[-1]
        self.vocabulary = self.choices if tables.tokens is None else tables.tokens
