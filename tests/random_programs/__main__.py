"""Runs random programs in Keras and here, and shows what differs, made small.

python -m tests.random_programs 0:100
python -m tests.random_programs 17 --whole
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
if "XLA_FLAGS" not in os.environ:
    from tests.quick_xla import quick_flags

    os.environ["XLA_FLAGS"] = quick_flags()


def main() -> None:
    import logging

    import jax

    logging.getLogger("absl").setLevel(logging.ERROR)
    from tests.random_programs.compare import difference
    from tests.random_programs.draw import program
    from tests.random_programs.shrink import shrunk

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seeds", help="one, or FIRST:BEHIND")
    parser.add_argument("--whole", action="store_true", help="show the programs as they are drawn")
    given = parser.parse_args()
    first, _, behind = given.seeds.partition(":")
    seeds = range(int(first), int(behind or int(first) + 1))
    for number, seed in enumerate(seeds):
        drawn = program(seed)
        if given.whole:
            print(drawn.source())
        found = difference(drawn)
        if found:
            shrink = found.what != "refused by Keras" and not given.whole
            small = shrunk(drawn, found).source() if shrink else ""
            print(f"=== {seed}: {found}\n{small}", flush=True)
        elif number % 20 == 0:
            print(f"--- {seed}", flush=True)
        if number % 10 == 9:
            jax.clear_caches()


if __name__ == "__main__":
    main()
