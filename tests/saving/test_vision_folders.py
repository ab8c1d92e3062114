"""Folders of transformers of images, and of images and texts, as models of jkeras's own layers,
beside recorded outputs of torch.
"""

import json
import pathlib
import re

import jax
import ml_dtypes
import numpy as np
import pytest

import jkeras
from jkeras.core.errors import SerializationError
from jkeras.models.transformers import model as model_module
from jkeras.saving.hugging_face import files
from jkeras.saving.hugging_face.native.families import planned
from tests.saving import vision_models
from tests.saving.test_native_folders import arrays_in, difference, weights_of, written

RECORDED = pathlib.Path(__file__).parent / "vision"
RECORDS = {path.stem: json.loads(path.read_text()) for path in sorted(RECORDED.glob("*.json"))}
PAIRS = ("clip", "siglip")
QUICK = {"vit", "clip"}  # of which all is seen each time


def param(kind, *more):
    """An example, which is slow unless it is of few."""
    is_quick = kind in QUICK or more == ("plain",)
    return pytest.param(kind, *more, marks=[] if is_quick else pytest.mark.slow)


VARIANTS = [param(kind, variant) for kind, records in RECORDS.items() for variant in records]
KINDS = [param(kind) for kind in RECORDS]


def read(folder, record, **arguments):
    if record["any_size"]:
        arguments = {"interpolate_pos_encoding": True, **arguments}
    return jkeras.saving.from_transformers(folder, record["task"], native=True, **arguments)


def outputs_of(model, record):
    """{name of transformers: array}"""
    inputs = vision_models.inputs_of(record["config"], record["size"])
    if not isinstance(model.input, dict):
        (inputs,) = inputs.values()
    found = model(inputs)
    return found if isinstance(found, dict) else {"logits": found}


def class_of(kind):
    """The name of the class of a type."""
    if kind in PAIRS:
        return "ImageTextTransformer"
    return "LanguageTransformer" if "text" in kind else "VisionTransformer"


def expected(record):
    return {
        name: np.array(one["values"], "float32").reshape(one["shape"])
        for name, one in record["outputs"].items()
    }


@pytest.mark.promise("have the names of transformers, and are those of torch")
@pytest.mark.promise("CLIP's vector is that of the first")
@pytest.mark.promise("SigLIP's is that of the last position")
@pytest.mark.promise("ViT and DINOv2 are a `jkeras.models.VisionTransformer`")
@pytest.mark.promise("A written folder has the same bits.")
@pytest.mark.parametrize("kind, variant", VARIANTS)
def test_outputs_are_those_of_torch_and_the_folder_comes_back(tmp_path, kind, variant):
    record = RECORDS[kind][variant]
    model = read(written(tmp_path / "theirs", record), record)
    assert type(model).__name__ == class_of(kind)
    found, theirs = outputs_of(model, record), expected(record)
    assert set(found) == set(theirs)
    for name, value in theirs.items():
        assert found[name].shape == value.shape
        assert difference(found[name], value) < 1e-5, name
    jkeras.saving.to_transformers(model, tmp_path / "ours")
    arrays, weights = arrays_in(tmp_path / "ours"), weights_of(record)
    if kind not in PAIRS:  # transformers 5 leaves out what 4 writes before the names
        arrays, weights = (
            {re.sub(r"^(vision_model|text_model)\.", "", name): one for name, one in some.items()}
            for some in (arrays, weights)
        )
    assert set(arrays) == set(weights)
    for name, value in arrays.items():
        np.testing.assert_array_equal(value, weights[name])
    config = files.read_config(str(tmp_path / "ours"))
    assert planned(config, record["task"])[2] == model.plan
    assert config["architectures"] == [record["class"]]


def plain(kind, variant="plain"):
    return RECORDS[kind][variant]


