"""What a student's outputs or features are compared with a teacher's by: pure functions of both."""

from typing import TYPE_CHECKING, Any, Self

import jax.numpy as jnp

from jkeras import losses, ops, tree
from jkeras.core.names import registry
from jkeras.core.errors import explain

if TYPE_CHECKING:
    import jax


def as_losses(loss: Any) -> Any:
    """A structure of names, functions and losses with the names looked up."""
    return tree.map_structure(_as_loss, loss)


def _as_loss(loss: Any) -> Any:
    if isinstance(loss, str):
        return losses.get(loss)
    return loss


@registry.public("keras.distillation.DistillationLoss")
class DistillationLoss:
    """Base of distillation losses; a subclass defines `compute_loss`.

    >>> class Difference(DistillationLoss):
    ...     def compute_loss(self, teacher_outputs, student_outputs, **kwargs):
    ...         return jnp.mean(jnp.abs(teacher_outputs - student_outputs))
    >>> float(Difference().compute_loss(jnp.ones((2, 3)), jnp.zeros((2, 3))))
    1.0
    """

    teacher_layer_name = student_layer_name = None

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any) -> Any:
        """The loss, a scalar, of outputs or features of the same structure."""
        raise NotImplementedError(f"{type(self).__name__} must define `compute_loss`.")

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        """Raises ValueError for outputs that cannot be compared."""
        tree.assert_same_structure(teacher_outputs, student_outputs)

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Raises ValueError for models that cannot be compared."""


class _ByOutput(DistillationLoss):
    """One loss for each output, None for those that do not count; the sum of all."""

    def _set_losses(self, loss: Any) -> None:
        self.loss = as_losses(loss)
        if all(one is None for one in tree.flatten(self.loss)):
            raise ValueError(
                explain(type(self).__name__, "a loss for at least one output", f"loss={loss}")
            )

    def compute_loss(
        self, teacher_outputs: Any, student_outputs: Any, **kwargs: Any
    ) -> "jax.Array":
        """The sum over the outputs of the mean loss between teacher and student."""

        def value(loss: Any, teacher: Any, student: Any) -> Any:
            if loss is None:
                return 0.0
            return self._compare(loss, teacher, student)

        values = tree.map_structure(value, self.loss, teacher_outputs, student_outputs)
        return jnp.sum(jnp.stack([jnp.asarray(v) for v in tree.flatten(values)]))

    def _compare(self, loss: Any, teacher: Any, student: Any) -> Any:
        return jnp.mean(loss(teacher, student))

    def get_config(self) -> dict[str, Any]:
        """The losses, as plain data."""
        return {"loss": registry.serialize(self.loss)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A distillation loss from its config."""
        return cls(**{**config, "loss": registry.deserialize(config["loss"])})


@registry.public("keras.distillation.LogitsDistillation")
class LogitsDistillation(_ByOutput):
    """Compares final outputs (logits), both divided by a temperature.

    A `KLDivergence` object compares their softmax, and its value is multiplied by the squared
    temperature. Any other loss, the function that the name "kl_divergence" stands for too, is given
    the divided logits, as in Keras.

    Args:
        temperature: positive; higher ones make the probabilities more equal.
        loss: name, function or `Loss`, or a structure of them like that of the outputs; None where
            none counts.
    Raises:
        ValueError: no loss at all, or a temperature that is not a positive number.

    Hinton et al., Distilling the Knowledge in a Neural Network (2015).

    >>> loss = LogitsDistillation(temperature=2.0, loss="mse")
    >>> float(loss.compute_loss(jnp.ones((2, 3)), jnp.zeros((2, 3))))
    0.25
    """

    def __init__(self, temperature: float = 3.0, loss: Any = "kl_divergence") -> None:
        self._set_losses(loss)
        if not isinstance(temperature, (int, float)) or temperature <= 0:
            raise ValueError(
                explain(
                    "LogitsDistillation", "a positive number as `temperature`", repr(temperature)
                )
            )
        self.temperature = temperature

    def _compare(self, loss: Any, teacher: Any, student: Any) -> Any:
        teacher = teacher / self.temperature
        student = student / self.temperature
        if not isinstance(loss, losses.KLDivergence):
            return super()._compare(loss, teacher, student)
        divergence = super()._compare(loss, ops.softmax(teacher), ops.softmax(student))
        return divergence * self.temperature**2

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"temperature": self.temperature, **super().get_config()}


@registry.public("keras.distillation.FeatureDistillation")
class FeatureDistillation(_ByOutput):
    """Compares what layers inside the two models put out.

    Args:
        loss: name, function or `Loss`, or a structure of them like that of the features; None where
            none counts.
        teacher_layer_name, student_layer_name: the layers; None for the models' outputs.
    Raises:
        ValueError: no loss at all; no such layers, or models without a graph, when given to a
            `Distiller`.

    Romero et al., FitNets: Hints for Thin Deep Nets (2014).

    >>> loss = FeatureDistillation(loss="mae")
    >>> float(loss.compute_loss(jnp.ones((2, 3)), jnp.zeros((2, 3))))
    1.0
    """

    def __init__(
        self,
        loss: Any = "mse",
        teacher_layer_name: str | None = None,
        student_layer_name: str | None = None,
    ) -> None:
        self._set_losses(loss)
        self.teacher_layer_name = teacher_layer_name
        self.student_layer_name = student_layer_name

    def validate_model_compatibility(self, teacher: Any, student: Any) -> None:
        """Raises ValueError where a named layer cannot be looked into."""
        named = self.teacher_layer_name is not None or self.student_layer_name is not None
        for role, model, name in (
            ("teacher", teacher, self.teacher_layer_name),
            ("student", student, self.student_layer_name),
        ):
            if named and getattr(model, "inputs", None) is None:
                raise ValueError(
                    explain(
                        f"FeatureDistillation between layers, {role} '{model.name}'",
                        "a Functional or Sequential model",
                        f"{type(model).__name__} without a graph",
                        "leave the layer names out, or use LogitsDistillation",
                    )
                )
            if name is not None:
                try:
                    model.get_layer(name=name)
                except ValueError as error:
                    raise ValueError(f"In {role} model: {error}") from error

    def validate_outputs(self, teacher_outputs: Any, student_outputs: Any) -> None:
        """Raises ValueError for features that cannot be compared by these losses."""
        super().validate_outputs(teacher_outputs, student_outputs)
        tree.assert_same_structure(self.loss, teacher_outputs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "teacher_layer_name": self.teacher_layer_name,
            "student_layer_name": self.student_layer_name,
        }
