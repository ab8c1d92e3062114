"""Folders of transformers without that package: names and layouts, and what is refused. What the
package itself makes of them is in test_transformers.py.
"""

import json
import os
import tracemalloc
import types

import numpy as np
import pytest

import jkeras
from jkeras.core.errors import SerializationError
from jkeras.core.weights.assigning import load_all
from jkeras.saving.hugging_face import files
from jkeras.saving.hugging_face.architectures import (
    ARCHITECTURES,
    BERT,
    GEMMA,
    GPT2,
    LLAMA,
    MISTRAL,
    QWEN2,
    QWEN3,
)
from jkeras.saving.hugging_face.layouts import Matrix, Same, Vector
from jkeras.saving.hugging_face.reading import load
from jkeras.saving.hugging_face.settings import arguments_of, config_of, understood

VOCABULARY, HIDDEN, INNER, HEADS, WIDTH = 11, 8, 6, 2, 4
BLOCK = {
    "self_attention/query/kernel": (HIDDEN, HEADS, WIDTH),
    "self_attention/key/kernel": (HIDDEN, 1, WIDTH),
    "self_attention/value/kernel": (HIDDEN, 1, WIDTH),
    "self_attention/attention_output/kernel": (HEADS, WIDTH, HIDDEN),
    "self_attention_layernorm/scale": (HIDDEN,),
    "feedforward_layernorm/scale": (HIDDEN,),
    "feedforward_gate_dense/kernel": (HIDDEN, INNER),
    "feedforward_intermediate_dense/kernel": (HIDDEN, INNER),
    "feedforward_output_dense/kernel": (INNER, HIDDEN),
}
SHAPES = {
    "token_embedding/embeddings": (VOCABULARY, HIDDEN),
    "token_embedding/reverse_embeddings": (HIDDEN, VOCABULARY),
    "sequence_output_layernorm/scale": (HIDDEN,),
    **{f"transformer_layer_{i}/{path}": shape for i in range(2) for path, shape in BLOCK.items()},
}


def variable(path, shape, rng, dtype="float32"):
    """A weight as a backbone has it."""
    scope, _, name = path.rpartition("/")
    made = jkeras.Variable(rng.normal(size=shape), dtype=dtype, name=name)
    made.scope = scope
    return made


class Llama3Backbone(jkeras.layers.Layer):
    """What is asked of one of keras-hub."""

    num_layers = 2
    vocabulary_size, hidden_dim, intermediate_dim = VOCABULARY, HIDDEN, INNER
    num_query_heads, num_key_value_heads = HEADS, 1
    rope_max_wavelength, layer_norm_epsilon, dropout = 500.0, 1e-5, 0.0
    rope_position_scaling_factor, rope_frequency_adjustment_factor = 1.0, None
    rope_low_freq_factor = rope_high_freq_factor = rope_pretraining_sequence_length = None

    def __init__(self, seed=0, tied=False, dtype="float32", shapes=SHAPES):
        super().__init__(dtype=dtype)
        rng = np.random.default_rng(seed)
        self.tie_word_embeddings = tied
        self.kept = [
            variable(path, shape, rng, dtype)
            for path, shape in shapes.items()
            if not (tied and "reverse" in path)
        ]
        self.built = True

    def values(self):
        return {v.path: np.asarray(v.value) for v in self.weights}


def arrays_in(folder):
    """{name: array}, as the package safetensors reads them."""
    numpy = pytest.importorskip("safetensors.numpy")
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        found.update(numpy.load_file(path))
    return found


def read(architecture, config, has_head=True):
    """The arguments that a configuration says."""
    return arguments_of(architecture, understood(architecture, config), has_head)


# ---------------------------------------------------------------- both ways


@pytest.mark.promise("`Dense` keeps its kernel")
def test_a_dense_layer_is_torch_linear():
    backbone, path = Llama3Backbone(), "transformer_layer_1/feedforward_gate_dense/kernel"
    row = next(row for row in LLAMA.rows_of(2) if row.ours == (path,))
    assert row.theirs == "layers.1.mlp.gate_proj.weight"
    kernel = backbone.values()[path]
    x = np.ones((3, HIDDEN), "float32")
    np.testing.assert_allclose(x @ row.layout.join([kernel]).T, x @ kernel, rtol=1e-6)


