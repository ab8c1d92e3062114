"""Folders of transformers that say one thing and hold another, of types that are not supported, or
that lead elsewhere; and a folder whose writing breaks off. Without that package, as
test_hugging_face.py.
"""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

import jkeras
from jkeras.core.errors import SerializationError
from jkeras.saving.flat import Stored
from jkeras.saving.hugging_face import by_hub, files, sizes
from jkeras.saving.hugging_face.architectures import ARCHITECTURES, LLAMA, QWEN3
from jkeras.saving.hugging_face.reading import load
from jkeras.saving.hugging_face.settings import arguments_of, understood
from jkeras.saving.reading import explained
from tests.saving.test_hugging_face import LLAMA_CONFIG, Llama3Backbone, folder_with

CONFIG = {**LLAMA_CONFIG, "num_key_value_heads": 1, "rope_theta": 500.0}


def written(folder, **options):
    """A folder with a model in it, and what is stored there."""
    jkeras.saving.to_transformers(Llama3Backbone(**options), folder)
    return folder


def refused(words):
    return pytest.raises(SerializationError, match=words)


# ---------------------------------------------------------------- entries


@pytest.mark.promise("`quantization_config`, weights of whole numbers")
@pytest.mark.promise("`llama`: positions scaled with")
@pytest.mark.promise("or the error says the entry, its value")
@pytest.mark.promise("Refused in particular is what keras-hub has an argument for")
@pytest.mark.parametrize(
    "entries, words",
    [
        ({"num_hidden_layers": 0}, "num_hidden_layers=0: expected a whole number of 1 or more"),
        ({"num_hidden_layers": -2}, "num_hidden_layers=-2"),
        ({"num_hidden_layers": True}, "num_hidden_layers=True"),
        ({"num_attention_heads": True}, "num_attention_heads=True"),
        ({"num_attention_heads": 0}, "num_attention_heads=0"),
        ({"vocab_size": 11.0}, "vocab_size=11.0"),
        ({"rms_norm_eps": -1}, "rms_norm_eps=-1: expected a number above 0"),
        ({"rms_norm_eps": 1e300}, "rms_norm_eps=1e\\+300"),
        ({"attention_dropout": 1.0}, "attention_dropout=1.0: expected a number from 0"),
        ({"head_dim": 3}, "head_dim=3.*expected 4"),
        ({"hidden_size": 9}, "hidden_size=9 and num_attention_heads=2"),
        ({"quantization_config": {"bits": 4}}, "quantization_config=.*bits"),
        ({"logit_scale": 2.0}, "logit_scale=2.0.*not known.*Llama3Backbone"),
        ({"attention_bias": 1}, "attention_bias=1.*expected False"),
        ({"tie_word_embeddings": 1}, "tie_word_embeddings=1.*True or False"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 2.0}}, "'linear'.*'llama3'"),
        ({"rope_scaling": {"type": "llama3", "rope_type": "linear"}}, "type='llama3'"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 2.0}}, "does not have low_freq_factor"),
        ({"rope_scaling": {"mrope_section": [1]}}, "rope_parameters says mrope_section"),
        ({"rope_parameters": {"rope_theta": 2.0}}, "rope_theta=2.0 and rope_theta=500.0"),
        ({"rope_theta": "500"}, "rope_theta='500'"),
        ({"vocab_size": None}, "vocab_size=None"),
    ],
)
def test_an_entry_that_is_not_computed_is_named(entries, words):
    with refused(words):
        understood(LLAMA, {**CONFIG, **entries})


def test_an_entry_that_is_left_out_is_named():
    with refused("does not have vocab_size"):
        understood(LLAMA, {k: v for k, v in CONFIG.items() if k != "vocab_size"})


@pytest.mark.promise("`auto_map`, which names code, is not looked at")
def test_what_changes_no_output_is_read():
    others = {"torch_dtype": "float16", "auto_map": {"a": "b"}, "eos_token_id": [1, 2], "new": None}
    assert understood(LLAMA, {**CONFIG, **others})["vocab_size"] == 11


@pytest.mark.promise("`rms_norm_eps` that is not 1e-6 or 1e-5")
@pytest.mark.parametrize("epsilon", [1e-2, 1e-7])
def test_an_epsilon_that_keras_hub_has_not_everywhere(epsilon):
    with refused(f"rms_norm_eps={epsilon}.*Qwen3Backbone.*1e-06 or 1e-05"):
        understood(QWEN3, {**CONFIG, "rms_norm_eps": epsilon})


