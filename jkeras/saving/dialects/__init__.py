"""What Keras 2 and tf.keras wrote, in the words of Keras 3: configs, calls in graphs, training,
optimizers, CuDNN.
"""

from jkeras.saving.dialects.cudnn import cudnn_biases, from_cudnn
from jkeras.saving.dialects.graphs import modern_graph
from jkeras.saving.dialects.numbers import warn_of_other_numbers
from jkeras.saving.dialects.objects import modern
from jkeras.saving.dialects.slots import assign, by_name, by_number
from jkeras.saving.dialects.training import modern_training


def is_old(version):
    """Whether a version of Keras, as files name it ("2.3.0-tf"), is before 3; one that is not known
    is taken for old.

    >>> is_old("2.15.0"), is_old("3.0.5"), is_old(None)
    (True, False, True)
    """
    return str(version or "").split(".")[0] not in map(str, range(3, 10))
