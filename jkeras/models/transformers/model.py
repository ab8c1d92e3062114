"""A transformer as a model: tokens in, features, logits or scores of labels out."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jkeras.core.layer import Layer
from jkeras.core.names.registry import public
from jkeras.core.run.context import Context
from jkeras.core.session.positions import positions_now
from jkeras.initializers import RandomNormal
from jkeras.kernel.spec import Spec, Weight
from jkeras.layers.dense import Dense
from jkeras.layers.dropout import Dropout
from jkeras.layers.embedding import Embedding, ReversibleEmbedding
from jkeras.layers.input import Input
from jkeras.models.functional import Functional
from jkeras.models.transformers import norms
from jkeras.models.transformers.block import TransformerBlock
from jkeras.saving.hugging_face.native.families import planned
from jkeras.saving.hugging_face.native.plans import Transformer


class PositionVectors(Layer):
    """The vectors of the positions of its input, (batch, time, features), added to it.

    Args:
        count: how many positions there are.
        first: the row of the first one.
    """

    supports_cache = True

    def __init__(self, count: int, first: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count, self.first = count, first

    def weight_specs(self, x: Spec) -> dict[str, Weight]:
        shape = (self.count + self.first, x.shape[-1])
        start = RandomNormal(stddev=0.02)
        return {"embeddings": self.weight("embeddings", shape, initializer=start)}

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        if not ctx.abstract and x.shape[1] > self.count:
            raise ValueError(
                f"{self._where}: expected at most {self.count} positions. Received: an input of "
                f"shape {x.shape}"
            )
        return x + w["embeddings"][positions_now(x.shape[:2]) + self.first]


class Scaled(Layer):
    """Its input times a number, and perhaps bounded, `cap * tanh(x / cap)`."""

    def __init__(self, factor: float, cap: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor, self.cap = factor, cap

    def forward(self, w: Mapping[str, Any], x: jax.Array, ctx: Context) -> jax.Array:
        x = x * jnp.asarray(self.factor, x.dtype)
        return x if self.cap is None else self.cap * jnp.tanh(x / self.cap)


class LastToken(Layer):
    """The features of each text's last token, (batch, features), before those that are padding.

    Args:
        pad: the token that is none; None: there is no padding.
    """

    def __init__(self, pad: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pad = pad

    def forward(
        self, w: Mapping[str, Any], x: jax.Array, tokens: jax.Array, ctx: Context
    ) -> jax.Array:
        last = jnp.full(x.shape[:1], x.shape[1] - 1)
        if self.pad is not None:
            is_there = tokens.astype("int32") != self.pad
            last = jnp.max(jnp.where(is_there, jnp.arange(x.shape[1]), 0), axis=1)
        return jnp.take_along_axis(x, last[:, None, None], axis=1)[:, 0]


@public("jkeras.models.LanguageTransformer")
class LanguageTransformer(Functional):
    """A transformer as a `config.json` of Hugging Face's transformers describes it, of jkeras's own
    layers: (batch, time) tokens in. `jkeras.saving.from_transformers` makes one with the weights of
    a folder, `to_transformers` writes one, `model.generate` and `jkeras.generation` write texts.

    Args:
        config: the entries of `config.json`; those that are left out are as transformers has them.
        task: "causal_lm": logits (batch, time, vocabulary) of the next tokens; "backbone": features
            (batch, time, width); "classifier": logits (batch, labels) by the last token.
    Raises:
        SerializationError (a ValueError): an entry that is unknown, or not computed.

    >>> config = {"model_type": "phi3", "vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 1}
    >>> config |= {"num_attention_heads": 2, "intermediate_size": 12}
    >>> LanguageTransformer(config)(jnp.zeros((1, 5), "int32")).shape
    (1, 5, 30)
    """

    def __init__(self, config: dict, task: str = "causal_lm", **kwargs: Any) -> None:
        family, config, plan = planned(config, task)
        dtype = kwargs.pop("dtype", None)
        tokens = Input((None,), dtype="int32", name="tokens")
        outputs = _outputs(plan, task, tokens, {"dtype": dtype})
        super().__init__(tokens, outputs, **kwargs)
        self.set_untracked(config=config, task=task, plan=plan, family=family, kept_dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            "config": self.config,
            "task": self.task,
            "dtype": self.kept_dtype,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return cls(**config)


def _outputs(plan: Transformer, task: str, tokens: Any, common: dict[str, Any]) -> Any:
    """What a model gives for tokens."""
    width = plan.embedding_width or plan.width
    embed = ReversibleEmbedding if plan.is_tied else Embedding
    embedding = embed(plan.vocabulary, width, name="embedding", **common)
    x = _features(plan, embedding, tokens, common)
    if task == "causal_lm":
        return _logits(plan, embedding, x, common)
    if task == "classifier":
        last = LastToken(plan.pad, name="last_token", **common)(x, tokens)
        return Dense(plan.labels, use_bias=False, name="score", **common)(last)
    return x


def _features(plan: Transformer, embedding: Layer, tokens: Any, common: dict[str, Any]) -> Any:
    """What the blocks make of tokens."""
    x = embedding(tokens)
    if plan.embedding_scale != 1:
        x = Scaled(plan.embedding_scale, name="embedding_scale", **common)(x)
    if plan.embedding_width is not None:
        x = Dense(plan.width, use_bias=False, name="project_in", **common)(x)
    if plan.positions:
        vectors = PositionVectors(plan.positions, plan.first_position, name="positions", **common)
        x = vectors(x)
    if plan.embedding_norm:
        x = norms.made(plan.norm, name="embedding_norm", **common)(x)
    if plan.dropout:
        x = Dropout(plan.dropout, name="embedding_dropout", **common)(x)
    for number, block in enumerate(plan.blocks):
        x = TransformerBlock(block, plan.width, name=f"layer_{number}", **common)(x)
    if plan.final_norm:
        x = norms.made(plan.norm, name="final_norm", **common)(x)
    if plan.embedding_width is not None:
        x = Dense(plan.embedding_width, use_bias=False, name="project_out", **common)(x)
    return x


def _logits(plan: Transformer, embedding: Layer, x: Any, common: dict[str, Any]) -> Any:
    """The scores of the next tokens."""
    if plan.is_tied:
        x = embedding(x, reverse=True)
    else:
        head = Dense(plan.vocabulary, use_bias=plan.head_bias, name="lm_head", **common)
        x = head(x)
    if plan.logit_scale != 1 or plan.logit_cap is not None:
        x = Scaled(plan.logit_scale, plan.logit_cap, name="logits", **common)(x)
    return x