@pytest.mark.promise("Matrices of torch are transposed")
@pytest.mark.parametrize(
    "layout, shapes",
    [
        (Same(), [(3, 2)]),
        (Vector(), [(2, 4), (1, 4), (1, 4)]),
        (Matrix(), [(8, 2, 4)]),
        (Matrix(inputs=2), [(2, 4, 8)]),
        (Matrix(heads_first=True), [(2, 8, 4)]),
        (Matrix(outputs_first=False), [(8, 2, 4), (8, 1, 4), (8, 1, 4)]),
        (Matrix(inputs=2, outputs_first=False), [(2, 4, 8)]),
    ],
)
def test_a_layout_is_undone(layout, shapes):
    rng = np.random.default_rng(0)
    ours = [rng.normal(size=shape) for shape in shapes]
    theirs = layout.join(ours)
    assert theirs.shape == layout.shape(shapes)
    again = layout.part(theirs, shapes)
    assert all(np.array_equal(a, b) for a, b in zip(again, ours, strict=True))
    assert all(np.shares_memory(part, theirs) for part in again)


def test_heads_lie_one_behind_the_other():
    queries = np.random.default_rng(0).normal(size=(HEADS, HIDDEN, WIDTH))
    theirs = Matrix(heads_first=True).join([queries])
    np.testing.assert_array_equal(theirs[WIDTH : 2 * WIDTH], queries[1].T)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("tied", [False, True])
def test_a_folder_gives_back_the_weights(tmp_path, tied, dtype):
    backbone = Llama3Backbone(tied=tied, dtype=dtype)
    jkeras.saving.to_transformers(backbone, tmp_path / "new" / "folder")
    theirs = arrays_in(tmp_path / "new" / "folder")
    ours = backbone.values()
    np.testing.assert_array_equal(
        theirs["model.embed_tokens.weight"], ours["token_embedding/embeddings"]
    )
    np.testing.assert_array_equal(
        theirs["model.layers.1.self_attn.q_proj.weight"],
        ours["transformer_layer_1/self_attention/query/kernel"].reshape(HIDDEN, -1).T,
    )
    assert ("lm_head.weight" in theirs) is not tied
    assert {str(array.dtype) for array in theirs.values()} == {dtype}
    assert len(theirs) == len(ours)
    other = Llama3Backbone(seed=1, tied=tied, dtype=dtype)
    with files.stored_in(tmp_path / "new" / "folder") as stored:
        load(LLAMA, other, stored)
    for path, value in other.values().items():
        np.testing.assert_array_equal(value, ours[path])


@pytest.mark.promise("They come in the file's")
def test_weights_are_cast_where_the_variable_has_another_dtype(tmp_path):
    backbone = Llama3Backbone(dtype="bfloat16")
    jkeras.saving.to_transformers(backbone, tmp_path)
    other = Llama3Backbone(seed=1)
    with files.stored_in(str(tmp_path)) as stored:
        load(LLAMA, other, stored)
    for path, value in other.values().items():
        assert value.dtype == "float32"
        np.testing.assert_array_equal(value, backbone.values()[path].astype("float32"))


@pytest.mark.promise("`config=` adds what a backbone")
def test_the_config_says_how_it_is_made(tmp_path):
    backbone = Llama3Backbone()
    jkeras.saving.to_transformers(backbone, tmp_path, config={"eos_token_id": 7})
    config = files.read_config(str(tmp_path))
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["eos_token_id"] == 7 and config["torch_dtype"] == "float32"
    arguments = read(LLAMA, config, True)
    for name, value in arguments.items():
        assert getattr(backbone, name) == value, name


