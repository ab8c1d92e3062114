"""Models that transformers made at random, through keras-hub on jkeras and back: a program, run by
`python -m jkeras run`, that prints one line of JSON for each model named in its arguments.
"""

import copy
import json
import pathlib
import sys
import tempfile

import keras_hub
import numpy as np
import torch
import transformers

import jkeras
from tests.saving.entry_changes import SCALED

SIZES = dict(
    vocab_size=97,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    max_position_embeddings=64,
    initializer_range=0.3,
)
GROUPED = dict(**SIZES, num_key_value_heads=2)
MODELS = {
    "llama": ("Llama", dict(**GROUPED, rms_norm_eps=1e-5)),
    "llama-scaled": (
        "Llama",
        dict(**GROUPED, tie_word_embeddings=True, rope_parameters=SCALED),
    ),
    "gpt2": (
        "GPT2",
        dict(vocab_size=97, n_positions=64, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3),
    ),
    "gemma": ("Gemma", dict(**GROUPED, head_dim=16)),
    "qwen2": ("Qwen2", GROUPED),
    "qwen2-tied": ("Qwen2", dict(**GROUPED, tie_word_embeddings=True)),
    "mistral": ("Mistral", dict(**GROUPED, sliding_window=5)),
    # keras-hub's norm of queries and keys has this epsilon, whatever the model's
    "qwen3": ("Qwen3", dict(**GROUPED, head_dim=16, rms_norm_eps=1e-5)),
    "bert": ("Bert", dict(**SIZES, hidden_act="gelu_new")),
}
KINDS = {
    "Albert": "AlbertForPreTraining",
    "Bart": "BartModel",
    "Bert": "BertModel",
    "DeiT": "DeiTForImageClassification",
    "Dinov2": "Dinov2Model",
    "Dinov2WithRegisters": "Dinov2WithRegistersModel",
    "DINOv3ViT": "DINOv3ViTModel",
    "Roberta": "RobertaForMaskedLM",
    "Swin": "SwinModel",
    "ViT": "ViTForImageClassification",
    "XLMRoberta": "XLMRobertaForMaskedLM",
    "DistilBert": "DistilBertForMaskedLM",
    "Gemma3Text": "Gemma3ForCausalLM",
    "GPT2": "GPT2LMHeadModel",
}
TOKENS = np.random.default_rng(0).integers(3, 97, (2, 12))
STEPS = 32


def random_model(name):
    """A model of transformers."""
    family, sizes = MODELS[name]
    torch.manual_seed(0)
    no_tokens = dict(bos_token_id=None, eos_token_id=None, pad_token_id=None)
    config = getattr(transformers, f"{family}Config")(**{**no_tokens, **sizes})
    kind = KINDS.get(family, f"{family}ForCausalLM")
    model = getattr(transformers, kind)(config).eval()
    for parameter in model.parameters():
        if parameter.ndim == 1:  # norms and biases, which begin as ones and zeros
            torch.nn.init.normal_(parameter, 0.5, 0.2)
    return model


def outputs_of_theirs(model):
    """Logits, or of BERT the last layer's outputs."""
    inputs = torch.tensor(TOKENS)
    if model.main_input_name == "pixel_values":
        size, channels = model.config.image_size, model.config.num_channels
        inputs = torch.tensor(images(size)[..., :channels].transpose(0, 3, 1, 2))
    more = {"decoder_input_ids": inputs.flip(1)} if model.config.is_encoder_decoder else {}
    with torch.no_grad():
        outputs = model(inputs, **more)
    values = outputs.logits if "logits" in outputs else outputs.last_hidden_state
    return values.float().numpy()


def images(size):
    """Two of them, (rows, columns, channels)."""
    return np.random.default_rng(1).normal(size=(2, size, size, 3)).astype("float32")


def outputs_of_rounded(model):
    """Theirs in float32, with the weights of bfloat16."""
    model = copy.deepcopy(model)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(torch.bfloat16).float()
    return outputs_of_theirs(model)


def outputs_of_ours(backbone):
    """The same of a backbone of keras-hub."""
    inputs = {"token_ids": TOKENS, "padding_mask": np.ones_like(TOKENS)}
    if isinstance(backbone, keras_hub.models.BertBackbone):
        inputs["segment_ids"] = np.zeros_like(TOKENS)
        return np.asarray(backbone(inputs)["sequence_output"], "float32")
    return np.asarray(backbone.token_embedding(backbone(inputs), reverse=True), "float32")


def difference(values, expected):
    """The largest one, relative to the largest value."""
    return float(np.abs(values - expected).max() / np.abs(expected).max())


