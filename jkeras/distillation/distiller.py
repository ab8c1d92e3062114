"""The model that trains a student on labels and on a teacher's outputs and features."""

from typing import TYPE_CHECKING, Any, Self
from collections.abc import Sequence

import jax.numpy as jnp

from jkeras import metrics, tree
from jkeras.core.names import registry
from jkeras.core.errors import explain
from jkeras.distillation.losses import DistillationLoss, as_losses
from jkeras.models import Model, Sequential

if TYPE_CHECKING:
    import jax
    from jkeras.core.graph.keras_tensor import KerasTensor


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
    >>> teacher = Sequential([Input((4,)), layers.Dense(16), layers.Dense(3)])
    >>> student = Sequential([Input((4,)), layers.Dense(2), layers.Dense(3)])
    >>> distiller = Distiller(teacher, student, LogitsDistillation(temperature=2.0, loss="mse"))
    >>> distiller.compile(loss="mse")
    >>> logs = distiller.fit(jnp.ones((8, 4)), jnp.ones((8, 3)), verbose=0)
    """

    def __init__(
        self,
        teacher: Model,
        student: Model,
        distillation_losses: Any,
        distillation_loss_weights: Sequence[float] | None = None,
        student_loss_weight: float = 0.5,
        name: str = "distiller",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        _check_models(teacher, student)
        _check_share("student_loss_weight", student_loss_weight)
        losses, weights = _losses_and_weights(distillation_losses, distillation_loss_weights)
        for loss in losses:
            loss.validate_model_compatibility(teacher, student)
        teacher.trainable = False
        self.teacher = teacher
        self.student = student
        self.student_loss_weight = student_loss_weight
        self.distillation_losses = losses
        self.distillation_loss_weights = weights
        teacher_layers = [loss.teacher_layer_name for loss in self._looking_inside]
        student_layers = [loss.student_layer_name for loss in self._looking_inside]
        self._teacher_features = _feature_model(teacher, teacher_layers)
        self._student_features = _feature_model(
            student, [name for name in student_layers if name is not None]
        )
        self.student_loss_tracker = metrics.Mean(name="student_loss")
        self.distillation_loss_tracker = metrics.Mean(name="distillation_loss")
        self.total_loss_tracker = metrics.Mean(name="total_loss")

    @property
    def _looking_inside(self) -> list:
        """The losses that compare layers rather than outputs."""
        return [
            loss
            for loss in self.distillation_losses
            if getattr(loss, "teacher_layer_name", None) is not None
        ]

    def compile(
        self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None, **kwargs: Any
    ) -> None:
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

    def call(self, inputs: Any, training: bool | None = None, **kwargs: Any) -> Any:
        """The student's outputs."""
        return self.student(inputs, training=training, **kwargs)

    # ------------------------------------------------------------ the loss

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> "jax.Array":
        """The weighted sum of the loss on the labels and of the distillation losses; sample weights
        do not count.
        """
        if y_pred is None:
            y_pred = self(x, training=training)
        on_labels = distilled = jnp.zeros(())
        if self.student_loss_weight > 0 and y is not None:
            on_labels = self._loss_on_labels(y, y_pred)
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

    def _loss_on_labels(self, y: Any, y_pred: Any) -> "jax.Array":
        losses = as_losses(self._label_loss)
        values = tree.map_structure(lambda loss, *pair: loss(*pair), losses, y, y_pred)
        values = tree.flatten(values)
        if len(values) == 1:
            return jnp.mean(values[0])
        return jnp.sum(jnp.stack(values))

    def _distillation_loss(self, x: Any, y_pred: Any) -> "jax.Array":
        if self._teacher_features is None:
            of_teacher = {OUTPUT: self.teacher(x, training=False)}
        else:
            of_teacher = self._teacher_features(x, training=False)
        of_student = {OUTPUT: y_pred}
        if self._student_features is not None:
            of_student = self._student_features(x, training=True)
        total = jnp.zeros(())
        for loss, factor in zip(self.distillation_losses, self.distillation_loss_weights):
            teacher_layer = getattr(loss, "teacher_layer_name", None)
            teacher = of_teacher[teacher_layer or OUTPUT]
            student = y_pred
            if teacher_layer is not None:
                student = of_student[loss.student_layer_name or OUTPUT]
            loss.validate_outputs(teacher, student)
            total = total + factor * _scalar_loss(loss, teacher, student)
        return total

    # ------------------------------------------------------------ config

    def get_config(self) -> dict[str, Any]:
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
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """A distiller from its config."""
        with registry.CustomObjectScope(custom_objects):
            made = {
                k: registry.deserialize(config[k])
                for k in ("teacher", "student", "distillation_losses", "dtype")
                if k in config
            }
            return cls(**{**config, **made})