@pytest.mark.promise("Writing.** `max_shard_size` (gigabytes)")
def test_a_large_model_is_spread_over_files(tmp_path):
    backbone = Llama3Backbone()
    jkeras.saving.to_transformers(backbone, tmp_path, max_shard_size=500 / 2**30)
    index = json.loads((tmp_path / files.INDEX).read_text())
    shards = sorted(set(index["weight_map"].values()))
    assert len(shards) > 3 and shards[0] == f"model-00001-of-{len(shards):05}.safetensors"
    assert sorted(index["weight_map"]) == sorted(arrays_in(tmp_path))
    size = sum(array.nbytes for array in arrays_in(tmp_path).values())
    assert index["metadata"]["total_size"] == size
    other = Llama3Backbone(seed=1)
    with files.stored_in(str(tmp_path)) as stored:
        load(LLAMA, other, stored)
    assert np.array_equal(other.weights[-1].value, backbone.weights[-1].value)
    jkeras.saving.to_transformers(backbone, tmp_path)
    assert sorted(os.listdir(tmp_path)) == [files.CONFIG, files.WEIGHTS]
    with pytest.raises(FileExistsError, match="overwrite=False"):
        jkeras.saving.to_transformers(backbone, tmp_path, overwrite=False)


@pytest.mark.promise("Weights are read one after")
@pytest.mark.promise("Writing.** `max_shard_size` (gigabytes)")
def test_one_weight_at_a_time_is_in_memory(tmp_path):
    size = 2**10
    shapes = {
        f"transformer_layer_{i}/feedforward_gate_dense/kernel": (size, size) for i in range(20)
    }
    backbone = Llama3Backbone(shapes=shapes)
    backbone.num_layers = 20
    weight = 4 * size**2

    def peak(function, *arguments):
        tracemalloc.start()
        try:
            function(*arguments)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(jkeras.saving.to_transformers, backbone, tmp_path) < 3.5 * weight
    with files.stored_in(str(tmp_path)) as stored:
        assert peak(load, LLAMA, backbone, stored) < 3.5 * weight


def test_weights_do_not_lie_in_the_file(tmp_path):
    """Nor do those that JAX on a CPU could take over as they are, large and aligned."""
    shapes = SHAPES | {"token_embedding/embeddings": (2**12, HIDDEN)}
    shapes["transformer_layer_0/feedforward_gate_dense/kernel"] = (2**9, 2**9)
    backbone = Llama3Backbone(shapes=shapes)
    jkeras.saving.to_transformers(backbone, tmp_path)
    with files.stored_in(str(tmp_path)) as stored:
        load(LLAMA, backbone, stored)
    before = {path: value.copy() for path, value in backbone.values().items()}
    for path in tmp_path.glob("*.safetensors"):
        with open(path, "r+b") as file:
            file.write(bytes(path.stat().st_size))
    for path, value in backbone.values().items():
        np.testing.assert_array_equal(value, before[path])
        assert value.any()


# ---------------------------------------------------------------- what config.json says

LLAMA_CONFIG = {
    "model_type": "llama",
    "vocab_size": 11,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 8,
    "intermediate_size": 6,
    "rms_norm_eps": 1e-5,
}
SCALED = {
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}


