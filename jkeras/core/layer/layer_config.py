"""A layer as plain data: its arguments, and the shapes it was built for."""

from typing import Any, Self

from jkeras.core import record
from jkeras.core.names import registry
from jkeras.core.run.building import as_tuples
from jkeras.core.errors import ConfigError, SerializationError
from jkeras.core.weights import policy


class LayerConfig:
    """Configs of layers, in Keras's form."""

    writes_activity_regularizer = False  # also when it is None

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments as plain data."""
        config = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": registry.serialize(self._written_policy()),
        }
        if self.activity_regularizer is not None or self.writes_activity_regularizer:
            config["activity_regularizer"] = registry.serialize(self.activity_regularizer)
        config |= self.field_config()
        if "_given" in vars(self) and type(self).get_config is LayerConfig.get_config:
            config |= record.automatic_config(self)
        return config

    def _written_policy(self) -> Any:
        """The dtype policy that a config has."""
        return self.dtype_policy

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A new layer from its config."""
        config = dict(config)
        if isinstance(config.get("dtype"), dict):
            config["dtype"] = policy.of_config(config["dtype"])
        try:
            return cls(**config)
        except SerializationError:  # of what is inside of it
            raise
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"Error when deserializing class '{cls.__name__}' using "
                f"config={registry.shown(config)}.\n\nException encountered: {error}"
            ) from error

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes the layer was built for."""
        shapes = self._build_shapes
        if shapes is None:
            return None
        if len(shapes) == 1:
            return {"input_shape": next(iter(shapes.values()))}
        return {"shapes_dict": dict(shapes)}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Builds for the shapes of `get_build_config()`."""
        if config.get("input_shape") is not None:
            self.build(as_tuples(config["input_shape"]))
        elif config.get("shapes_dict") is not None:
            self.build(**{k: as_tuples(v) for k, v in config["shapes_dict"].items()})
