"""A transformer as a model: tokens in, features, logits or scores of labels out."""

from typing import Any

from jkeras.core.names.registry import public
from jkeras.models.functional import Functional
from jkeras.models.transformers import decoder, encoder, encoder_decoder
from jkeras.saving.hugging_face.native.families import planned
from jkeras.saving.hugging_face.native.plans import EncoderDecoder


@public("jkeras.models.LanguageTransformer")
class LanguageTransformer(Functional):
    """A transformer as a `config.json` of Hugging Face's transformers describes it, of jkeras's
    own layers. `jkeras.saving.from_transformers` makes one with the weights of a folder,
    `to_transformers` writes one, `model.generate` and `jkeras.generation` write texts.

    Decoders are called on tokens (batch, time). Encoders, BERT and its like, are called on a dict
    of `token_ids`, `padding_mask` (1 where there is a token) and, where they have them,
    `segment_ids`. T5, BART and Whisper read one text, or sound, and write another: they are called
    on a dict of `encoder_token_ids` and `encoder_padding_mask`, or `encoder_features` (batch,
    steps, channels) of sound, of `decoder_token_ids` and `decoder_padding_mask`.

    Args:
        config: the entries of `config.json`; those that are left out are as transformers has them.
        task: "causal_lm": logits (batch, time, vocabulary) of the next tokens; "masked_lm": of the
            masked words; "backbone": features (batch, time, width); "classifier": logits (batch,
            labels), of decoders by the last token; "seq2seq_lm", of T5, BART and Whisper: logits of
            the next tokens that are written.
    Raises:
        SerializationError (a ValueError): an entry that is unknown, or not computed.

    >>> import numpy as np
    >>> config = {"model_type": "phi3", "vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 1}
    >>> config |= {"num_attention_heads": 2, "intermediate_size": 12}
    >>> LanguageTransformer(config)(np.array([[3, 1, 4, 1, 5]])).shape
    (1, 5, 30)
    """

    def __init__(self, config: dict, task: str = "causal_lm", **kwargs: Any) -> None:
        family, config, plan = planned(config, task)
        dtype = kwargs.pop("dtype", None)
        kind = decoder if family.is_causal else encoder
        if isinstance(plan, EncoderDecoder):
            kind = encoder_decoder
        inputs, outputs = kind.graph(plan, task, {"dtype": dtype})
        super().__init__(inputs, outputs, **kwargs)
        self.set_untracked(config=config, task=task, plan=plan, family=family, kept_dtype=dtype)

    @property
    def decoder_start_token_id(self) -> int | None:
        """The token that texts begin with which follow from others; None: there is none."""
        return self.config.get("decoder_start_token_id")

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
