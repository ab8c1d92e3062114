"""Epsilons beside dp-accounting, and beside numbers that it and opacus gave."""

import math

import numpy as np
import pytest

from jkeras import privacy
from jkeras.privacy.accounting import ORDERS, divergence

Q, STEPS = 256 / 60000, 15 * 60000 // 256 + 1


def test_recorded():
    """Of dp-accounting 0.6.0 and opacus 1.6.0, for q = 256 / 60000, 15 epochs, delta 1e-5."""
    steps = round(15 * 60000 / 256)
    found = privacy.epsilon(noise_multiplier=1.1, q=Q, steps=steps, delta=1e-5)
    assert found == pytest.approx(1.2811442760, abs=2e-4)


@pytest.mark.promise("`epsilon` and `delta` bound")
@pytest.mark.parametrize("noise", [0.7, 1.1, 4.0])
@pytest.mark.parametrize("q", [0.001, 0.1, 0.5, 1.0])
def test_as_dp_accounting(noise, q):
    dp_accounting = pytest.importorskip("dp_accounting")
    from dp_accounting import rdp

    accountant = rdp.RdpAccountant(ORDERS)
    step = dp_accounting.PoissonSampledDpEvent(q, dp_accounting.GaussianDpEvent(noise))
    accountant.compose(dp_accounting.SelfComposedDpEvent(step, 200))
    wanted = accountant.get_epsilon(1e-6)
    found = privacy.epsilon(noise_multiplier=noise, q=q, steps=200, delta=1e-6)
    assert found == pytest.approx(wanted, rel=1e-9)


@pytest.mark.promise("`epsilon` and `delta` bound")
@pytest.mark.parametrize("order", [1.5, 2.0, 3.3, 7.9, 12.0])
@pytest.mark.parametrize("q, noise", [(0.01, 1.0), (0.2, 2.0), (0.6, 0.8)])
def test_divergence_by_integration(order, q, noise):
    """By its definition, the integral of the mixture's density to the order; between integers a
    bound, infinite where its series does not end.
    """
    x = np.linspace(-40 * noise, 40 * noise + order, 2_000_001)
    log_base = -((x / noise) ** 2) / 2
    ratio = np.logaddexp(math.log1p(-q), math.log(q) + (2 * x - 1) / (2 * noise**2))
    log_values = log_base + order * ratio
    top = log_values.max()
    total = top + math.log(np.exp(log_values - top).sum() * (x[1] - x[0]))
    wanted = (total - math.log(noise * math.sqrt(2 * math.pi))) / (order - 1)
    found = divergence(q, noise, order)
    if order.is_integer():
        assert found == pytest.approx(wanted, rel=1e-7, abs=1e-9)
    else:
        assert wanted - 1e-9 <= found  # a bound


@pytest.mark.promise("Their trainings have to")
@pytest.mark.promise("Trainings add up.")
def test_runs_add_up():
    one = privacy.Run(1.2, 0.01, 300)
    whole = privacy.epsilon(noise_multiplier=1.2, q=0.01, steps=600, delta=1e-5)
    assert privacy.epsilon(runs=[one, one], delta=1e-5) == pytest.approx(whole, rel=1e-12)
    other = privacy.Run(0.8, 0.02, 50)
    assert privacy.epsilon(runs=[one, other]) > privacy.epsilon(runs=[one])


def test_ends():
    assert privacy.epsilon(noise_multiplier=1.0, q=0.1, steps=0) == 0.0
    assert privacy.epsilon(noise_multiplier=0.0, q=0.1, steps=1) == math.inf
    assert privacy.epsilon(noise_multiplier=0.0, q=0.0, steps=1) == 0.0


def test_more_of_anything_reveals_more():
    base = {"noise_multiplier": 1.0, "q": 0.02, "steps": 100, "delta": 1e-5}
    before = privacy.epsilon(**base)
    for changed in ({"noise_multiplier": 0.9}, {"q": 0.03}, {"steps": 101}, {"delta": 1e-6}):
        assert privacy.epsilon(**{**base, **changed}) > before


@pytest.mark.parametrize("wanted", [0.5, 3.0, 20.0])
def test_noise_for(wanted):
    given = {"delta": 1e-5, "q": 0.05, "steps": 200}
    noise = privacy.noise_for(epsilon=wanted, **given)
    assert privacy.epsilon(noise_multiplier=noise, **given) <= wanted
    assert privacy.epsilon(noise_multiplier=0.999 * noise, **given) > wanted


@pytest.mark.slow
def test_distributions_reveal_less():
    pytest.importorskip("dp_accounting")
    given = {"noise_multiplier": 1.1, "q": Q, "steps": round(15 * 60000 / 256), "delta": 1e-5}
    found = privacy.epsilon(**given, accountant="pld")
    assert found == pytest.approx(1.133745, abs=2e-4)
    assert found < privacy.epsilon(**given)


@pytest.mark.parametrize(
    "changed, match",
    [
        ({"noise_multiplier": -1}, "noise of 0 or more"),
        ({"q": 1.5}, "a probability q from 0 to 1"),
        ({"q": None}, "a probability q from 0 to 1"),
        ({"steps": -1}, "0 steps or more"),
        ({"delta": 0}, "a delta between 0 and 1"),
        ({"accountant": "rpd"}, "Did you mean 'rdp'"),
    ],
)
def test_errors(changed, match):
    given = {"noise_multiplier": 1.0, "q": 0.1, "steps": 10, "delta": 1e-5}
    with pytest.raises(ValueError, match=match):
        privacy.epsilon(**{**given, **changed})
    with pytest.raises(ValueError, match="an epsilon above 0"):
        privacy.noise_for(epsilon=0, delta=1e-5, q=0.1, steps=10)
