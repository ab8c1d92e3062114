"""The losses that layers add in a pass: in its state they stand under "losses", by number.

A layer may have this name too. Its weights stand there beside them, under names that are no
numbers.
"""

import jax

NAME = "losses"


def is_loss(path: tuple[str, ...]) -> bool:
    """Whether a path in a state is that of an added loss."""
    return path[0] == NAME and path[-1].isdigit() and len(path) == 2


def split(state: dict) -> tuple[dict, list[jax.Array]]:
    """A state without the losses in it, and these.

    >>> split({"a": {"x": 1}, "losses": {"0": 2.0, "mean": 3}})
    ({'a': {'x': 1}, 'losses': {'mean': 3}}, [2.0])
    """
    state = dict(state)
    entries = state.pop(NAME, {})
    losses = [value for key, value in entries.items() if key.isdigit()]
    weights = {key: value for key, value in entries.items() if not key.isdigit()}
    if weights:
        state[NAME] = weights
    return state, losses


def add_losses(state: dict, losses: list[jax.Array]) -> dict:
    """A state with losses in it.

    >>> add_losses({"a": {"x": 1}}, [2.0])
    {'a': {'x': 1}, 'losses': {'0': 2.0}}
    """
    return {**state, NAME: state.get(NAME, {}) | {str(i): v for i, v in enumerate(losses)}}
