"""Records folders that peft writes for adapters of a small Llama, and the logits of transformers
with them, so that the tests need neither them nor torch:

    python -m tests.lora.record_peft   # peft 0.21, transformers 5.24, torch 2.13

Weights and matrices are those that `tests.saving.native_models.weight` makes of their names.
"""

import pathlib
import shutil

import numpy as np

from tests.saving.native_models import weight

FOLDER = pathlib.Path(__file__).parent / "peft"
TOKENS = np.array([[3, 14, 15, 9, 2, 6], [8, 9, 7, 9, 3, 2]])
CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 16,
    "rms_norm_eps": 1e-5,
}
ADAPTERS = {  # name: arguments of peft's LoraConfig
    "plain": {"r": 3, "lora_alpha": 5, "target_modules": ["q_proj", "o_proj", "up_proj"]},
    "all": {"r": 2, "lora_alpha": 2, "target_modules": "all-linear"},
    "rslora": {"r": 4, "use_rslora": True, "target_modules": ["k_proj", "down_proj"]},
    "patterns": {
        "r": 2,
        "rank_pattern": {"q_proj": 4},
        "alpha_pattern": {"layers.0.self_attn.q_proj": 7},
        "target_modules": ["q_proj", "v_proj"],
    },
    "embeddings": {"r": 2, "lora_alpha": 3, "target_modules": ["embed_tokens", "gate_proj"]},
}


def main() -> None:
    """Writes the folders."""
    import peft
    import torch
    import transformers

    shutil.rmtree(FOLDER, ignore_errors=True)

    def filled(module: torch.nn.Module, part: str) -> torch.nn.Module:
        """A module whose parameters with a part in their names are those of the rule."""
        for name, value in module.named_parameters():
            if part in name:
                value.data = torch.tensor(weight(name, tuple(value.shape)).astype("float32"))
        return module.eval()

    logits = {}
    for name, options in ADAPTERS.items():
        entries = {k: v for k, v in CONFIG.items() if k not in ("model_type", "architectures")}
        config = transformers.LlamaConfig(**entries)
        model = filled(transformers.LlamaForCausalLM(config), "")
        adapter = peft.LoraConfig(task_type="CAUSAL_LM", **options)
        model = filled(peft.get_peft_model(model, adapter), "lora_")
        # without a second copy of the table, which peft adds where embeddings are changed
        model.save_pretrained(FOLDER / name, save_embedding_layers=False)
        (FOLDER / name / "README.md").unlink(missing_ok=True)
        with torch.no_grad():
            logits[name] = model(torch.tensor(TOKENS)).logits.numpy()
    np.savez_compressed(FOLDER / "logits.npz", **logits)


if __name__ == "__main__":
    main()
