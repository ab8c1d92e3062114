"""Backbones of keras-hub, small, with weights that do not depend on the library: what they make of
the same tokens.
"""

import keras
import keras_hub
import numpy as np

TOKENS = {
    "token_ids": np.array([[3, 5, 7, 2, 0, 0], [1, 4, 6, 8, 9, 2]], "int32"),
    "padding_mask": np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]], "int32"),
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
    "Bloom": (dict(**TEXT, **HEADS), TOKENS),
    "DistilBert": (dict(**TEXT, **HEADS, max_sequence_length=6), TOKENS),
    "FNet": (dict(**TEXT, max_sequence_length=6), {"token_ids": TOKENS["token_ids"], **SEGMENTS}),
    "Falcon": (dict(**TEXT, num_attention_heads=2), TOKENS),
    "GPTNeoX": (dict(**TEXT, **HEADS, rotary_percentage=0.5), TOKENS),
    "Gemma": (dict(**TEXT, **GROUPED, head_dim=4), TOKENS),
    "Llama": (dict(**TEXT, **GROUPED), TOKENS),
    "Mistral": (dict(**TEXT, **GROUPED), TOKENS),
    "Qwen": (dict(**TEXT, **GROUPED), TOKENS),
    "Roberta": (dict(**TEXT, **HEADS, max_sequence_length=6), TOKENS),
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


for name, (arguments, inputs) in BACKBONES.items():
    model = getattr(keras_hub.models, f"{name}Backbone")(**arguments)
    fill(model)
    outputs = model.predict(inputs, verbose=0)
    flat = [np.abs(np.asarray(v, "float64")).mean() for v in keras.tree.flatten(outputs)]
    print(name, model.count_params(), *(f"{v:.4f}" for v in flat))
    again = type(model).from_config(model.get_config())
    assert again.count_params() == model.count_params()

causal = keras_hub.models.LlamaCausalLM(
    backbone=keras_hub.models.LlamaBackbone(**BACKBONES["Llama"][0])
)
fill(causal)
causal.compile(optimizer=keras.optimizers.SGD(0.1), sampler="greedy")
print(
    "LlamaCausalLM",
    *(f"{causal.train_on_batch(TOKENS, TOKENS['token_ids'])[0]:.3f}" for _ in range(3)),
)
print("generated", causal.generate(TOKENS, stop_token_ids=None)["token_ids"].tolist())