@pytest.fixture
def read_plain(tmp_path):
    """Reads the plain model of a type."""

    def read_it(kind, variant="plain", **arguments):
        record = plain(kind, variant)
        return read(written(tmp_path / f"{kind} {variant}", record), record, **arguments)

    return read_it


# ---------------------------------------------------------------- files that are not right


def refusal(folder, record):
    with pytest.raises(SerializationError) as caught:
        read(folder, record)
    text = str(caught.value)
    assert str(folder) in text and "damaged" not in text
    return text


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_do_not_fit_are_named(tmp_path, kind):
    record = plain(kind)
    weights = weights_of(record)
    layers = [name for name in weights if re.search(r"\.\d+\.", name)]
    for name in (layers[0], layers[-1], list(weights)[-1]):
        fewer = {key: value for key, value in weights.items() if key != name}
        assert name in refusal(written(tmp_path / "fewer", record, fewer), record)
        wrong = {**weights, name: np.concatenate([weights[name]] * 2)}
        text = refusal(written(tmp_path / "wrong", record, wrong), record)
        assert name in text and "shape" in text
    more = re.sub(r"\.\d+\.", ".7.", layers[0], count=1)
    for name in (more, layers[0].rpartition(".")[0] + ".lora_A"):
        others = {**weights, name: weights[layers[0]]}
        assert f"'{name}'" in refusal(written(tmp_path / "more", record, others), record)
    whole = {**weights, layers[0]: np.ones(weights[layers[0]].shape, "int8")}
    assert "int8" in refusal(written(tmp_path / "whole", record, whole), record)


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_that_is_unknown_or_no_number_is_named(tmp_path, kind):
    record = plain(kind)
    config = record["config"]
    for part in {"text_config", "vision_config"} & set(config):
        for entry, value in {"no_such_entry": 1, "num_hidden_layers": 4, "hidden_act": 3}.items():
            text = refusal(
                written(tmp_path, record, **{part: {**config[part], entry: value}}), record
            )
            assert "weight" in text or f"In {part}: config.json says {entry}=" in text
    changes = {"no_such_entry": [1], "quantization_config": [{"bits": 4}]}
    if "num_hidden_layers" in config:
        count = config["num_hidden_layers"]
        changes["num_hidden_layers"] = [count - 1, count + 1, 10**12, float(count)]
        changes["hidden_act"] = ["mish", 3]
    if "patch_size" in config:
        changes["image_size"] = [8, 0, "12", [12, 12, 12], 2**40, True]
        changes["patch_size"] = [3, 24, -4, 2**40]
    for entry, values in changes.items():
        for value in values:
            text = refusal(written(tmp_path, record, **{entry: value}), record)
            assert "config.json" in text or "weight" in text, (entry, value)


@pytest.mark.promise("heads other than those, `bool_masked_pos`")
@pytest.mark.parametrize(
    "kind, entries, words",
    [
        ("clip_text_model", {"eos_token_id": 23}, "eos_token_id=23: expected the one token of 23"),
        ("clip_text_model", {"eos_token_id": [20]}, r"eos_token_id=\[20\]"),
        ("clip", {"text_config": {"model_type": "bert"}}, "expected 'clip_text_model'"),
        ("clip", {"text_config": 3}, "text_config=3"),
        ("clip", {"vision_config_dict": 3}, "vision_config_dict=3"),
        ("dinov2", {"image_size": [12, 24]}, "as many patches down as across"),
        ("dinov2_with_registers", {"num_register_tokens": 0}, "'dinov2'"),
        ("siglip", {"text_config": {"projection_size": 5}}, "expected equal widths"),
        ("siglip", {"vision_config": {"vision_use_head": False}}, "vision_use_head=False"),
    ],
)
def test_what_is_not_computed_is_named(tmp_path, kind, entries, words):
    record = plain(kind)
    with pytest.raises(SerializationError, match=words):
        read(written(tmp_path, record, **whole(record, entries)), record)


