"""One attribute under two names."""


def renamed(public: str) -> property:
    """A property that stands for the attribute of another name.

    >>> class A:
    ...     size = 1
    ...     length = renamed("size")
    >>> a = A()
    >>> a.length = 3
    >>> a.size
    3
    """

    def get(self):
        return getattr(self, public)

    def change(self, value):
        setattr(self, public, value)

    return property(get, change, doc=f"Another name of `{public}`.")
