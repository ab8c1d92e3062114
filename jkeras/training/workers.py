"""Items made ahead by worker threads or processes, in order; errors surface, nothing stays behind."""

import collections
import concurrent.futures
import concurrent.futures.process
import contextlib
import pickle
import traceback
import warnings


@contextlib.contextmanager
def noted(number, name):
    """A `with` block whose errors get a note: in which batch of what they happened."""
    try:
        yield
    except Exception as error:  # whatever the data raises: it goes on, with where it happened
        error.add_note(f"This happened in batch {number} of {name}.")
        raise


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
            waiting.append((i, _submitted(pool, call, i, get.__name__)))
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


def _submitted(pool, call, number, name):
    """The future of an item."""
    with forks_allowed(), _deaths_explained(number, name):
        return pool.submit(call, number)


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
