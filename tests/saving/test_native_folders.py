"""Folders of transformers as models of jkeras's own layers, beside recorded outputs of torch."""

import json
import pathlib
import re
import types

import ml_dtypes
import numpy as np
import pytest

import jkeras
from jkeras.core.errors import SerializationError
from jkeras.saving import safetensors
from jkeras.saving.checksums import Checksums
from jkeras.saving.hugging_face import files, reading
from jkeras.saving.hugging_face.native.families import planned
from jkeras.models.transformers import model as model_module
from tests.saving import native_models

# what transformers has, and does not add
WITHOUT_EFFECT = {"cls.predictions.bias", "lm_head.bias"}
POOLERS = {"pooler.dense.weight", "pooler.dense.bias"}
RECORDED = pathlib.Path(__file__).parent / "native"
RECORDS = {path.stem: json.loads(path.read_text()) for path in sorted(RECORDED.glob("*.json"))}
QUICK = {"llama", "falcon", "bert"}  # of which all is seen each time


def param(kind, *more):
    """An example, which is slow unless it is of few."""
    is_quick = kind in QUICK or more == ("plain",)
    return pytest.param(kind, *more, marks=[] if is_quick else pytest.mark.slow)


VARIANTS = [param(kind, variant) for kind, records in RECORDS.items() for variant in records]
KINDS = [param(kind) for kind in RECORDS]


class Array:
    """What the writer of files asks of a weight."""

    def __init__(self, value):
        self.value, self.shape, self.own_dtype = value, value.shape, str(value.dtype)


def weights_of(record, dtype="float32"):
    shapes = record["shapes"]
    return {name: native_models.weight(name, shape).astype(dtype) for name, shape in shapes.items()}


def written(folder, record, weights=None, **entries):
    """A folder as transformers wrote it."""
    folder.mkdir(exist_ok=True, parents=True)
    weights = weights_of(record) if weights is None else weights
    safetensors.write(
        {name: Array(value) for name, value in weights.items()},
        str(folder / files.WEIGHTS),
        framework="pt",
    )
    (folder / files.CONFIG).write_text(json.dumps({**record["config"], **entries}))
    return folder


def read(folder, record, **arguments):
    return jkeras.saving.from_transformers(folder, record["task"], native=True, **arguments)


def expected(record):
    outputs = record["outputs"]
    return np.array(outputs["values"], "float32").reshape(outputs["shape"])


def outputs_of(model, record):
    return native_models.ours(model, record["config"])


def difference(values, others):
    return float(np.abs(np.asarray(values, "float32") - others).max() / np.abs(others).max())


def arrays_in(folder):
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with open(path, "rb") as file, Checksums() as sums:
            found.update({k: np.array(v.read(sums)) for k, v in safetensors.read(file).items()})
    return found


@pytest.mark.promise("Most decoders and encoders for texts")
@pytest.mark.promise("Logits of small random models are those of")
@pytest.mark.promise("BERT's pooler belongs to its head")
@pytest.mark.parametrize("kind, variant", VARIANTS)
def test_logits_are_those_of_torch_and_the_folder_comes_back(tmp_path, kind, variant):
    record = RECORDS[kind][variant]
    model = read(written(tmp_path / "theirs", record), record)
    assert difference(outputs_of(model, record), expected(record)) < 1e-5
    jkeras.saving.to_transformers(model, tmp_path / "ours")
    ours = arrays_in(tmp_path / "ours")
    theirs = weights_of(record)
    if record["config"].get("tie_word_embeddings") is False:
        theirs = {name: value for name, value in theirs.items() if name not in WITHOUT_EFFECT}
    left = POOLERS & set(theirs) if record["task"] == "backbone" else set()
    assert sorted(ours) == sorted(set(theirs) - left)
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name])
    config = files.read_config(str(tmp_path / "ours"))
    assert planned(config, record["task"])[2] == model.plan
    assert config["architectures"] == record["config"]["architectures"]


DECODERS = [kind for kind, records in RECORDS.items() if records["plain"]["task"] == "causal_lm"]


def written_on(model, prompts, lengths, cache):
    """Greedy texts, and the logits behind them."""
    generator = jkeras.generation.Generator(model, 14, cache=cache)
    rows = generator.begin(model.params, prompts, lengths)
    rows = generator.go_on(model.params, rows, 4)
    return np.asarray(rows.tokens), np.asarray(rows.logits)


