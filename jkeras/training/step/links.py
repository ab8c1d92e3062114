"""A training step as a chain: the step itself, and around it links, functions from a step to a
step, as optax chains transformations of gradients.
"""

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax

from jkeras.core.errors import explain
from jkeras.training.data.source import Batch
from jkeras.training.step.attack import attacked
from jkeras.training.step.batch_loss import GradientLink
from jkeras.training.step.layout import LazyLayout, StateLayout
from jkeras.training.step.microbatches import InMicrobatches
from jkeras.training.step.nonfinite import guarded
from jkeras.training.step.offload import is_offloaded, offloaded
from jkeras.training.step.results import metric_logs
from jkeras.training.step.state import TrainState
from jkeras.training.types import Logs

if TYPE_CHECKING:
    from jkeras.training.shell.trainer import Trainer

Step = Callable[..., tuple[TrainState, Logs]]
Link = Callable[[Step], Step]


def chained(step: Step, links: Sequence[Link]) -> Step:
    """The step with links around it, the first one innermost.

    >>> def twice(step):
    ...     return lambda state: step(step(state))
    >>> chained(lambda state: state + 1, [twice, twice])(0)
    4
    """
    for link in links:
        step = link(step)
    return step


def links_of(model: "Trainer") -> list[Link]:
    """The links around the training step of a compiled model: those that `compile` was given, then
    what leaves out steps with NaN, those that packages above bring, what moves the optimizer's
    state.
    """
    links = own_links_of(model)
    if model.compilation.nonfinite is not None:
        links.append(functools.partial(guarded, model=model, logs_of=_metrics_of(model)))
    links += model.extra_links()
    if is_offloaded():
        links.append(functools.partial(offloaded, lazy_layout=LazyLayout(model)))
    return links


def own_links_of(model: "Trainer") -> list[Link]:
    """The links that `compile` was given."""
    return [functools.partial(_checked, link) for link in model.compilation.links]


def gradient_links(model: "Trainer") -> list[GradientLink]:
    """The links around the gradient of a training step: what takes it at the inputs that an attack
    makes, then what takes it in microbatches, each of which is attacked.
    """
    compilation = model.compilation
    links: list[GradientLink] = []
    if compilation.adversarial is not None:
        links.append(functools.partial(attacked, attack=compilation.adversarial))
    if compilation.microbatches > 1:
        links.append(functools.partial(InMicrobatches, count=compilation.microbatches))
    return links


def _metrics_of(model: "Trainer") -> Callable[[TrainState], Logs]:
    return lambda state: metric_logs(model, StateLayout(model), state)


# ---------------------------------------------------------------- a user's own


def check_links(links: Any) -> tuple[Link, ...]:
    """The links that `compile` was given.

    Raises:
        ValueError: they are no functions in a list or tuple.
    """
    if isinstance(links, (list, tuple)) and all(map(callable, links)):
        return tuple(links)
    expected = "`steps` to be a list of functions `step -> step`"
    raise ValueError(explain("compile", expected, f"{links!r}"))


def _checked(link: Link, step: Step) -> Step:
    """A user's link around a step, of which it is seen that what comes out is what goes in."""
    own = link(step)
    if not callable(own):
        raise ValueError(explain(_name_of(link), "a step, `(state, batch) -> (state, logs)`", own))

    @functools.wraps(own)
    def checked_step(
        state: TrainState, batch: Batch, rows: jax.Array | None = None
    ) -> tuple[TrainState, Logs]:
        returned = own(state, batch) if rows is None else own(state, batch, rows)
        is_pair = isinstance(returned, tuple) and len(returned) == 2
        if not is_pair or not isinstance(returned[0], TrainState):
            expected, received = "to return `(state, logs)`", type(returned).__name__
            raise ValueError(explain(_name_of(link), expected, received))
        new, logs = returned
        if not isinstance(logs, dict):
            expected, received = "to return `(state, logs)`, logs as a dict", type(logs).__name__
            raise ValueError(explain(_name_of(link), expected, received))
        _check_alike(link, state, new)
        return new, logs

    return checked_step


def _check_alike(link: Link, old: TrainState, new: TrainState) -> None:
    """Raises ValueError where a state has another structure, shape or dtype than the one before."""
    before, after = (jax.tree_util.tree_flatten_with_path(each)[0] for each in (old, new))
    if [path for path, _ in before] != [path for path, _ in after]:
        expected, received = "a state of the structure that it is given", "another one"
        raise ValueError(explain(_name_of(link), expected, received))
    for (path, value), (_, other) in zip(before, after):
        like, form = _form(value), _form(other)
        if like != form:
            where = jax.tree_util.keystr(path)
            raise ValueError(explain(_name_of(link), f"{like} at `state{where}`", form))


def _form(value: Any) -> str:
    array = jax.typeof(value)
    return f"{array.dtype}{list(array.shape)}"


def _name_of(link: Link) -> str:
    return f"compile(steps=[{getattr(link, '__name__', link)}])"
