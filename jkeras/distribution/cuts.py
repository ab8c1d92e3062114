"""Along which axis each weight of a model is cut over devices, from its path and shape alone."""

import collections
import math
import re
from typing import NamedTuple

KERNEL, BIAS = re.compile(r"(^|[/_])kernel$"), re.compile(r"(^|[/_])bias$")
OF_NORMS = re.compile(r"(gamma|beta|scale|bias|moving_mean|moving_variance)$")
OF_EXPERTS = re.compile(r"(^|[/_])expert_(gate|up|down)(_bias)?$")
# what is added to each sequence: in parts, all that follows would lie in such parts too
OF_POSITIONS = re.compile(r"(^|[/_])pos(ition(al|s)?)?(_[^/]*)?(/[^/]*)?$(?<!kernel)")
# layers that give what attention compares and mixes, by the names that they have in most libraries
OF_HEADS = re.compile(r"(^|_)(query|key|value|q|k|v|qkv)(_|$)")


class Cut(NamedTuple):
    """How one weight is cut.

    Attributes:
        axis: of the weight; None: it is whole on each device.
        why: the rule that says so, in words.
        is_meant: False of a weight that is whole because no axis could be cut.
    """

    axis: int | None
    why: str
    is_meant: bool = True


class Cuts:
    """Cuts of the weights of models, which are asked for in the order in which they are made.

    A kernel gives its outputs in parts (`columns`, or `heads` of attention), and a later one of the
    same surroundings that takes as many inputs takes them in parts (`rows`): the two need one sum
    over devices, behind the second (Shoeybi et al. 2019, arXiv:1909.08053).

    Args:
        parts: in how many parts weights are cut.
        min_size: weights with fewer elements stay whole.

    >>> cuts = Cuts(parts=4, min_size=1)
    >>> [cuts.of(path, shape).axis for path, shape in [
    ...     ("block/up/kernel", (64, 256)), ("block/up/bias", (256,)),
    ...     ("block/down/kernel", (256, 64)), ("block/down/bias", (64,))]]
    [1, 0, 0, None]
    """

    def __init__(self, parts: int, min_size: int) -> None:
        self.parts, self.min_size = parts, min_size
        self._cache = {}  # (path, shape): Cut
        self._kernels = {}  # path of a layer: (shape, axis) of its kernel
        # path of what is around layers: numbers of outputs that are not taken yet
        self._in_parts = collections.defaultdict(set)

    def of(self, path: str, shape: tuple[int, ...]) -> Cut:
        """The cut of a weight; of the same path and shape always the same."""
        key = path, tuple(shape)
        if key not in self._cache:
            self._cache[key] = self._of_experts(*key) or self._find(*key)
        return self._cache[key]

    def _of_experts(self, path: str, shape: tuple[int, ...]) -> Cut | None:
        """The cut of a weight of several experts, along them; None of another one, and where their
        number cannot be cut. One of a stack has an axis more.
        """
        if OF_EXPERTS.search(path) is None:
            return None
        axis = len(shape) - (2 if path.endswith("_bias") else 3)
        return Cut(axis, "experts") if self._divides(shape[axis]) else None

    def _find(self, path: str, shape: tuple[int, ...]) -> Cut:
        is_kernel = len(shape) > 1 and KERNEL.search(path) is not None
        layer = (KERNEL if is_kernel else BIAS).sub("", path)
        if BIAS.search(path) and layer in self._kernels:
            return self._beside(*self._kernels[layer], shape)
        if why := self._why_whole(path, shape):
            cut = Cut(None, f"whole: {why}")
        elif is_kernel:
            cut = self._of_kernel(layer, shape)
        elif path.rpartition("/")[2] == "embeddings" and self._divides(shape[0]):
            cut = Cut(0, "vocabulary")
        else:
            cut = self._longest(shape)
        if is_kernel:
            self._kernels[layer] = shape, cut.axis
        return cut

    def _why_whole(self, path: str, shape: tuple[int, ...]) -> str:
        """Why a weight is left whole, in words; "": it is cut where it can be."""
        if len(shape) < 2 or OF_NORMS.search(path):
            return "a scale, a shift or another vector"
        if math.prod(shape) < self.min_size:
            return f"fewer than {self.min_size} elements"
        if OF_POSITIONS.search(path):
            return "positions, which are added to each sequence"
        return ""

    def _of_kernel(self, layer: str, shape: tuple[int, ...]) -> Cut:
        around, _, name = layer.rpartition("/")
        in_parts = self._in_parts[around]
        if not OF_HEADS.search(name):
            axis = self._inputs(in_parts, shape)
            if axis is not None:
                in_parts.clear()
                return Cut(axis, "rows: its inputs are in parts")
            axis, outputs, why = len(shape) - 1, shape[-1], "columns"
        else:
            axis, outputs, why = _of_heads(shape)
        if not self._divides(shape[axis]):
            return self._longest(shape)
        in_parts.add(outputs)
        return Cut(axis, why)

    def _inputs(self, in_parts: set[int], shape: tuple[int, ...]) -> int | None:
        """The axis of a kernel's inputs that are in parts: features, or heads; None: there is
        none.
        """
        if shape[-2] in in_parts and self._divides(shape[-2]):
            return len(shape) - 2
        if len(shape) > 2 and shape[-3] * shape[-2] in in_parts and self._divides(shape[-3]):
            return len(shape) - 3
        return None

    def _beside(self, kernel: tuple[int, ...], axis: int | None, shape: tuple[int, ...]) -> Cut:
        """The cut of a bias: along the axis of its kernel, which it has unless this is of
        inputs.
        """
        mine = len(shape) - 1
        for i in reversed(range(len(kernel))):
            if mine >= 0 and kernel[i] == shape[mine]:
                if i == axis:
                    return Cut(mine, "as its kernel")
                mine -= 1
        return Cut(None, "whole: a bias of sums over devices, or of a whole kernel")

    def _longest(self, shape: tuple[int, ...]) -> Cut:
        axes = [axis for axis, size in enumerate(shape) if self._divides(size)]
        if not axes:
            return Cut(None, f"whole: no axis is a multiple of {self.parts}", is_meant=False)
        axis = max(axes, key=lambda axis: shape[axis])
        return Cut(axis, f"the longest axis that is a multiple of {self.parts}")

    def _divides(self, size: int) -> bool:
        return size % self.parts == 0 and size > 0


def _of_heads(shape: tuple[int, ...]) -> tuple[int, int, str]:
    """(axis of the heads, number of outputs, why) of a kernel of queries, keys or values.

    Its axes are features, heads and numbers of a head, the heads before the numbers: `(d, n, h)` or
    `(n, d, h)`. Features are the longest.
    """
    if len(shape) < 3:
        return len(shape) - 1, shape[-1], "heads"
    first = len(shape) - 3
    features = first + max(range(3), key=lambda axis: shape[first + axis])
    heads, numbers = (axis for axis in range(first, len(shape)) if axis != features)
    return heads, shape[heads] * shape[numbers], "heads"