@pytest.mark.promise("is known, or refused by name")
def test_every_entry_of_an_architecture_has_one_meaning():
    for one in ARCHITECTURES:
        assert not set(one.ignored) & {*one.settings, *one.fixed, *one.limits, *one.equal}
        assert set(one.multiples) <= {(a, b) for a in one.settings for b in one.settings}
        entries = {entry for axes in one.shapes.values() for axis in axes for entry in axis}
        assert entries <= {*one.settings, *one.derived}


# what known repositories have, beside the sizes
COMMON = {
    **{"architectures": ["A"], "bos_token_id": 1, "eos_token_id": [1, 2], "pad_token_id": None},
    **{"initializer_range": 0.02, "torch_dtype": "bfloat16", "transformers_version": "4.45.0"},
    **{"use_cache": True, "_name_or_path": "a/b", "_attn_implementation_autoset": True},
}
DECODER = {
    **{"vocab_size": 32, "hidden_size": 16, "intermediate_size": 8, "num_hidden_layers": 2},
    **{"num_attention_heads": 2, "num_key_value_heads": 1, "hidden_act": "silu"},
    **{"rms_norm_eps": 1e-6, "max_position_embeddings": 64, "attention_dropout": 0.0},
    **{"rope_theta": 1000000, "rope_scaling": None, "tie_word_embeddings": False},
}
NO_WINDOW = {"use_sliding_window": False, "sliding_window": 64, "max_window_layers": 1}
BERT_SIZES = {
    **{"vocab_size": 32, "hidden_size": 16, "intermediate_size": 8, "num_hidden_layers": 2},
    **{"num_attention_heads": 2, "max_position_embeddings": 64, "type_vocab_size": 2},
}
KNOWN = {
    "Llama 2": {**DECODER, "model_type": "llama", "pretraining_tp": 1, "attention_bias": False},
    "Llama 3.2": {
        **DECODER,
        **{"model_type": "llama", "head_dim": 8, "mlp_bias": False, "rope_theta": 500000.0},
        "rope_scaling": {
            **{"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0},
            **{"original_max_position_embeddings": 32, "rope_type": "llama3"},
        },
    },
    "SmolLM2": {
        **{**DECODER, "model_type": "llama", "is_llama_config": True, "rope_interleaved": False},
        "transformers.js_config": {"dtype": {}},
    },
    "Mistral": {**DECODER, "model_type": "mistral", "sliding_window": 32, "head_dim": 16},
    "Qwen 2.5": {**DECODER, **NO_WINDOW, "model_type": "qwen2", "use_mrope": False},
    "Qwen 3": {
        **{**DECODER, **NO_WINDOW, "model_type": "qwen3", "head_dim": 8, "attention_bias": False},
        "layer_types": ["full_attention"] * 2,
    },
    "Gemma": {
        **{**DECODER, "model_type": "gemma", "head_dim": 8, "rope_theta": 10000.0},
        **{"hidden_act": "gelu", "hidden_activation": None, "tie_word_embeddings": True},
    },
    "GPT-2": {
        **{"model_type": "gpt2", "activation_function": "gelu_new", "attn_pdrop": 0.1},
        **{"embd_pdrop": 0.1, "resid_pdrop": 0.1, "layer_norm_epsilon": 1e-05, "n_ctx": 64},
        **{"n_embd": 16, "n_head": 2, "n_layer": 2, "n_positions": 64, "vocab_size": 32},
        **{"summary_activation": None, "summary_first_dropout": 0.1, "summary_type": "cls_index"},
        **{"summary_proj_to_labels": True, "summary_use_proj": True, "_num_labels": 1},
        **{"task_specific_params": {"text-generation": {"max_length": 50}}, "n_inner": None},
    },
    "BERT": {
        **{**BERT_SIZES, "model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12},
        **{"attention_probs_dropout_prob": 0.1, "hidden_dropout_prob": 0.1},
        **{"directionality": "bidi", "pooler_fc_size": 768, "pooler_type": "first"},
        **{"position_embedding_type": "absolute", "gradient_checkpointing": False},
    },
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_known_repositories_say_is_read(name):
    config = {**COMMON, **KNOWN[name]}
    architecture = next(a for a in ARCHITECTURES if a.model_type == config["model_type"])
    found = arguments_of(architecture, understood(architecture, config), has_head=True)
    assert found["vocabulary_size"] == 32 and found["num_layers"] == 2


CONVERTED = {
    "Gemma 2": {
        **{**DECODER, "model_type": "gemma2", "head_dim": 8, "query_pre_attn_scalar": 8},
        **{"rope_theta": 10000.0, "tie_word_embeddings": True, "hidden_act": "gelu_pytorch_tanh"},
        **{"hidden_activation": "gelu_pytorch_tanh", "attn_logit_softcapping": 50.0},
        **{"final_logit_softcapping": 30.0, "cache_implementation": "hybrid"},
        **{"sliding_window": 32, "sliding_window_size": 32, "attention_bias": False},
    },
    "Gemma 3": {
        **{**DECODER, "model_type": "gemma3_text", "head_dim": 8, "hidden_act": None},
        **{"query_pre_attn_scalar": 8, "rope_local_base_freq": 10000, "sliding_window": 32},
        **{"rope_scaling": {"factor": 8.0, "rope_type": "linear"}, "sliding_window_pattern": 6},
        **{"hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": True},
        **{"layer_types": ["sliding_attention"] * 2, "attn_logit_softcapping": None},
    },
    "Mixtral": {
        **{**DECODER, "model_type": "mixtral", "num_local_experts": 2, "num_experts_per_tok": 2},
        **{"output_router_logits": False, "router_aux_loss_coef": 0.02, "sliding_window": None},
    },
    "RoBERTa": {
        **{**BERT_SIZES, "model_type": "roberta", "layer_norm_eps": 1e-05, "hidden_act": "gelu"},
        **{"attention_probs_dropout_prob": 0.1, "hidden_dropout_prob": 0.1, "type_vocab_size": 1},
        "pad_token_id": 1,
    },
    "DistilBERT": {
        **{"model_type": "distilbert", "activation": "gelu", "attention_dropout": 0.1, "dim": 16},
        **{"dropout": 0.1, "hidden_dim": 32, "n_heads": 2, "n_layers": 2, "vocab_size": 32},
        **{"max_position_embeddings": 64, "qa_dropout": 0.1, "seq_classif_dropout": 0.2},
        **{"sinusoidal_pos_embds": False, "tie_weights_": True},
    },
}


@pytest.mark.parametrize("name", CONVERTED)
def test_what_known_repositories_of_converted_types_say_is_read(name):
    stored = {
        f"model.layers.{i}.{place}.weight": Stored((32, 16), np.dtype("float32"), None)
        for i in range(2)
        for place in "ab"
    }
    by_hub.check({**COMMON, **CONVERTED[name]}, stored)


ROPES = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
    "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
}


@pytest.mark.parametrize(
    "entries, words",
    [
        ({"rope_scaling": {"rope_type": "linear", "factor": 4.0}}, "rope_scaling="),
        ({"rope_parameters": {**ROPES, "full_attention": ROPES["sliding_attention"]}}, "rope_"),
        ({"query_pre_attn_scalar": None}, "query_pre_attn_scalar"),
        # the root of what keras-hub's block divides by is always that of head_dim
        ({"query_pre_attn_scalar": 16, "num_attention_heads": 1}, "query_pre_attn_scalar=16"),
        ({"sliding_window": None}, "sliding_window"),
        ({"rope_parameters": [8.0]}, "rope_parameters"),
    ],
)
def test_what_entries_of_gemma_3_say_together(entries, words):
    """Two forms of one setting say the same, and what is missing has another default elsewhere."""
    config = {**CONVERTED["Gemma 3"], "rope_parameters": ROPES}
    shapes = {f"model.layers.{i}.a.weight": (32, 16) for i in range(2)}
    stored = {name: Stored(shape, np.dtype("float32"), None) for name, shape in shapes.items()}
    by_hub.check(config, stored)
    with refused(words):
        by_hub.check({**config, **entries}, stored)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_segments_that_keras_hub_has_not(value):
    name = "roberta.embeddings.token_type_embeddings.weight"
    array = np.full((1, 16), value, "float32")
    shapes = SIZES_OF["roberta"].items()
    stored = {key: Stored(shape, array.dtype, None) for key, shape in shapes}
    stored[name] = Stored(array.shape, array.dtype, None, lambda sums: array)
    config = {**COMMON, **CONVERTED["RoBERTa"]}
    if value:
        with refused(f"'{name}' has other numbers than zeros"):
            by_hub.check_weights(config, stored)
    else:
        by_hub.check_weights(config, stored)


DINOV2 = {
    **{"hidden_size": 16, "image_size": 12, "patch_size": 4, "num_channels": 3, "mlp_ratio": 4},
    **{"num_attention_heads": 2, "num_hidden_layers": 1, "hidden_act": "gelu"},
    **{"use_swiglu_ffn": False, "layer_norm_eps": 1e-6, "qkv_bias": True},
}


@pytest.mark.parametrize(
    "registers, words", [(None, "does not have num_register"), (0, "no weight")]
)
def test_registers_that_would_be_left_out(registers, words):
    """transformers takes 4 where nothing is said, keras-hub none."""
    config = {**DINOV2, "model_type": "dinov2_with_registers", "num_register_tokens": 4}
    shapes = {
        **{"embeddings.cls_token": (1, 1, 16), "embeddings.position_embeddings": (1, 10, 16)},
        **{"embeddings.register_tokens": (1, 4, 16), "encoder.layer.0.mlp.fc1.weight": (64, 16)},
        "embeddings.patch_embeddings.projection.weight": (16, 3, 4, 4),
    }
    stored = {name: Stored(shape, np.dtype("float32"), None) for name, shape in shapes.items()}

    def check(config):
        by_hub.check(config, stored)
        by_hub.check_weights(config, stored)

    check(config)
    changed = {**config, "num_register_tokens": registers}
    with refused(words):
        check({name: value for name, value in changed.items() if value is not None})


# ---------------------------------------------------------------- sizes


def shapes_of(config, weights):
    """What `from_transformers` sees to before it makes a model."""
    stored = {name: Stored(shape, np.dtype("float32"), None) for name, shape in weights.items()}
    sizes.check_sizes(LLAMA, understood(LLAMA, config), stored)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = written(tmp_path_factory.mktemp("llama"))
    with files.stored_in(str(folder)) as stored:
        return {name: one.shape for name, one in stored.items()}


@pytest.mark.promise("fewer or more layers than the files have")
@pytest.mark.parametrize(
    "entries, words",
    [
        ({"num_hidden_layers": 1}, "num_hidden_layers=1; .* of 2 layers"),
        ({"num_hidden_layers": 10**7}, "num_hidden_layers=10000000; .* of 2 layers"),
        ({"vocab_size": 10**9}, "vocab_size=1000000000: 'model.embed_tokens.weight' .*11, 8"),
        ({"intermediate_size": 10**9}, "intermediate_size=1000000000: .*gate_proj"),
        ({"num_attention_heads": 4, "head_dim": 2}, "num_key_value_heads=1: .*k_proj"),
    ],
)
def test_sizes_are_those_of_the_weights(weights, entries, words):
    shapes_of(CONFIG, weights)
    with refused(words):
        shapes_of({**CONFIG, **entries}, weights)


@pytest.mark.promise("fewer or more layers than the files have")
def test_layers_are_all_there_and_alike(weights):
    name = "model.layers.1.mlp.up_proj.weight"
    with refused(rf"'{name}' has the shape \(6, 1000\), in another layer \(6, 8\)"):
        shapes_of(CONFIG, {**weights, name: (6, 1000)})
    gap = {name.replace("layers.1", "layers.5"): shape for name, shape in weights.items()}
    with refused("of 2 layers"):
        shapes_of(CONFIG, gap)


@pytest.mark.promise("there are no more layers than weights")
@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "distilbert", "n_layers": 10**7},
        {"model_type": "gemma3_text", "text_config": {"num_hidden_layers": 10**7}},
        {"model_type": "vit", "a": [{"b": {"vision_layers": 10**7}}]},
        {"model_type": "swin", "depths": [2, 10**7]},
        {"model_type": "bart", "encoder_layers": 10**7},
        {"model_type": "albert", "num_hidden_groups": 10**7},
        {"model_type": "bart", "decoder": {"num_hidden_layers": True}},
        {"model_type": "vit", "num_hidden_layers": 2.0},
        {"model_type": "roberta", "hidden_size": 10**9},
        {"model_type": "roberta", "num_hidden_layers": 0},
    ],
    ids=str,
)
def test_no_more_layers_than_weights_under_any_name(config):
    stored = {"a.weight": Stored((4, 4), np.dtype("float32"), None)}
    begin = time.monotonic()
    with refused("10+;|10+\\]|True|2\\.0|=0|1000000000"):
        by_hub.check(config, stored)
    assert time.monotonic() - begin < 5


