"""Transformers as models: tokens or images in, features, logits or scores of labels out."""

import dataclasses
from typing import Any

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.models.functional import Functional
from jkeras.models.transformers import decoder, encoder, encoder_decoder, image_text, vision
from jkeras.saving.hugging_face.native.families import planned
from jkeras.saving.hugging_face.native.family import Family
from jkeras.saving.hugging_face.native.plans import EncoderDecoder
from jkeras.saving.hugging_face.native.vision_plans import Plan, Text
from jkeras.saving.types import Config

Made = tuple[Family, Config, Plan]


class Described(Functional):
    """What models have in common that a `config.json` describes: they are saved as its entries and
    the other arguments.
    """

    def _keep(self, made: Made, task: str, arguments: Config) -> None:
        """Keeps what the model was made of.

        Args:
            arguments: the others, besides its name.
        """
        family, config, plan = made
        self.set_untracked(
            config=config, task=task, plan=plan, family=family, kept_arguments=arguments
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "config": self.config,
            "task": self.task,
            **self.kept_arguments,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return cls(**config)


def _planned(name: str, config: Config, task: str) -> Made:
    """What `planned` gives, of a model type of the class of this name.

    Raises:
        ValueError: it is of another one.
    """
    made = planned(config, task)
    if made[0].model != name:
        expected = f"the entries of a model type of `jkeras.models.{name}`"
        fix = f"make a `jkeras.models.{made[0].model}`"
        raise ValueError(explain(name, expected, f"model_type={made[0].kind!r}", fix))
    return made


@public("jkeras.models.LanguageTransformer")
class LanguageTransformer(Described):
    """A transformer as a `config.json` of Hugging Face's transformers describes it, of jkeras's
    own layers. `jkeras.saving.from_transformers` makes one with the weights of a folder,
    `to_transformers` writes one, `model.generate` and `jkeras.generation` write texts.

    Decoders are called on tokens (batch, time). Encoders, BERT and its like, are called on a dict
    of `token_ids`, `padding_mask` (1 where there is a token) and, where they have them,
    `segment_ids`. T5, BART and Whisper read one text, or sound, and write another: they are called
    on a dict of `encoder_token_ids` and `encoder_padding_mask`, or `encoder_features` (batch,
    steps, channels) of sound, of `decoder_token_ids` and `decoder_padding_mask`. The texts of CLIP
    and SigLIP are tokens, whose padding is seen: of CLIP it is behind the end, of SigLIP part of
    the text. They give a dict of `last_hidden_state` (batch, time, width) and `pooler_output`
    (batch, width), as the task "embedding" of the former and `text_embeds` (batch, width of the
    projection).

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
        made = family, _, plan = _planned("LanguageTransformer", config, task)
        dtype = kwargs.pop("dtype", None)
        make = encoder.graph
        if isinstance(plan, Text):
            make = image_text.text_graph
        elif isinstance(plan, EncoderDecoder):
            make = encoder_decoder.graph
        elif family.is_causal:
            make = decoder.graph
        inputs, outputs = make(plan, task, {"dtype": dtype})
        super().__init__(inputs, outputs, **kwargs)
        self._keep(made, task, {"dtype": dtype})

    @property
    def decoder_start_token_id(self) -> int | None:
        """The token that texts begin with which follow from others; None: there is none."""
        return self.config.get("decoder_start_token_id")


@public("jkeras.models.VisionTransformer")
class VisionTransformer(Described):
    """A transformer of images as a `config.json` of Hugging Face's transformers describes it, of
    jkeras's own layers: ViT, DINOv2, and the images of CLIP and SigLIP
    (Dosovitskiy et al. 2020, arXiv:2010.11929; Oquab et al. 2023, arXiv:2304.07193).
    `jkeras.saving.from_transformers` makes one with the weights of a folder, `to_transformers`
    writes one.

    It is called on images (batch, height, width, channels), with the numbers that the model was
    trained on (`image_mean` and `image_std` of `preprocessor_config.json`).

    Args:
        config: the entries of `config.json`; those that are left out are as transformers has them.
        task: "backbone": a dict of `last_hidden_state` (batch, tokens, width) and, where there is
            a pooler, `pooler_output` (batch, width); "classifier": logits (batch, labels);
            "embedding", of CLIP: a dict of `last_hidden_state` and `image_embeds`.
        interpolate_pos_encoding: take images of any size, for which positions are interpolated;
            by default only where the model type always does so, as DINOv2.
        add_pooling_layer: False for a ViT without one.
    Raises:
        SerializationError (a ValueError): an entry that is unknown, or not computed.

    >>> import numpy as np
    >>> config = {"model_type": "vit", "image_size": 8, "patch_size": 4, "hidden_size": 8}
    >>> config |= {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12}
    >>> VisionTransformer(config)(np.ones((3, 8, 8, 3)))["last_hidden_state"].shape
    (3, 5, 8)
    """

    def __init__(
        self,
        config: dict,
        task: str = "backbone",
        *,
        interpolate_pos_encoding: bool | None = None,
        add_pooling_layer: bool = True,
        **kwargs: Any,
    ) -> None:
        family, config, plan = _planned("VisionTransformer", config, task)
        if not add_pooling_layer:
            plan = dataclasses.replace(plan, pooler=None)
        dtype = kwargs.pop("dtype", None)
        inputs, outputs = vision.graph(plan, task, {"dtype": dtype}, interpolate_pos_encoding)
        super().__init__(inputs, outputs, **kwargs)
        arguments = {
            "dtype": dtype,
            "interpolate_pos_encoding": interpolate_pos_encoding,
            "add_pooling_layer": add_pooling_layer,
        }
        self._keep((family, config, plan), task, arguments)


@public("jkeras.models.ImageTextTransformer")
class ImageTextTransformer(Described):
    """A transformer that compares images with texts, CLIP or SigLIP, as a `config.json` of Hugging
    Face's transformers describes it, of jkeras's own layers (Radford et al. 2021,
    arXiv:2103.00020; Zhai et al. 2023, arXiv:2303.15343). `jkeras.saving.from_transformers` makes
    one with the weights of a folder, `to_transformers` writes one.

    It is called on a dict of `images` (batch, height, width, channels), with the numbers that the
    model was trained on, and `token_ids` (texts, time), padded as its tokenizer does it. It gives
    a dict of `logits_per_image` (batch, texts), `logits_per_text` (texts, batch), and the vectors
    of length 1 that these compare, `image_embeds` and `text_embeds`. The latter alone are
    `jkeras.Model(model.input["images"], model.output["image_embeds"])`, and so of texts.

    Args:
        config: the entries of `config.json`; those that are left out are as transformers has them.
        task: "backbone".
        interpolate_pos_encoding: take images of any size, for which positions are interpolated.
    Raises:
        SerializationError (a ValueError): an entry that is unknown, or not computed.

    >>> import numpy as np
    >>> sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    >>> sizes |= {"intermediate_size": 12}
    >>> config = {"model_type": "siglip", "text_config": {**sizes, "vocab_size": 30}}
    >>> config["vision_config"] = {**sizes, "image_size": 8, "patch_size": 4}
    >>> model = ImageTextTransformer(config)
    >>> texts = np.array([[3, 1, 4], [1, 5, 9]])
    >>> model({"images": np.ones((3, 8, 8, 3)), "token_ids": texts})["logits_per_image"].shape
    (3, 2)
    """

    def __init__(
        self,
        config: dict,
        task: str = "backbone",
        *,
        interpolate_pos_encoding: bool | None = None,
        **kwargs: Any,
    ) -> None:
        made = _planned("ImageTextTransformer", config, task)
        dtype = kwargs.pop("dtype", None)
        inputs, outputs = image_text.graph(made[2], {"dtype": dtype}, interpolate_pos_encoding)
        super().__init__(inputs, outputs, **kwargs)
        arguments = {"dtype": dtype, "interpolate_pos_encoding": interpolate_pos_encoding}
        self._keep(made, task, arguments)
