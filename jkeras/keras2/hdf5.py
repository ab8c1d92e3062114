"""`HDF5Matrix`: a data set of a file as data to train on."""

import numpy as np


class HDF5Matrix:
    """Rows of a data set in an HDF5 file, read when they are asked for.

    Args:
        datapath: path of the file.
        dataset: name of the data set in it.
        start, end: first row, and the row after the last.
        normalizer: function of rows that were read.
    """

    def __init__(self, datapath, dataset, start=0, end=None, normalizer=None):
        import h5py

        self.data = h5py.File(datapath, "r")[dataset]
        self.start = start
        self.end = len(self.data) if end is None else end
        self.normalizer = normalizer

    def __len__(self):
        return self.end - self.start

    def __getitem__(self, key):
        if isinstance(key, slice):
            begin, end, step = key.indices(len(self))
            rows = self.data[self.start + begin : self.start + end : step]
        elif np.ndim(key) == 0:
            if not -len(self) <= key < len(self):
                raise IndexError(f"There is no row {key} among {len(self)}")
            rows = self.data[self.start + (key % len(self))]
        else:
            numbers, where = np.unique(self.start + np.asarray(key), return_inverse=True)
            rows = self.data[numbers][where]  # HDF5 reads in rising order
        return rows if self.normalizer is None else self.normalizer(rows)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self[:], dtype)

    @property
    def shape(self):
        """The number of rows, and the shape of one."""
        return (len(self), *self.data.shape[1:])

    @property
    def dtype(self):
        """The type of the file's numbers."""
        return self.data.dtype

    @property
    def ndim(self):
        """How many axes the data set has."""
        return self.data.ndim

    @property
    def size(self):
        """How many numbers there are."""
        return int(np.prod(self.shape))
