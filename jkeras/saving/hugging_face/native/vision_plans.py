"""What transformers of images, and of images and texts, compute, whatever a `config.json` calls
it.
"""

import dataclasses
import typing

from jkeras.saving.hugging_face.native.plans import (
    Activation,
    Block,
    EncoderDecoder,
    Norm,
    Transformer,
)


@dataclasses.dataclass(frozen=True)
class Patches:
    """An image (height, width, channels), cut into patches, which become tokens.

    Attributes:
        image, patch: (height, width) in pixels; positions are of images of the first size.
        bias: whether the projection of a patch has one.
        class_token: whether a token stands before those of the patches.
        registers: how many stand behind it, without a position (Darcet et al. 2023,
            arXiv:2309.16588).
        mask_token: whether there is a vector for patches that are hidden in pretraining.
        antialias: whether positions for smaller images are smoothed.
        takes_all_sizes: whether images of other sizes are taken unless it is said otherwise.
    """

    image: tuple[int, int]
    patch: tuple[int, int]
    channels: int
    bias: bool = True
    class_token: bool = True
    registers: int = 0
    mask_token: bool = False
    antialias: bool = False
    takes_all_sizes: bool = False

    @property
    def grid(self) -> tuple[int, int]:
        """How many patches there are, down and across."""
        return self.image[0] // self.patch[0], self.image[1] // self.patch[1]

    @property
    def positions(self) -> int:
        """How many vectors of positions there are."""
        return self.grid[0] * self.grid[1] + self.class_token


@dataclasses.dataclass(frozen=True)
class Pooler:
    """What makes one vector of the tokens of an image.

    Attributes:
        kind: "first": the first token; "dense": that, through a layer; "attention": what a vector
            of its own attends to (Lee et al. 2019, arXiv:1810.00825).
        norm: behind the first token.
        width, activation: of the layer.
    """

    kind: typing.Literal["first", "dense", "attention"]
    norm: Norm | None = None
    width: int | None = None
    activation: Activation | None = None


@dataclasses.dataclass(frozen=True)
class Vision:
    """A transformer of images.

    Attributes:
        first_norm: whether there is a norm before the blocks.
        final_norm: whether there is one behind them, for all tokens.
        pooler: None: there is none.
        projection: the width of the vector of an image that is compared with texts.
        label_pooling: what scores of labels look at: the first token, that and the mean of the
            patches, or that mean alone.
    """

    patches: Patches
    width: int
    blocks: tuple[Block, ...]
    norm: Norm
    first_norm: bool = False
    final_norm: bool = True
    pooler: Pooler | None = None
    projection: int | None = None
    dropout: float = 0.0
    label_pooling: typing.Literal["first", "first and mean", "mean"] = "first"
    labels: int = 2


@dataclasses.dataclass(frozen=True)
class Text:
    """A transformer of texts that gives one vector of each.

    Attributes:
        pooling: whose features that is of: "end": of the first token `end`, or the first one where
            there is none; "largest": of the token with the largest number; "last": of the last
            position.
        head: the width of a layer behind that; None: there is none.
        projection: the width of the vector of a text that is compared with images.
    """

    transformer: Transformer
    pooling: typing.Literal["end", "largest", "last"]
    end: int | None = None
    head: int | None = None
    projection: int | None = None


@dataclasses.dataclass(frozen=True)
class ImageText:
    """Images and texts as vectors that can be compared.

    Attributes:
        has_bias: whether something is added to the scores.
        scale: how the logarithm of their scale begins.
    """

    vision: Vision
    text: Text
    has_bias: bool
    scale: float


Plan = Transformer | EncoderDecoder | Text | Vision | ImageText  # of a whole model