def rounding(values, expected):
    """The length of the difference, relative to that of the values: both have errors of their own
    where they are of eight bits.
    """
    return float(np.linalg.norm(values - expected) / np.linalg.norm(expected))


def generated(folder, model):
    """Whether greedy tokens are those of torch."""
    task = jkeras.saving.from_transformers(folder, task="causal_lm")
    task.compile(sampler="greedy")
    width = TOKENS.shape[1]
    tokens = np.zeros((2, width + STEPS), "int32")
    tokens[:, :width] = TOKENS
    mask = np.zeros_like(tokens)
    mask[:, :width] = 1
    prompt = {"token_ids": tokens, "padding_mask": mask}
    ours = task.generate(prompt, stop_token_ids=None)["token_ids"]
    theirs = model.generate(torch.tensor(TOKENS), max_new_tokens=STEPS, do_sample=False)
    return bool(np.array_equal(np.asarray(ours), theirs.numpy()))


def generated_behind_padding(backbone, model):
    """Whether `Generator` goes on after prompts that are padded on the left as torch does."""
    tokens = jkeras.Input((None,), dtype="int32")
    x = backbone({"token_ids": tokens, "padding_mask": jkeras.ops.ones_like(tokens)})
    ours = jkeras.Model(tokens, backbone.token_embedding(x, reverse=True))
    width, lengths = TOKENS.shape[1], np.array([5, 9])
    mask = np.arange(width) >= width - lengths[:, None]
    left = torch.tensor(TOKENS * mask), torch.tensor(mask.astype(int))
    options = dict(max_new_tokens=8, do_sample=False, pad_token_id=0)
    expected = model.generate(left[0], attention_mask=left[1], **options).numpy()[:, width:]
    generator = jkeras.generation.Generator(ours, width + 8, padding_side="left")
    found = np.asarray(generator(ours.params, TOKENS * mask, lengths)[0])
    new = [row[length : length + 8] for row, length in zip(found, lengths)]
    return bool(np.array_equal(new, expected))


def texts(folder):
    """A text that a GPT-2 with a tokenizer goes on with, and the numbers of its pieces."""
    pieces = ["<|endoftext|>", *"abcdefghijklmnopqrstuvwxyz", "he", "ll"]
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\nh e\nl l\n")
    task = jkeras.saving.from_transformers(folder, task="causal_lm")
    numbers = [pieces.index(piece) for piece in ("he", "ll", "o")]
    found = np.asarray(task.preprocessor.tokenizer("hello")).tolist()
    return found == numbers and task.generate("hello", max_length=8).startswith("hello")


def hub_reads(folder, expected):
    """The difference where keras-hub's own converter reads the folder."""
    backbone = keras_hub.models.Backbone.from_preset(str(folder))
    return difference(outputs_of_ours(backbone), expected)


def report(name, folder):
    """What one model shows."""
    model = random_model(name)
    model.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    # code that would end the program, if it were imported
    config["auto_map"] = {"AutoModelForCausalLM": "modeling.Model"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "modeling.py").write_text("import os\nos.abort()\n")
    expected = outputs_of_theirs(model)
    backbone = jkeras.saving.from_transformers(folder)
    found = {"read": difference(outputs_of_ours(backbone), expected)}
    found["hub"] = hub_reads(folder, expected)
    half = jkeras.saving.from_transformers(folder, dtype="bfloat16")
    exact, ours = outputs_of_rounded(model), outputs_of_ours(half)
    theirs = outputs_of_theirs(model.to(torch.bfloat16))
    found["bfloat16"] = rounding(ours, theirs)
    found["error"], found["error of torch"] = rounding(ours, exact), rounding(theirs, exact)
    auto = transformers.AutoModel if name == "bert" else transformers.AutoModelForCausalLM
    jkeras.saving.to_transformers(half, folder / "half")
    found["half"] = str(auto.from_pretrained(folder / "half").dtype)
    back = folder / "back"
    jkeras.saving.to_transformers(backbone, back, max_shard_size=3e-5)
    again = auto.from_pretrained(back)
    found["written"] = difference(outputs_of_theirs(again.eval()), outputs_of_ours(backbone))
    found["shards"] = len(list(back.glob("*.safetensors")))
    theirs = again.state_dict()
    found["same bits"] = all(
        torch.equal(theirs[key], weight) for key, weight in random_model(name).state_dict().items()
    )
    if name != "bert":
        found["generated"] = generated(folder, random_model(name))
        found["padded"] = generated_behind_padding(backbone, random_model(name))
    if name == "gpt2":
        found["texts"] = texts(folder)
    return found


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    for name in sys.argv[1:] or MODELS:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps({"name": name, **report(name, pathlib.Path(folder))}), flush=True)