def whole(record, entries):
    """Entries, those inside of others beside the ones that these have."""
    config = record["config"]
    return {
        entry: {**config[entry], **value} if isinstance(value, dict) else value
        for entry, value in entries.items()
    }


@pytest.mark.parametrize(
    "kind, entry",
    [
        *(("vit", "image_size"), ("vit", "pooler_output_size"), ("vit", "num_channels")),
        *(("dinov2", "mlp_ratio"), ("dinov2_with_registers", "num_register_tokens")),
        *(("clip_vision_model", "intermediate_size"), ("clip_text_model", "vocab_size")),
        *(("siglip_text_model", "max_position_embeddings"), ("clip", "projection_dim")),
        *(("siglip_text_model", "projection_size"),),
    ],
)
def test_nothing_is_made_that_is_larger_than_the_files(tmp_path, monkeypatch, kind, entry):
    record = plain(kind)
    folder = written(tmp_path, record, **{entry: 2**30})

    def make(*arguments, **options):
        raise AssertionError("it is made")

    for name in ("LanguageTransformer", "VisionTransformer", "ImageTextTransformer"):
        monkeypatch.setattr(model_module, name, make)
    with pytest.raises(SerializationError):
        read(folder, record)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_and_shards(tmp_path, kind):
    record = plain(kind)
    weights = weights_of(record, ml_dtypes.bfloat16)
    model = read(written(tmp_path / "half", record, weights), record, dtype="bfloat16")
    assert {str(variable.dtype) for variable in model.weights} == {"bfloat16"}
    jkeras.saving.to_transformers(model, tmp_path / "shards", max_shard_size=2000 / 2**30)
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 2
    assert files.read_config(str(tmp_path / "shards"))["torch_dtype"] == "bfloat16"
    found = arrays_in(tmp_path / "shards")
    assert {str(array.dtype) for array in found.values()} == {"bfloat16"}
    wide = read(tmp_path / "shards", record)
    theirs, half = expected(record), outputs_of(model, record)
    for name, value in outputs_of(wide, record).items():
        assert difference(value, theirs[name]) < 0.2
        assert str(half[name].dtype) == "bfloat16"
        assert difference(half[name], theirs[name]) < 0.3
    first = sorted((tmp_path / "shards").glob("*.safetensors"))[0]
    first.unlink()
    with pytest.raises((SerializationError, FileNotFoundError), match=first.name):
        read(tmp_path / "shards", record)


def test_older_files_are_read(tmp_path):
    """`clip-vit-large-patch14` has two sets of entries, positions as numbers, and entries of texts
    that are generated; a `ViTModel` may have no pooler, and a file of SimMIM a decoder.
    """
    record = plain("clip", "largest")
    text, vision = (record["config"][entry] for entry in ("text_config", "vision_config"))
    weights = weights_of(record)
    weights["text_model.embeddings.position_ids"] = np.arange(9, dtype="int64")[None]
    second = {k: v for k, v in text.items() if k not in ("model_type", "hidden_act")}
    wrong = {**text, "num_attention_heads": 1, "hidden_act": "relu", "top_k": 50, "dropout": 0.0}
    entries = {"text_config": wrong, "text_config_dict": second, "vision_config_dict": vision}
    model = read(written(tmp_path / "clip", record, weights, **entries), record)
    found = outputs_of(model, record)
    assert difference(found["logits_per_image"], expected(record)["logits_per_image"]) < 1e-5

    record = plain("vit")
    weights = {k: v for k, v in weights_of(record).items() if not k.startswith("pooler.")}
    weights = {f"vit.{name}": value for name, value in weights.items()}
    weights["vit.embeddings.mask_token"] = np.ones((1, 1, 16), "float32")
    weights["decoder.0.weight"] = np.ones((48, 16, 1, 1), "float32")
    model = read(written(tmp_path / "vit", record, weights), record)
    found = outputs_of(model, record)
    assert list(found) == ["last_hidden_state"]
    assert difference(found["last_hidden_state"], expected(record)["last_hidden_state"]) < 1e-5
    jkeras.saving.to_transformers(model, tmp_path / "back")
    assert set(arrays_in(tmp_path / "back")) == {
        name for name in weights_of(record) if not name.startswith("pooler.")
    }