@pytest.mark.promise("`longrope` depend on the length")
@pytest.mark.promise("Generation** has a cache for each decoder")
@pytest.mark.parametrize(
    "kind, variant",
    [
        *(pytest.param(kind, "plain", marks=pytest.mark.slow) for kind in DECODERS),
        *(
            pytest.param(kind, variant, marks=pytest.mark.slow)
            for kind, variant in (
                *(("llama", "yarn"), ("llama", "longrope, long"), ("phi3", "window")),
                *(("gemma2", "caps"), ("opt", "after"), ("smollm3", "window")),
            )
        ),
        *(("llama", "dynamic, long"), ("phi3", "longrope, long"), ("falcon", "alibi")),
    ],
)
def test_greedy_texts_are_the_same_with_a_cache(tmp_path, kind, variant):
    record = RECORDS[kind][variant]
    model = read(written(tmp_path, record), record)
    prompts, lengths = native_models.TOKENS, np.array([9, 4])
    tokens, logits = written_on(model, prompts, lengths, True)
    others, expected_logits = written_on(model, prompts, lengths, False)
    np.testing.assert_array_equal(tokens, others)
    assert difference(logits, expected_logits) < 1e-5


# ---------------------------------------------------------------- files that are not right


def refusal(folder, record):
    with pytest.raises(SerializationError) as caught:
        read(folder, record)
    text = str(caught.value)
    assert str(folder) in text and "damaged" not in text
    return text


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_do_not_fit_are_named(tmp_path, kind):
    record = RECORDS[kind]["plain"]
    weights = weights_of(record)
    layers = [name for name in weights if re.search(r"\.\d+\.", name)]
    for name in (layers[0], layers[-1]):
        fewer = {key: value for key, value in weights.items() if key != name}
        assert name in refusal(written(tmp_path / "fewer", record, fewer), record)
        wrong = {**weights, name: np.concatenate([weights[name]] * 2)}
        text = refusal(written(tmp_path / "wrong", record, wrong), record)
        assert name in text and "shape" in text
    more = re.sub(r"\.\d+\.", ".2.", layers[0], count=1)
    more = more if more not in weights else re.sub(r"\.\d+\.", ".7.", layers[0], count=1)
    for name in (more, layers[0].rpartition(".")[0] + ".lora_A"):
        others = {**weights, name: weights[layers[0]]}
        assert f"'{name}'" in refusal(written(tmp_path / "more", record, others), record)
    whole = {**weights, layers[0]: np.ones(weights[layers[0]].shape, "int8")}
    assert "int8" in refusal(written(tmp_path / "whole", record, whole), record)


@pytest.mark.promise("Entries of `config.json` are on a list here too")
@pytest.mark.parametrize("kind", RECORDS)
def test_an_entry_that_is_unknown_or_no_number_is_named(tmp_path, kind):
    record = RECORDS[kind]["plain"]
    names = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers")
    layers = next(name for name in names if name in record["config"])
    count = record["config"][layers]
    for entry, values in {
        "no_such_entry": [1],
        "quantization_config": [{"bits": 4}],
        "vocab_size": [0, "23", True, 24, 10**12],
        layers: [count - 1, count + 1, 10**12, float(count)],
        "tie_word_embeddings": ["yes", 1],
    }.items():
        for value in values:
            text = refusal(written(tmp_path, record, **{entry: value}), record)
            assert "config.json says" in text or "weight" in text, (entry, value)


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_and_shards(tmp_path, kind):
    record = RECORDS[kind]["plain"]
    weights = weights_of(record, ml_dtypes.bfloat16)
    model = read(written(tmp_path / "half", record, weights), record, dtype="bfloat16")
    assert {str(variable.dtype) for variable in model.weights} == {"bfloat16"}
    jkeras.saving.to_transformers(model, tmp_path / "shards", max_shard_size=2000 / 2**30)
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 2
    assert files.read_config(str(tmp_path / "shards"))["torch_dtype"] == "bfloat16"
    found = arrays_in(tmp_path / "shards")
    assert {str(array.dtype) for array in found.values()} == {"bfloat16"}
    for name, value in found.items():
        np.testing.assert_array_equal(value, weights[name])
    # in float32 the same numbers: what 8 bits hold
    wide = read(tmp_path / "shards", record)
    assert {str(variable.dtype) for variable in wide.weights} == {"float32"}
    assert difference(outputs_of(wide, record), expected(record)) < 0.2
    first = sorted((tmp_path / "shards").glob("*.safetensors"))[0]
    first.unlink()
    with pytest.raises((SerializationError, FileNotFoundError), match=first.name):
        read(tmp_path / "shards", record)


