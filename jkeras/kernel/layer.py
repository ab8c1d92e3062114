"""What the kernel asks of a layer, and nothing else: any object with these members is one."""

import typing

from jkeras.kernel.spec import Weight


class LayerProtocol(typing.Protocol):
    """A layer as the kernel sees it.

    Attributes:
        flow_type: the class of the passes that begin at it, as of `kernel.scope.Flow`.
        input_spec: what it asks of its input, as it is built.
        declared_input_spec: the same, whatever it was built for.
    """

    flow_type: typing.Any
    input_spec: typing.Any

    @property
    def declared_input_spec(self) -> typing.Any: ...

    def run_on(
        self, scope: typing.Any, args: tuple, kwargs: dict, bare: bool = False
    ) -> typing.Any:
        """Its outputs, on its own weights and children in a scope; nothing is written on it.

        Args:
            bare: runs its `call` alone, in the dtype of the layer around, without its penalty.
        """

    def declaration(self, call: typing.Any) -> dict[str, Weight]:
        """Its own weights for the inputs of a call."""

    def check_input(self, call: typing.Any, input_spec: typing.Any) -> None:
        """Raises for an input that an `input_spec` forbids."""

    def seed_generator_name(self) -> str:
        """The name by which its seed generator is its child."""
