"""The Keras shell of optimizers: variables, `apply_gradients`, `learning_rate`, configs. It
computes nothing itself.
"""

import functools
import inspect
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np

from jkeras.core.errors import suggestion
from jkeras.core.graph import standardize_shape
from jkeras.core.record import collect_fields, make_init
from jkeras.core.registry import CustomObjectScope, deserialize, public, serialize
from jkeras.core.settings import auto_name, floatx
from jkeras.core.variable import Variable
from jkeras.initializers import get as get_initializer
from jkeras.optimizers.lifting import Lifted
from jkeras.optimizers.schedules import LearningRateSchedule
from jkeras.optimizers.transform import Leaf, at

COMMON = (
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
    "name",
)


def refuse(self, decay=None, **unknown):
    """What constructors do with arguments that are no fields."""
    if decay is not None:
        warnings.warn(
            "Argument `decay` is no longer supported and is ignored. Use a learning rate schedule.",
            stacklevel=4,
        )
    if unknown:
        known = [field.name for field in self._fields]
        raise ValueError(
            f"{type(self).__name__}: Argument(s) not recognized: {unknown}. Its arguments: "
            f"{', '.join(known)}.{suggestion(unknown, known)}"
        )


def optimizer(*aliases, arguments="", after="", only=None, base_init=refuse):
    """Decorator like `record`: own fields between `learning_rate` and the common ones.

    Args:
        arguments: names that come right after `learning_rate`.
        after: names that come after the common ones.
        only: all names, where the common ones are no arguments.
    """

    def decorate(cls):
        known = [f.name for f in collect_fields(cls)]
        first, last = arguments.replace(",", " ").split(), after.replace(",", " ").split()
        own = [n for n in known if n not in (*COMMON, *first, *last, "learning_rate")]
        common = [n for n in COMMON if n not in (*first, *last)]
        order = (
            only if only is not None else " ".join(["learning_rate", *first, *own, *common, *last])
        )
        fields = collect_fields(cls, order)
        cls._fields = tuple(
            f._replace(default=inspect.Parameter.empty) if isinstance(f.default, property) else f
            for f in fields
        )
        if not isinstance(cls.__dict__.get("learning_rate", cls.learning_rate), property):
            del cls.learning_rate  # its default is in the field now; the property shows again
        cls.__init__ = cls._record_init = make_init(cls, cls._fields, base_init, ())
        return public(f"keras.optimizers.{cls.__name__}", *aliases)(cls)

    return decorate


