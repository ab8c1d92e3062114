"""`KERAS_BACKEND=jax python -m tests.parity.same_seed.record [NAME ...]` runs the programs with
real Keras and writes what they measure into recorded.json.
"""

import json
import pathlib
import sys

RECORDED = pathlib.Path(__file__).parent / "recorded.json"


def main(names):
    import keras

    from jkeras.datasets import digits
    from tests.parity.same_seed.examples import SHORT, histories
    from tests.parity.same_seed.programs import PROGRAMS

    recorded = json.loads(RECORDED.read_text()) if names else {}
    for name, program in PROGRAMS.items():
        if not names or name in names:
            recorded[name] = program(keras)
            write(recorded)
    for name in SHORT:
        if not names or name in names:
            recorded[name] = histories(keras, digits, name)
            write(recorded)


def write(recorded):
    """A line for each program, numbers with seven digits."""
    rounded = json.loads(json.dumps(recorded), parse_float=lambda text: float(f"{float(text):.7g}"))
    lines = [f"{json.dumps(name)}: {json.dumps(rounded[name])}" for name in sorted(rounded)]
    RECORDED.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
