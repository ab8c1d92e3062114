"""Programs: what slots do on the device, compiled once for a generator."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jkeras.generation.generator import Generator
from jkeras.generation.processors import init_all
from jkeras.generation.rows import Logs, Rows, inserted
from jkeras.generation.sampling_params import Settings

Tree = Any


class Written(NamedTuple):
    """What a dispatch wrote.

    Attributes:
        done: (slots,), which texts have ended.
        lengths: (slots,), how long they are.
        tokens: (slots, steps), those from the lengths before on.
        logs: of these tokens; None where none are kept.
    """

    done: jax.Array
    lengths: jax.Array
    tokens: jax.Array
    logs: Logs | None


class Programs:
    """The pure functions of a server, compiled.

    Args:
        generator: that writes.
        steps: at most so many tokens at once.
    """

    def __init__(self, generator: Generator, steps: int) -> None:
        self.generator, self.steps = generator, steps
        self.join = jax.jit(self.joined, donate_argnums=0)
        self.write = jax.jit(self.written, donate_argnums=2)

    def joined(self, rows: Rows, one: Rows, slot: jax.Array, settings: Settings) -> Rows:
        """The rows with one more text, pure.

        Args:
            one: the text, of plain settings.
            slot: its place.
            settings: of all rows, with those of the new one. What their processors keep follows
                from the texts.
        """
        count = len(rows.settings.processors)
        bare = rows._replace(settings=(), states=rows.states[count:])
        bare = inserted(bare, one._replace(settings=()), slot)
        settings = jax.tree.map(jnp.asarray, settings)
        states = init_all(settings.processors, bare.text, bare.logits.shape[-1])
        return bare._replace(settings=settings, states=(*states, *bare.states))

    def written(
        self, params: Tree, state: Tree, rows: Rows, live: jax.Array
    ) -> tuple[Rows, Written]:
        """The slots with more tokens, until a text ends or there were enough steps; pure.

        Args:
            live: (slots,), which texts go on.
        """
        rows = rows._replace(done=rows.done | ~live)
        before, first = rows.done, rows.lengths

        def goes_on(carry: tuple[Rows, Any]) -> jax.Array:
            rows, number = carry
            return (number < self.steps) & (rows.done == before).all() & ~rows.done.all()

        def step(carry: tuple[Rows, Any]) -> tuple[Rows, Any]:
            rows, number = carry
            return self.generator.step(params, state, rows), number + 1

        rows, _ = jax.lax.while_loop(goes_on, step, (rows, 0))
        places = jnp.minimum(first[:, None] + jnp.arange(self.steps), rows.tokens.shape[1] - 1)
        new = lambda values: jax.vmap(lambda row, at: row[at])(values, places)  # noqa: E731
        logs = jax.tree.map(new, rows.logs)
        return rows, Written(rows.done, rows.lengths, new(rows.tokens), logs)
