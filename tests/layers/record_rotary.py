"""Writes rotary.npz: what keras-hub's RotaryEmbedding gives, so that the tests do not need it:

KERAS_BACKEND=jax python -m tests.layers.record_rotary   # keras-hub 0.32
"""

import pathlib

import numpy as np

PATH = pathlib.Path(__file__).parent / "rotary.npz"
PLACES = [0, 1, 2, 7, 63, 1000, 10000]
PACKED = [[0, 1, 2, 0, 1, 0, 1], [5, 6, 7, 8, 9, 10, 4096]]
YARN = {"rope_type": "yarn", "scaling_factor": 4.0, "original_max_position_embeddings": 256}
CASES = {  # name: (shape of the input, arguments, arguments of the call)
    "plain": ((2, 7, 8), {}, {}),
    "heads": ((2, 7, 3, 8), {}, {}),
    "heads first": ((2, 3, 7, 8), {"sequence_axis": 2}, {}),
    "features before time": ((2, 8, 7), {"sequence_axis": 2, "feature_axis": 1}, {}),
    "from 9000": ((2, 7, 3, 8), {}, {"start_index": 9000}),
    "places": ((2, 7, 8), {}, {"positions": PLACES}),
    "packed": ((2, 7, 3, 8), {"max_wavelength": 500000}, {"positions": PACKED}),
    "linear": ((2, 7, 8), {"scaling_factor": 3.0}, {"positions": PLACES}),
    "dynamic": ((2, 7, 8), {"scaling_factor": 3.0, "rope_type": "dynamic"}, {"positions": PLACES}),
    "yarn": ((2, 7, 16), YARN, {"positions": PLACES}),
    "yarn, not whole": ((2, 7, 16), YARN | {"truncate": False, "beta_slow": 2.0}, {}),
    "denominator": ((2, 7, 8), {"denominator_dim": 32}, {"positions": PLACES}),
}
DTYPES = "float32", "bfloat16", "float16"


def given(name, case):
    """The input of a case, and the arguments of the call as arrays."""
    shape, _, call = case
    x = np.random.default_rng(len(name)).normal(size=shape).astype("float32")
    return x, {key: np.asarray(value, "int32") for key, value in call.items()}


def main():
    from keras_hub.layers import RotaryEmbedding

    recorded = {}
    for name, case in CASES.items():
        x, call = given(name, case)
        for dtype in DTYPES:
            y = RotaryEmbedding(**case[1], dtype=dtype)(x, **call)
            recorded[f"{name} {dtype}"] = np.asarray(y).astype("float32")
    np.savez_compressed(PATH, **recorded)


if __name__ == "__main__":
    main()
