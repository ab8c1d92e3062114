"""Optimizers whose state is a tree like the parameters of a model, named by their paths in it.

What an optax transformation does may depend on names (masks, `multi_transform`), so it is built
with the tree that it is stepped with.
"""

import operator
from collections.abc import Iterable, Sequence
from typing import Any

from jkeras.core.weights.by_variable import ByVariable, without
from jkeras.core.weights.structure import named_weights
from jkeras.core.weights.variable import Variable
from jkeras.optimizers.transform.leaves import Path


class ByPath:
    """Part of an optimizer that arranges parameters by their paths in the model.

    Attributes:
        parameter_paths: of the variables that it is built for.
    """

    parameter_paths = None

    def build(self, variables: Iterable[Variable]):
        """Creates the variables; parameters are identified by their names if by nothing else."""
        variables = list(variables)
        self.know(variables)
        super().build(variables)

    def know(self, variables: Sequence[Variable]):
        """Takes the names of the variables for their paths where it knows none."""
        if self.parameter_paths is None:
            self.parameter_paths = paths_of_names(variables)

    def _order(self) -> list[Path]:
        return self.parameter_paths


def build_of_model(model: Any):
    """Builds a model's optimizer for its trainable variables, by their paths in the model."""
    variables, optimizer = model.trainable_variables, model.optimizer
    if not isinstance(optimizer, ByPath) and not optimizer.built:
        return optimizer.build(variables)
    paths = ByVariable((variable, path) for path, variable in named_weights(model))
    return build_by_path(optimizer, variables, paths.of(variables))


def build_by_path(optimizer: Any, variables: Sequence[Variable], paths: Sequence[Path]):
    """Builds an optimizer for variables that have these paths in their model.

    One that was built for other variables, or by hand for other paths, is built again; what it
    knows of these stays.
    """
    before = optimizer.built_for if optimizer.built else ()
    is_same = len(before) == len(variables) and all(map(operator.is_, before, variables))
    if is_same and optimizer.built and getattr(optimizer, "parameter_paths", paths) == paths:
        return
    is_other = optimizer.built and bool(without(variables, before) or without(before, variables))
    if isinstance(optimizer, ByPath):
        paths = list(paths)
        is_other |= optimizer.built and optimizer.parameter_paths != paths
        if not optimizer.built:
            optimizer.parameter_paths = paths
    if is_other:
        optimizer.rebuild(variables, paths)
    else:
        optimizer.build(variables)


def takes_loss(optimizer: Any) -> bool:
    """Whether its `step` gets the loss: an optax transformation inside may need it."""
    inner = getattr(optimizer, "inner_optimizer", None)
    several = getattr(optimizer, "optimizers", ())
    if inner is not None:
        several = (inner,)
    return getattr(optimizer, "takes_loss", False) or any(map(takes_loss, several))


def paths_of_names(variables: Sequence[Variable]) -> list[Path]:
    """The paths that the variables' own names spell; numbers where two are alike or one lies inside
    another.

    >>> paths_of_names([Variable([0.0], name="kernel"), Variable([0.0], name="bias")])
    [('kernel',), ('bias',)]
    """
    paths = [tuple(v.path.split("/")) for v in variables]
    inner = {path[:k] for path in paths for k in range(1, len(path))}
    if len(set(paths)) < len(paths) or inner.intersection(paths):
        return [(i,) for i in range(len(variables))]
    return paths