@pytest.mark.promise("GPT-OSS in MXFP4 (`quantization_config`")
@pytest.mark.parametrize(
    "kind, entries, words",
    [
        ("gpt_oss", {"quantization_config": {"quant_method": "mxfp4"}}, "quantization_config"),
        ("falcon", {"n_head": 4}, "n_head=4"),
        ("llama", {"hidden_act": "mish"}, "hidden_act='mish'.*'gelu'"),
        ("llama", {"rope_parameters": {"rope_type": "proportional"}}, "proportional"),
        ("phi3", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}}, "dynamic"),
        ("gemma3_text", {"attn_logit_softcapping": 5.0}, "attn_logit_softcapping=5.0"),
        ("gemma3_text", {"rope_scaling": {"type": "linear", "factor": 2.0}}, "rename 'type'"),
        ("t5", {"scale_decoder_outputs": None}, "scale_decoder_outputs=None"),
        ("t5", {"feed_forward_proj": "gated-mish"}, "feed_forward_proj='gated-mish'"),
        ("t5", {"dense_act_fn": "silu"}, "dense_act_fn='silu' and feed_forward_proj='relu'"),
        ("t5", {"relative_attention_num_buckets": 3}, "relative_attention_num_buckets=3"),
        ("bart", {"tie_word_embeddings": False}, "tie_word_embeddings=False"),
        ("bart", {"normalize_before": True}, "normalize_before=True"),
        ("whisper", {"apply_spec_augment": True}, "apply_spec_augment=True"),
        ("whisper", {"decoder_attention_heads": 3}, "decoder_attention_heads=3"),
    ],
)
def test_what_is_not_computed_is_named(tmp_path, kind, entries, words):
    record = RECORDS[kind]["plain"]
    with pytest.raises(SerializationError, match=words):
        read(written(tmp_path, record, **entries), record)


@pytest.mark.promise("is what `from_transformers` gives; elsewhere")
def test_what_is_made_of_own_layers(tmp_path):
    for kind in ("phi3", "gpt_oss"):  # which keras-hub does not read
        record = RECORDS[kind]["plain"]
        model = jkeras.saving.from_transformers(written(tmp_path / kind, record), "causal_lm")
        assert isinstance(model, jkeras.models.LanguageTransformer)
    with pytest.raises(SerializationError, match="'gpt2' are none of jkeras's own layers"):
        folder = written(tmp_path / "gpt2", record, model_type="gpt2")
        jkeras.saving.from_transformers(folder, native=True)
    with pytest.raises(ValueError, match="`task`.*'causal_lm'.*'masked_lm'"):
        jkeras.saving.from_transformers(tmp_path / "phi3", "masked_lm")


def test_a_model_is_saved_as_any_other(tmp_path):
    record = RECORDS["qwen3_moe"]["plain"]
    model = read(written(tmp_path / "theirs", record), record)
    model.save(tmp_path / "m.keras")
    again = jkeras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(outputs_of(again, record), outputs_of(model, record))
    jkeras.saving.to_transformers(again, tmp_path / "ours")
    for name, value in arrays_in(tmp_path / "ours").items():
        np.testing.assert_array_equal(value, weights_of(record)[name])


@pytest.mark.parametrize("kind", ["qwen3_moe", "phi3", "modernbert", "bert", "t5"])
def test_a_model_learns(tmp_path, kind):
    """The last two drop some of the weights of attention."""
    record = RECORDS[kind]["plain"]
    model = read(written(tmp_path, record), record)
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(0.01), loss)
    x = native_models.TOKENS
    if isinstance(model.input, dict):
        ones = np.ones_like(x)
        given = {"token_ids": x, "padding_mask": ones, "segment_ids": 0 * ones}
        given |= {f"encoder_{name}": value for name, value in given.items()}
        given |= {"decoder_token_ids": x, "decoder_padding_mask": ones}
        x = {name: given[name] for name in model.input}
    losses = model.fit(x, native_models.TOKENS, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.promise("does not compute an entry and these layers do")
def test_what_keras_hub_does_not_compute_leads_to_own_layers(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_keras_hub", lambda: types.SimpleNamespace(models=None))
    record = RECORDS["llama"]["yarn"]
    with pytest.raises(SerializationError, match="'yarn'.*pass `native=True`"):
        jkeras.saving.from_transformers(written(tmp_path, record))
    for entries in ({"no_such_entry": 1}, {"num_hidden_layers": 10**9}):
        with pytest.raises(SerializationError) as caught:
            jkeras.saving.from_transformers(written(tmp_path, record, **entries))
        assert "native=True" not in str(caught.value)


@pytest.mark.parametrize(
    "kind, entry",
    [
        *(("llama", "head_dim"), ("llama", "intermediate_size"), ("llama", "vocab_size")),
        *(("bert", "type_vocab_size"), ("bert", "max_position_embeddings")),
        *(("opt", "word_embed_proj_dim"), ("electra", "embedding_size")),
        ("falcon", "num_kv_heads"),
        *(("qwen3_moe", "num_experts"), ("qwen2_moe", "shared_expert_intermediate_size")),
        *(("gpt_oss", "num_local_experts"), ("bloom", "n_layer")),
    ],
)
def test_nothing_is_made_that_is_larger_than_the_files(tmp_path, monkeypatch, kind, entry):
    record = RECORDS[kind]["plain"]
    folder = written(tmp_path, record, **{entry: 2**30})
    if kind == "falcon":
        folder = written(tmp_path, record, **{entry: 2**30, "new_decoder_architecture": True})

    def make(*arguments, **options):
        raise AssertionError("it is made")

    monkeypatch.setattr(model_module, "LanguageTransformer", make)
    with pytest.raises(SerializationError):
        read(folder, record)
