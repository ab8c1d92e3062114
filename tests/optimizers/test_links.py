"""Each link of an optimizer's chain alone, against numpy, a closed form or optax."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jkeras.optimizers import loss_scale, schedules, transform
from jkeras.optimizers.transform.constraining import constrain

PARAMS = {"dense": {"bias": jnp.array([1.0, -2.0]), "kernel": jnp.array([[0.5, 3.0]])}}
GRADS = {"dense": {"bias": jnp.array([3.0, 4.0]), "kernel": jnp.array([[0.1, -0.2]])}}
MISSING = {"dense": {"bias": GRADS["dense"]["bias"], "kernel": None}}


def now(count=0, rate=0.1):
    """What the links inside `scheduled` are told."""
    return {"count": jnp.asarray(count), "learning_rate": jnp.asarray(rate, "float32")}


def close(mine, theirs):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), mine, theirs)
    assert jax.tree.structure(mine) == jax.tree.structure(theirs)


def descent():
    """`p - rate * g`, the plainest rule."""

    class Descent(transform.Rule):
        def rule(self, g, p, s, lr, t):
            return p - lr * g, {}

    return transform.follow(Descent())


def moved(rate, grads=GRADS, params=PARAMS):
    return jax.tree.map(lambda p, g: p - rate * g, params, grads)


# ---------------------------------------------------------------- what changes gradients only


def test_clip_by_norm_is_of_each_gradient():
    clipped, state = transform.clip_by_norm(1.0).update(GRADS, {})
    norm = np.linalg.norm(GRADS["dense"]["kernel"])
    assert norm < 1.0
    close(clipped["dense"]["bias"], np.array([0.6, 0.8]))
    close(clipped["dense"]["kernel"], np.asarray(GRADS["dense"]["kernel"]))
    assert state == {}


def test_clip_by_norm_has_a_derivative_at_zero():
    link = transform.clip_by_norm(1.0)
    slope = jax.grad(lambda g: link.update(g, {})[0].sum())(jnp.zeros(3))
    assert np.all(np.isfinite(slope))


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (transform.clip_by_value(0.5), optax.clip(0.5)),
        (transform.clip_by_global_norm(0.5), optax.clip_by_global_norm(0.5)),
        (transform.clip_by_global_norm(9.0), optax.clip_by_global_norm(9.0)),
        (transform.unscale(8.0), optax.scale(1 / 8)),
    ],
    ids=["value", "global norm", "small global norm", "loss scale"],
)
def test_as_in_optax(mine, theirs):
    ours, _ = mine.update(GRADS, mine.init(PARAMS), PARAMS)
    close(ours, theirs.update(GRADS, theirs.init(PARAMS))[0])


@pytest.mark.parametrize("wrong", [np.inf, np.nan])
def test_a_global_norm_that_is_not_finite_makes_all_nan(wrong):
    """As in Keras, so that a broken step shows."""
    grads = {"a": jnp.array([wrong]), "b": jnp.array([1.0])}
    clipped, _ = transform.clip_by_global_norm(1.0).update(grads, {})
    assert np.isnan(clipped["b"]).all()


@pytest.mark.parametrize(
    "link",
    [
        transform.clip_by_norm(1.0),
        transform.clip_by_value(1.0),
        transform.clip_by_global_norm(1.0),
        transform.unscale(2.0),
    ],
)
def test_a_missing_gradient_stays_missing(link):
    assert link.update(MISSING, {}, PARAMS)[0]["dense"]["kernel"] is None


# ---------------------------------------------------------------- what runs an inner transform


def test_decay_takes_its_share_of_the_parameter_before_the_rule():
    new, _ = transform.decay_weights(descent(), 0.5).step(GRADS, {"slots": {}}, PARAMS, **now())
    shrunk = jax.tree.map(lambda p: p - 0.1 * 0.5 * p, PARAMS)
    close(new, moved(0.1, params=shrunk))
    theirs = optax.chain(optax.add_decayed_weights(0.5), optax.sgd(0.1))
    updates, _ = theirs.update(GRADS, theirs.init(PARAMS), PARAMS)
    close(new, optax.apply_updates(PARAMS, updates))


@pytest.mark.parametrize(
    "exclude", [lambda leaf: leaf.name == "bias", lambda leaf: leaf.path == "dense/bias"]
)
def test_decay_excludes_by_name_or_path(exclude):
    link = transform.decay_weights(descent(), 0.5, exclude)
    new, _ = link.step(GRADS, {"slots": {}}, PARAMS, **now())
    close(new["dense"]["bias"], moved(0.1)["dense"]["bias"])
    assert not np.allclose(new["dense"]["kernel"], moved(0.1)["dense"]["kernel"])


def test_decay_rate_may_depend_on_the_parameter():
    def rate(p, leaf):
        return 0.5 if p.ndim == 2 else None

    new, _ = transform.decay_weights(descent(), rate).step(GRADS, {"slots": {}}, PARAMS, **now())
    close(new["dense"]["bias"], moved(0.1)["dense"]["bias"])
    shrunk = PARAMS["dense"]["kernel"] * 0.95
    close(new["dense"]["kernel"], shrunk - 0.1 * GRADS["dense"]["kernel"])


def test_decay_leaves_what_has_no_gradient():
    new, _ = transform.decay_weights(descent(), 0.5).step(MISSING, {"slots": {}}, PARAMS, **now())
    assert new["dense"]["kernel"] is PARAMS["dense"]["kernel"]


def test_accumulation_moves_every_third_call_along_the_mean():
    mine = transform.scheduled(transform.accumulate(descent(), 3), 0.1)
    theirs = optax.MultiSteps(optax.sgd(0.1), 3)
    params, state = PARAMS, mine.init(PARAMS)
    other, other_state = PARAMS, theirs.init(PARAMS)
    for call in range(7):
        grads = jax.tree.map(lambda g, call=call: g * (call + 1), GRADS)
        params, state = mine.step(grads, state, params)
        updates, other_state = theirs.update(grads, other_state, other)
        other = optax.apply_updates(other, updates)
        close(params, other)
    assert int(state["iterations"]) == 7
    close(state["accumulators"], jax.tree.map(lambda g: g * 7, GRADS))


def test_accumulation_tells_the_count_of_steps_and_keeps_what_has_no_gradient():
    counts = []

    def step(grads, state, params, *, count, **extra):
        counts.append(count)
        return params, {**state, "last": count}

    inner = transform.stepping(lambda params, variables: {"last": jnp.array(0)}, step)
    link = transform.accumulate(inner, 2)
    state = {**link.init(PARAMS), "accumulators": jax.tree.map(jnp.ones_like, PARAMS)}
    _, state = link.step(MISSING, state, PARAMS, count=jnp.array(5))
    assert int(state["last"]) == 2
    assert (state["accumulators"]["dense"]["kernel"] == 1).all()
    assert (state["accumulators"]["dense"]["bias"] == 0).all()


def test_accumulation_of_one_call_is_refused():
    with pytest.raises(ValueError, match="must be an integer >= 2"):
        transform.accumulate(descent(), 1)


def test_averages_start_from_the_first_step_and_forget_exponentially():
    link = transform.scheduled(transform.average(descent(), 0.9), 0.1)
    params, state, mean = PARAMS, link.init(PARAMS), None
    for _ in range(4):
        params, state = link.step(GRADS, state, params)
        old = params if mean is None else mean
        mean = jax.tree.map(lambda a, p: 0.9 * a + 0.1 * p, old, params)
    close(state["ema"], mean)
    close(params, moved(0.4))


def test_averages_overwrite_the_parameters_every_second_step():
    link = transform.scheduled(transform.average(descent(), 0.5, overwrite_every=2), 0.1)
    one, state = link.step(GRADS, link.init(PARAMS), PARAMS)
    close(one, moved(0.1))
    two, state = link.step(GRADS, state, one)
    close(two, state["ema"])
    close(two, moved(0.15))  # the mean of one and two steps


def test_averages_count_steps_of_several_calls():
    link = transform.average(transform.accumulate(descent(), 2), 0.9, calls=2)
    state = link.init(PARAMS)
    for call in range(3):  # until the second step the average is the parameters
        params, state = link.step(GRADS, state, PARAMS, **now(call))
        if call < 2:
            close(state["ema"], params)
    assert not np.allclose(state["ema"]["dense"]["bias"], params["dense"]["bias"])


@pytest.mark.parametrize("given", [{"momentum": 1.5}, {"overwrite_every": 0.5}])
def test_averages_refuse(given):
    with pytest.raises(ValueError, match="ema_"):
        transform.average(descent(), **given)


def test_a_schedule_is_told_and_counted():
    rate = schedules.ExponentialDecay(0.1, 1, 0.5)
    link = transform.scheduled(descent(), rate)
    params, state = PARAMS, link.init(PARAMS)
    assert set(state) == {"iterations", "slots"}
    for _ in range(3):
        params, state = link.step(GRADS, state, params)
    close(params, moved(0.1 + 0.05 + 0.025))
    assert int(state["iterations"]) == 3


def test_a_rate_of_the_state_can_be_replaced():
    link = transform.scheduled(descent(), 0.1)
    state = {**link.init(PARAMS), "learning_rate": jnp.asarray(0.3)}
    close(link.step(GRADS, state, PARAMS)[0], moved(0.3))


def test_no_gradient_at_all_is_an_error():
    link = transform.scheduled(descent(), 0.1, owner="mine")
    with pytest.raises(ValueError, match="mine: No gradients"):
        link.step({"dense": {"bias": None, "kernel": None}}, link.init(PARAMS), PARAMS)


def variables(**given):
    """What the pure interface knows of two variables."""
    base = {"overwrite_with_gradient": False, "constraint": None}
    bias = types.SimpleNamespace(name="bias", path="dense/bias", **{**base, **given})
    return {"dense": {"bias": bias, "kernel": types.SimpleNamespace(**{**vars(bias), **base})}}


def test_what_is_overwritten_becomes_its_gradient_and_no_rule_sees_it():
    link = transform.overwrite(transform.chain(transform.clip_by_value(0.1), descent()))
    known = variables(overwrite_with_gradient=True)
    new, _ = link.step(GRADS, link.init(PARAMS, known), PARAMS, variables=known, **now())
    close(new["dense"]["bias"], np.array([3.0, 4.0]))
    close(new["dense"]["kernel"], PARAMS["dense"]["kernel"] - 0.1 * np.array([[0.1, -0.1]]))


def test_constraints_hold_what_moved():
    known = variables(constraint=lambda p: jnp.maximum(p, 0.0))
    link = constrain(descent())
    new, _ = link.step(GRADS, {"slots": {}}, PARAMS, variables=known, **now())
    close(new["dense"]["bias"], np.array([0.7, 0.0]))
    none = {"dense": {"bias": None, "kernel": GRADS["dense"]["kernel"]}}
    new, _ = link.step(none, {"slots": {}}, PARAMS, variables=known, **now())
    close(new["dense"]["bias"], np.array([1.0, -2.0]))


def test_a_loss_scale_grows_and_falls():
    link = loss_scale.dynamic_scale(transform.scheduled(descent(), 0.1), 4.0, 2)
    state = link.init(PARAMS)
    scaled = jax.tree.map(lambda g: g * 4, GRADS)
    params, state = link.step(scaled, state, PARAMS)
    close(params, moved(0.1))
    broken = jax.tree.map(lambda g: g * jnp.inf, GRADS)
    same, state = link.step(broken, state, params)
    close(same, params)
    assert float(state["scalars"]["dynamic_scale"]) == 2.0
    assert int(state["inner"]["iterations"]) == 1
    for _ in range(2):
        params, state = link.step(GRADS, state, params)
    assert float(state["scalars"]["dynamic_scale"]) == 4.0


# ---------------------------------------------------------------- rules and chains


def test_a_rule_with_slots_and_scalars():
    class Momentum(transform.Rule):
        scalar_names = ("steps",)

        def slot_groups(self):
            return (("speed",),)

        def scalars(self, leaves):
            return {"steps": jnp.zeros(())}

        def advance(self, scalars, t):
            return {"steps": scalars["steps"] + t}

        def rule(self, g, p, s, lr, t):
            speed = 0.9 * s["speed"] + g
            return p - lr * speed, {"speed": speed}

    mine = transform.scheduled(transform.follow(Momentum()), 0.1)
    theirs = optax.sgd(0.1, momentum=0.9)
    params, state, other = PARAMS, mine.init(PARAMS), theirs.init(PARAMS)
    wanted = PARAMS
    for _ in range(3):
        params, state = mine.step(GRADS, state, params)
        updates, other = theirs.update(GRADS, other)
        wanted = optax.apply_updates(wanted, updates)
    close(params, wanted)
    assert float(state["scalars"]["steps"]) == 1 + 2 + 3
    _, after = mine.step(MISSING, state, params)
    kept = after["slots"]["speed"]["dense"]["kernel"]
    close(kept, state["slots"]["speed"]["dense"]["kernel"])


def test_a_rule_is_traced_once_for_a_shape():
    traces = []

    class Counting(transform.Rule):
        def rule(self, g, p, s, lr, t):
            traces.append(p.shape)
            return p - lr * g, {}

    params = {str(i): jnp.ones((2, 3) if i % 2 else (4,)) for i in range(10)}
    link = transform.follow(Counting())
    jax.jit(lambda p: link.step(p, link.init(p), p, **now()))(params)
    assert sorted(traces) == [(2, 3), (4,)]


@pytest.mark.promise("`jkeras.optimizers.transform` has the")
def test_a_chain_is_its_links_one_after_another():
    link = transform.chain(transform.unscale(2.0), transform.clip_by_value(1.0), descent())
    new, _ = link.step(GRADS, link.init(PARAMS), PARAMS, **now())
    close(new, moved(0.1, jax.tree.map(lambda g: jnp.clip(g / 2, -1, 1), GRADS)))
    updates, _ = link.update(GRADS, link.init(PARAMS), PARAMS, **now())
    close(updates, jax.tree.map(lambda a, b: a - b, new, PARAMS))


def test_a_chain_of_gradients_only_is_no_step():
    link = transform.chain(transform.unscale(2.0), transform.clip_by_value(1.0))
    close(link.update(GRADS, {})[0], jax.tree.map(lambda g: jnp.clip(g / 2, -1, 1), GRADS))


def test_a_step_gives_the_rule_to_the_bit():
    """`p + (new - p)` rounds: the chain hands `new` itself on."""

    class Replace(transform.Rule):
        def rule(self, g, p, s, lr, t):
            return g, {}

    small, large = {"w": jnp.full(1, 1e-8)}, {"w": jnp.full(1, 1.0)}
    link = transform.chain(transform.unscale(1.0), transform.follow(Replace()))
    new, _ = link.step(small, link.init(large), large, **now())
    assert new["w"] == small["w"]
    updates, _ = link.update(small, link.init(large), large, **now())
    assert optax.apply_updates(large, updates)["w"] != small["w"]


def test_params_are_needed_to_move_them():
    with pytest.raises(ValueError, match=r"update\(grads, state, params\)"):
        descent().update(GRADS, {"slots": {}}, **now())


@pytest.mark.promise("`from_optax` makes one of any transform")
def test_a_link_of_optax_keeps_its_state_under_its_name():
    inner = transform.from_optax(optax.adam(0.1), name="adam")
    link = transform.chain(transform.clip_by_value(1.0), inner)
    theirs = optax.chain(optax.clip(1.0), optax.adam(0.1))
    state, other = link.init(PARAMS), theirs.init(PARAMS)
    assert set(state) == {"adam"}
    for _ in range(2):
        updates, state = link.update(GRADS, state, PARAMS)
        wanted, other = theirs.update(GRADS, other, PARAMS)
        close(updates, wanted)
