"""Items made ahead by worker threads or processes, in order; errors surface, nothing stays
behind.
"""

import collections
import collections.abc
import concurrent.futures
import contextlib
import types
import typing
import warnings


class noted:
    """A `with` block whose errors get a note: in which batch of what they happened.

    A class since it is there around each batch: a generator would take a microsecond.
    """

    __slots__ = ("number", "name")

    def __init__(self, number: int, name: str) -> None:
        self.number = number
        self.name = name

    def __enter__(self) -> None:
        """Nothing to do."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        if isinstance(error, Exception):
            error.add_note(f"This happened in batch {self.number} of {self.name}.")


def made_ahead(
    submit: collections.abc.Callable[[int], concurrent.futures.Future],
    numbers: collections.abc.Iterable[int],
    depth: int,
    name: str,
) -> collections.abc.Iterator[typing.Any]:
    """Yields the item of each number, in order, while workers make the next ones; ends when they
    have ended.

    Args:
        submit: `number -> future` of its item.
        depth: how many are made ahead at most.
        name: of what gives the items, for messages.
    Raises:
        RuntimeError: a worker process died.
        what making an item raises.
    """
    waiting = collections.deque()
    try:
        for i in numbers:
            with _deaths_explained(i, name):
                waiting.append((i, submit(i)))
            if len(waiting) >= depth:
                yield _result(*waiting.popleft(), name)
        while waiting:
            yield _result(*waiting.popleft(), name)
    finally:
        concurrent.futures.wait([future for _, future in waiting if not future.cancel()])


def made_by_threads(
    get: collections.abc.Callable[[int], typing.Any],
    numbers: collections.abc.Iterable[int],
    workers: int,
    depth: int,
    name: str,
) -> collections.abc.Iterator[typing.Any]:
    """`made_ahead` by threads that call `get(number)`."""
    with concurrent.futures.ThreadPoolExecutor(workers, "jkeras-data") as pool:
        yield from made_ahead(lambda i: pool.submit(get, i), numbers, depth, name)


@contextlib.contextmanager
def forks_allowed() -> collections.abc.Iterator[None]:
    """A `with` block without JAX's warning of forks: a worker of another library has no business
    with JAX.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
        yield


def _result(number: int, future: concurrent.futures.Future, name: str) -> typing.Any:
    with _deaths_explained(number, name):
        return future.result()


@contextlib.contextmanager
def _deaths_explained(number: int, name: str) -> collections.abc.Iterator[None]:
    """Turns the pool's error for a process that is gone into one that says what to do."""
    try:
        yield
    except concurrent.futures.BrokenExecutor as error:
        raise RuntimeError(
            f"A worker process died while batch {number} of {name} was made or waited for: for "
            "want of memory, or since the program starts its training outside of `if __name__ == "
            "'__main__':`, which processes import. Use fewer `workers`, or threads "
            "(`use_multiprocessing=False`)."
        ) from error
