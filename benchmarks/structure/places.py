"""Where things lie below `jkeras/`: what has to change when files move.

A list may name the places before and after a move. Those that are not there count nothing, but one
of a list has to be there.
"""

AMBIENT_RUN = ["core/frame.py", "core/weights/frame.py"]
KERNEL = "kernel"
# What `core` is, or has become.
CORE = ["core", KERNEL, "names", "graph", "shell"]
# The code of values, before there is a kernel: keys, samples, masks of rows, trees by path, specs.
VALUES = [
    KERNEL,
    "core/draws.py",
    "core/sampling.py",
    "core/session/sampling.py",
    "core/rng.py",
    "core/weights/rng.py",
    "core/rows.py",
    "core/shares.py",
    "core/tree.py",
    "core/weight.py",
]
# What the class `Layer` consists of: itself, the pure interface, its weights, children and calls.
LAYER_BASE = [
    "core/layer.py",
    "core/layer/contract.py",
    "core/pure.py",
    "core/layer/pure.py",
    "core/view.py",
    "core/layer/view.py",
    "core/module.py",
    "core/weights/module.py",
    "core/paths.py",
    "core/weights/paths.py",
    "core/call.py",
    "core/run/call.py",
    "core/adapting.py",
    "core/run/adapting.py",
    "core/layer_config.py",
    "core/layer/layer_config.py",
    "core/running.py",
    "core/run/running.py",
    "core/making.py",
    "core/layer/making.py",
    "core/masking.py",
    "core/layer/masking.py",
    "core/eager.py",
    "core/run/eager.py",
    "core/weight_trees.py",
    "core/weights/weight_trees.py",
    "core/stateless.py",
    "core/layer/stateless.py",
    "core/legacy_shape.py",
    "core/layer/legacy_shape.py",
    "core/context.py",
    "core/run/context.py",
    "core/plain.py",
    "core/run/plain.py",
    "core/weight_lists.py",
    "core/weights/weight_lists.py",
    "core/stored_weights.py",
    "core/weights/stored_weights.py",
]
# What the class `Optimizer` consists of.
OPTIMIZER_BASE = [
    "optimizers/base.py",
    "optimizers/applying.py",
    "optimizers/building.py",
    "optimizers/adding.py",
    "optimizers/stored_variables.py",
    "optimizers/transform.py",
    "optimizers/transform",
    "optimizers/lifting.py",
    "optimizers/variables.py",
    "optimizers/layout.py",
    "optimizers/fields.py",
]
# The classes that `Layer` and `Optimizer` are and inherit from, but for `Record`.
BASE_CLASSES = {
    "Layer",
    "PureInterface",
    "LayerConfig",
    "WeightView",
    "Module",
    "Optimizer",
    "Transform",
    "StateVariables",
    "Layout",
    "Rule",
}
TYPED = [KERNEL, "training", "optimizers", "losses", "metrics"]
# What dispatches the steps of `fit`; a pass over the data must not come back to it.
RUNNER = ["training/loop.py", "training/loop/loop.py"]
# Functions by name, in turn under whatever names they have had.
STATE_LAYOUT = ["Plan.__init__", "StateLayout.__init__"]
OPTIMIZER_STEP = ["Transform._step", "Optimizer.step"]