@optimizer("keras.Optimizer")
class Optimizer(Lifted):
    """Base of all optimizers: a pure transformation of trees, and Keras's methods on variables over
    it.

    Pure: `state = init(params)`, `params, state = step(grads, state, params)`; `init` and `update`
        also make it an
    optax transformation. Keras: `build`, `apply`, `apply_gradients`, `stateless_apply`,
        `variables`, `learning_rate`.

    A subclass of yours writes `build(variables)` with `add_optimizer_variables`, and
    `update_step(gradient, variable, learning_rate)` with `assign`; both forms then work.

    Args:
        learning_rate: float, `LearningRateSchedule`, or a callable without arguments.
        weight_decay: each step first takes `learning_rate * weight_decay * p` off a parameter p.
        clipnorm: largest norm of one gradient.
        clipvalue: largest absolute value of an element.
        global_clipnorm: largest norm of all gradients together. Only one of the three may be given.
        use_ema: keep exponential moving averages of the parameters; they replace them when training
            ends.
        ema_momentum: share of the old average, in [0, 1].
        ema_overwrite_frequency: every so many steps the averages overwrite the parameters.
        loss_scale_factor: gradients are divided by it; `scale_loss` multiplies.
        gradient_accumulation_steps: (2 or more) one update for the mean gradient of so many calls.
        name: default "adam", "adam_1", …
    Raises:
        ValueError: for unknown arguments or values outside these ranges.

    >>> class Plain(Optimizer):
    ...     def update_step(self, gradient, variable, learning_rate):
    ...         self.assign_sub(variable, learning_rate * gradient)
    >>> v, sgd = Variable([1.0]), Plain(0.5)
    >>> _ = sgd.apply_gradients([(jnp.array([1.0]), v)])
    >>> print(v.value, int(sgd.iterations))
    [0.5] 1
    """

    def __post_init__(self):
        rate = self.__dict__.pop("_learning_rate")
        self._check_common()
        self.name = auto_name(type(self).__name__) if self.name is None else self.name
        self.built, self._variables, self._trainable_variables = False, [], []
        self._at, self._index, self._compiled = {}, {}, None
        self._iterations = self._own(np.int32(0), "iteration")
        if not callable(rate):
            if not isinstance(rate, (float, np.floating)):
                raise ValueError(
                    f"{self.name}: `learning_rate` should be a float, a LearningRateSchedule, or a "
                    f"callable without arguments. Received: learning_rate={rate!r}"
                )
            rate = self._own(np.asarray(rate, floatx()), "learning_rate")
        self._learning_rate = rate
        self.check()

    def _check_common(self):
        if self.name is not None and (not isinstance(self.name, str) or "/" in self.name):
            raise ValueError(
                f"Argument `name` should be a string without '/'. Received: name={self.name!r}"
            )
        if sum(v is not None for v in (self.clipnorm, self.clipvalue, self.global_clipnorm)) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
                f"clipnorm={self.clipnorm}, clipvalue={self.clipvalue}, "
                f"global_clipnorm={self.global_clipnorm}"
            )
        steps, every = self.gradient_accumulation_steps, self.ema_overwrite_frequency
        if steps and steps < 2:
            raise ValueError(
                f"`gradient_accumulation_steps` must be an integer >= 2. Received: {steps}"
            )
        if self.use_ema and not 0 <= self.ema_momentum <= 1:
            raise ValueError(
                f"`ema_momentum` must be in [0, 1]. Received: ema_momentum={self.ema_momentum}"
            )
        if self.use_ema and every and (not isinstance(every, int) or every < 1):
            raise ValueError(
                "`ema_overwrite_frequency` must be an integer >= 1 or None. "
                f"Received: ema_overwrite_frequency={every}"
            )

    def check(self):
        """Checks of a concrete optimizer's own arguments."""

    # ------------------------------------------------------------ variables

    def __setattr__(self, name, value):
        if isinstance(value, Variable):
            if "_variables" not in self.__dict__:
                raise RuntimeError(
                    f"Call `super().__init__()` in the constructor of {type(self).__name__} before "
                    f"setting the variable `{name}`."
                )
            self._track(value)
        object.__setattr__(self, name, value)

    def _track(self, variable):
        if not any(variable is v for v in self._variables):
            self._variables.append(variable)

    def _own(self, value, name, shape=None, dtype=None, layout=None):
        variable = Variable(
            value,
            shape=shape,
            dtype=dtype,
            trainable=False,
            name=name,
            autocast=False,
            layout=layout,
        )
        variable.scope = self.name if name else ""
        self._track(variable)
        return variable

    @property
    def variables(self):
        """All variables: iteration, learning rate, then those of the parameters, in Keras's
        order.
        """
        return list(self._variables)

    @property
    def iterations(self):
        """The number of updates so far."""
        steps = self.gradient_accumulation_steps
        return self._iterations.value // steps if steps else self._iterations

    @property
    def learning_rate(self):
        """The rate now: a variable, or the value of the schedule. Assign a float to change it."""
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(self._iterations.value)
        return self._learning_rate() if callable(self._learning_rate) else self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        rate = self.__dict__.get("_learning_rate")
        if rate is None:  # in the constructor
            object.__setattr__(self, "_learning_rate", value)
        elif callable(value):
            self._variables = [v for v in self._variables if v is not rate]
            self._at.pop(("learning_rate",), None)
            self._learning_rate = value
        elif isinstance(rate, Variable):
            rate.assign(value)
        else:
            raise TypeError(
                f"{self.name} was made with a schedule as its `learning_rate`, so the rate is not "
                "settable. Make the optimizer with a float `learning_rate` instead."
            )

    def build(self, variables):
        """Creates the optimizer's variables for a list of trainable variables; does nothing the
        second time.
        """
        if self.built:
            return
        self._trainable_variables = list(variables)
        self._index = {id(v): i for i, v in enumerate(self._trainable_variables)}
        template = jax.eval_shape(lambda p: self._init(p, self._trainable_variables), self._specs())
        first = (
            {}
            if not self.keeps_values
            else self._init([v.value for v in self._trainable_variables], self._trainable_variables)
        )
        self._at = {("iterations",): self._iterations, ("learning_rate",): self._learning_rate}
        for address in self.addresses(template, self._order()):
            if address not in self._at and address[0] != "inner":
                spec = at(template, address)
                value = at(first, address) if first else functools.partial(self._first, address)
                self._at[address] = self._own(
                    value,
                    self._label(address),
                    spec.shape,
                    spec.dtype,
                    self._layout(address, spec.shape),
                )
        self.built = True

    def rebuild(self, variables):
        """Builds for other trainable variables; what is known of those it was built for stays."""
        old = {
            (a[:-1], id(self._trainable_variables[a[-1]])): v
            for a, v in self._at.items()
            if a[0] in ("ema", "accumulators", "slots")
        }
        dropped = set(map(id, old.values()))
        self._variables = [v for v in self._variables if id(v) not in dropped]
        self.built, self._at = False, {}
        self.build(variables)
        for address, variable in self._at.items():
            if address[0] in ("ema", "accumulators", "slots"):
                known = old.get((address[:-1], id(self._trainable_variables[address[-1]])))
                if known is not None:
                    variable.assign(known.value)

    keeps_values = False  # whether first values of slots depend on the parameters' values

    def _first(self, address, shape, dtype=None):
        """A variable's first value, made when it is first looked at."""
        if address[0] in ("ema", "accumulators"):
            return jnp.zeros(shape, dtype)
        # it alone, since making all for each would take the square of their number
        if address[0] == "slots":
            variable = self._trainable_variables[address[-1]]
            spec = jax.ShapeDtypeStruct(tuple(variable.shape), variable.dtype)
            return self.slot(address[1], spec, Leaf(variable.name, variable.path, variable))
        return at(self._init(self._specs(), self._trainable_variables), address)

    def _label(self, address):
        if address[0] not in ("ema", "accumulators", "slots"):
            return "_".join(map(str, address[1:]))
        name = {"ema": "average", "accumulators": "gradient_accumulator"}.get(
            address[0], address[1]
        )
        return self.slot_label(name, self._trainable_variables[address[-1]])

    def slot_label(self, name, variable):
        """The name of the variable of a slot."""
        return f"{variable.path.replace('/', '_')}_{name}"

    def _layout(self, address, shape):
        """The layout of a slot: that of its parameter, where it has the same shape."""
        of = (
            self._trainable_variables[address[-1]]
            if address[0] in ("ema", "accumulators", "slots")
            else None
        )
        return of.layout if of is not None and tuple(of.shape) == tuple(shape) else None

    def _specs(self):
        return [jax.ShapeDtypeStruct(tuple(v.shape), v.dtype) for v in self._trainable_variables]

    def _order(self):
        return [(i,) for i in range(len(self._trainable_variables))]

    def _get_variable_index(self, variable):
        return self._index[id(variable)]

    def add_variable(
        self, shape, initializer="zeros", dtype=None, aggregation="none", layout=None, name=None
    ):
        """A new variable of the optimizer, for `build` of a subclass."""
        return self._own(
            get_initializer(initializer), name, standardize_shape(shape), dtype, layout
        )

    def add_variable_from_reference(self, reference_variable, name=None, initializer="zeros"):
        """A new variable like a trainable one, named after it."""
        return self.add_variable(
            reference_variable.shape,
            initializer,
            reference_variable.dtype,
            layout=reference_variable.layout,
            name=self.slot_label(name or "var", reference_variable),
        )

    def add_optimizer_variables(self, trainable_variables, name, initializer="zeros"):
        """New variables for all trainable ones: a list for one name, a tuple of lists for a list of
        names.
        """
        single = isinstance(name, str)
        names = [name] if single else list(name)
        initializers = (
            list(initializer)
            if isinstance(initializer, (list, tuple))
            else [initializer] * len(names)
        )
        if len(initializers) != len(names):
            raise ValueError(
                f"Expected as many initializers as names. Received: name={name}, "
                f"initializer={initializer}"
            )
        made = [
            [self.add_variable_from_reference(v, n, i) for n, i in zip(names, initializers)]
            for v in trainable_variables
        ]
        lists = tuple(list(column) for column in zip(*made)) if made else tuple([] for _ in names)
        return lists[0] if single else lists

    def assign(self, variable, value):
        """`variable.assign(value)`."""
        variable.assign(value)

    def assign_add(self, variable, value):
        """`variable.assign_add(value)`."""
        variable.assign_add(value)

    def assign_sub(self, variable, value):
        """`variable.assign_sub(value)`."""
        variable.assign_sub(value)

    # ------------------------------------------------------------ steps on variables

    def apply_gradients(self, grads_and_vars):
        """Updates variables from pairs (gradient, variable). Returns the number of iterations."""
        pairs = list(grads_and_vars)
        if not pairs:
            raise ValueError("Expected pairs (gradient, variable), received none.")
        grads, variables = zip(*pairs)
        self.apply(list(grads), list(variables))
        return self._iterations

    def apply(self, grads, trainable_variables=None):
        """Updates variables from a list of gradients.

        Args:
            trainable_variables: list; by default those the optimizer was built for.
        Raises:
            ValueError: not built, another number of gradients, or variables it was not built for.
        """
        grads = list(grads)
        if not grads:
            return
        known = self._match(len(grads), trainable_variables)
        missing = [v.path for g, v in zip(grads, known) if g is None]
        if missing and len(missing) < len(grads):
            warnings.warn(
                f"Gradients do not exist for variables {missing} when minimizing the loss. If "
                "using `model.compile()`, did you forget to provide a `loss` argument?",
                stacklevel=2,
            )
        full = [None] * len(self._trainable_variables)
        for g, v in zip(grads, known):
            full[self._index[id(v)]] = jnp.asarray(g) if isinstance(g, (list, tuple)) else g
        new, variables = self._run()(
            full, [v.value for v in self.variables], [v.value for v in self._trainable_variables]
        )
        for variable, value in zip(self._trainable_variables + self.variables, new + variables):
            variable.assign(value)

    def _match(self, count, variables):
        """The variables of the gradients, checked; builds where that is still to do."""
        if variables is None:
            if not self.built:
                raise ValueError(
                    f"{self.name}: `apply(grads)` without variables needs a built optimizer. "
                    "Call `optimizer.build(trainable_variables)` first."
                )
            if count != len(self._trainable_variables):
                raise ValueError(
                    f"{self.name}: expected {len(self._trainable_variables)} gradients, one for "
                    f"each variable it was built for. Received {count}."
                )
            return self._trainable_variables
        variables = list(variables)
        if not self.built:
            self.build(variables)
        for v in variables:
            if id(v) not in self._index:
                raise ValueError(
                    f"Unknown variable: {v}. {self.name} can only be called for the variables it "
                    "was built with; make a new optimizer for other variables."
                )
        return variables

    def _run(self):
        """The compiled step on flat lists; made anew when a hyper-parameter was changed."""
        if self._custom:
            return self._flat
        constants = self.constants()
        if self._compiled is None or self._compiled[0] != constants:
            self._compiled = constants, jax.jit(self._flat)
        return self._compiled[1]

    def constants(self):
        """What a compiled step depends on besides arrays."""
        fields = tuple(
            repr(getattr(self, f.name))
            for f in self._fields
            if f.name not in ("learning_rate", "inner_optimizer", "optimizer_map")
        )
        rate = None if isinstance(self._learning_rate, Variable) else self._learning_rate
        return (
            fields,
            rate,
            tuple(map(id, self._exempt[0])),
            self._exempt[1],
            tuple(id(v.constraint) for v in self._trainable_variables),
        )

    def _flat(self, grads, optimizer_variables, values):
        state = self.variables_to_state(
            optimizer_variables, values, self._order(), self._trainable_variables
        )
        new, state = self._step(grads, state, values, self._trainable_variables)
        new = [
            x if g is None or v.constraint is None else v.constraint(x).astype(x.dtype)
            for g, v, x in zip(grads, self._trainable_variables, new)
        ]
        return new, self.state_to_variables(state, self._order())

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        """The pure form on flat lists: (new trainable values, new optimizer values).

        Raises ValueError when not built, or for lists of another length than `optimizer.variables`
        and the list the optimizer was built with.
        """
        if not self.built:
            raise ValueError(
                f"To call `stateless_apply`, {type(self).__name__} must be built. Call "
                "`optimizer.build(trainable_variables)` first."
            )
        for name, got, want in (
            ("optimizer_variables", optimizer_variables, self.variables),
            ("trainable_variables", trainable_variables, self._trainable_variables),
        ):
            if len(got) != len(want):
                raise ValueError(
                    f"{self.name}: expected `{name}` to be a list of {len(want)} arrays. "
                    f"Received {len(got)}."
                )
        run = self._through_apply if self._overrides("apply") else self._flat
        return run(list(grads), list(optimizer_variables), list(trainable_variables))

    def finalize_variable_values(self, var_list):
        """With `use_ema`, gives variables their moving averages; at the end of training."""
        for v in var_list if self.use_ema else ():
            v.assign(self._at[("ema", self._index[id(v)])].value)

    def scale_loss(self, loss, state=None):
        """The loss to differentiate. `state`: of the pure interface, where the scale is part of
        it.
        """
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Exempts variables from weight decay.

        Args:
            var_list: variables.
            var_names: regular expressions, searched for in names such as "bias".
        """
        self._exempt = (tuple(var_list or ()), "|".join(var_names) if var_names else None)

    _exempt = ((), None)

    def _excluded(self, leaf):
        exempt, pattern = self._exempt
        return any(leaf.variable is v for v in exempt) or bool(
            pattern and re.search(pattern, leaf.name)
        )

    # ------------------------------------------------------------ configs and files

    def get_config(self):
        """The constructor's arguments; the rate as a float or the config of its schedule."""
        rate = self._learning_rate
        config = {
            f.name: f.kind.write(getattr(self, f.name))
            for f in self._fields
            if f.name != "learning_rate"
        }
        return {
            **config,
            "learning_rate": float(rate) if isinstance(rate, Variable) else serialize(rate),
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """A new optimizer from `get_config()`."""
        config = dict(config)
        with CustomObjectScope(custom_objects):
            if isinstance(config.get("learning_rate"), dict):
                config["learning_rate"] = deserialize(config["learning_rate"])
            return cls(**config)

    def set_weights(self, weights):
        """Sets all variables from a list of arrays. Raises ValueError when not built or for other
        shapes.
        """
        if not self.built:
            raise ValueError(
                f"{self.name}: `set_weights` needs a built optimizer. Call "
                "`optimizer.build(trainable_variables)` first."
            )
        for variable, weight in zip(self.variables, weights):
            if tuple(variable.shape) != tuple(weight.shape):
                raise ValueError(
                    f"Optimizer variable {variable.path} has shape {tuple(variable.shape)}, "
                    f"received a weight of shape {tuple(weight.shape)}"
                )
            variable.assign(weight)

    def save_own_variables(self, store):
        """Writes all variables into a dict-like store, under "0", "1", …"""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store):
        """Reads what `save_own_variables` wrote; warns and does nothing where the number of
        variables differs.
        """
        if len(store.keys()) != len(self.variables):
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has "
                f"{len(self.variables)} variables whereas the saved optimizer has "
                f"{len(store.keys())}. Build the optimizer for the model's variables first.",
                stacklevel=2,
            )
            return
        take = getattr(store, "take", store.__getitem__)  # a file's arrays are nobody else's
        for i, variable in enumerate(self.variables):
            variable.assign(take(str(i)))

    def __getstate__(self):
        return {**self.__dict__, "_compiled": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._index = {id(v): i for i, v in enumerate(self._trainable_variables)}


Optimizer._plain = Optimizer
