# %% [markdown]
# # CartPole: a deep Q-network as one program
#
# A network learns the return that each action leads to, from steps that it remembers, with a second
# network that follows slowly as its target (Mnih et al., Nature 2015; van Hasselt et al., AAAI
# 2016). The pole is that of Barto, Sutton and Anderson (1983); `CartPole-v1` of gymnasium is solved
# at a mean return of 475 of 500.
#
# It runs without a network or gymnasium: the pole is twenty lines of JAX. So the pole, the memory
# and the training are one compiled program. Full form: under a minute on a CPU.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jkeras
from jkeras import layers

# %% parameters
SEEDS, STEPS = 5, 50_000

# %% [markdown]
# ## 1. The pole
#
# A body is position, speed, angle and angular speed. A step is 0.02 seconds of a push to the left
# or to the right.

# %%
LIMIT, TICK = 500, 0.02


def begin(key):
    """A pole that stands nearly upright."""
    return jax.random.uniform(key, (4,), minval=-0.05, maxval=0.05)


def push(body, action):
    """(the body after a step, whether the pole fell)."""
    _, speed, angle, turning = body
    sine, cosine, force = jnp.sin(angle), jnp.cos(angle), jnp.where(action == 1, 10.0, -10.0)
    pull = (force + 0.05 * turning**2 * sine) / 1.1
    bend = (9.8 * sine - cosine * pull) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
    pull = pull - 0.05 * bend * cosine / 1.1
    body = body + TICK * jnp.stack([speed, pull, turning, bend])
    return body, (jnp.abs(body[0]) > 2.4) | (jnp.abs(body[2]) > 12 * jnp.pi / 180)


# %% [markdown]
# ## 2. The network
#
# It gives the expected return of both actions, in units of the largest one.

# %%
scaled = layers.Normalization(mean=np.zeros(4), variance=[1.0, 1.0, 0.01, 1.0])
dense = [layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(2)]
model = jkeras.Sequential([jkeras.Input((4,)), scaled, *dense])
optimizer = jkeras.optimizers.Adam(jkeras.optimizers.schedules.CosineDecay(1e-3, STEPS))
DISCOUNT = 0.99


def q(params, bodies):
    return model.apply(params, {}, bodies)[0]


def loss(params, slow, past):
    """Of remembered steps: what was expected, beside one step and what is expected after it."""
    chosen = q(params, past["after"]).argmax(-1, keepdims=True)
    later = jnp.take_along_axis(q(slow, past["after"]), chosen, -1)[:, 0]
    target = 1 - DISCOUNT + DISCOUNT * jnp.where(past["fell"], 0.0, later)
    expected = jnp.take_along_axis(q(params, past["body"]), past["action"][:, None], -1)[:, 0]
    # of a step that the limit cut off nothing is known
    return (past["known"] * (expected - jax.lax.stop_gradient(target)) ** 2).mean()


# %% [markdown]
# ## 3. Playing, remembering, learning
#
# Eight poles are pushed side by side. A share of the pushes is random: all at first, a fifth later.

# %%
WORLDS, BATCH, PARTS = 8, 128, 25


def play(params, worlds, share, key):
    """(the poles after a step, what is to be remembered of it)."""
    bodies, ages = worlds
    keys = jax.random.split(key, WORLDS + 2)
    tossed = jax.random.bernoulli(keys[0], 0.5, (WORLDS,))
    action = jnp.where(
        jax.random.bernoulli(keys[1], share, (WORLDS,)), tossed, best(params, bodies)
    )
    after, fell = jax.vmap(push)(bodies, action)
    over = fell | (ages + 1 >= LIMIT)
    known = fell | ~over
    past = {"body": bodies, "action": action, "after": after, "fell": fell, "known": known}
    fresh = jax.vmap(begin)(keys[2:])
    return (jnp.where(over[:, None], fresh, after), jnp.where(over, 0, ages + 1)), past


def best(params, bodies):
    return q(params, bodies).argmax(-1)


