"""Backbones of keras-hub cut by the rules of `AutoParallel`, over eight virtual devices.

Prints one JSON object: {backbone: [bytes, share of them that is cut, paths of weights of a percent
or more that are not]}, and under "losses" those of three steps on one device and cut.
"""

import json
import sys

import numpy as np

import jkeras
from jkeras import distribution as dist

# proportions as of the published models: layers of 12 times the square of their width
TEXT = dict(vocabulary_size=4096, num_layers=2, hidden_dim=256, intermediate_dim=1024, dropout=0.0)
OF_FALCON = {name: size for name, size in TEXT.items() if name != "dropout"}
HEADS, GROUPED = dict(num_heads=4), dict(num_query_heads=8, num_key_value_heads=2)
SHORT = dict(max_sequence_length=64)
BACKBONES = {
    "Albert": dict(**TEXT, **HEADS, **SHORT, embedding_dim=64),
    "Bart": dict(**TEXT, **HEADS, **SHORT),
    "Bert": dict(**TEXT, **HEADS, **SHORT),
    "Bloom": dict(**TEXT, **HEADS),
    "DebertaV3": dict(**TEXT, **HEADS, **SHORT, bucket_size=32),
    "DistilBert": dict(**TEXT, **HEADS, **SHORT),
    "Falcon": dict(**OF_FALCON, num_attention_heads=4),
    "GPT2": dict(**TEXT, **HEADS, **SHORT),
    "GPTNeoX": dict(**TEXT, **HEADS, **SHORT),
    "Gemma": dict(**TEXT, **GROUPED, head_dim=32),
    "Gemma3": dict(**TEXT, **GROUPED, head_dim=32, image_size=None),
    "Llama": dict(**TEXT, **GROUPED),
    "Mistral": dict(**TEXT, **GROUPED),
    "OPT": dict(**TEXT, **HEADS, **SHORT),
    "Phi3": dict(**TEXT, **GROUPED),
    "Qwen": dict(**TEXT, **GROUPED),
    "Roberta": dict(**TEXT, **HEADS, **SHORT),
    "T5": dict(**TEXT, **HEADS),
    "ViT": dict(
        **HEADS, image_shape=(64, 64, 3), patch_size=8, num_layers=3, hidden_dim=256, mlp_dim=1024
    ),
    "Whisper": dict(
        **TEXT, **HEADS, num_mels=20, max_encoder_sequence_length=32, max_decoder_sequence_length=64
    ),
}
TRAINED = ("Bart", "Bert", "GPT2", "Gemma", "Llama", "OPT", "T5", "Whisper")
LENGTH, ROWS = 16, 8


def backbone(name):
    import keras_hub  # with jkeras as its Keras, see `main`

    jkeras.utils.clear_session()
    jkeras.utils.set_random_seed(0)
    return getattr(keras_hub.models, f"{name}Backbone")(**BACKBONES[name])


def cut(name, layout):
    with layout.scope():
        report = layout.report(backbone(name))
    whole = [row.path for row in report if not row.is_cut and row.bytes > 0.01 * report.bytes]
    return [report.bytes, report.share_cut, whole]


def losses(name, layout=None):
    """Of three steps that bring what a backbone gives towards one."""
    dist.set_distribution(layout)
    body = backbone(name)
    outputs = jkeras.tree.flatten(body.output)
    outputs = next(one for one in outputs if len(one.shape) == 3)  # of each token
    model = jkeras.Model(body.input, outputs)
    model.compile(jkeras.optimizers.SGD(0.01), "mse")
    x = {key: values_of(key) for key in body.input}
    y = np.ones((ROWS, LENGTH, outputs.shape[-1]), "float32")
    found = [float(model.train_on_batch(x, y)) for _ in range(3)]
    dist.set_distribution(None)
    return found


def values_of(key):
    """What an input of this name is given."""
    if "mask" in key:
        return np.ones((ROWS, LENGTH), "int32")
    if "segment" in key:
        return np.zeros((ROWS, LENGTH), "int32")
    random = np.random.default_rng(0)
    if "features" in key:  # of sound
        sizes = (ROWS, BACKBONES["Whisper"]["max_encoder_sequence_length"], 20)
        return random.normal(size=sizes).astype("float32")
    return random.integers(0, 4096, (ROWS, LENGTH)).astype("int32")


def main(names=BACKBONES):
    jkeras.install_as_keras()
    found = {name: cut(name, dist.AutoParallel(model=4)) for name in names}
    compared = {
        name: [losses(name), losses(name, dist.AutoParallel(model=4))]
        for name in TRAINED
        if name in names
    }
    return {"cut": found, "losses": compared}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:] or BACKBONES)))