GEMMA2 = {
    **{"model_type": "gemma2", "vocab_size": 4, "hidden_size": 4, "intermediate_size": 4},
    **{"num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 1, "head_dim": 4},
    **{"query_pre_attn_scalar": 4, "attn_logit_softcapping": None, "final_logit_softcapping": None},
    **{"sliding_window": 4, "hidden_activation": "gelu_pytorch_tanh"},
}


@pytest.mark.promise("`gemma2`, `gemma3_text`: `query_pre_attn_scalar` that is not")
@pytest.mark.promise("`gemma`, `gemma2`: `rms_norm_eps`")
@pytest.mark.promise("the same blocks, and another cap")
@pytest.mark.parametrize(
    "entries, words",
    [
        ({"query_pre_attn_scalar": 3}, "query_pre_attn_scalar=3.*expected 4"),
        ({"query_pre_attn_scalar": 2}, "query_pre_attn_scalar=2.*expected 4"),  # width by heads
        ({"rms_norm_eps": 1e-5}, "rms_norm_eps=1e-05"),
        ({"hidden_activation": "gelu"}, "hidden_activation='gelu'"),
        ({"layer_types": ["full_attention"]}, "layer_types"),
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0}}, "rope_type='linear'"),
        ({"rope_theta": 5.0}, "rope_theta=5.0"),
        ({"head_dim": 2.0}, "head_dim=2.0"),
        ({"new": 1}, "new=1.*not known.*keras-hub's converter of 'gemma2'"),
        ({"quantization_config": {}}, "quantization_config"),
    ],
)
def test_what_a_converter_of_keras_hub_leaves_out_is_refused(entries, words):
    stored = {"model.layers.0.a.weight": Stored((4, 4), np.dtype("float32"), None)}
    by_hub.check(GEMMA2, stored)
    by_hub.check({**GEMMA2, "rms_norm_eps": 1e-6}, stored)
    with refused(words):
        by_hub.check({**GEMMA2, **entries}, stored)


