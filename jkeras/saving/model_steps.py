"""Models in a folder of steps, in the form that Keras's `OrbaxCheckpoint` writes and reads."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from jkeras.core.names import registry
from jkeras.kernel import tree
from jkeras.core.errors import SerializationError
from jkeras.optimizers.by_path import build_of_model
from jkeras.saving import arrays, assets, safe_json
from jkeras.core.weights.assigning import load_all
from jkeras.saving.newest import read_newest, read_one
from jkeras.saving.moment import at_one_moment
from jkeras.saving.step_store import StepStore
from jkeras.saving.steps import StructureMismatch
from jkeras.saving.words import TEXT, check_words, listing
from jkeras.saving.optimizers_of_code import with_optimizer
from jkeras.saving.types import FilePath, Model, Path, Texts

if TYPE_CHECKING:
    from jkeras.core.weights.variable import Variable

PYTREE = "pytree"
ORDER = "order"
CONFIG = "model_config"
ASSETS = "assets"
GROUPS = (
    "trainable_variables",
    "non_trainable_variables",
    "optimizer_variables",
    "metrics_variables",
)


class ModelSteps(StepStore):
    """Saves and restores the variables of models, their configs and assets, under numbers.

    Args:
        folder: made with the first save.
        max_to_keep: how many checkpoints stay; None: all.
        background: write while the training goes on.
    """

    def __init__(
        self, folder: FilePath, max_to_keep: int | None = None, background: bool = True
    ) -> None:
        super().__init__(folder, ORDER, background)
        self.max_to_keep = max_to_keep

    def all_steps(self) -> list[int]:
        """The numbers of the checkpoints, in order."""
        return self.steps()

    def save(self, step: int, model: Any, weights_only: bool = False) -> None:
        """Saves a model under a number.

        Args:
            weights_only: without the optimizer, the metrics and the config.
        """
        self.wait()
        self.lock()
        with at_one_moment(model):
            state = model.get_state_tree()
        order = {
            group: [v.path for v in variables] for group, variables in model._state_groups().items()
        }
        texts = {ORDER: order}
        if weights_only:
            state = {group: state[group] for group in GROUPS[:2]}
        else:
            with registry.sharing():
                texts[CONFIG] = {"config": json.dumps(registry.serialize(model))}
            record = model.private_record()
            if record is not None:
                texts[CONFIG]["privacy"] = record
        trees = {PYTREE: {group: values for group, values in state.items() if values}}
        files = {} if weights_only else assets.collect(model)
        if files:
            trees[ASSETS] = tree.unflatten(
                (tuple(name.split("/")[1:]), np.frombuffer(content, np.uint8))
                for name, content in files.items()
            )
        self._put(step, trees, texts)

    def _clean(self, step: int, texts: Texts) -> None:
        self.step_folder.keep(step, self.max_to_keep, lambda old: False)

    def restore(self, model: Model, step: int | None = None) -> None:
        """Puts the variables of a checkpoint, by default of the newest that is whole, into a model.

        Variables are matched by their order, whatever their names; in checkpoints of Keras by their
        paths.

        Raises:
            FileNotFoundError: no checkpoint.
            SerializationError (a ValueError): none that is whole.
            ValueError: the checkpoint of another model.
        """
        if model.optimizer is not None and not model.optimizer.built:
            build_of_model(model)
        self.wait()
        readers = [(self.step_folder, lambda number: self._restore(model, number))]
        return read_newest(readers) if step is None else read_one(readers, step)

    def _restore(self, model: Model, step: int) -> None:
        folder = self.step_folder.path_of(step)
        saved = arrays.shapes(folder, PYTREE)
        order = None
        if arrays.has(folder, ORDER):
            order = arrays.read_text(folder, ORDER)
            kinds = dict.fromkeys(GROUPS, listing(TEXT))
            check_words(order, kinds, f"{folder}: its part '{ORDER}'", optional=GROUPS)
        targets = {}
        for group in GROUPS[:3]:
            inside = {path[1:]: path for path in saved if path[0] == group}
            if inside:
                targets |= self._match(step, model, group, inside, order)
        for path, variable in targets.items():
            if saved[path][0] != tuple(variable.shape):
                raise self._of_another(
                    step,
                    model,
                    f"{'/'.join(path[1:])} has the shape {saved[path][0]}, "
                    f"'{variable.path}' {tuple(variable.shape)}",
                )
        values = arrays.read(folder, PYTREE, {path: (*kind, None) for path, kind in saved.items()})
        load_all((variable, values[path]) for path, variable in targets.items())

    def _match(
        self,
        step: int,
        model: Any,
        group: str,
        inside: dict[Path, Path],
        order: dict[str, list[str]] | None,
    ) -> "dict[Path, Variable]":
        """{path in the checkpoint: variable} for a group.

        Args:
            inside: {path in the group: path}.
            order: {group: paths in the order of the variables}; None: the variables' own paths.
        """
        variables = model._state_groups()[group]
        if order is None:
            names = [variable.path for variable in variables]
        else:
            names = order.get(group, [])
        paths = [tuple(name.split("/")) for name in names]
        if len(paths) != len(variables) or set(paths) != set(inside):
            if group == GROUPS[2]:
                return {}  # of another optimizer, or none: the weights count
            raise self._of_another(
                step,
                model,
                f"its {group} are {sorted('/'.join(p) for p in inside)}, those of the "
                f"model {sorted(v.path for v in variables)}",
            )
        return {inside[path]: variable for path, variable in zip(paths, variables)}

    def _of_another(self, step: int, model: Model, why: str) -> StructureMismatch:
        return StructureMismatch(
            f"The checkpoint of step {step} in {self.folder} belongs to another model than "
            f"'{model.name}': {why}."
        )

    def load_model(
        self,
        custom_objects: dict[str, Any] | None = None,
        compile: bool = True,
        safe_mode: bool = True,
        optimizer: Any = None,
    ) -> Any:
        """The model of the newest checkpoint that is whole."""

        def load(step: int) -> Any:
            return self._load(step, custom_objects, compile, safe_mode, optimizer)

        return read_newest([(self.step_folder, load)], "model")

    def _load(
        self,
        step: int,
        custom_objects: dict[str, Any] | None,
        compile: bool,
        safe_mode: bool,
        optimizer: Any,
    ) -> Any:
        folder = self.step_folder.path_of(step)
        if not arrays.has(folder, CONFIG):
            raise SerializationError(
                "it has the weights alone, no architecture: build the model and use "
                "`model.load_weights`"
            )
        described = arrays.read_text(folder, CONFIG)
        if not isinstance(described, dict) or not isinstance(described.get("config"), str):
            raise SerializationError("its architecture is damaged")
        config = safe_json.loads(described["config"], "its config", finite=safe_mode)
        if not isinstance(config, dict):
            raise SerializationError("its architecture is damaged")
        compiled = with_optimizer(config.pop("compile_config", None), optimizer)
        if compile and compiled:
            config["compile_config"] = compiled
        with registry.loading(safe_mode):
            with registry.sharing():
                model = registry.deserialize(config, custom_objects, safe_mode)
            self._restore(model, step)
            if "privacy" in described:
                model.take_private_record(described["privacy"])
            if arrays.has(folder, ASSETS):
                _restore_assets(model, folder)
        return model


def _restore_assets(model: Any, folder: str) -> None:
    kinds = {path: (*kind, None) for path, kind in arrays.shapes(folder, ASSETS).items()}
    files = {
        assets.PREFIX + "/".join(path): value
        for path, value in arrays.read(folder, ASSETS, kinds).items()
    }
    assets.restore(model, files, lambda name: np.asarray(files[name], np.uint8).tobytes())
