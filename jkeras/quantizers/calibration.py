"""Calibration: samples of a data set go through the blocks of a model, one block after the other,
and the layers in a block are put into few bits by what they saw.
"""

import math
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from jkeras.core.graph.by_identity import ByIdentity
from jkeras.core.layer import Layer
from jkeras.core.weights.paths import walk
from jkeras.quantizers import awq, gptq

if TYPE_CHECKING:
    import jax
    from jkeras.quantizers.configs import CalibratedConfig

# each has `begin`, `update` and `solve`
METHODS = {"gptq": gptq, "awq": awq}


class Calibration:
    """One calibration of a model: the samples, and the layers and blocks that they go through.

    Args:
        model: whose `get_quantization_layer_structure` says so where the configuration does not.
        config: a `GPTQConfig` or `AWQConfig`.

    Raises:
        ValueError: there are no blocks, no data or no tokenizer.
        TypeError: the data set is not an iterable.
    """

    def __init__(self, model: Any, config: "CalibratedConfig") -> None:
        self.config = config
        structure = config.quantization_layer_structure
        if structure is None:
            structure = model.get_quantization_layer_structure(config.mode)
        self.layers_before, self.blocks = _layers_and_blocks(structure, config.mode)
        self.samples = samples_of(config)
        parts = [part for block in self.blocks for part in layers_of(block)]
        self._inside = ByIdentity.of_keys(parts)

    def reaches(self, layer: Layer) -> bool:
        """Whether a layer is in one of the blocks."""
        return self._inside.has(layer)

    def run(self) -> None:
        """Calibrates the layers of the blocks that wait for it."""
        batches = _batches(self.samples, self.config.calibration_batch_size)
        inputs = list(map(self._first_inputs, batches))
        for i, block in enumerate(self.blocks):
            waiting = list(filter(is_waiting, layers_of(block)))
            if waiting:
                self._calibrate(waiting, block, inputs)
            if i < len(self.blocks) - 1:
                inputs = [_output(block(x)) for x in inputs]

    def _first_inputs(self, samples: np.ndarray) -> "jax.Array":
        x = jnp.asarray(samples)
        for layer in self.layers_before:
            x = layer(x)
        return _with_batch(x)

    def _calibrate(self, layers: list[Any], block: Any, inputs: list[Any]) -> None:
        """Calibrates layers of a block on its inputs."""
        for layer in layers:
            layer.watch()
        try:
            for x in inputs:
                block(x)
        finally:
            statistics = [layer.end_watch() for layer in layers]
        for layer, seen in zip(layers, statistics):
            layer.calibrate(seen, self.config)


def layers_of(block: Any) -> list[Layer]:
    """A block and all layers in it."""
    return [part for _, part in walk(block) if isinstance(part, Layer)]


def is_waiting(layer: Layer) -> bool:
    """Whether a layer computes with floats until it is calibrated."""
    return getattr(layer, "is_waiting", False)


def _batches(samples: np.ndarray, size: int) -> list[np.ndarray]:
    """Samples (n, 1, length), so many at once: (size, length) each."""
    return [samples[i : i + size, 0] for i in range(0, len(samples), size)]


def _output(output: Any) -> "jax.Array":
    """What goes from a block to the next: its output, or the first of several."""
    return _with_batch(output[0] if isinstance(output, (list, tuple)) else output)


def _with_batch(x: Any) -> "jax.Array":
    """An input of a block: what has two axes is one sample without the batch's axis."""
    return x[None] if x.ndim == 2 else x


def _layers_and_blocks(structure: dict[str, Any] | None, mode: str) -> tuple[list[Layer], list]:
    """The layers before the blocks, and the blocks, of a structure as Keras has it."""
    if structure is None:
        raise ValueError(
            f"For mode='{mode}', a valid quantization structure is needed: a dict with the keys "
            "'pre_block_layers' and 'sequential_blocks', whose values are lists of layers. Pass it "
            "as `quantization_layer_structure` of the config, or let "
            "`model.get_quantization_layer_structure(mode)` return it."
        )
    blocks = structure.get("sequential_blocks", [])
    if not blocks:
        raise ValueError(
            "No sequential blocks to quantize: 'sequential_blocks' is a list of "
            f"layers. Received: {sorted(structure)}"
        )
    return structure.get("pre_block_layers", []), blocks


def samples_of(config: "CalibratedConfig") -> np.ndarray:
    """The samples of a configuration's data set, (num_samples, 1, sequence_length) int32.

    The texts' tokens stand in one row, again and again where they are few; samples begin in it at
    equal distances.

    >>> from jkeras.quantizers import GPTQConfig
    >>> config = GPTQConfig([[1, 2, 3], [4, 5]], list, num_samples=2, sequence_length=2)
    >>> samples_of(config).tolist()
    [[[1, 2]], [[3, 4]]]
    """
    if config.dataset is None or config.tokenizer is None:
        raise ValueError(
            f"{config.mode.upper()} quantization requires a dataset and a tokenizer. Pass both to "
            f"{type(config).__name__}."
        )
    tokens = _tokens(config.dataset, config.tokenizer)
    needed = config.num_samples * config.sequence_length
    if len(tokens) < needed:
        tokens = np.tile(tokens, math.ceil(needed / len(tokens)))
    windows = np.lib.stride_tricks.sliding_window_view(tokens, config.sequence_length)
    distance = max(1, len(windows) // config.num_samples)
    starts = np.arange(config.num_samples) * distance % len(windows)
    return windows[starts][:, None, :]


def _tokens(dataset: Any, tokenizer: Any) -> np.ndarray:
    """All tokens of a data set of texts, or of arrays of tokens, in one row."""
    if not hasattr(dataset, "__iter__") or isinstance(dataset, (str, bytes)):
        raise TypeError(
            "The `dataset` argument must be an iterable: a list of texts, a generator, an array of "
            f"tokens. Received: {type(dataset).__name__}"
        )
    tokenize = getattr(tokenizer, "tokenize", tokenizer)
    rows = [tokenize(item) if isinstance(item, str) else item for item in dataset]
    tokens = [np.asarray(row).reshape(-1).astype("int32") for row in rows]
    if not sum(map(len, tokens)):
        raise ValueError("Provided dataset is empty: calibration needs at least one token.")
    return np.concatenate(tokens)
