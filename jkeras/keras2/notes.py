"""What was translated in a program, so that one warning can say it all."""

import warnings


class Keras2Warning(UserWarning):
    """Says what a program for Keras 2 was translated into."""


class Notes:
    """Old and new forms, each once, in the order in which the program used them.

    >>> notes = Notes()
    >>> notes.add("Dense(output_dim=)", "Dense(units=)")
    >>> print(notes.text())
    This program is written for Keras 2; jkeras translated:
      Dense(output_dim=)  ->  Dense(units=)
    `python -m jkeras modernize PROGRAM` prints it for Keras 3.
    """

    def __init__(self):
        self._pairs = {}

    def add(self, old, new):
        """Notes that an old form was met, and what it became."""
        self._pairs.setdefault(old, new)

    def __iter__(self):
        return iter(self._pairs.items())

    def text(self):
        """All that was noted; an empty text where nothing was."""
        if not self._pairs:
            return ""
        width = max(map(len, self._pairs))
        lines = [f"  {old:{width}}  ->  {new}" for old, new in self]
        return "\n".join(
            [
                "This program is written for Keras 2; jkeras translated:",
                *lines,
                "`python -m jkeras modernize PROGRAM` prints it for Keras 3.",
            ]
        )

    def clear(self):
        """Forgets what was noted."""
        self._pairs.clear()

    def warn(self):
        """Gives the one warning, if there is anything to say, and forgets what was noted."""
        text = self.text()
        self._pairs.clear()
        if text:
            warnings.warn(text, Keras2Warning, stacklevel=2)