# ---------------------------------------------------------------- models as any other


@pytest.mark.parametrize("kind", [*map(param, ("vit", "dinov2", "clip", "clip_text_model"))])
def test_a_model_is_saved_as_any_other(tmp_path, read_plain, kind):
    record = plain(kind)
    model = read_plain(kind)
    model.save(tmp_path / "m.keras")
    again = jkeras.models.load_model(tmp_path / "m.keras")
    assert type(again) is type(model)
    first, second = outputs_of(model, record), outputs_of(again, record)
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value)
    jkeras.saving.to_transformers(again, tmp_path / "ours")
    weights = weights_of(record)
    for name, value in arrays_in(tmp_path / "ours").items():
        np.testing.assert_array_equal(value, weights[name])


def test_what_was_asked_for_is_saved(tmp_path, read_plain):
    record = plain("vit", "other size")
    model = read_plain("vit", "other size", add_pooling_layer=False)
    model.save(tmp_path / "m.keras")
    found = outputs_of(jkeras.models.load_model(tmp_path / "m.keras"), record)
    assert list(found) == ["last_hidden_state"]
    assert difference(found["last_hidden_state"], expected(record)["last_hidden_state"]) < 1e-5


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("kind", [*map(param, ("vit", "dinov2"))])
def test_a_classifier_learns_and_keeps_its_folder(tmp_path, read_plain, kind, dtype):
    model = read_plain(kind, "labels", dtype=dtype)
    model.compile("adam", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = np.tile(vision_models.images([12, 12], 3), (4, 1, 1, 1)), np.arange(8) % 2
    losses = model.fit(x, y, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    jkeras.saving.to_transformers(model, tmp_path / "tuned")
    again = read(tmp_path / "tuned", plain(kind, "labels"), dtype=dtype)
    np.testing.assert_array_equal(again(x), model(x))


@pytest.mark.promise("All images of a batch are compared")
@pytest.mark.parametrize("kind", [*map(param, PAIRS)])
def test_images_and_texts_learn_to_fit(read_plain, kind):
    model = read_plain(kind)
    pairs = {**vision_models.inputs_of(plain(kind)["config"], None)}
    pairs = {name: value[:2] for name, value in pairs.items()}

    def contrastive(_, logits):
        return -jax.nn.log_softmax(logits)[jax.numpy.arange(2), jax.numpy.arange(2)]

    model.compile(jkeras.optimizers.Adam(1e-2), {"logits_per_image": contrastive})
    targets = {"logits_per_image": np.zeros((2, 2), "float32")}
    losses = model.fit(pairs, targets, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert np.asarray(model(pairs)["logits_per_image"]).argmax(axis=1).tolist() == [0, 1]


@pytest.mark.parametrize("kind", PAIRS)
def test_each_half_alone_gives_its_vectors(read_plain, kind):
    record, model = plain(kind), read_plain(kind)
    inputs, theirs = vision_models.inputs_of(record["config"], None), expected(record)
    for name, output in (("images", "image_embeds"), ("token_ids", "text_embeds")):
        half = jkeras.Model(model.input[name], model.output[output])
        assert difference(half(inputs[name]), theirs[output]) < 1e-5


def test_a_pure_function(read_plain):
    record, model = plain("clip"), read_plain("clip")
    inputs = vision_models.inputs_of(record["config"], None)

    @jax.jit
    def logits(params, inputs):
        return model.apply(params, model.state, inputs)[0]["logits_per_image"]

    theirs = expected(record)["logits_per_image"]
    assert difference(logits(model.params, inputs), theirs) < 1e-5
    slope = jax.grad(lambda params: logits(params, inputs).sum())(model.params)
    # the derivative by the logarithm of the scale is what is scaled
    (found,) = (
        leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(slope)
        if "logit_scale" in jax.tree_util.keystr(path)
    )
    np.testing.assert_allclose(found, theirs.sum(), rtol=1e-4)


@pytest.mark.promise("They are models as any other")
def test_a_low_rank_change(read_plain):
    model = read_plain("vit", "labels")
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, lora={".*(query|value).*kernel": 2})
    x, y = vision_models.images([12, 12], 3), np.arange(2)
    before = np.asarray(model(x))
    losses = model.fit(x, y, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert np.abs(np.asarray(model(x)) - before).max() > 1e-4
    assert model.lora.nbytes == 4 * 4 * 2 * (16 + 16)


def test_a_clone_and_dropout():
    config = {**plain("dinov2")["config"], "drop_path_rate": 0.5, "hidden_dropout_prob": 0.2}
    config["attention_probs_dropout_prob"] = 0.1
    model = jkeras.models.clone_model(jkeras.models.VisionTransformer(config))
    assert isinstance(model, jkeras.models.VisionTransformer)
    x = vision_models.images([12, 12], 3)
    trained = [np.asarray(model(x, training=True)["pooler_output"]) for _ in range(2)]
    assert np.abs(trained[0] - trained[1]).max() > 1e-3
    used = [np.asarray(model(x)["pooler_output"]) for _ in range(2)]
    np.testing.assert_array_equal(used[0], used[1])


def test_attention_is_seen(read_plain):
    model, x = read_plain("vit"), vision_models.images([12, 12], 3)
    at = ["tokens", "layer_0/attention/_softmax", "layer_1/attention/_softmax"]
    seen = model.tap(model.params, model.state, x, at=at, training=False)[2]
    block = model.get_layer("layer_0")
    normed = np.asarray(block.norm_1(seen["tokens"]))
    heads = [
        np.asarray(layer(normed)).reshape(2, 10, 4, 4).transpose(0, 2, 1, 3)
        for layer in (block.attention.query, block.attention.key)
    ]
    scores = heads[0] @ heads[1].transpose(0, 1, 3, 2) / 2
    shares = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(seen[at[1]], shares, atol=1e-5)
    found = np.asarray(jkeras.explain.attention_rollout(model, x))
    mixed = [(np.asarray(seen[name]).mean(1) + np.eye(10)) / 2 for name in at[1:]]
    np.testing.assert_allclose(found, mixed[1] @ mixed[0], atol=1e-5)


@pytest.mark.promise("One of another size than `image_size`")
@pytest.mark.promise("takes any size, for which positions")
def test_images_of_another_size_are_asked_for(read_plain):
    model = read_plain("vit")
    with pytest.raises(ValueError, match="expected shape=.None, 12, 12, 3"):
        model(vision_models.images([16, 12], 3))
    any_size = read_plain("vit", "other size")
    x = vision_models.images([12, 12], 3)
    for name, value in model(x).items():
        np.testing.assert_array_equal(any_size(x)[name], value)
    fixed = read_plain("dinov2", interpolate_pos_encoding=False)
    with pytest.raises(ValueError, match="expected shape=.None, 12, 12, 3"):
        fixed(vision_models.images([16, 12], 3))


def test_a_type_of_another_class_is_named():
    with pytest.raises(ValueError, match="make a `jkeras.models.VisionTransformer`"):
        jkeras.models.LanguageTransformer({"model_type": "vit"}, "backbone")
    with pytest.raises(ValueError, match="make a `jkeras.models.LanguageTransformer`"):
        jkeras.models.VisionTransformer({"model_type": "siglip_text_model"})
    with pytest.raises(ValueError, match="`task`.*'backbone'"):
        jkeras.models.ImageTextTransformer({"model_type": "clip"}, "causal_lm")