OUTPUT = "final_output"


def _check_share(argument: str, share: Any) -> None:
    if not isinstance(share, (int, float)) or not 0 <= share <= 1:
        raise ValueError(
            explain("Distiller", f"a number between 0 and 1 as `{argument}`", repr(share))
        )


def _losses_and_weights(losses: Any, weights: Sequence[float] | None) -> tuple[list, list[float]]:
    """The losses, and a weight for each, as lists; a single loss has the weight 1."""
    if losses is None:
        raise ValueError(
            explain(
                "Distiller", "one or more `DistillationLoss`es as `distillation_losses`", "None"
            )
        )
    if not isinstance(losses, (list, tuple)):
        return [losses], [1.0]
    losses = list(losses)
    if weights is None:
        weights = [1.0] * len(losses)
    weights = list(weights)
    if len(weights) != len(losses):
        raise ValueError(
            explain("Distiller", f"{len(losses)} `distillation_loss_weights`", f"{len(weights)}")
        )
    return losses, weights


def _scalar_loss(loss: DistillationLoss, teacher: Any, student: Any) -> "jax.Array":
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
    return value


def _feature_model(model: Any, layer_names: Sequence[str]) -> Model | None:
    """A model of the same inputs that also puts out what the named layers do; None where none is
    asked for.
    """
    if not layer_names:
        return None
    last = model
    if isinstance(model, Sequential):
        last = model.layers[-1]
    outputs = {OUTPUT: last.output}
    outputs |= {name: model.get_layer(name=name).output for name in layer_names}
    return Model(inputs=model.inputs, outputs=outputs, name=f"{model.name}_multi_feature_extractor")


def _check_models(teacher: Any, student: Any) -> None:
    for role, model in (("Teacher", teacher), ("Student", student)):
        if not isinstance(model, Model):
            raise ValueError(f"{role} must be a Model. Received: {model!r} of type {type(model)}")
    for ends in ("inputs", "outputs"):
        of_teacher = getattr(teacher, ends, None)
        of_student = getattr(student, ends, None)
        if None in (of_teacher, of_student):
            continue  # a model without a graph is checked when it runs
        tree.assert_same_structure(of_teacher, of_student)
        for expected, received in zip(of_teacher, of_student):
            _check_same(f"Distiller, {ends} of '{student.name}'", expected, received)


def _check_same(where: str, expected: "KerasTensor", received: "KerasTensor") -> None:
    """Two KerasTensors, whose shapes must agree as far as they are static, and whose dtypes too."""
    fits = _shapes_agree(expected.shape, received.shape)
    if not fits or expected.dtype != received.dtype:
        raise ValueError(
            explain(
                where,
                f"the teacher's shape {expected.shape} and dtype {expected.dtype}",
                f"shape {received.shape} and dtype {received.dtype}",
            )
        )


def _shapes_agree(shape: Sequence[int | None], other: Sequence[int | None]) -> bool:
    if len(shape) != len(other):
        return False
    return all(None in sizes or sizes[0] == sizes[1] for sizes in zip(shape, other))
