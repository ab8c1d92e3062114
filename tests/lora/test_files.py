"""Adapters in peft's folders: read again, beside peft itself, and what is refused."""

import json
import os
import pathlib

import jax
import numpy as np
import pytest
import safetensors.numpy

from jkeras import lora
from tests.lora.models import (
    FAMILIES,
    changing,
    with_attention,
    with_dense,
    with_stack,
    with_stacked_attention,
)


def saved(folder, adapter, kernels, **options):
    lora.save(folder, adapter, kernels, **options)
    return safetensors.numpy.load_file(folder / "adapter_model.safetensors")


def rewritten(folder, **changes):
    """The folder with other entries in its config."""
    place = folder / "adapter_config.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), **changes}))


def assert_same(one, other):
    assert one.alpha == other.alpha and one.ranks == other.ranks
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize("make", FAMILIES)
def test_read_again(make, tmp_path):
    model = make()
    adapter = changing(model)
    lora.save(tmp_path, adapter, lora.kernels(model))
    assert_same(lora.load(tmp_path, lora.kernels(model)), adapter)


@pytest.mark.promise("A kernel of more axes is")
def test_names_and_shapes_of_attention(tmp_path):
    model = with_attention()
    arrays = saved(tmp_path, changing(model), lora.kernels(model))
    base = "base_model.model.multi_head_attention"
    shapes = {
        name: arrays[f"{base}.{name}.weight"].shape
        for name in (
            "query_dense.lora_A",
            "query_dense.lora_B",
            "output_dense.lora_A",
            "output_dense.lora_B",
        )
    }
    assert list(shapes.values()) == [(2, 8), (8, 2), (2, 8), (8, 2)]
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", 2, 3.0)
    assert "multi_head_attention.query_dense" in config["target_modules"]


@pytest.mark.promise("in a name stands for the")
def test_a_module_for_each_block(tmp_path):
    model = with_stack()
    names = {"stack/kernel": "layers.{}.mlp"}
    adapter = changing(model)
    arrays = saved(tmp_path, adapter, lora.kernels(model), names=names)
    for i, a in enumerate(adapter.matrices["stack/kernel"]["a"]):
        np.testing.assert_array_equal(arrays[f"base_model.model.layers.{i}.mlp.lora_A.weight"], a.T)
    assert_same(lora.load(tmp_path, lora.kernels(model), names=names), adapter)
    with pytest.raises(ValueError, match="a name with '{}'"):
        lora.save(tmp_path, adapter, lora.kernels(model), names=lambda path: "mlp")


def test_each_block_of_attention_is_linear_layers(tmp_path):
    model = with_stacked_attention()
    adapter = changing(model)
    arrays = saved(tmp_path, adapter, lora.kernels(model))
    changed = lora.merge(model.params, adapter)["stack"]
    for name, sizes in (("query_dense", (8, 8)), ("output_dense", (8, 8))):
        own = f"attention_{name}_kernel"
        for i in range(3):
            module = f"base_model.model.stack.{i}.attention_{name}"
            a, b = (arrays[f"{module}.lora_{matrix}.weight"] for matrix in "AB")
            change = (changed[own] - model.params["stack"][own])[i].reshape(sizes)
            np.testing.assert_allclose(change.T, 1.5 * b @ a, atol=1e-5)


def test_other_scales_come_into_the_matrices(tmp_path):
    """Alpha by module, and over the root of the rank."""
    model = with_dense()
    adapter = changing(model, rank=4, alpha=2.0)
    lora.save(tmp_path, adapter, model.params)
    rewritten(tmp_path, use_rslora=True, alpha_pattern={"dense_1": 6.0})
    found = lora.merge(model.params, lora.load(tmp_path, model.params))
    for name, scale in (("dense", 2 / np.sqrt(4)), ("dense_1", 6 / np.sqrt(4))):
        pair = adapter.matrices[f"{name}/kernel"]
        expected = model.params[name]["kernel"] + scale * pair["a"] @ pair["b"]
        np.testing.assert_allclose(found[name]["kernel"], expected, atol=1e-5)


# ---------------------------------------------------------------- what is refused


