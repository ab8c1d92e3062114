"""What is logged, under old names as well."""

from jkeras.keras2 import tables

PAIRS = {**tables.LOGS, **{new: old for old, new in tables.LOGS.items()}}


def other_name(name):
    """The other name of what is logged; None where there is none.

    >>> other_name("val_acc"), other_name("accuracy"), other_name("loss")
    ('val_accuracy', 'acc', None)
    """
    for prefix in ("", "val_"):
        if name.startswith(prefix) and name[len(prefix) :] in PAIRS:
            return prefix + PAIRS[name[len(prefix) :]]
    head, underscore, last = name.rpartition("_")  # of one output among several
    if underscore and last in ("acc", "accuracy"):
        return f"{head}_{PAIRS[last]}"
    return None


class OldLogs(dict):
    """A dict in which what is not there is looked for under its other name.

    >>> logs = OldLogs(accuracy=0.5)
    >>> logs["acc"], logs.get("acc"), "acc" in logs, list(logs)
    (0.5, 0.5, True, ['accuracy'])
    """

    def __missing__(self, name):
        other = other_name(name)
        if other is None or not dict.__contains__(self, other):
            raise KeyError(name)
        return self[other]

    def __contains__(self, name):
        return dict.__contains__(self, name) or dict.__contains__(self, other_name(str(name)))

    def get(self, name, default=None):
        """The value under a name or its other name."""
        try:
            return self[name]
        except KeyError:
            return default


def with_both_names(logs):
    """Logs in which everything stands under both of its names, for templates of file names."""
    logs = dict(logs or {})
    for name in list(logs):
        other = other_name(name)
        if other is not None:
            logs.setdefault(other, logs[name])
    return logs