@pytest.mark.promise("keras-hub reads besides, and jkeras does not")
@pytest.mark.parametrize("kind", ["esm", "gemma3", "paligemma", "t5gemma"])
def test_a_type_of_keras_hub_that_computes_something_else(tmp_path, kind):
    folder_with(tmp_path, {"model_type": kind}, model_safetensors=b"")
    with refused(f"'{kind}' are not supported.*keras_hub.models.Backbone.from_preset"):
        jkeras.saving.from_transformers(tmp_path)


ROBERTA = {**COMMON, **CONVERTED["RoBERTa"], "num_hidden_layers": 1}
VIT = {
    **{"model_type": "vit", "hidden_size": 4, "image_size": 8, "patch_size": 4, "num_channels": 3},
    **{"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 6, "qkv_bias": True},
    **{"hidden_act": "gelu", "layer_norm_eps": 1e-12},
}
SIZES_OF = {
    "roberta": {
        "roberta.embeddings.word_embeddings.weight": (32, 16),
        "roberta.embeddings.position_embeddings.weight": (64, 16),
        "roberta.encoder.layer.0.intermediate.dense.weight": (8, 16),
        "roberta.embeddings.token_type_embeddings.weight": (1, 16),
        "lm_head.dense.weight": (16, 16),
    },
    "vit": {
        "vit.embeddings.cls_token": (1, 1, 4),
        "vit.embeddings.position_embeddings": (1, 5, 4),
        "vit.embeddings.patch_embeddings.projection.weight": (4, 3, 4, 4),
        "vit.encoder.layer.0.intermediate.dense.weight": (6, 4),
        "classifier.weight": (2, 4),
    },
}


def both_checks(config, shapes):
    stored = {
        name: Stored(shape, np.dtype("float32"), None, lambda sums: np.zeros(1))
        for name, shape in shapes.items()
    }
    by_hub.check(config, stored)
    by_hub.check_weights(config, stored)


WEIGHT = {"model.embed_tokens.weight": Stored((8, 4), np.dtype("float32"), None, None)}


@pytest.mark.promise("rename `num_local_experts` of `qwen3_moe`")
def test_an_entry_that_a_converter_reads_under_another_name():
    with refused("num_local_experts=2.*reads as num_experts: rename the entry"):
        by_hub.check({"model_type": "qwen3_moe", "num_local_experts": 2}, WEIGHT)


@pytest.mark.promise("it counts positions from 2 on")
@pytest.mark.parametrize(
    "config, entries, words",
    [
        (ROBERTA, {"pad_token_id": 0}, "pad_token_id=0"),
        (ROBERTA, {"layer_norm_eps": None}, "layer_norm_eps=None: expected"),
        (VIT, {"num_attention_heads": 3}, "hidden_size=4 and num_attention_heads=3"),
        (ROBERTA, {"max_position_embeddings": 10**9}, "=1000000000.*'roberta.embeddings.position"),
        (ROBERTA, {"tie_word_embeddings": "yes"}, "tie_word_embeddings='yes'"),
        (VIT, {"image_size": 10**9}, "=1000000000|position_embeddings' should have"),
        (VIT, {"patch_size": 2}, "position_embeddings'|patch_size=2"),
        (VIT, {"image_size": [8, 8]}, r"image_size=\[8, 8\]: expected a whole number"),
        (VIT, {"qkv_bias": 1}, "qkv_bias=1"),
        (VIT, {"hidden_dropout_prob": "0"}, "hidden_dropout_prob='0'"),
    ],
)
def test_an_entry_that_a_converter_computes_otherwise(config, entries, words):
    shapes = SIZES_OF[config["model_type"]]
    both_checks(config, shapes)
    with refused(words):
        both_checks({**config, **entries}, shapes)


@pytest.mark.parametrize(
    "config, name",
    [
        (ROBERTA, "roberta.encoder.layer.0.attention.self.lora_A.weight"),
        (ROBERTA, "roberta.embeddings.more.weight"),
        (ROBERTA, "other.encoder.layer.0.intermediate.dense.weight"),
        (ROBERTA, "other.embeddings.word_embeddings.weight"),
        (VIT, "vit.layernorm.more"),
    ],
)
def test_a_weight_that_a_converter_drops_is_named(config, name):
    shapes = SIZES_OF[config["model_type"]]
    with refused(f"'{name}'|2 weights of the name"):
        both_checks(config, {**shapes, name: (16, 16)})


def test_an_entry_is_there_whose_default_a_converter_does_not_compute():
    config = {entry: value for entry, value in ROBERTA.items() if entry != "layer_norm_eps"}
    with refused("not have layer_norm_eps"):
        both_checks(config, SIZES_OF["roberta"])


@pytest.mark.parametrize("name", ["vit.embeddings.position_embeddings", "vit.embeddings.cls_token"])
def test_a_weight_that_says_a_size_is_there(name):
    shapes = {key: shape for key, shape in SIZES_OF["vit"].items() if key != name}
    with refused(f"no weight '{name}'|0 weights of the name"):
        both_checks(VIT, shapes)


def test_names_of_older_files():
    older = {
        "roberta.embeddings.position_ids": (1, 64),
        "roberta.encoder.layer.0.output.LayerNorm.gamma": (16,),
    }
    both_checks({**ROBERTA, "model_type": "xlm-roberta"}, {**SIZES_OF["roberta"], **older})


def test_swin_has_whole_windows():
    """keras-hub shifts before it pads, transformers after."""
    config = {
        **{"model_type": "swin", "depths": [1, 1], "num_heads": [1, 2], "embed_dim": 4},
        **{"image_size": 32, "patch_size": 2, "window_size": 4, "mlp_ratio": 2.0},
        **{"num_channels": 3, "hidden_act": "gelu", "layer_norm_eps": 1e-5, "qkv_bias": True},
    }
    shapes = {
        "embeddings.patch_embeddings.projection.weight": (4, 3, 2, 2),
        "encoder.layers.0.blocks.0.intermediate.dense.weight": (8, 4),
        "encoder.layers.1.blocks.0.intermediate.dense.weight": (16, 8),
        "encoder.layers.0.blocks.0.attention.self.relative_position_bias_table": (49, 1),
    }
    both_checks(config, shapes)
    for entries in (
        *({"window_size": 7}, {"window_size": None}, {"window_size": "4"}, {"image_size": 31}),
        *({"depths": [1, 2]}, {"depths": [1]}, {"depths": 2}, {"num_heads": [1, 3]}),
    ):
        with refused(f"{next(iter(entries))}="):
            both_checks({**config, **entries}, shapes)


@pytest.mark.promise("Any other type is said")
@pytest.mark.promise("Types without a row above, ALIGN")
@pytest.mark.promise("heads other than those, `bool_masked_pos`")
@pytest.mark.parametrize("kind", ["align", "siglip2", "llama4"])
def test_a_type_that_is_not_supported_is_said_to_be(tmp_path, kind):
    folder_with(tmp_path, {"model_type": kind}, model_safetensors=b"")
    with refused(f"'{kind}' are not supported. Supported are llama, gpt2, .*gemma2") as caught:
        jkeras.saving.from_transformers(tmp_path)
    assert "damaged" not in str(caught.value)


def test_what_a_converter_does_not_read_is_not_called_damaged(tmp_path):
    class Models:
        class Backbone:
            def from_preset(folder):
                return {}["num_experts"]

    words = "'qwen3_moe' is not supported.*KeyError: 'num_experts'"
    with refused(words) as caught, explained(tmp_path):
        by_hub.read(Models, str(tmp_path), "qwen3_moe", {})
    assert "damaged" not in str(caught.value)


# ---------------------------------------------------------------- files


def head_of(folder, **changes):
    """Changes the arrays of a folder's file."""
    numpy = pytest.importorskip("safetensors.numpy")
    arrays = numpy.load_file(folder / files.WEIGHTS)
    numpy.save_file({**arrays, **changes}, folder / files.WEIGHTS)


def read(folder, tied):
    backbone = Llama3Backbone(seed=1, tied=tied)
    with files.stored_in(str(folder)) as stored:
        load(LLAMA, backbone, stored)
    return backbone


@pytest.mark.promise("a matrix for the logits beside `tie_word_embeddings`")
def test_a_head_besides_a_tied_one_is_not_dropped(tmp_path):
    written(tmp_path, tied=True)
    embedding = np.asarray(Llama3Backbone(tied=True).kept[0].value)
    head_of(tmp_path, **{"lm_head.weight": embedding})
    np.testing.assert_array_equal(read(tmp_path, tied=True).kept[0].value, embedding)
    head_of(tmp_path, **{"lm_head.weight": embedding + np.eye(11, 8, dtype="float32")})
    with refused("'lm_head.weight' that is not the embedding's.*tie_word_embeddings"):
        read(tmp_path, tied=True)


def test_further_weights_of_a_layer_are_not_dropped(tmp_path):
    written(tmp_path)
    name = "model.layers.0.self_attn.q_proj.bias"
    head_of(tmp_path, **{"model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(2, "float32")})
    read(tmp_path, tied=False)
    head_of(tmp_path, **{name: np.ones(8, "float32")})
    with refused(f"a weight '{name}'"):
        read(tmp_path, tied=False)


def test_further_weights_of_the_model_are_not_dropped(tmp_path):
    written(tmp_path)
    head_of(tmp_path, **{"score.weight": np.ones((2, 8), "float32")})
    read(tmp_path, tied=False)  # of another head
    head_of(tmp_path, **{"model.embed_positions.weight": np.ones((64, 8), "float32")})
    with refused("a weight 'model.embed_positions.weight'"):
        read(tmp_path, tied=False)


@pytest.mark.promise("`quantization_config`, weights of whole numbers")
@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_weights_are_floating_point_numbers(tmp_path, dtype):
    written(tmp_path)
    head_of(tmp_path, **{"model.norm.weight": np.ones(8, dtype)})
    with refused(f"'model.norm.weight' is of {dtype}"):
        read(tmp_path, tied=False)


def in_shards(folder):
    jkeras.saving.to_transformers(Llama3Backbone(), folder, max_shard_size=500 / 2**30)
    return json.loads((folder / files.INDEX).read_text())


@pytest.mark.promise("one weight lies in one file")
def test_one_weight_in_two_files(tmp_path):
    index = in_shards(tmp_path)
    first, second = sorted(set(index["weight_map"].values()))[:2]
    (tmp_path / second).write_bytes((tmp_path / first).read_bytes())
    with refused(f"{second}.*has the weight"), files.stored_in(str(tmp_path)):
        pass
    index["weight_map"] = {n: f for n, f in index["weight_map"].items() if f != second}
    name = next(n for n, f in index["weight_map"].items() if f == first)
    index["weight_map"]["more"] = second
    index["weight_map"].pop(name)
    (tmp_path / files.INDEX).write_text(json.dumps(index))
    with refused("says that it has the weight 'more'"), files.stored_in(str(tmp_path)):
        pass


@pytest.mark.promise("Any other link is refused")
@pytest.mark.parametrize("name", [files.CONFIG, files.WEIGHTS, "tokenizer.json"])
def test_links_lead_nowhere_else(tmp_path, name):
    written(tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").write_text("{}")
    os.rename(tmp_path / "model" / name, tmp_path / "elsewhere")
    os.symlink("../elsewhere", tmp_path / "model" / name)
    with refused(f"{name} is a link that leads out of the folder, to .*elsewhere"):
        jkeras.saving.from_transformers(tmp_path / "model")


@pytest.mark.promise("Links stay in the folder")
def test_links_of_the_cache_of_huggingface_hub(tmp_path):
    """A snapshot's names lead to the files of all snapshots; the folder may be a link itself."""
    written(tmp_path / "model")
    snapshot = tmp_path / "models--a--b" / "snapshots" / "c0ffee"
    snapshot.mkdir(parents=True)
    os.rename(tmp_path / "model", tmp_path / "models--a--b" / "blobs")
    for name in (files.CONFIG, files.WEIGHTS):
        os.symlink(f"../../blobs/{name}", snapshot / name)
    os.symlink(snapshot, tmp_path / "short")
    for folder in (snapshot, tmp_path / "short"):
        assert files.read_config(str(folder))["model_type"] == "llama"
        with files.stored_in(str(folder)) as stored:
            load(LLAMA, Llama3Backbone(), stored)
    (snapshot / files.CONFIG).unlink()
    (tmp_path / "models--a--b" / "refs").write_text("{}")
    os.symlink("../../refs", snapshot / files.CONFIG)
    with refused("leads out"):
        files.read_config(str(snapshot))


# ---------------------------------------------------------------- writing


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.promise("An error leaves the old")
@pytest.mark.parametrize("shards", [5, 500 / 2**30])
@pytest.mark.parametrize("where", ["weights", "config"])
def test_an_error_leaves_the_old_model(tmp_path, monkeypatch, where, shards):
    written(tmp_path)
    (tmp_path / "tokenizer.json").write_text("mine")
    before = contents(tmp_path)

    def fails(*arguments, **options):
        raise OSError(28, "no space")

    target = (files, "dump") if where == "config" else (jkeras.saving.safetensors, "write")
    monkeypatch.setattr(*target, fails)
    with pytest.raises(OSError):
        jkeras.saving.to_transformers(Llama3Backbone(seed=1), tmp_path, max_shard_size=shards)
    assert contents(tmp_path) == before


KILLED = """
import os, pathlib, sys
from jkeras.saving import folders

top = pathlib.Path(sys.argv[1])
count, steps = 0, 0

def counting(do):
    def counted(*arguments, **options):
        global count
        count += 1
        if count == step:
            os.kill(os.getpid(), 9)
        return do(*arguments, **options)
    return counted

folders.os.replace, folders.os.unlink = counting(os.replace), counting(os.unlink)
for step in range(1, 20):
    folder = top / str(step)
    folder.mkdir()
    for name in ("a", "b", "config", "old"):
        (folder / name).write_text("old")
    child = os.fork()
    if child == 0:
        count = 0
        with folders.exchanging(str(folder), "config", lambda new: [folder / "old"]) as new:
            for name in ("a", "b", "config"):
                open(f"{new}/{name}", "w").write("new")
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
"""


@pytest.mark.promise("A kill leaves the old model")
@pytest.mark.promise("A model that is there is")
def test_a_kill_leaves_one_model_or_none(tmp_path):
    """Of a program that is killed before its first, second, ... change of a name."""
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=True)
    left = [
        {path.name: path.read_text() for path in (tmp_path / str(step)).iterdir() if path.is_file()}
        for step in range(1, len(list(tmp_path.iterdir())) + 1)
    ]
    assert len(left) > 5
    assert left[0] == dict.fromkeys(("a", "b", "config", "old"), "old")
    assert left[-1] == dict.fromkeys(("a", "b", "config"), "new")
    assert not any("config" in one for one in left[1:-1])


@pytest.mark.promise("A model that is there is")
def test_new_files_take_the_places(tmp_path):
    written(tmp_path)
    os.chmod(tmp_path / files.CONFIG, 0o600)
    jkeras.saving.to_transformers(Llama3Backbone(seed=1), tmp_path, max_shard_size=500 / 2**30)
    names = os.listdir(tmp_path)
    assert files.WEIGHTS not in names and not any(name.endswith(".partial") for name in names)
    assert os.stat(tmp_path / files.CONFIG).st_mode & 0o777 == 0o600
    read(tmp_path, tied=False)


@pytest.mark.promise("A link instead of")
@pytest.mark.parametrize("name", [files.CONFIG, files.WEIGHTS])
def test_a_file_behind_a_link_stays_as_it_is(tmp_path, name):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "model").mkdir()
    os.symlink(tmp_path / "mine", tmp_path / "model" / name)
    written(tmp_path / "model")
    assert (tmp_path / "mine").read_text() == "mine"
    assert not os.path.islink(tmp_path / "model" / name)
    read(tmp_path / "model", tied=False)


def test_a_folder_in_the_place_of_a_file(tmp_path):
    (tmp_path / files.WEIGHTS).mkdir()
    with pytest.raises(IsADirectoryError, match="model.safetensors is a folder"):
        written(tmp_path)
    assert os.listdir(tmp_path) == [files.WEIGHTS]