@pytest.mark.promise("modules that peft trained as a whole are refused by name")
@pytest.mark.parametrize(
    "changes, words",
    [
        ({"peft_type": "IA3"}, "peft_type 'LORA'. Received: IA3"),
        ({"use_dora": True}, "use_dora=True"),
        ({"bias": "all"}, "bias=all"),
        ({"lora_alpha": "x"}, "alpha should be a number"),
        ({"alpha_pattern": {"(a+)+b": 1}}, "repeats more than single characters"),
        ({"lora_alpha": 1e308}, "alpha should be a number of at most 1e.18. Received: 1e.308"),
        ({"lora_alpha": float("nan")}, "not|alpha should be a number"),
        ({"lora_alpha": True}, "alpha should be a number"),
        ({"alpha_pattern": {"dense": 1e30}}, "alpha should be a number"),
        ({"alpha_pattern": {"dense_1": 1e18}, "lora_alpha": 1e-30}, "alphas are too far apart"),
        ({"use_rslora": "yes"}, "use_rslora=yes.*expected False or True"),
        ({"use_rslora": 1}, "use_rslora=1"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights=pissa.*merge it with peft"),
        ({"r": 3}, "the rank of 'dense(_1)?' is 3, and its matrices have 2"),
        ({"rank_pattern": {"dense": 4}}, "the rank of 'dense' is 4, and its matrices have 2"),
        ({"r": True}, "its rank should be 1 or more. Received: True"),
        ({"new_scale": 2.0}, "new_scale=2.0, which is not known"),
        ({"new_scale": 0}, "new_scale=0, which is not known"),
    ],
)
def test_configs_that_are_refused(changes, words, tmp_path):
    model = with_dense()
    lora.save(tmp_path, changing(model), model.params)
    rewritten(tmp_path, **changes)
    with pytest.raises(ValueError, match=words):
        lora.load(tmp_path, model.params)


def test_entries_that_say_nothing(tmp_path):
    """Those of newer versions of peft that are off, and those of what wrote it."""
    model = with_dense()
    adapter = changing(model)
    lora.save(tmp_path, adapter, model.params)
    rewritten(
        tmp_path,
        **{
            "use_new": False,
            "new_config": None,
            "more": [],
            "loftq_config": {},
            "peft_version": "1",
        },
        **{"layers_to_transform": [0], "lora_dropout": 0.1, "init_lora_weights": "gaussian"},
    )
    assert lora.load(tmp_path, model.params).ranks == adapter.ranks


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_links_lead_nowhere_else(name, tmp_path):
    model = with_dense()
    lora.save(tmp_path / "adapter", changing(model), model.params)
    os.rename(tmp_path / "adapter" / name, tmp_path / "elsewhere")
    os.symlink("../elsewhere", tmp_path / "adapter" / name)
    with pytest.raises(ValueError, match=f"{name} is a link that leads out"):
        lora.load(tmp_path / "adapter", model.params)
    before = (tmp_path / "elsewhere").read_bytes()
    lora.save(tmp_path / "adapter", changing(model), model.params, base_model="another")
    assert (tmp_path / "elsewhere").read_bytes() == before
    lora.load(tmp_path / "adapter", model.params)


@pytest.mark.promise("An adapter that is there")
def test_an_error_leaves_the_old_adapter(tmp_path, monkeypatch):
    model = with_dense()
    lora.save(tmp_path, changing(model), model.params)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(pathlib.Path, "write_text", None)
    with pytest.raises(TypeError):
        lora.save(tmp_path, lora.init(lora.kernels(model), 5, 0), model.params)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_files_that_do_not_fit(tmp_path):
    model = with_dense()
    with pytest.raises(FileNotFoundError, match="adapter_config.json"):
        lora.load(tmp_path, model.params)
    lora.save(tmp_path, changing(model), model.params)
    with pytest.raises(ValueError, match=r"base_model.model.dense.lora_A.*`names`"):
        lora.load(tmp_path, with_attention().params)
    cut = {"dense": {"kernel": model.params["dense"]["kernel"][:5]}}
    with pytest.raises(ValueError, match=r"should be floats of shapes \[\(2, 5\)"):
        lora.load(tmp_path, cut)
    place = tmp_path / "adapter_model.safetensors"
    place.write_bytes(place.read_bytes()[:-4])
    with pytest.raises(ValueError, match="does not fit|cut off"):
        lora.load(tmp_path, model.params)


def test_an_array_that_is_changed_on_the_disk(tmp_path):
    model = with_dense()
    lora.save(tmp_path, changing(model), model.params)
    place = tmp_path / "adapter_model.safetensors"
    content = bytearray(place.read_bytes())
    content[-3] ^= 1
    place.write_bytes(content)
    with pytest.raises(ValueError, match="checksum|damaged"):
        lora.load(tmp_path, model.params)
