"""`adapter_config.json`, what peft says of an adapter beside its matrices."""

import collections
import json
import math
import re
import typing

from jkeras.core.names import patterns
from jkeras.core.errors import SerializationError

LARGEST_ALPHA = 1e18  # products with it are far from the largest number of float32
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
    "use_rslora": (False, True, None),
    "fan_in_fan_out": (False, True, None),  # how the kernel lies there, not the matrices
    # other ways to begin change the kernels that the adapter is of
    "init_lora_weights": (True, False, None, "gaussian"),
}
# read here, or said by the names of the matrices
READ = frozenset(
    """
    alpha_pattern exclude_modules layers_pattern layers_to_transform lora_alpha peft_type r
    rank_pattern target_modules
    """.split()
)
# of training, of how the adapter began, or of what wrote it
IGNORED = frozenset(
    """
    auto_mapping base_model_name_or_path corda_config ensure_weight_tying eva_config inference_mode
    loftq_config lora_dropout lora_ga_config megatron_core peft_version qalora_group_size revision
    runtime_config task_type
    """.split()
)


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
        rank: of modules that no pattern fits; None where it is not said.
        ranks: by pattern of modules.
    """

    alpha: float
    alphas: dict[str, float]
    by_root: bool
    rank: int | None
    ranks: dict[str, int]

    def alpha_of(self, module: str, rank: int) -> float:
        """The alpha of a module, as if it were divided by the rank."""
        alpha = _of_module(self.alphas, module, self.alpha)
        return alpha * math.sqrt(rank) if self.by_root else alpha

    def check_rank(self, module: str, rank: int) -> None:
        """Raises SerializationError where the matrices of a module have another rank than is
        said.
        """
        said = _of_module(self.ranks, module, self.rank)
        if said is not None and said != rank:
            raise SerializationError(
                f"it says that the rank of '{module}' is {said}, and its matrices have {rank}."
            )


def _of_module(
    by_pattern: dict[str, typing.Any], module: str, default: float | None
) -> float | None:
    """What the first pattern says that fits a module."""
    fits = (re.match(rf"(.*\.)?({pattern})$", module) for pattern in by_pattern)
    return next((value for fit, value in zip(fits, by_pattern.values()) if fit), default)


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
    _check_entries(config)
    alphas, ranks = (_patterns(config, name) for name in ("alpha_pattern", "rank_pattern"))
    for value in [config.get("r", 1), *ranks.values()]:
        if type(value) is not int or value < 1:
            raise SerializationError(f"its rank should be 1 or more. Received: {str(value)[:100]}")
    values = [config.get("lora_alpha"), *alphas.values()]
    for value in values:
        if type(value) not in (int, float) or not abs(value) <= LARGEST_ALPHA:
            raise SerializationError(
                f"its alpha should be a number of at most {LARGEST_ALPHA}. Received: "
                f"{str(value)[:100]}"
            )
    alpha, *others = map(float, values)
    by_root = config.get("use_rslora") is True
    return PeftConfig(alpha, dict(zip(alphas, others)), by_root, config.get("r"), ranks)


def _patterns(config: dict[str, typing.Any], name: str) -> dict[str, typing.Any]:
    """An entry that has values by patterns of modules."""
    entry = config.get(name) or {}
    if not isinstance(entry, dict):
        raise SerializationError(f"its {name} should be an object.")
    patterns.check_patterns(entry, f"its {name}")
    return entry


def _check_entries(config: dict[str, typing.Any]) -> None:
    """Raises SerializationError for an entry that an `Adapter` does not compute, or that is not
    known and says something.
    """
    for name, value in config.items():
        plain = PLAIN.get(name)
        if plain is not None and not any(value is k or _equals(value, k) for k in plain):
            raise SerializationError(
                f"it has {name}={str(value)[:100]}, which is more than `w + alpha / rank * a @ b` "
                f"(expected {' or '.join(map(repr, plain))}): merge it with peft and load the "
                "weights."
            )
        is_supported = plain is not None or name in READ or name in IGNORED
        says_nothing = value is None or value is False or value in ([], {})
        if not is_supported and not says_nothing:
            raise SerializationError(
                f"it has {name[:100]}={str(value)[:100]}, which is not known: merge it with peft "
                "and load the weights, or remove the entry if it changes nothing."
            )


def _equals(value: typing.Any, plain: typing.Any) -> bool:
    """Whether two values are equal; 1 is not True."""
    return type(value) is type(plain) and value == plain
