"""Backbones of keras-hub, small, with weights that do not depend on the library: what they make of
the same tokens, and what language models write.
"""

import sys

import keras
import keras_hub
import numpy as np

TOKENS = {
    "token_ids": np.array([[3, 5, 7, 2, 0, 0], [1, 4, 6, 8, 9, 2]], "int32"),
    "padding_mask": np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]], "int32"),
}
PAIR = {
    f"{side}_{name}": value for side in ("encoder", "decoder") for name, value in TOKENS.items()
}
PROMPT = {
    "token_ids": np.array([[3, 5, 7] + 13 * [0], [1, 4, 6, 8, 9, 2] + 10 * [0]], "int32"),
    "padding_mask": np.array([3 * [1] + 13 * [0], 6 * [1] + 10 * [0]], "int32"),
}
SOUND = {
    "encoder_features": np.random.default_rng(0).normal(size=(2, 12, 4)).astype("float32"),
    "decoder_token_ids": TOKENS["token_ids"],
    "decoder_padding_mask": TOKENS["padding_mask"],
}
SEGMENTS = {"segment_ids": np.zeros((2, 6), "int32")}
IMAGES = np.random.default_rng(0).uniform(size=(2, 32, 32, 3)).astype("float32")
TEXT = dict(vocabulary_size=12, num_layers=2, hidden_dim=8, intermediate_dim=16)
HEADS = dict(num_heads=2)
GROUPED = dict(num_query_heads=2, num_key_value_heads=1)
BACKBONES = {
    "Albert": (
        dict(**TEXT, **HEADS, embedding_dim=4, max_sequence_length=6),
        {**TOKENS, **SEGMENTS},
    ),
    "Bert": (dict(**TEXT, **HEADS, max_sequence_length=6), {**TOKENS, **SEGMENTS}),
    "Bart": (dict(**TEXT, **HEADS, max_sequence_length=16), PAIR),
    "Bloom": (dict(**TEXT, **HEADS), TOKENS),
    "DistilBert": (dict(**TEXT, **HEADS, max_sequence_length=6), TOKENS),
    "FNet": (dict(**TEXT, max_sequence_length=6), {"token_ids": TOKENS["token_ids"], **SEGMENTS}),
    "Falcon": (dict(**TEXT, num_attention_heads=2), TOKENS),
    "GPT2": (dict(**TEXT, **HEADS, max_sequence_length=16), TOKENS),
    "GPTNeoX": (dict(**TEXT, **HEADS, rotary_percentage=0.5), TOKENS),
    "Gemma": (dict(**TEXT, **GROUPED, head_dim=4), TOKENS),
    "Llama": (dict(**TEXT, **GROUPED), TOKENS),
    "Mistral": (dict(**TEXT, **GROUPED), TOKENS),
    "OPT": (dict(**TEXT, **HEADS, max_sequence_length=16), TOKENS),
    "Qwen": (dict(**TEXT, **GROUPED), TOKENS),
    "Roberta": (dict(**TEXT, **HEADS, max_sequence_length=6), TOKENS),
    "T5": (dict(**TEXT, **HEADS, activation="gelu"), PAIR),
    "Whisper": (
        dict(
            **TEXT,
            **HEADS,
            num_mels=4,
            max_encoder_sequence_length=12,
            max_decoder_sequence_length=6,
        ),
        SOUND,
    ),
    "XLNet": (dict(**TEXT, **HEADS), {**TOKENS, **SEGMENTS}),
    "ResNet": (
        dict(
            input_conv_filters=[64],
            input_conv_kernel_sizes=[7],
            stackwise_num_filters=[64, 64],
            stackwise_num_blocks=[1, 1],
            stackwise_num_strides=[1, 2],
            block_type="basic_block",
            image_shape=(32, 32, 3),
        ),
        IMAGES,
    ),
    "VGG": (
        dict(stackwise_num_repeats=[1, 1], stackwise_num_filters=[4, 8], image_shape=(32, 32, 3)),
        IMAGES,
    ),
    "ViT": (
        dict(
            **HEADS,
            image_shape=(32, 32, 3),
            patch_size=(8, 8),
            num_layers=2,
            hidden_dim=8,
            mlp_dim=16,
        ),
        IMAGES,
    ),
}


# those that write, by the name of the model's class
WRITERS = {
    **{
        name: f"{name}CausalLM"
        for name in (
            "Bloom",
            "Falcon",
            "GPT2",
            "GPTNeoX",
            "Gemma",
            "Llama",
            "Mistral",
            "OPT",
            "Qwen",
        )
    },
    "Bart": "BartSeq2SeqLM",
    "T5": "T5Seq2SeqLM",
}


def fill(model):
    """Gives a model weights that its paths decide on."""
    rng = np.random.default_rng(0)
    model.set_weights(
        [
            np.abs(rng.normal(size=w.shape)) * 0.3
            if "variance" in w.path or "scale" in w.path
            else rng.normal(size=w.shape) * 0.3
            for w in model.weights
        ]
    )


def show_backbone(name, arguments, inputs):
    """Prints the number of weights and the mean size of each output; keeps the outputs."""
    model = getattr(keras_hub.models, f"{name}Backbone")(**arguments)
    fill(model)
    outputs = keras.tree.flatten(model.predict(inputs, verbose=0))
    flat = [np.abs(np.asarray(v, "float64")).mean() for v in outputs]
    print(name, model.count_params(), *(f"{v:.4f}" for v in flat))
    again = type(model).from_config(model.get_config())
    assert again.count_params() == model.count_params()
    return {f"{name} {i}": np.asarray(v) for i, v in enumerate(outputs)}


def writer(name):
    """A language model of a kind, which writes the likeliest tokens."""
    arguments, _ = BACKBONES[name]
    backbone = getattr(keras_hub.models, f"{name}Backbone")(**arguments)
    model = getattr(keras_hub.models, WRITERS[name])(backbone=backbone)
    fill(model)
    model.compile(optimizer=keras.optimizers.SGD(0.1), sampler="greedy")
    return model


def show_written(name):
    """Prints what a language model writes after two beginnings of different length."""
    inputs, key = PROMPT, "token_ids"
    if WRITERS[name].endswith("Seq2SeqLM"):
        inputs = PAIR | {f"decoder_{part}": value for part, value in PROMPT.items()}
        key = "decoder_token_ids"
    written = writer(name).generate(inputs, stop_token_ids=None)[key]
    print(WRITERS[name], "writes", np.asarray(written).tolist())


def show_training(name):
    """Prints the losses of a language model's first steps."""
    model = writer(name)
    losses = (model.train_on_batch(TOKENS, TOKENS["token_ids"])[0] for _ in range(3))
    print(WRITERS[name], *(f"{loss:.3f}" for loss in losses))


def main(path=None):
    """Shows all; writes the outputs of the backbones to a file."""
    outputs = {}
    for name, (arguments, inputs) in BACKBONES.items():
        outputs |= show_backbone(name, arguments, inputs)
    for name in WRITERS:
        show_written(name)
    show_training("Llama")
    if path:
        np.savez(path, **outputs)


if __name__ == "__main__":
    main(*sys.argv[1:])
