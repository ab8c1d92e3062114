"""Each entry of `config.json`, changed one at a time: a model computes what torch computes of the
same folder, or is refused.
"""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

import jkeras
from jkeras.saving.hugging_face import entries
from jkeras.saving.hugging_face.architectures import ARCHITECTURES

ROOT = pathlib.Path(jkeras.__file__).parent.parent
PROGRAM = ROOT / "tests" / "saving" / "change_entries.py"
NEEDS = ("keras_hub", "transformers", "torch", "safetensors")
OWN = ("llama", "gpt2", "gemma", "qwen2", "mistral", "qwen3", "bert")
CONVERTED = (
    *("gemma2", "gemma3_text", "mixtral", "qwen2_moe", "qwen3_moe", "smollm3"),
    *("albert", "bart", "distilbert", "roberta", "xlm-roberta"),
    *("deit", "dinov2", "dinov2_with_registers", "dinov3_vit", "swin", "vit"),
)
# as docs/pretrained.md says: the approximate GELU of BERT, an epsilon of Qwen3
CLOSE = {
    ("albert", "hidden_act"): 5e-4,
    ("bert", "hidden_act"): 5e-4,
    ("qwen3", "rms_norm_eps"): 1e-4,
}
# no output follows from them: of windows that are off, of texts' lengths, of heads, of training
FREE = {
    *("max_window_layers", "no_rope_layer_interval", "sliding_window", "qa_dropout"),
    *("seq_classif_dropout", "attention_dropout", "dropout", "hidden_dropout_prob"),
    *("tie_word_embeddings", "norm_topk_prob", "cache_implementation"),
    *("query_pre_attn_scalar", "decoder_sparse_step"),  # 1.0 is 1 here
    *("num_channels", "mlp_ratio", "type_vocab_size"),  # and 3.0 is 3
    # of features that are taken out in between, and of heads
    *("encoder_stride", "out_features", "out_indices", "pooler_act", "pooler_output_size"),
    *("stage_names", "apply_layernorm", "reshape_hidden_states"),
    *("pos_embed_jitter", "pos_embed_rescale", "pos_embed_shift"),  # of training
    *("decoder_attention_heads", "decoder_ffn_dim", "decoder_layers", "encoder_layers"),  # 2.0
    *("activation_dropout", "decoder_layerdrop", "encoder_layerdrop", "init_std"),
}
# entries whose types transformers looks at: no int for a float
TYPED = {"dinov3_vit": {"rope_theta"}}
pytestmark = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, NEEDS)), reason=f"needs {', '.join(NEEDS)}"
)


def lines_of(name, every=1):
    """What the program says of each change."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "jkeras", "run", PROGRAM, str(every), name],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def is_right(line):
    """Whether a change is refused, or gives what torch gives."""
    name, change = line["name"], set(line["change"])
    if "refused" in line:
        return "damaged" not in line["refused"]
    if line["difference"] == "only ours":  # transformers looks at the types of what it leaves out
        own = {one.model_type: one.ignored for one in ARCHITECTURES}
        free = entries.IGNORED | FREE | set(entries.PLAIN) | set(own.get(name, ()))
        free |= TYPED.get(name, set())
        return bool(change & free) if "pair" in line else change <= free
    if isinstance(line["difference"], str):
        return False
    return line["difference"] < max([CLOSE.get((name, entry), 1e-5) for entry in change] or [1e-5])


def check(lines):
    assert "difference" in lines[0], lines[0]  # without a change it is read
    assert sum("refused" in line for line in lines) > len(lines) / 5
    assert not [line for line in lines if not is_right(line)]


def test_each_entry_is_computed_or_refused():
    check(lines_of("llama", every=5))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*OWN, *CONVERTED])
def test_each_entry_of_each_architecture(name):
    check(lines_of(name))
