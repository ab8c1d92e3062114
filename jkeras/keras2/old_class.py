"""A class under the name and with the arguments that it had in Keras 2."""


class OldClass:
    """Stands where a program expects a class: called, it makes an object of the class of today from
    old arguments; as a base it is a subclass of that class which takes them.

    Args:
        cls: the class of today.
        make: function of (cls, args, kwargs) that returns the object.
        base: function of no arguments that returns the class to inherit from.
    """

    def __init__(self, cls, make, base):
        self._cls, self._make, self._base = cls, make, base
        self._made = None
        self.__name__ = cls.__name__
        self.__doc__ = cls.__doc__

    def __call__(self, *args, **kwargs):
        return self._make(self._cls, args, kwargs)

    def __mro_entries__(self, bases):
        if self._made is None:
            self._made = self._base()
        return (self._made,)

    def __instancecheck__(self, instance):
        return isinstance(instance, self._cls)

    def __subclasscheck__(self, subclass):
        if isinstance(subclass, OldClass):
            subclass = subclass.today
        return issubclass(subclass, self._cls)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._cls, name)

    def __repr__(self):
        return f"<{self._cls.__name__} as Keras 2 has it>"

    @property
    def today(self):
        """The class of today."""
        return self._cls
