"""Folders that peft wrote (record_peft.py), both ways: the logits with what we read of them are
those of transformers and peft, and what we write is what peft wrote.
"""

import json
import re

import numpy as np
import pytest
import safetensors.numpy

import jkeras
from jkeras import lora
from tests.lora.record_peft import ADAPTERS, CONFIG, FOLDER, TOKENS
from tests.saving.native_models import weight

MODULES = {
    "attention/query": "self_attn.q_proj",
    "attention/key": "self_attn.k_proj",
    "attention/value": "self_attn.v_proj",
    "attention/output_dense": "self_attn.o_proj",
    "feedforward/gate": "mlp.gate_proj",
    "feedforward/up": "mlp.up_proj",
    "feedforward/down": "mlp.down_proj",
}


def module_of(path):
    """The name of transformers for a kernel."""
    path = path.removesuffix("/kernel").removesuffix("/embeddings")
    layer = re.match(r"layer_(\d+)/(.*)", path)
    if layer:
        return f"model.layers.{layer[1]}.{MODULES[layer[2]]}"
    return {"embedding": "model.embed_tokens", "lm_head": "lm_head"}[path]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The Llama that was recorded, read from a folder of transformers."""
    folder = tmp_path_factory.mktemp("llama")
    model = jkeras.models.LanguageTransformer(CONFIG)
    jkeras.saving.to_transformers(model, folder)
    file = folder / "model.safetensors"
    shapes = {k: v.shape for k, v in safetensors.numpy.load_file(file).items()}
    arrays = {name: weight(name, shape) for name, shape in shapes.items()}
    safetensors.numpy.save_file(arrays, file, metadata={"format": "pt"})
    return jkeras.saving.from_transformers(folder, "causal_lm", native=True)


def read(model, folder):
    return lora.load(folder, lora.kernels(model), names=module_of)


def config_of(folder):
    return json.loads((folder / "adapter_config.json").read_text())


def scaled(folder):
    """{module: what peft adds to its weight}, by the rules of its config: the number of a pattern
    is that of the first one that the end of a name matches.
    """
    config = config_of(folder)
    arrays = safetensors.numpy.load_file(folder / "adapter_model.safetensors")
    changes = {}
    for name, b in arrays.items():
        found = re.fullmatch(r"base_model\.model\.(.*)\.lora_(B\.weight|embedding_B)", name)
        if not found:
            continue
        module, a = found[1], arrays[name.replace("lora_B", "lora_A").replace("g_B", "g_A")]

        def number(which, default, module=module):
            for pattern, value in config[which].items():
                if re.fullmatch(rf"(.*\.)?({pattern})", module):
                    return value
            return default

        rank = number("rank_pattern", config["r"])
        assert a.shape[0] == rank == b.shape[1]
        alpha = number("alpha_pattern", config["lora_alpha"])
        changes[module] = b @ a * (alpha / (rank**0.5 if config["use_rslora"] else rank))
    return changes


@pytest.mark.promise("`lora.load` reads what peft wrote")
@pytest.mark.parametrize("name", ADAPTERS)
def test_logits_with_what_peft_wrote(model, name):
    expected = np.load(FOLDER / "logits.npz")[name]
    merged = lora.merge(model.params, read(model, FOLDER / name))
    logits, _ = model.apply(merged, model.state, TOKENS)
    plain, _ = model.apply(model.params, model.state, TOKENS)
    assert np.abs(plain - expected).max() > 0.1
    np.testing.assert_allclose(logits, expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.promise("`lora.save` writes the folder that Hugging Face's peft reads")
@pytest.mark.parametrize("name", ADAPTERS)
def test_what_we_write_is_what_peft_wrote(model, name, tmp_path):
    """Names, shapes and what is added to each kernel; where one number scales all, the matrices."""
    theirs = FOLDER / name
    adapter = read(model, theirs)
    options = {"names": module_of, "task_type": "CAUSAL_LM"}
    lora.save(tmp_path, adapter, lora.kernels(model), **options)
    arrays, others = (
        safetensors.numpy.load_file(folder / "adapter_model.safetensors")
        for folder in (tmp_path, theirs)
    )
    assert {k: (v.shape, v.dtype) for k, v in arrays.items()} == {
        k: (v.shape, v.dtype) for k, v in others.items()
    }
    config, recorded = config_of(tmp_path), config_of(theirs)
    assert set(config) <= set(recorded)  # peft knows each entry
    assert config["peft_type"] == "LORA" and config["task_type"] == recorded["task_type"]
    changes, expected = scaled(tmp_path), scaled(theirs)
    assert sorted(changes) == sorted(expected)
    assert all(np.abs(change).max() > 1e-3 for change in changes.values())
    for module, change in changes.items():
        np.testing.assert_allclose(change, expected[module], rtol=1e-5, atol=1e-6)
    if name in ("plain", "all", "embeddings"):
        for key, value in arrays.items():
            np.testing.assert_array_equal(value, others[key])


def test_what_was_recorded_is_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*.*")) < 100_000
