"""Items of a data set made ahead by worker threads or processes, in order; errors surface, nothing stays behind."""

import collections
import concurrent.futures
import concurrent.futures.process
import warnings


def made_ahead(dataset, numbers, workers, depth, processes):
    """Yields `dataset[i]` for each number i, in order, while workers make the next ones.

    Args:
        depth: how many are made ahead at most.
        processes: whether the workers are processes, which are started as `multiprocessing` starts them and get the
            data set once.
    Raises:
        RuntimeError: a worker process died.
        what `dataset[i]` raises, with a note about i.
    """
    if processes:
        pool = concurrent.futures.ProcessPoolExecutor(workers, initializer=_keep, initargs=(dataset,))
        get = _get
    else:
        pool, get = concurrent.futures.ThreadPoolExecutor(workers, "jkeras-data"), dataset.__getitem__
    waiting = collections.deque()
    try:
        for i in numbers:
            with warnings.catch_warnings():  # JAX warns of forks, but a worker has no business with JAX
                warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
                waiting.append((i, pool.submit(get, i)))
            if len(waiting) >= max(depth, workers):
                yield _result(dataset, *waiting.popleft())
        while waiting:
            yield _result(dataset, *waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _result(dataset, number, future):
    try:
        return future.result()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise RuntimeError(f"A worker process died while batch {number} of {type(dataset).__name__} was made, perhaps "
                           "for want of memory. Use fewer `workers`, or threads (`use_multiprocessing=False`)."
                           ) from error
    except Exception as error:  # whatever the data set raises: it goes on, with where it happened
        error.add_note(f"This happened in a worker, in batch {number} of {type(dataset).__name__}.")
        raise


class _Kept:
    """What a worker process works on."""

    dataset = None


def _keep(dataset):
    _Kept.dataset = dataset


def _get(number):
    return _Kept.dataset[number]
