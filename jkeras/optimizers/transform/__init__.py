"""Optimizers as chains of links, each a pair of pure functions, `init` and `update`, as in optax.

`jkeras.optimizers.Adam(1e-3, clipnorm=1.0).transform` is such a chain, made from the optimizer's
hyper-parameters, and stands wherever optax wants a transformation:

>>> import jax.numpy as jnp, optax
>>> from jkeras.optimizers import Adam
>>> adam, params = optax.chain(optax.clip(1.0), Adam(0.5).transform), {"w": jnp.ones(1)}
>>> updates, state = adam.update({"w": jnp.full(1, 9.0)}, adam.init(params), params)
>>> print(optax.apply_updates(params, updates)["w"].round(3))
[0.5]

The links alone make other chains; one of optax is a link, too:

>>> inner = accumulate(chain(clip_by_norm(1.0), from_optax(optax.sgd(0.5))), steps=2)
>>> sgd = scheduled(average(inner, momentum=0.9), learning_rate=0.5)
>>> state = sgd.init(params)
>>> for gradient in (2.0, 4.0):
...     params, state = sgd.step({"w": jnp.full(1, gradient)}, state, params)
>>> print(params["w"], sorted(state))
[0.5] ['accumulators', 'ema', 'iterations', 'learning_rate', 'optax']

The state of a chain is one dict, to which each link adds its entries. Links that take an `inner`
transform run it on other gradients or parameters, or less often. `scheduled` stands outermost and
tells the others the `count` of calls and the `learning_rate`.
"""

from jkeras.core.names.exports import exported
from jkeras.optimizers.transform.accumulation import accumulate
from jkeras.optimizers.transform.averaging import average
from jkeras.optimizers.transform.clipping import clip_by_global_norm, clip_by_norm, clip_by_value
from jkeras.optimizers.transform.decay import decay_weights
from jkeras.optimizers.transform.leaves import Leaf
from jkeras.optimizers.transform.loss_scale import unscale
from jkeras.optimizers.transform.optax_link import from_optax
from jkeras.optimizers.transform.overwriting import overwrite
from jkeras.optimizers.transform.pair import Transform, chain, stateless, stepping
from jkeras.optimizers.transform.rule import Rule, follow
from jkeras.optimizers.transform.schedule import scheduled

__all__ = exported(globals())
