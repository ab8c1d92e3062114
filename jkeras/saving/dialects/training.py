"""The arguments of `compile` as Keras 2 and tf.keras wrote them, in the words of Keras 3."""

from jkeras.saving.dialects.objects import modern

KNOWN = (
    "loss",
    "loss_weights",
    "metrics",
    "weighted_metrics",
    "run_eagerly",
    "steps_per_execution",
    "jit_compile",
)
# of a function
WRAPPERS = ("MeanMetricWrapper", "SumOverBatchSizeMetricWrapper", "LossFunctionWrapper")


def modern_training(training, model):
    """The compile config of a model, of an `.h5` file or an archive.

    Args:
        model: its config.

    >>> modern_training({"optimizer_config": {"class_name": "SGD", "config": {"lr": 0.1, "decay": 0.0}}, "loss": "mse",
    ...                  "metrics": [], "sample_weight_mode": None}, {})
    {'optimizer': {'class_name': 'SGD', 'config': {'learning_rate': 0.1}}, 'loss': 'mse', 'metrics': []}
    """
    optimizer = training.get("optimizer_config", training.get("optimizer"))
    prefixes = _prefixes(model.get("config"))
    return {
        "optimizer": modern_optimizer(optimizer),
        **{key: _modern(training[key], prefixes) for key in KNOWN if training.get(key) is not None},
    }


def _prefixes(inner):
    """What names of metrics begin with in models of several outputs; Keras 3 adds it by itself."""
    outputs = inner.get("output_layers", ()) if isinstance(inner, dict) else ()
    names = [
        place[0]
        for place in outputs
        if isinstance(place, list) and place and isinstance(place[0], str)
    ]
    return [f"{name}_" for name in names] if len(names) > 1 else []


def _modern(value, prefixes):
    if isinstance(value, list):
        return [_modern(part, prefixes) for part in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("class_name"), str) and isinstance(value.get("config"), dict):
        return _object(value, prefixes)
    return {key: _modern(part, prefixes) for key, part in value.items()}


def _object(described, prefixes):
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


def modern_optimizer(described):
    """The config of an optimizer; a rate that decays from step to step is a schedule now."""
    if not isinstance(described, dict) or not isinstance(described.get("config"), dict):
        return described
    name, inner = described["class_name"].rpartition(">")[2], modern(described["config"])
    if "lr" in inner:
        inner.setdefault("learning_rate", inner.pop("lr"))
    for gone in ("is_legacy_optimizer", "jit_compile", "use_locking", "schedule_decay"):
        inner.pop(gone, None)
    decay = inner.pop("decay", None)
    if decay and name != "Nadam":  # whose `decay` was of its momentum
        inner["learning_rate"] = {
            "module": "keras.optimizers.schedules",
            "class_name": "InverseTimeDecay",
            "config": {
                "initial_learning_rate": inner["learning_rate"],
                "decay_steps": 1,
                "decay_rate": decay,
            },
        }
    for clip in ("clipnorm", "clipvalue", "global_clipnorm"):
        if inner.get(clip, ...) is None:
            del inner[clip]
    if name.startswith("LossScaleOptimizer"):
        inner = _loss_scale(inner)
    kept = {
        key: value for key, value in described.items() if key not in ("module", "registered_name")
    }
    return {**kept, "class_name": name, "config": inner}


def _loss_scale(inner):
    """The arguments of the optimizer that scales the loss for float16; there was an older form of
    them.
    """
    scale = inner.pop("loss_scale", None)
    if isinstance(scale, dict):
        found = scale.get("config", {})
        inner.update(
            initial_scale=found.get("initial_loss_scale", found.get("loss_scale_value", 2.0**15)),
            dynamic_growth_steps=found.get("increment_period", 2000),
        )
    inner["inner_optimizer"] = modern_optimizer(
        inner.pop("optimizer", inner.get("inner_optimizer"))
    )
    return inner
