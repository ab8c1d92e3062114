"""What a transformer computes, in numbers and names, whatever a `config.json` calls them."""

import dataclasses
import typing

from jkeras.ops.rotary import Rotary

Activation = str  # a key of `jkeras.models.transformers.feedforward.ACTIVATIONS`


@dataclasses.dataclass(frozen=True)
class Norm:
    """A norm of the features.

    Attributes:
        kind: "rms", "rms+1" (its scale is added to one) or "layer".
        has_scale, has_shift: whether it has such weights; the second is of "layer" alone.
    """

    kind: typing.Literal["rms", "rms+1", "layer"]
    epsilon: float
    has_scale: bool = True
    has_shift: bool = True


@dataclasses.dataclass(frozen=True)
class Buckets:
    """Which distances of positions have a number of their own that is added to scores (Raffel et
    al. 2020, arXiv:1910.10683).

    Attributes:
        count: how many numbers each head has.
        longest: the distance from which on all have the last one.
    """

    count: int
    longest: int


@dataclasses.dataclass(frozen=True)
class Attention:
    """Attention of a text to itself, or to what an encoder makes of another one.

    Attributes:
        groups: how many heads keys and values have.
        size: of a head.
        scale: of the scores.
        bias: of queries, keys and values.
        key_bias: of keys; None: as of the others.
        norm: of queries and keys; None: there is none.
        norms_whole: whether that is over all heads at once.
        alibi: the bias by positions of Press et al.: "scaled" as scores are, or "unscaled".
        window: how many positions are seen, the own one counted.
        soft_cap: c in `c * tanh(scores / c)`.
        sinks: whether each head has a score beside those of the positions.
        clip: bounds the projections.
    """

    heads: int
    groups: int
    size: int
    scale: float
    is_causal: bool = True
    bias: bool = False
    key_bias: bool | None = None
    output_bias: bool = False
    norm: Norm | None = None
    norms_whole: bool = False
    rotary: Rotary | None = None
    alibi: typing.Literal["scaled", "unscaled"] | None = None
    window: int | None = None
    soft_cap: float | None = None
    sinks: bool = False
    clip: float | None = None
    dropout: float = 0.0


@dataclasses.dataclass(frozen=True)
class Experts:
    """Several feedforward networks, of which each token takes some.

    Attributes:
        chosen: how many of them a token takes.
        inner: their width.
        normalizes: whether the weights of those that are taken add up to one.
        shared: the width of a further one that all tokens take; 0: none.
        limit: bounds what is inside, as in GPT-OSS, which gates in a way of its own.
    """

    count: int
    chosen: int
    inner: int
    normalizes: bool
    shared: int = 0
    limit: float | None = None


@dataclasses.dataclass(frozen=True)
class Feedforward:
    """The network for each position alone.

    Attributes:
        is_gated: whether the activation of one projection is multiplied with another.
        experts: instead of one network.
        dropout: between the projections.
    """

    inner: int
    activation: Activation
    is_gated: bool = True
    bias: bool = False
    experts: Experts | None = None
    dropout: float = 0.0


@dataclasses.dataclass(frozen=True)
class Block:
    """Attention and a feedforward network, each added to what comes in.

    Attributes:
        form: where the norms are: "before" each; "after" each; "around": both; "outside", behind
            the sum; "parallel", before both, which get the same; "normed": before, and what they
            give is added.
        one_norm: whether a parallel block has one for both.
        no_first_norm: whether attention gets what comes in as it is.
        multiplier: of what is added.
        cross: attention to what an encoder gives, between the two; None: there is none.
        layer_scale: how the vector begins by which what is added is multiplied; None: there is
            none.
        drop_path: the share of examples for which, in training, nothing is added.
    """

    attention: Attention
    feedforward: Feedforward
    norm: Norm
    form: typing.Literal["before", "after", "around", "outside", "parallel", "normed"] = "before"
    one_norm: bool = False
    no_first_norm: bool = False
    multiplier: float = 1.0
    dropout: float = 0.0
    cross: Attention | None = None
    layer_scale: float | None = None
    drop_path: float = 0.0


@dataclasses.dataclass(frozen=True)
class Head:
    """What is between the features and logits.

    Attributes:
        norm: behind the activation.
        pooling: which features scores of labels look at: those of the first token, or the mean.
    """

    activation: Activation
    norm: Norm | None = None
    bias: bool = True
    pooling: typing.Literal["first", "mean"] = "first"
    dropout: float = 0.0


@dataclasses.dataclass(frozen=True)
class Transformer:
    """A whole one.

    Attributes:
        final_norm: whether there is one behind the blocks.
        embedding_scale: of the vectors of tokens.
        embedding_width: where it is not `width`, to which it is projected.
        embedding_norm: behind the sum of all vectors of a token.
        projects_last: whether that is behind positions and norm, and has a bias.
        positions: how many have a vector; 0: none.
        first_position: the row of the first one.
        skips_padding: whether padding is not counted.
        buckets: of the distances with numbers that all blocks add to scores; None: there are none.
        segments: how many kinds of tokens have a vector; 0: none.
        pad: the token that is none, for what needs the end of a text.
        is_tied: whether the logits are by the vectors of tokens.
        head_bias: whether something is added to the logits.
        logit_scale: of the logits.
        logit_cap: as `Attention.soft_cap`.
        word_head: what is before the logits of masked words.
        label_head: what is before those of labels; None: nothing, of the last token.
        final_dropout: behind the last norm.
    """

    vocabulary: int
    width: int
    blocks: tuple[Block, ...]
    norm: Norm
    final_norm: bool = True
    embedding_scale: float = 1.0
    embedding_width: int | None = None
    projects_last: bool = False
    embedding_norm: bool = False
    positions: int = 0
    first_position: int = 0
    skips_padding: bool = False
    buckets: Buckets | None = None
    segments: int = 0
    pad: int | None = None
    is_tied: bool = False
    head_bias: bool = False
    logit_scale: float = 1.0
    logit_cap: float | None = None
    dropout: float = 0.0
    labels: int = 2
    word_head: Head | None = None
    label_head: Head | None = None
    final_dropout: float = 0.0


@dataclasses.dataclass(frozen=True)
class Sound:
    """What is before an encoder of sound: two convolutions over time, each with a gelu behind it,
    the second of which takes every second step.

    Attributes:
        channels: numbers of each step that come in.
    """

    channels: int


@dataclasses.dataclass(frozen=True)
class EncoderDecoder:
    """A transformer that reads one text, or sound, and writes another.

    Attributes:
        decoder: with `Block.cross`; of the tokens' vectors and the logits.
        sound: what the encoder begins with; None: with vectors of tokens, those of the decoder.
        logits_bias: whether a vector is added to the logits, which is not trained.
    """

    encoder: Transformer
    decoder: Transformer
    sound: Sound | None = None
    logits_bias: bool = False

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Those of both."""
        return self.encoder.blocks + self.decoder.blocks

    @property
    def is_tied(self) -> bool:
        """Whether the logits are by the vectors of tokens."""
        return self.decoder.is_tied
