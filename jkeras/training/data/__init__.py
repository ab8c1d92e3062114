"""Data for training: whatever `fit` takes, as a source of batches `(x, y, sample_weight)`."""

from jkeras.core.names.exports import exported
from jkeras.training.data.source import shapes_of

# jkeras alone uses them: there is no `__all__`
exported(
    globals(),
    on_first_use={
        "jkeras.training.data.array_source": "ArraySource OneBatch",
        "jkeras.training.data.arrays": "as_arrays take",
        "jkeras.training.data.making": "is_array_like make_source rows_shuffled split_validation",
        "jkeras.training.data.mapped": "checked weighted",
        "jkeras.training.data.weights": "warn_of_strange",
    },
)
