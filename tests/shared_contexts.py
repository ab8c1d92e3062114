"""One MLIR context for many programs: JAX makes a new one, with all its dialects, for each program
that it compiles, which takes 4 ms, a quarter of what the smallest program costs.
"""

import functools
import itertools
import sys

from jax.interpreters import mlir

PROGRAMS = 200  # of one context, which keeps their constants


def share_contexts():
    """Lets JAX write a number of programs in one context before it takes a new one."""
    make = mlir.make_ir_context
    of_turn = functools.lru_cache(maxsize=1)(lambda turn: make())
    number = itertools.count()
    # where JAX looks it up; the public module has a second name for it
    owner = sys.modules[make.__module__]
    setattr(owner, make.__name__, lambda: of_turn(next(number) // PROGRAMS))
