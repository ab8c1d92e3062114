# Written by `python -m tests.make_stubs`.
from typing import Any
from jkeras.core.weights.rng import SeedGenerator as SeedGenerator

def beta(shape: Any, alpha: Any, beta: Any, dtype: Any = None, seed: Any = None) -> Any: ...
def binomial(
    shape: Any,
    counts: Any,
    probabilities: Any,
    dtype: Any = None,
    seed: Any = None,
) -> Any: ...
def categorical(logits: Any, num_samples: Any, dtype: Any = 'int32', seed: Any = None) -> Any: ...
def dropout(inputs: Any, rate: Any, noise_shape: Any = None, seed: Any = None) -> Any: ...
def gamma(shape: Any, alpha: Any, dtype: Any = None, seed: Any = None) -> Any: ...
def normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = None,
    seed: Any = None,
) -> Any: ...
def randint(
    shape: Any,
    minval: Any,
    maxval: Any,
    dtype: Any = 'int32',
    seed: Any = None,
) -> Any: ...
def shuffle(x: Any, axis: Any = 0, seed: Any = None) -> Any: ...
def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = None,
    seed: Any = None,
) -> Any: ...
def uniform(
    shape: Any,
    minval: Any = 0.0,
    maxval: Any = 1.0,
    dtype: Any = None,
    seed: Any = None,
) -> Any: ...
