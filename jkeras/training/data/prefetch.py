"""Batches made ahead by a thread, a few at most, while the device works on those before."""

import collections.abc
import contextvars
import queue
import threading
import typing

DEPTH = 2  # batches that wait at most; one more is being made


class Prefetched:
    """An iterator over the items of another, which a thread takes from it ahead of time.

    Errors of the iterator are raised where their item would have come. `close` stops the thread,
    which closes the iterator; until then nothing else may use it.

    Args:
        prepare: function of an item, run by the thread too.

    >>> ahead = Prefetched(iter([1, 2]), lambda item: 10 * item)
    >>> list(ahead), ahead.thread.is_alive()
    ([10, 20], False)
    """

    def __init__(
        self,
        iterator: collections.abc.Iterator,
        prepare: collections.abc.Callable = lambda item: item,
        depth: int = DEPTH,
    ) -> None:
        self.iterator = iterator
        self.prepare = prepare
        self.ready = queue.SimpleQueue()  # of (item, error)
        self.places = queue.SimpleQueue()  # one for each that may wait
        for _ in range(depth):
            self.places.put(None)
        self.stopped = threading.Event()
        self.ended = False
        # scopes that are open where the items are consumed hold for making them
        context = contextvars.copy_context()
        self.thread = threading.Thread(
            target=context.run, args=(self._work,), name="jkeras-prefetch", daemon=True
        )
        self.thread.start()

    def _work(self) -> None:
        try:
            for item in self.iterator:
                self._put((self.prepare(item), None))
                if self.stopped.is_set():
                    break
            else:
                self._put((None, StopIteration()))
        except BaseException as error:
            # whatever it is, it belongs to the one who waits for the item
            self._put((None, error))
        finally:
            if hasattr(self.iterator, "close"):
                self.iterator.close()

    def _put(self, entry: tuple[typing.Any, BaseException | None]) -> None:
        self.places.get()
        if not self.stopped.is_set():
            self.ready.put(entry)

    def __iter__(self) -> "Prefetched":
        return self

    def __next__(self) -> typing.Any:
        if self.ended:
            raise StopIteration
        item, error = self.ready.get()
        self.places.put(None)
        if error is not None:
            self.ended = True
            self.close()
            raise error
        return item

    def close(self) -> None:
        """Stops the thread, after the item that it is making."""
        self.stopped.set()
        self.places.put(None)  # or it would wait for one
        if threading.current_thread() is not self.thread:
            self.thread.join()
