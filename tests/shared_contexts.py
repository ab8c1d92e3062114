"""One MLIR context for many programs: JAX makes one, with all its dialects, for each program that
it compiles, in 4 ms and 1.2 MB. Without that the smallest programs take 13 ms and 0.2 MB.
"""

import functools
import itertools
import sys
import threading

from jax.extend.mlir import ir
from jax.interpreters import mlir

PROGRAMS = 200  # in one context, which keeps their constants
THREADS = 8  # whose contexts are kept


def share_contexts():
    """Lets each thread write a number of programs in one context before it takes a new one. A
    program that is compiled while another one is written has a context of its own: in that of the
    other one it would become a part of it.
    """
    make = mlir.make_ir_context
    of_turn = functools.lru_cache(THREADS)(lambda thread, turn: make())
    number = itertools.count()

    def shared():
        if ir.Context.current is not None:
            return make()
        return of_turn(threading.get_ident(), next(number) // PROGRAMS)

    # where JAX looks it up; the public module has a second name for it
    setattr(sys.modules[make.__module__], make.__name__, shared)
