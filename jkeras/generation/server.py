"""Server: many prompts through a few slots, each refilled as its text ends."""

import collections
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.generation.generator import Generator
from jkeras.generation.rows import Rows, inserted, widened

Tree = Any


@public("jkeras.generation.Server")
class Server:
    """Writes on after many prompts at once: a slot whose text has ended takes the next prompt while
    the others go on (continuous batching, Yu et al. 2022, OSDI).

    Each text is the one that its prompt alone would give.

    Args:
        generator: a `Generator`.
        slots: how many texts are written at the same time.
        steps: at most so many tokens are written before ended texts are looked for.
    Raises:
        ValueError: fewer than one slot or step.

    >>> import jkeras
    >>> tokens = jkeras.Input((None,), dtype="int32")
    >>> model = jkeras.Model(tokens, jkeras.layers.Embedding(20, 20)(tokens))
    >>> server = Server(Generator(model, max_length=6), slots=2)
    >>> texts = dict(server(model.params, [[1, 2], [3], [4, 5, 6]]))
    >>> sorted(texts), texts[1].shape
    ([0, 1, 2], (6,))
    """

    def __init__(self, generator: Generator, slots: int = 8, steps: int = 16) -> None:
        for name, value in (("slots", slots), ("steps", steps)):
            if value < 1:
                raise ValueError(explain("Server", f"`{name}` of 1 or more", f"{name}={value}"))
        self.generator, self.slots, self.steps = generator, slots, steps
        self._insert = jax.jit(inserted, donate_argnums=0)
        self._go_on = jax.jit(self._until_one_ends, donate_argnums=2)

    def __call__(
        self,
        params: Tree,
        prompts: Iterable[Sequence[int]],
        rngs: Iterable[jax.Array | int] | None = None,
        *,
        state: Tree = None,
    ) -> Iterator[tuple[int, np.ndarray]]:
        """(number of the prompt, its text with the prompt) as texts end.

        Args:
            params: of the model.
            prompts: sequences of tokens; they are taken one at a time, as slots come free.
            rngs: a key or an integer for each prompt; by default their numbers.
            state: what else the model carries, by default `model.state`.
        """
        state = self.generator.model.state if state is None else state
        waiting = enumerate(prompts)
        keys = None
        if rngs is not None:
            keys = iter(rngs)
        numbers: dict[int, int] = {}  # by slot: of its prompt
        free = collections.deque(range(self.slots))
        rows = None
        while True:
            for number, prompt in itertools.islice(waiting, len(free)):
                rng = number if keys is None else next(keys)
                one = self.generator.begin(params, [list(prompt)], rng=rng, state=state)
                rows = widened(one, self.slots) if rows is None else rows
                numbers[free[0]] = number
                rows = self._insert(rows, one, free.popleft())
            if not numbers:
                return
            rows, others = self._go_on(params, state, rows)
            ended, lengths = (np.asarray(values) for values in others)
            for slot in [slot for slot in numbers if ended[slot]]:
                yield numbers.pop(slot), np.asarray(rows.tokens[slot])[: lengths[slot]]
                free.append(slot)

    def _until_one_ends(
        self, params: Tree, state: Tree, rows: Rows
    ) -> tuple[Rows, tuple[jax.Array, jax.Array]]:
        """The slots with more tokens: until a text ends, or there were enough steps."""
        before = rows.done

        def goes_on(carry: tuple[Rows, Any]) -> jax.Array:
            rows, number = carry
            return (number < self.steps) & (rows.done == before).all() & ~rows.done.all()

        def step(carry: tuple[Rows, Any]) -> tuple[Rows, Any]:
            rows, number = carry
            return self.generator.step(params, state, rows), number + 1

        rows, _ = jax.lax.while_loop(goes_on, step, (rows, 0))
        return rows, (rows.done, rows.lengths)
