"""`adapter_config.json`, what peft says of an adapter beside its matrices."""

import collections
import json
import math
import re
import typing

from jkeras.core import patterns
from jkeras.core.errors import SerializationError

# what changes the computation in another way than `Adapter` does: what it may be
PLAIN = {
    "use_dora": (False, None),
    "bias": ("none", None),
    "modules_to_save": (None, []),
    "layer_replication": (None, []),
    "lora_bias": (False, None),
    "trainable_token_indices": (None, [], {}),
    "use_qalora": (False, None),
    "alora_invocation_tokens": (None, []),
    "target_parameters": (None, []),
}


def written(
    ranks: dict[str, int], alpha: float | None, base_model: str | None, task_type: str | None
) -> str:
    """The text of a config.

    Args:
        ranks: by module.
        alpha: of all; None: the rank of each.

    >>> json.loads(written({"dense": 2}, None, None, None))["lora_alpha"]
    2
    """
    [(rank, _)] = collections.Counter(ranks.values()).most_common(1)
    # a pattern fits the ends of names too, and the first that fits counts: longer ones come first
    longest_first = sorted(ranks, key=lambda name: (-len(name), name))
    by_module = {}
    if len(set(ranks.values())) > 1:
        by_module = {re.escape(name): ranks[name] for name in longest_first}
    config = {
        "peft_type": "LORA",
        "task_type": task_type,
        "base_model_name_or_path": base_model,
        "r": rank,
        "lora_alpha": rank if alpha is None else alpha,
        "rank_pattern": by_module,
        "alpha_pattern": by_module if alpha is None else {},
        "target_modules": sorted(ranks),
        "lora_dropout": 0.0,
        "bias": "none",
        "use_dora": False,
        "use_rslora": False,
        "fan_in_fan_out": False,
        "modules_to_save": None,
        "init_lora_weights": True,
        "inference_mode": True,
    }
    return json.dumps(config, indent=2)


class PeftConfig(typing.NamedTuple):
    """What of a config says how an adapter's products are scaled.

    Attributes:
        alpha: of modules that no pattern fits.
        alphas: by pattern of modules.
        by_root: whether alpha is divided by the root of the rank (rslora).
    """

    alpha: float
    alphas: dict[str, float]
    by_root: bool

    def alpha_of(self, module: str, rank: int) -> float:
        """The alpha of a module, as if it were divided by the rank."""
        fits = (re.match(rf"(.*\.)?({p})$", module) for p in self.alphas)
        alpha = next((a for fit, a in zip(fits, self.alphas.values()) if fit), self.alpha)
        return alpha * math.sqrt(rank) if self.by_root else alpha


def understood(config: typing.Any) -> PeftConfig:
    """A config that was read.

    Raises:
        SerializationError: it is none, or of what an `Adapter` does not do.

    >>> understood({"peft_type": "LORA", "lora_alpha": 16}).alpha_of("dense", 8)
    16.0
    """
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        kind = config.get("peft_type") if isinstance(config, dict) else type(config).__name__
        raise SerializationError(
            f"it should have the peft_type 'LORA'. Received: {str(kind)[:100]}"
        )
    for name, known in PLAIN.items():
        value = config.get(name)
        if value not in known:
            raise SerializationError(
                f"it has {name}={str(value)[:100]}, which is more than `w + alpha / rank * a @ b`: "
                "merge it with peft and load the weights."
            )
    alphas = config.get("alpha_pattern") or {}
    if not isinstance(alphas, dict):
        raise SerializationError("its alpha_pattern should be an object.")
    patterns.check_patterns(alphas, "its alpha_pattern")
    values = [config.get("lora_alpha"), *alphas.values()]
    for value in values:
        if type(value) not in (int, float) or not math.isfinite(value):
            raise SerializationError(f"its alpha should be a number. Received: {str(value)[:100]}")
    alpha, *others = map(float, values)
    return PeftConfig(alpha, dict(zip(alphas, others)), config.get("use_rslora") is True)
