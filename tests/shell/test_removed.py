"""Methods of Keras 2 that models do not have: the error names what to write."""

import keras
import pytest

import jkeras

INSTEAD = {
    "predict_classes": r"np.argmax\(model.predict\(x\), axis=-1\)",
    "predict_proba": r"model.predict\(x\)",
    "fit_generator": r"model.fit\(generator\)",
    "evaluate_generator": r"model.evaluate\(generator\)",
    "predict_generator": r"model.predict\(generator\)",
}


class Own(jkeras.Model):
    """Has a method of that name of its own."""

    def predict_classes(self, x):
        return x + 1


@pytest.mark.promise("whose error says so")
@pytest.mark.parametrize("name", INSTEAD)
def test_the_way_out_is_named(name):
    assert not hasattr(keras.Sequential(), name)
    for model in (jkeras.Sequential(), jkeras.Model(x := jkeras.Input((2,)), x)):
        assert not hasattr(model, name) and name not in dir(model)
        with pytest.raises(AttributeError, match=INSTEAD[name]):
            getattr(model, name)
    with pytest.raises(AttributeError, match="no attribute 'predict_klasses'"):
        jkeras.Sequential().predict_klasses  # noqa: B018


def test_a_model_may_have_one_of_its_own():
    assert Own().predict_classes(1) == 2 and "predict_classes" in dir(Own())
    model = jkeras.Sequential()
    model.predict_proba = len
    assert model.predict_proba([3]) == 1
