"""Methods that models had before Keras 3: who asks for one is told what to call in its place."""

from typing import Any, NoReturn


class Removed:
    """A method that there is no more. `hasattr` says so, too; a subclass may have one of its name.

    Args:
        instead: what to write.
    """

    def __init__(self, instead: str) -> None:
        self.instead = instead

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, model: Any, cls: type) -> NoReturn:
        raise AttributeError(
            f"'{cls.__name__}' object has no attribute '{self.name}': models of Keras 2 had it. "
            f"To fix it: write {self.instead}, or run the program with "
            "`python -m jkeras run --keras2`.",
            name=self.name,
            obj=model,
        )


class WithoutRemoved:
    """A model that names the way out of each method that is gone."""

    predict_classes = Removed(
        "`np.argmax(model.predict(x), axis=-1)`, of a single sigmoid "
        '`(model.predict(x) > 0.5).astype("int32")`'
    )
    predict_proba = Removed("`model.predict(x)`")
    fit_generator = Removed("`model.fit(generator)`")
    evaluate_generator = Removed("`model.evaluate(generator)`")
    predict_generator = Removed("`model.predict(generator)`")
