"""Items made ahead by worker threads or processes, in order; errors surface, nothing stays behind."""

import collections
import concurrent.futures
import concurrent.futures.process
import contextlib
import pickle
import traceback
import warnings


class noted:
    """A `with` block whose errors get a note: in which batch of what they happened.

    A class since it is there around each batch: a generator would take a microsecond.
    """

    __slots__ = ("number", "name")

    def __init__(self, number, name):
        self.number, self.name = number, name

    def __enter__(self):
        """Nothing to do."""

    def __exit__(self, kind, error, trace):
        if isinstance(error, Exception):
            error.add_note(f"This happened in batch {self.number} of {self.name}.")


def made_ahead(get, numbers, workers, depth, processes):
    """Yields `get(i)` for each number i, in order, while workers make the next ones.

    Args:
        get: function with a `__name__` for messages; pickled once for each process.
        depth: how many are made ahead at most.
        processes: whether the workers are processes, which are started as `multiprocessing` starts them.
    Raises:
        RuntimeError: a worker process died.
        what `get(i)` raises.
    """
    if processes:
        pool = concurrent.futures.ProcessPoolExecutor(workers, initializer=_keep, initargs=(get,))
        call = _call
    else:
        pool, call = concurrent.futures.ThreadPoolExecutor(workers, "jkeras-data"), get
    waiting = collections.deque()
    try:
        for i in numbers:
            with _deaths_explained(i, get.__name__), forks_allowed() if processes else contextlib.nullcontext():
                waiting.append((i, pool.submit(call, i)))
            if len(waiting) >= max(depth, workers):
                yield _result(*waiting.popleft(), get.__name__)
        while waiting:
            yield _result(*waiting.popleft(), get.__name__)
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def forks_allowed():
    """A `with` block without JAX's warning of forks: a worker has no business with JAX."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
        yield


def _result(number, future, name):
    with _deaths_explained(number, name):
        return future.result()


@contextlib.contextmanager
def _deaths_explained(number, name):
    """Turns the pool's error for a process that is gone into one that says what to do."""
    try:
        yield
    except concurrent.futures.process.BrokenProcessPool as error:
        raise RuntimeError(f"A worker process died while batch {number} of {name} was made or waited for, perhaps for "
                           "want of memory. Use fewer `workers`, or threads (`use_multiprocessing=False`).") from error


class _Kept:
    """What a worker process works on."""

    get = None


def _keep(get):
    _Kept.get = get


def _call(number):
    try:
        return _Kept.get(number)
    except Exception as error:
        raise _portable(error) from error.__cause__


def _portable(error):
    """An error that can be sent to another process: itself, or where that fails a RuntimeError with its text."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:  # an error's own `__init__` or `__reduce__` may raise anything
        text = "".join(traceback.format_exception(error))
        return RuntimeError(f"A worker raised {type(error).__name__}, which cannot be sent from a process:\n{text}")
