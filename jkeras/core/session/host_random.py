"""Where the generators of Python's `random` and of numpy are, which Keras draws from: for
checkpoints, and for what is not to move them.
"""

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from jkeras.core.errors import SerializationError

KINDS = random.Random, np.random.RandomState, np.random.Generator
# of attributes that count or order what an object gives; files and threads are not among them
PLAIN = int, float, complex, str, bytes, tuple, type(None), np.generic, np.ndarray
WORDS = 624  # of the Mersenne Twister, which both are


def state() -> dict[str, Any]:
    """Where both generators are, as JSON data.

    Raises:
        ValueError: numpy's is no Mersenne Twister.

    >>> before = state()
    >>> first = random.random(), np.random.rand()
    >>> put_back(before)
    >>> first == (random.random(), np.random.rand())
    True
    """
    _, (*words, position), gauss = random.getstate()
    _, of_numpy, numpy_position, has_gauss, numpy_gauss = _numpy_state()
    return {
        "python": [_text(words), position, gauss],
        "numpy": [_text(of_numpy), int(numpy_position), numpy_gauss if has_gauss else None],
    }


def put_back(state: dict[str, Any]) -> None:
    """Puts both generators where `state` found them.

    Raises:
        SerializationError: it is not what `state` gives.
    """
    try:
        words, position, gauss = state["python"]
        of_python = 3, (*map(int, _words(words)), position), gauss
        words, position, gauss = state["numpy"]
        of_numpy = "MT19937", _words(words), position, int(gauss is not None), gauss or 0.0
        _check_positions(of_python[1][-1], position)
        random.Random().setstate(of_python)  # which raises for what is wrong
        np.random.RandomState().set_state(of_numpy)
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise SerializationError(
            f"The states of Python's and numpy's generators are not what a checkpoint has: {error}."
        ) from error
    random.setstate(of_python)
    np.random.set_state(of_numpy)


@contextlib.contextmanager
def untouched(owner: Any = None) -> Iterator[None]:
    """A block after which both generators are where they were, and those that are attributes of an
    object, too; its numbers, texts and arrays are those that it had.

    >>> with untouched():
    ...     first = random.random(), np.random.rand()
    >>> first == (random.random(), np.random.rand())
    True
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()
    attributes = getattr(owner, "__dict__", {})
    before = dict(attributes)
    own = [(v, _state_of(v)) for v in before.values() if isinstance(v, KINDS)]
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)
        for generator, state in own:
            _set_state(generator, state)
        _put_back_plain(attributes, before)


def _put_back_plain(attributes: dict[str, Any], before: dict[str, Any]) -> None:
    """Plain values are put back; what was opened or built stays."""
    for name, value in list(attributes.items()):
        if value is before.get(name, attributes) or not isinstance(value, PLAIN):
            continue
        if name not in before:
            del attributes[name]
        elif isinstance(before[name], PLAIN):
            attributes[name] = before[name]


def _state_of(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return generator.bit_generator.state
    if isinstance(generator, random.Random):
        return generator.getstate()
    return generator.get_state()


def _set_state(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.set_state(state)


def _numpy_state() -> tuple:
    state = np.random.get_state()
    if isinstance(state, dict) or state[0] != "MT19937":
        raise ValueError(
            "A training whose order follows from numpy's global generator is saved with where that "
            "is, which is known of the Mersenne Twister alone. Leave `np.random.set_bit_generator` "
            "out, or pass `fit(seed=…)`."
        )
    return state


def _text(words: Any) -> str:
    return np.asarray(words, "<u4").tobytes().hex()


def _words(text: str) -> np.ndarray:
    words = np.frombuffer(bytes.fromhex(text), "<u4")
    if len(words) != WORDS:
        raise ValueError(f"{len(words)} words rather than {WORDS}")
    return words


def _check_positions(*positions: int) -> None:
    for position in positions:
        if type(position) is not int or not 0 <= position <= WORDS:
            raise ValueError(f"the position {position!r}")
