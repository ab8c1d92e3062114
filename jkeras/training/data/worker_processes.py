"""Worker processes: started apart from JAX, reused from epoch to epoch, gone with the process that
started them.
"""

import collections.abc
import concurrent.futures
import hashlib
import multiprocessing
import os
import pickle
import signal
import sys
import tempfile
import threading
import traceback
import typing
import warnings


class Processes:
    """Processes that work on one function after another.

    They come from a server that has never run JAX (where there is none, they are spawned), since
    one that is forked while JAX runs may hang. A function goes to them in a file, when it is
    another one than before.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool = None
        self._forked = False
        self._file = self._digest = None

    def on(
        self, get: collections.abc.Callable[[int], typing.Any]
    ) -> collections.abc.Callable[[int], concurrent.futures.Future]:
        """`number -> future` of `get(number)`; what was submitted before must have ended.

        A function that only this process has, such as one of a notebook, is worked on by forked
        processes, with a warning.
        """
        content, reason = _packed(get)
        if content is None:
            return self._fork(get, reason)
        if self._forked:
            self.close()
        if self._pool is None:
            self._pool = concurrent.futures.ProcessPoolExecutor(self._workers, _context(), _begin)
        digest = hashlib.sha256(content).digest()
        if digest != self._digest:
            self._forget()
            self._file = _written(content)
            self._digest = digest
        pool = self._pool
        file = self._file
        return lambda number: pool.submit(_call, file, number)

    def _fork(self, get: collections.abc.Callable, reason: str) -> collections.abc.Callable:
        if "fork" not in multiprocessing.get_all_start_methods():
            raise ValueError(
                f"{get.__name__} cannot be sent to a worker process: {reason}. Use threads "
                "(`use_multiprocessing=False`)."
            )
        warnings.warn(
            f"{get.__name__} cannot be sent to a new process ({reason}), so its workers are "
            "forked, and a fork while JAX runs may hang. Define its class in a module, and keep "
            "in it only what can be pickled; or use threads (`use_multiprocessing=False`).",
            stacklevel=2,
        )
        self.close()
        self._pool = pool = concurrent.futures.ProcessPoolExecutor(
            self._workers, multiprocessing.get_context("fork"), _keep, (get,)
        )
        self._forked = True

        def submit(number: int) -> concurrent.futures.Future:
            with warnings.catch_warnings():
                # said above
                warnings.filterwarnings("ignore", r"os\.fork\(\) was called", RuntimeWarning)
                return pool.submit(_call, None, number)

        return submit

    def _forget(self) -> None:
        if self._file is not None:
            os.unlink(self._file)
        self._file = self._digest = None

    def close(self) -> None:
        """Ends the processes, which finish what they are at."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pool = None
        self._forked = False
        self._forget()


def _packed(get: collections.abc.Callable) -> tuple[bytes | None, str | None]:
    """(bytes, None) of a function that other processes can have; (None, why not) of others."""
    try:
        content = pickle.dumps(get)
    except Exception as error:  # what a user's object raises that cannot be pickled is of any kind
        return None, f"{type(error).__name__}: {error}"
    if b"__main__" in content and not _can_be_imported(sys.modules["__main__"]):
        return None, "it is defined in this session, not in a file"
    return content, None


def _can_be_imported(main: typing.Any) -> bool:
    """Whether the main module lies in a file, from which other processes have it too."""
    if getattr(main, "__spec__", None) is not None:
        return True
    return os.path.isfile(getattr(main, "__file__", None) or "")


def _written(content: bytes) -> str:
    """The path of a new temporary file with the content."""
    handle, path = tempfile.mkstemp(prefix="jkeras-worker-")
    with open(handle, "wb") as file:
        file.write(content)
    return path


def _context():
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    # once for all processes, which then start in no time
    context.set_forkserver_preload([__name__])
    return context


# ---------------------------------------------------------------- in the processes


class _Kept:
    """What a process works on."""

    file = get = None


def _begin() -> None:
    """JAX stays away from the accelerator; Ctrl-C is for the parent; without it there is nothing to
    do.
    """
    import jax

    jax.config.update("jax_platforms", "cpu")
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def leave() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()


def _keep(get: collections.abc.Callable) -> None:
    _Kept.get = get


def _call(file: str | None, number: int) -> typing.Any:
    try:
        if file != _Kept.file:
            with open(file, "rb") as content:
                _Kept.get = pickle.load(content)
            _Kept.file = file
        return _Kept.get(number)
    except Exception as error:
        raise _portable(error) from error.__cause__


def _portable(error: Exception) -> Exception:
    """An error that can be sent to another process: itself, or where that fails a RuntimeError with
    its text.
    """
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:  # an error's own `__init__` or `__reduce__` may raise anything
        text = "".join(traceback.format_exception(error))
        return RuntimeError(
            f"A worker raised {type(error).__name__}, which cannot be sent from a process:\n{text}"
        )
