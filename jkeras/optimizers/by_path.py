"""Optimizers whose state is a tree like the parameters of a model, known by their paths in it.

What an optax transformation does may depend on names (masks, `multi_transform`), so it is built
with the tree that it is stepped with.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from jkeras.core.variable import Variable
from jkeras.optimizers.transform.leaves import Path


class ByPath:
    """Part of an optimizer that arranges parameters by their paths in the model.

    Attributes:
        parameter_paths: of the variables that it is built for.
    """

    parameter_paths = None

    def build(self, variables: Iterable[Variable]):
        """Creates the variables; parameters are known by their names if by nothing else."""
        variables = list(variables)
        if self.parameter_paths is None:
            self.parameter_paths = paths_of_names(variables)
        super().build(variables)

    def _order(self) -> list[Path]:
        return self.parameter_paths


def build_by_path(optimizer: Any, variables: Iterable[Variable], paths: Iterable[Path]):
    """Builds an optimizer for variables that have these paths in their model.

    One that was built by hand, for other paths of the same variables, is built again and keeps its
    values.
    """
    variables, paths = list(variables), list(paths)
    if not isinstance(optimizer, ByPath):
        optimizer.build(variables)
        return
    if optimizer.built and optimizer.parameter_paths != paths:
        _build_again(optimizer, variables, paths)
        return
    optimizer.parameter_paths = paths
    optimizer.build(variables)


def rebuild_by_path(optimizer: Any, variables: Iterable[Variable], paths: Iterable[Path]):
    """Builds an optimizer for other variables of its model; what it knows of those that stay is
    kept.
    """
    if isinstance(optimizer, ByPath):
        optimizer.parameter_paths = list(paths)
    optimizer.rebuild(variables)


def takes_loss(optimizer: Any) -> bool:
    """Whether its `step` is told the loss: an optax transformation inside may want it."""
    inner = [getattr(optimizer, "inner_optimizer", None), *getattr(optimizer, "optimizers", ())]
    return getattr(optimizer, "takes_loss", False) or any(o and takes_loss(o) for o in inner)


def _build_again(optimizer: Any, variables: Sequence[Variable], paths: Sequence[Path]):
    """For other paths; what is known of the same number of arrays of the same shapes stays."""
    values = [v.value for v in optimizer.variables]
    optimizer.parameter_paths = paths
    optimizer.rebuild(variables)
    new = optimizer.variables
    if [v.shape for v in values] != [tuple(v.shape) for v in new]:
        return
    for variable, value in zip(new, values):
        variable.assign(value)


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