def learn(carry, given):
    (params, slow, opt_state, worlds, memory), (number, key) = carry, given
    keys = jax.random.split(key)
    worlds, past = play(params, worlds, jnp.maximum(0.2, 1 - number / 2500), keys[0])
    size = memory["fell"].shape[0]
    places = (number * WORLDS + jnp.arange(WORLDS)) % size
    memory = jax.tree.map(lambda rows, new: rows.at[places].set(new), memory, past)
    rows = jax.random.randint(keys[1], (BATCH,), 0, jnp.minimum((number + 1) * WORLDS, size))
    grads = jax.grad(loss)(params, slow, jax.tree.map(lambda all_: all_[rows], memory))
    params, opt_state = optimizer.step(grads, opt_state, params)
    slow = jax.tree.map(lambda old, new: 0.95 * old + 0.05 * new, slow, params)
    return (params, slow, opt_state, worlds, memory), None


# %% [markdown]
# ## 4. All seeds at once
#
# After each of 25 parts the policy plays a hundred episodes without random pushes. The best of the
# 25 is judged by a hundred new ones.


# %%
def episodes(params, key, count=100):
    """(bodies (steps, count, 4), how many steps each pole is up)."""

    def step(carry, _):
        bodies, up = carry
        after, fell = jax.vmap(push)(bodies, best(params, bodies))
        return (after, up & ~fell), (bodies, up)

    first = jax.vmap(begin)(jax.random.split(key, count)), jnp.ones(count, bool)
    _, (bodies, up) = jax.lax.scan(step, first, None, LIMIT)
    return bodies, up.sum(0)


def train(key):
    """(mean return after each part, that of the best policy in new episodes, the policy)."""
    keys = jax.random.split(key, STEPS + 4)
    params, _ = model.init(keys[0], jnp.zeros((1, 4)))
    worlds = jax.vmap(begin)(jax.random.split(keys[1], WORLDS)), jnp.zeros(WORLDS, int)
    _, past = play(params, worlds, 1.0, key)
    memory = jax.tree.map(lambda new: jnp.zeros((50_000, *new.shape[1:]), new.dtype), past)

    def part(carry, given):
        carry, _ = jax.lax.scan(learn, carry, given)
        return carry, (carry[1], episodes(carry[1], keys[2])[1].mean())

    given = jnp.arange(STEPS).reshape(PARTS, -1), keys[4:].reshape(PARTS, -1)
    carry = params, params, optimizer.init(params), worlds, memory
    _, (policies, returns) = jax.lax.scan(part, carry, given)
    chosen = jax.tree.map(lambda leaf: leaf[returns.argmax()], policies)
    return returns, episodes(chosen, keys[3])[1].mean(), chosen


run = jax.jit(jax.vmap(train))
returns, judged, policies = run(jax.random.split(jax.random.key(0), SEEDS))

# %% [markdown]
# ## 5. Returns, and the pole itself
#
# Below: four seconds of an episode that begins with a hard knock.

# %%
one = jax.tree.map(lambda leaf: leaf[0], policies)
body, shown = jnp.array([0.0, 0.5, 0.15, 0.5]), []
for _ in range(200):
    shown.append(np.asarray(body))
    body, _ = push(body, best(one, body[None])[0])
figure, (above, below) = plt.subplots(
    2, 1, figsize=(6.4, 4.2), height_ratios=(3, 1), layout="constrained"
)
above.axhline(475, color="0.7")
above.plot(STEPS * WORLDS / PARTS / 1000 * (1 + np.arange(PARTS)), returns.T, linewidth=1)
above.set(xlabel="thousands of pushes", ylabel="mean return (solved: 475)")
for number, (position, _, angle, _) in enumerate(shown[::14]):
    place = position + 0.7 * number
    below.plot([place - 0.2, place + 0.2], [0, 0], color="0.3", linewidth=4)
    below.plot([place, place + np.sin(angle)], [0, np.cos(angle)], color="C1", linewidth=2)
below.set(aspect="equal", xticks=[], yticks=[], xlabel="every 0.28 seconds, side by side")
plt.show()

# %% [markdown]
# ## 6. Beside what is called solved

# %%
print(f"mean return of the best policies: {judged.mean():.1f} (solved: 475, the most: 500)")
print(f"mean return of the last policies: {returns[:, -1].mean():.1f}")
print(f"mean return of the worst seed's best policy: {judged.min():.1f}")
print(f"mean return after the first part: {returns[:, 0].mean():.1f}")
