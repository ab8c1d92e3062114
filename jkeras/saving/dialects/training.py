"""The arguments of `compile` as Keras 2 and tf.keras wrote them, in the words of Keras 3."""

from typing import Any

from jkeras.saving.dialects.objects import modern
from jkeras.saving.types import Config

KNOWN = (
    "loss",
    "loss_weights",
    "metrics",
    "weighted_metrics",
    "run_eagerly",
    "steps_per_execution",
    "jit_compile",
)
GONE = ("is_legacy_optimizer", "jit_compile", "use_locking", "schedule_decay")
# of a function
WRAPPERS = ("MeanMetricWrapper", "SumOverBatchSizeMetricWrapper", "LossFunctionWrapper")


def modern_training(training: Config, model: Config) -> Config:
    """The compile config of a model, of an `.h5` file or an archive.

    Args:
        model: its config.

    >>> optimizer = {"class_name": "SGD", "config": {"lr": 0.1, "decay": 0.0}}
    >>> training = {"optimizer_config": optimizer, "loss": "mse", "sample_weight_mode": None}
    >>> modern_training(training, {})
    {'optimizer': {'class_name': 'SGD', 'config': {'learning_rate': 0.1}}, 'loss': 'mse'}
    """
    optimizer = training.get("optimizer_config", training.get("optimizer"))
    prefixes = _prefixes(model.get("config"))
    return {
        "optimizer": modern_optimizer(optimizer),
        **{key: _modern(training[key], prefixes) for key in KNOWN if training.get(key) is not None},
    }


def _prefixes(inner: Config | None) -> list[str]:
    """What names of metrics begin with in models of several outputs; Keras 3 adds it by itself."""
    if not isinstance(inner, dict):
        return []
    outputs = [output for output in inner.get("output_layers", ()) if isinstance(output, list)]
    names = [output[0] for output in outputs if output and isinstance(output[0], str)]
    if len(names) < 2:
        return []
    return [f"{name}_" for name in names]


def _modern(value: Any, prefixes: list[str]) -> Any:
    if isinstance(value, list):
        return [_modern(item, prefixes) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("class_name"), str) and isinstance(value.get("config"), dict):
        return _object(value, prefixes)
    return {key: _modern(item, prefixes) for key, item in value.items()}


def _object(described: Config, prefixes: list) -> Config:
    """A loss or metric."""
    inner = dict(described["config"])
    if described["class_name"] not in WRAPPERS:
        inner.pop("fn", None)
    if inner.get("reduction") == "auto":
        inner["reduction"] = "sum_over_batch_size"
    for prefix in prefixes:
        if str(inner.get("name")).startswith(prefix):
            inner["name"] = inner["name"].removeprefix(prefix)
            break
    return {**described, "config": inner}


def modern_optimizer(described: Any) -> Any:
    """The config of an optimizer; a rate that decays from step to step is a schedule now."""
    if not isinstance(described, dict) or not isinstance(described.get("config"), dict):
        return described
    name = described["class_name"].rpartition(">")[2]
    inner = modern(described["config"])
    if "lr" in inner:
        inner.setdefault("learning_rate", inner.pop("lr"))
    for argument in GONE:
        inner.pop(argument, None)
    decay = inner.pop("decay", None)
    if decay and name != "Nadam":  # whose `decay` was of its momentum
        inner["learning_rate"] = _decaying(inner["learning_rate"], decay)
    for clip in ("clipnorm", "clipvalue", "global_clipnorm"):
        if inner.get(clip, ...) is None:
            del inner[clip]
    if name.startswith("LossScaleOptimizer"):
        inner = _loss_scale(inner)
    new = {**described, "class_name": name, "config": inner}
    new.pop("module", None)
    new.pop("registered_name", None)
    return new


def _decaying(rate: float, decay: float) -> Config:
    """The config of a schedule in which a rate decays from step to step."""
    return {
        "module": "keras.optimizers.schedules",
        "class_name": "InverseTimeDecay",
        "config": {"initial_learning_rate": rate, "decay_steps": 1, "decay_rate": decay},
    }


def _loss_scale(inner: Config) -> Config:
    """The arguments of the optimizer that scales the loss for float16; there was an older form of
    them.
    """
    scale = inner.pop("loss_scale", None)
    if isinstance(scale, dict):
        scale_config = scale.get("config", {})
        value = scale_config.get("loss_scale_value", 2.0**15)
        inner["initial_scale"] = scale_config.get("initial_loss_scale", value)
        inner["dynamic_growth_steps"] = scale_config.get("increment_period", 2000)
    optimizer = inner.pop("optimizer", inner.get("inner_optimizer"))
    inner["inner_optimizer"] = modern_optimizer(optimizer)
    return inner
