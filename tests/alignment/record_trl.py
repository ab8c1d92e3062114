"""Records what trl's own trainers compute, for tests that need no torch: `python
tests/alignment/record_trl.py` with trl 1.16 and torch on the path writes `trl.json` beside it.
"""

import json
import pathlib
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import torch
import trl
from trl.experimental.orpo.orpo_trainer import ORPOTrainer
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.grpo_trainer import GRPOTrainer
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.utils import selective_log_softmax

HERE = pathlib.Path(__file__).parent
ROWS, TIME, VOCABULARY = 6, 7, 9
DPO_TYPES = (
    "sigmoid hinge ipo exo_pair nca_pair robust bco_pair sppo_hard apo_zero apo_down sigmoid_norm"
)


def arrays():
    """Logits of policy and reference, tokens and masks, in numbers that float32 holds."""
    rng = np.random.default_rng(0)
    shape = 2 * ROWS, TIME
    starts = rng.integers(1, 4, 2 * ROWS)[:, None]
    ends = rng.integers(5, TIME + 1, 2 * ROWS)[:, None]
    positions = np.arange(TIME)
    return {
        "logits": rng.normal(size=(*shape, VOCABULARY)).astype("float32") * 2,
        "ref_logits": rng.normal(size=(*shape, VOCABULARY)).astype("float32") * 2,
        "tokens": rng.integers(0, VOCABULARY, shape),
        "mask": ((positions >= starts) & (positions < ends)).astype(int),
        "advantages": rng.normal(size=2 * ROWS).astype("float32"),
        "labels": np.arange(2 * ROWS) % 3 != 0,
        "rewards": rng.normal(size=(3, 4)).astype("float32"),
    }


def log_probs(logits, tokens, mask):
    """Of the tokens that count, by trl."""
    return selective_log_softmax(logits[:, :-1], tokens[:, 1:]) * mask[:, 1:]


def trainer(**attributes):
    """An object with the attributes that a method of a trainer asks for; all others do nothing."""
    fake = MagicMock()
    accelerator = fake.accelerator
    accelerator.gather_for_metrics.side_effect = lambda value: value
    accelerator.gather.side_effect = lambda value: value
    accelerator.device = "cpu"
    accelerator.num_processes = 1
    for name, value in attributes.items():
        setattr(fake, name, value)
    return fake


def outputs_of(values):
    """What a model gives whose log-probabilities are known."""
    zeros = torch.zeros_like(values)
    return SimpleNamespace(
        log_probs=values,
        entropy=zeros,
        mean_logits=zeros,
        is_top1=zeros.bool(),
        log_sum_sq_probs=zeros,
    )


def dpo(given, loss_type, beta, smoothing):
    """The loss of a batch whose first half is chosen."""
    logps, ref_logps, tokens, mask = given
    ref = ref_logps.sum(1).chunk(2)
    inputs = {
        "input_ids": tokens,
        "attention_mask": torch.ones_like(tokens),
        "completion_mask": mask,
        "ref_chosen_logps": ref[0],
        "ref_rejected_logps": ref[1],
    }
    fake = trainer(
        aux_loss_enabled=False,
        ld_alpha=None,
        precompute_ref_logps=True,
        f_divergence_type="reverse_kl",
        loss_types=[loss_type],
        loss_weights=[1.0],
        beta=beta,
        label_smoothing=smoothing,
        use_weighting=False,
    )
    model = MagicMock(side_effect=lambda **_: outputs_of(logps))
    return float(DPOTrainer._compute_loss(fake, model, inputs, False))


def kto(given, labels, loss_type, kl_logps):
    """The sum of the losses of a batch, which trl divides by nothing but their number."""
    logps, ref_logps, tokens, mask = given
    batch = {
        "input_ids": tokens,
        "attention_mask": torch.ones_like(tokens),
        "completion_mask": mask,
        "label": labels,
        "ref_logps": ref_logps.sum(1),
        "ref_KL_logps": torch.zeros(len(tokens)),
    }
    fake = trainer(
        aux_loss_enabled=False,
        calculate_KL=loss_type == "kto",
        precompute_ref_logps=True,
        loss_type=loss_type,
        beta=0.3,
        desirable_weight=1.5,
        undesirable_weight=0.5,
    )
    fake._compute_kl_logps.side_effect = lambda *_: kl_logps
    model = MagicMock(side_effect=lambda **_: outputs_of(logps))
    return float(KTOTrainer._compute_loss(fake, model, batch, False))


def grpo(given, advantages, loss_type, beta):
    """The loss of answers, which are the tokens behind the first one."""
    logps, ref_logps, tokens, mask = given
    fake = trainer(
        aux_loss_enabled=False,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        importance_sampling_level="token",
        beta=beta,
        loss_type=loss_type,
        epsilon_low=0.2,
        epsilon_high=0.3,
        use_vllm=False,
        max_completion_length=10,
        current_gradient_accumulation_steps=1,
        _entropy_bonus_enabled=False,
    )
    fake.args = SimpleNamespace(delta=None, use_bias_correction_kl=False)
    fake._get_per_token_logps_and_entropies.side_effect = lambda *_, **__: (
        logps,
        torch.zeros_like(logps),
        None,
    )
    inputs = {
        "prompt_ids": tokens[:, :1],
        "prompt_mask": torch.ones_like(tokens[:, :1]),
        "completion_ids": tokens[:, 1:],
        "completion_mask": mask[:, 1:],
        "advantages": advantages,
        "old_per_token_logps": logps * 0.9 + 0.1 * ref_logps,
        "ref_per_token_logps": ref_logps,
        "num_items_in_batch": mask.sum(),
    }
    return float(GRPOTrainer._compute_loss(fake, MagicMock(), inputs))


def orpo(given, beta):
    """The mean of trl's odds ratio losses, of means by token."""
    logps, _, _, mask = given
    chosen, rejected = (logps.sum(1) / mask[:, 1:].sum(1)).chunk(2)
    fake = trainer(beta=beta)
    losses = ORPOTrainer.odds_ratio_loss(fake, chosen, rejected)[0]
    return float(-losses.mean())


def main():
    """Writes `trl.json`."""
    numbers = arrays()
    tensors = {name: torch.tensor(value) for name, value in numbers.items()}
    tokens, mask = tensors["tokens"], tensors["mask"]
    logps, ref_logps = (log_probs(tensors[n], tokens, mask) for n in ("logits", "ref_logits"))
    given = logps, ref_logps, tokens, mask
    found = {"log_probs": logps.tolist(), "trl": trl.__version__}
    found["dpo"] = [
        [name, beta, smoothing, dpo(given, name, beta, smoothing)]
        for name in DPO_TYPES.split()
        for beta, smoothing in ((0.1, 0.01), (0.7, 0.2))
    ]
    found["orpo"] = [[beta, orpo(given, beta)] for beta in (0.1, 1.0)]
    found["kto"] = [
        [name, kto(given, tensors["labels"], name, ref_logps.sum(1) * 0 + 0.4)]
        for name in ("kto", "apo_zero_unpaired")
    ]
    found["grpo"] = [
        [name, beta, grpo(given, tensors["advantages"], name, beta)]
        for name in ("grpo", "bnpo", "dr_grpo")
        for beta in (0.0, 0.05)
    ]
    arrays_as_lists = {name: value.tolist() for name, value in numbers.items()}
    text = json.dumps({"arrays": arrays_as_lists, "found": found})
    (HERE / "trl.json").write_text(f"{text}\n")


if __name__ == "__main__":
    main()