@pytest.mark.parametrize(
    "entries",
    [
        {"rope_theta": 5e5, "rope_scaling": {"type": "llama3", **SCALED}},
        {"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5, **SCALED}},
    ],
    ids=["version 4", "version 5"],
)
def test_scaled_positions_are_read_from_both_versions(entries):
    arguments = read(LLAMA, {**LLAMA_CONFIG, **entries}, False)
    assert arguments["rope_max_wavelength"] == 5e5
    assert arguments["rope_frequency_adjustment_factor"] == 8.0
    assert arguments["rope_pretraining_sequence_length"] == 64
    assert arguments["num_key_value_heads"] == 2 and arguments["tie_word_embeddings"] is True


@pytest.mark.parametrize(
    "entries, words",
    [
        ({"attention_bias": True}, "attention_bias=True"),
        ({"hidden_act": "gelu"}, "hidden_act='gelu'.*'silu'"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "'yarn'"),
    ],
)
def test_what_the_backbone_does_not_compute_is_refused(entries, words):
    with pytest.raises(SerializationError, match=words):
        understood(LLAMA, {**LLAMA_CONFIG, **entries})


@pytest.mark.promise("`use_sliding_window` with a window in a layer")
@pytest.mark.parametrize("architecture", [QWEN2, QWEN3], ids=["qwen2", "qwen3"])
def test_a_window_that_keras_hub_drops_is_refused(architecture):
    window = {**LLAMA_CONFIG, "use_sliding_window": True, "sliding_window": 4, "rms_norm_eps": 1e-6}
    assert read(architecture, {**window, "use_sliding_window": False})["num_layers"] == 2
    assert read(architecture, {**window, "max_window_layers": 2})["num_layers"] == 2
    assert read(architecture, {**window, "layer_types": ["full_attention"] * 2})["num_layers"] == 2
    for first in (0, 1, True, -1):
        with pytest.raises(SerializationError, match=rf"sliding_window=4 from layer {first} of 2"):
            understood(architecture, {**window, "max_window_layers": first})
    for kinds in (["sliding_attention"] * 2, ["full_attention"], "full_attention"):
        with pytest.raises(SerializationError, match="layer_types"):
            understood(architecture, {**window, "layer_types": kinds})


def test_a_window_in_all_layers_is_read_where_it_is_computed():
    assert read(MISTRAL, LLAMA_CONFIG)["sliding_window"] == 4096
    assert read(MISTRAL, {**LLAMA_CONFIG, "sliding_window": None})["sliding_window"] is None


def test_what_is_left_out_is_derived():
    config = {"model_type": "gpt2", "n_embd": 8, "n_layer": 1, "n_inner": None, "n_head": 2}
    config = {**config, "vocab_size": 11, "n_positions": 16}
    assert read(GPT2, config)["intermediate_dim"] == 32 and read(GPT2, config)["dropout"] == 0.1
    assert read(LLAMA, LLAMA_CONFIG)["rope_max_wavelength"] == 10000.0
    gemma = read(GEMMA, {**LLAMA_CONFIG, "hidden_act": "gelu", "rms_norm_eps": 1e-6})
    assert gemma["intermediate_dim"] == 12 and gemma["head_dim"] == 256


def test_names_have_a_prefix_in_some_files_and_other_ends_in_older_ones():
    assert LLAMA.names("norm.weight") == ["model.norm.weight", "norm.weight"]
    assert BERT.names("embeddings.LayerNorm.bias") == [
        "embeddings.LayerNorm.bias",
        "embeddings.LayerNorm.beta",
        "bert.embeddings.LayerNorm.bias",
        "bert.embeddings.LayerNorm.beta",
    ]


@pytest.mark.promise("Writing.** `max_shard_size` (gigabytes)")
def test_names_and_weights_are_there_once():
    for architecture in ARCHITECTURES:
        rows = architecture.rows_of(2)
        theirs = [row.theirs for row in rows]
        ours = [path for row in rows for path in row.ours]
        assert len(set(theirs)) == len(theirs) and len(set(ours)) == len(ours)


# ---------------------------------------------------------------- what is not written


def test_an_unknown_architecture_names_those_that_are_known(tmp_path):
    model = jkeras.Sequential([jkeras.Input((2,)), jkeras.layers.Dense(1)], name="mine")
    with pytest.raises(ValueError, match="Llama3Backbone, .*BertBackbone.*Sequential 'mine'"):
        jkeras.saving.to_transformers(model, tmp_path)
    assert not os.listdir(tmp_path)


@pytest.mark.promise("What is not written.**")
def test_weights_that_transformers_does_not_have_are_refused(tmp_path):
    extra = {**SHAPES, "transformer_layer_0/self_attention/query/lora_kernel_a": (8, 2)}
    with pytest.raises(ValueError, match="lora_kernel_a.*new backbone"):
        jkeras.saving.to_transformers(Llama3Backbone(shapes=extra), tmp_path)
    assert not os.listdir(tmp_path)


@pytest.mark.promise("What is not written.**")
def test_an_argument_that_transformers_does_not_have_is_refused():
    second = types.SimpleNamespace(**{**GEMMA.alone, "use_post_ffw_norm": True})
    with pytest.raises(ValueError, match="use_post_ffw_norm=False.*use_post_ffw_norm=True"):
        config_of(GEMMA, second)


def test_a_shard_has_a_size(tmp_path):
    with pytest.raises(ValueError, match="max_shard_size.*-1"):
        jkeras.saving.to_transformers(Llama3Backbone(), tmp_path, max_shard_size=-1)


# ---------------------------------------------------------------- folders of strangers


def folder_with(path, config=LLAMA_CONFIG, **contents):
    """A folder with a config, and files whose names end as safetensors do."""
    (path / files.CONFIG).write_text(json.dumps(config))
    for name, content in contents.items():
        (path / name.replace("_", ".")).write_bytes(content)
    return path


def refused(folder, words):
    with pytest.raises(SerializationError, match=words) as caught:
        jkeras.saving.from_transformers(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.promise("`pytorch_model.bin` and other pickles are refused")
def test_pickles_are_not_opened(tmp_path):
    folder_with(tmp_path)
    # would raise, if somebody unpickled it
    (tmp_path / "pytorch_model.bin").write_bytes(b"cos\nabort\n(tR.")
    refused(tmp_path, "pytorch_model.bin: pickles")


@pytest.mark.parametrize("name", ["../x.safetensors", "/x.safetensors", "x.bin", 3, "a\\b"])
def test_the_list_names_files_beside_it(tmp_path, name):
    folder_with(tmp_path)
    (tmp_path / files.INDEX).write_text(json.dumps({"weight_map": {"norm.weight": name}}))
    refused(tmp_path, "safetensors.index.json.*beside it")


@pytest.mark.promise("Untrusted folders.**")
@pytest.mark.parametrize(
    "config, words",
    [
        ([], "no `model_type`"),
        ({"architecture": "vit"}, "no `model_type`"),
        ({"model_type": {}}, "no `model_type`"),
        ({"model_type": "llama", "registered_name": "x>Y"}, "object of Keras"),
    ],
)
def test_a_config_is_one_of_transformers(tmp_path, config, words):
    refused(folder_with(tmp_path, config, model_safetensors=b""), words)


def test_a_damaged_file_is_named(tmp_path):
    refused(folder_with(tmp_path, model_safetensors=b"\xff" * 20), "model.safetensors.*cut off")


def test_a_folder_without_weights(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model.safetensors"):
        jkeras.saving.from_transformers(folder_with(tmp_path))
    with pytest.raises(FileNotFoundError, match="no folder"):
        jkeras.saving.from_transformers(tmp_path / "none")


def test_weights_that_do_not_fit_are_listed_and_nothing_changes(tmp_path):
    jkeras.saving.to_transformers(Llama3Backbone(), tmp_path)
    shapes = {**SHAPES, "token_embedding/embeddings": (VOCABULARY + 1, HIDDEN)}
    other = Llama3Backbone(seed=1, shapes=shapes)
    other.num_layers = 3
    other.kept.append(
        variable("transformer_layer_2/feedforward_layernorm/scale", (8,), np.random.default_rng(0))
    )
    before = other.values()
    with files.stored_in(str(tmp_path)) as stored, pytest.raises(SerializationError) as caught:
        load(LLAMA, other, stored)
    assert "'model.embed_tokens.weight' has the shape (11, 8), expected (12, 8)" in str(
        caught.value
    )
    assert "no weight 'model.layers.2.post_attention_layernorm.weight'" in str(caught.value)
    assert all(np.array_equal(value, before[path]) for path, value in other.values().items())


def test_a_change_of_what_we_wrote_is_noticed(tmp_path):
    jkeras.saving.to_transformers(Llama3Backbone(), tmp_path)
    content = bytearray((tmp_path / files.WEIGHTS).read_bytes())
    content[-5] ^= 1
    (tmp_path / files.WEIGHTS).write_bytes(content)
    with (
        files.stored_in(str(tmp_path)) as stored,
        pytest.raises(SerializationError, match="checks"),
    ):
        load(LLAMA, Llama3Backbone(), stored)


@pytest.mark.promise("Weights are read one after")
def test_each_device_gets_its_part_from_the_host():
    """What a variable lays out is the array in memory: no device has all of it in between."""
    given = []

    class Recording(jkeras.Variable):
        def placed(self, value):
            given.append(type(value))
            return super().placed(value)

    recording = Recording(np.zeros((2, 3)))
    given.clear()
    load_all([(recording, np.ones((3, 2), "float32").T)])
    assert given[0] is np.ndarray
    np.testing.assert_array_equal(recording.value, np.ones((2, 3)))
