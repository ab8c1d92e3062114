"""The model that trains a student on labels and on a teacher's outputs and features."""

from typing import Any

import jax.numpy as jnp

from jkeras import metrics, tree
from jkeras.core import registry
from jkeras.core.errors import explain
from jkeras.distillation.losses import as_losses
from jkeras.models import Model, Sequential


@registry.public("keras.distillation.Distiller")
class Distiller(Model):
    """Trains `student` on `student_loss_weight * (loss on the labels) + (1 - student_loss_weight) *
    (distillation)`.

    `compile` takes the loss on the labels. What it is trained on is the student's own parameters,
    so afterwards `distiller.student` is the trained model. The teacher is frozen.

    Args:
        teacher: a trained model.
        student: a model with the same inputs and outputs.
        distillation_losses: one `DistillationLoss`, or a list of them.
        distillation_loss_weights: the factor of each; 1 by default.
        student_loss_weight: between 0 and 1.
    Raises:
        ValueError: models that do not fit together, losses that do not fit the models, weights out
            of range.

    >>> from jkeras import Input, Sequential, layers
    >>> from jkeras.distillation import LogitsDistillation
    >>> teacher, student = (Sequential([Input((4,)), layers.Dense(n), layers.Dense(3)]) for n in (16, 2))
    >>> distiller = Distiller(teacher, student, LogitsDistillation(temperature=2.0, loss="mse"))
    >>> distiller.compile(loss="mse")
    >>> logs = distiller.fit(jnp.ones((8, 4)), jnp.ones((8, 3)), verbose=0)
    """

    def __init__(
        self,
        teacher,
        student,
        distillation_losses,
        distillation_loss_weights=None,
        student_loss_weight=0.5,
        name="distiller",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        _check_models(teacher, student)
        if not isinstance(student_loss_weight, (int, float)) or not 0 <= student_loss_weight <= 1:
            raise ValueError(
                explain(
                    "Distiller",
                    "a number between 0 and 1 as `student_loss_weight`",
                    repr(student_loss_weight),
                )
            )
        if distillation_losses is None:
            raise ValueError(
                explain(
                    "Distiller", "one or more `DistillationLoss`es as `distillation_losses`", "None"
                )
            )
        several = isinstance(distillation_losses, (list, tuple))
        compared = tuple(distillation_losses) if several else (distillation_losses,)
        factors = (
            tuple(distillation_loss_weights)
            if several and distillation_loss_weights is not None
            else (1.0,) * len(compared)
        )
        if len(factors) != len(compared):
            raise ValueError(
                explain(
                    "Distiller", f"{len(compared)} `distillation_loss_weights`", f"{len(factors)}"
                )
            )
        for loss in compared:
            loss.validate_model_compatibility(teacher, student)
        teacher.trainable = False
        self.teacher, self.student, self.student_loss_weight = teacher, student, student_loss_weight
        self.distillation_losses, self.distillation_loss_weights = list(compared), list(factors)
        self._teacher_features = _feature_model(
            teacher, [loss.teacher_layer_name for loss in self._looking_inside]
        )
        inside = [
            loss.student_layer_name
            for loss in self._looking_inside
            if loss.student_layer_name is not None
        ]
        self._student_features = _feature_model(student, inside)
        self.student_loss_tracker = metrics.Mean(name="student_loss")
        self.distillation_loss_tracker = metrics.Mean(name="distillation_loss")
        self.total_loss_tracker = metrics.Mean(name="total_loss")

    @property
    def _looking_inside(self):
        """The losses that compare layers rather than outputs."""
        return [
            loss
            for loss in self.distillation_losses
            if getattr(loss, "teacher_layer_name", None) is not None
        ]

    def compile(self, optimizer: Any = "adam", loss=None, metrics=None, **kwargs):
        """Sets the optimizer and the loss on the labels; other arguments as in `Model.compile`.

        Raises:
            ValueError: no loss, or metrics that are not in a list.
        """
        if loss is None:
            raise ValueError("`loss` cannot be None: it is the student's loss on the labels.")
        if metrics is not None and not isinstance(metrics, (list, tuple)):
            raise ValueError(
                f"`metrics` must be a list or tuple. Received: {metrics} of type {type(metrics)}"
            )
        self._label_loss = loss
        super().compile(optimizer=optimizer, loss=None, metrics=metrics, **kwargs)

    def call(self, inputs, training=None, **kwargs):
        """The student's outputs."""
        return self.student(inputs, training=training, **kwargs)

    # ------------------------------------------------------------ the loss

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The weighted sum of the loss on the labels and of the distillation losses; sample weights
        do not count.
        """
        y_pred = self(x, training=training) if y_pred is None else y_pred
        on_labels = distilled = jnp.zeros(())
        if self.student_loss_weight > 0 and y is not None:
            values = tree.map_structure(
                lambda loss, *pair: loss(*pair), as_losses(self._label_loss), y, y_pred
            )
            values = tree.flatten(values)
            on_labels = jnp.mean(values[0]) if len(values) == 1 else jnp.sum(jnp.stack(values))
        if self.student_loss_weight < 1:
            distilled = self._distillation_loss(x, y_pred)
        total = self.student_loss_weight * on_labels + (1 - self.student_loss_weight) * distilled
        for tracker, value in (
            (self.student_loss_tracker, on_labels),
            (self.distillation_loss_tracker, distilled),
            (self.total_loss_tracker, total),
        ):
            tracker.update_state(value)
        return total

    def _distillation_loss(self, x, y_pred):
        if self._teacher_features is None:
            of_teacher = {OUTPUT: self.teacher(x, training=False)}
        else:
            of_teacher = self._teacher_features(x, training=False)
        inside = {OUTPUT: y_pred}
        if self._student_features is not None:
            inside = self._student_features(x, training=True)
        total = jnp.zeros(())
        for loss, factor in zip(self.distillation_losses, self.distillation_loss_weights):
            name = getattr(loss, "teacher_layer_name", None)
            teacher = of_teacher[name or OUTPUT]
            student = y_pred if name is None else inside[loss.student_layer_name or OUTPUT]
            loss.validate_outputs(teacher, student)
            value = jnp.asarray(loss.compute_loss(teacher, student))
            if value.ndim:
                raise ValueError(
                    explain(
                        f"Distillation loss {type(loss).__name__}",
                        "a scalar from `compute_loss`",
                        f"shape {value.shape}",
                        "take the mean",
                    )
                )
            total = total + factor * value
        return total

    # ------------------------------------------------------------ config

    def get_config(self):
        """The constructor's arguments as plain data."""
        return {
            **super().get_config(),
            "teacher": registry.serialize(self.teacher),
            "student": registry.serialize(self.student),
            "distillation_losses": [registry.serialize(loss) for loss in self.distillation_losses],
            "distillation_loss_weights": list(self.distillation_loss_weights),
            "student_loss_weight": self.student_loss_weight,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A distiller from its config."""
        with registry.CustomObjectScope(custom_objects):
            made = {
                k: registry.deserialize(config[k])
                for k in ("teacher", "student", "distillation_losses", "dtype")
                if k in config
            }
            return cls(**{**config, **made})


OUTPUT = "final_output"


def _feature_model(model, layer_names):
    """A model of the same inputs that also puts out what the named layers do; None where none is
    asked for.
    """
    if not layer_names:
        return None
    outputs = {OUTPUT: model.layers[-1].output if isinstance(model, Sequential) else model.output}
    outputs |= {name: model.get_layer(name=name).output for name in layer_names}
    return Model(inputs=model.inputs, outputs=outputs, name=f"{model.name}_multi_feature_extractor")


def _check_models(teacher, student):
    for role, model in (("Teacher", teacher), ("Student", student)):
        if not isinstance(model, Model):
            raise ValueError(f"{role} must be a Model. Received: {model!r} of type {type(model)}")
    for what in ("inputs", "outputs"):
        ends = getattr(teacher, what, None), getattr(student, what, None)
        if None in ends:
            continue  # a model without a graph is checked when it runs
        tree.assert_same_structure(*ends)
        for one, other in zip(*ends):
            fits = one.ndim == other.ndim and all(
                None in pair or pair[0] == pair[1] for pair in zip(one.shape, other.shape)
            )
            if not fits or one.dtype != other.dtype:
                raise ValueError(
                    explain(
                        f"Distiller, {what} of '{student.name}'",
                        f"the teacher's shape {one.shape} and dtype {one.dtype}",
                        f"shape {other.shape} and dtype {other.dtype}",
                    )
                )
