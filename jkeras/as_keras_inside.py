"""Private names of Keras, and what in jkeras does the same: "module:name" of each, which is loaded
when a library takes it.
"""

OURS = "jkeras.as_keras_private"

# by module under keras.src: {name in Keras: where it is here}
PLACES = {
    "api_export": {
        "keras_export": f"{OURS}:keras_export",
        "get_name_from_symbol": "jkeras.saving:get_registered_name",
        "get_symbol_from_name": "jkeras.saving:get_registered_object",
    },
    "applications.imagenet_utils": {
        "obtain_input_shape": "jkeras.keras2.input_shapes:obtain_input_shape",
    },
    "backend.common.keras_tensor": {"any_symbolic_tensors": f"{OURS}:any_symbolic_tensors"},
    "backend.common.masking": {
        "get_keras_mask": "jkeras.core.run.scopes:mask_beside",
        "set_keras_mask": "jkeras.core.run.scopes:set_mask_beside",
    },
    "backend.common.symbolic_scope": {"in_symbolic_scope": "jkeras.core.run.scopes:is_symbolic"},
    "backend.common.variables": {
        "Variable": "jkeras:Variable",
        "standardize_shape": "jkeras.core.graph.keras_tensor:standardize_shape",
    },
    "backend.config": {
        "standardize_data_format": "jkeras.core.session.settings:standardize_data_format",
    },
    "backend.jax.core": {
        "IS_THREAD_SAFE": f"{OURS}:IS_THREAD_SAFE",
        "SUPPORTS_COMPLEX_DTYPES": f"{OURS}:SUPPORTS_COMPLEX_DTYPES",
        "SUPPORTS_RAGGED_TENSORS": f"{OURS}:SUPPORTS_RAGGED_TENSORS",
        "SUPPORTS_SPARSE_TENSORS": f"{OURS}:SUPPORTS_SPARSE_TENSORS",
        "JaxVariable": "jkeras:Variable",
        "Variable": "jkeras:Variable",
        "custom_gradient": "jkeras.ops:custom_gradient",
        "name_scope": "jkeras:name_scope",
    },
    "backend.jax.distribution_lib": {
        "distribute_tensor": "jkeras.distribution:distribute_tensor",
        "list_devices": "jkeras.distribution:list_devices",
    },
    "backend.jax.trainer": {"JAXTrainer": "jkeras.training.shell.trainer:Trainer"},
    "backend.common.name_scope": {"name_scope": "jkeras:name_scope"},
    "layers.merging.base_merge": {"Merge": "jkeras.layers.merge:Merge"},
    "losses.losses": {"LossFunctionWrapper": "jkeras.losses.base:LossFunctionWrapper"},
    "losses.loss": {
        "reduce_weighted_values": "jkeras.losses.reduction:reduce_weighted_values",
        "squeeze_or_expand_to_same_rank": "jkeras.losses.reduction:squeeze_or_expand_to_same_rank",
    },
    "models.functional": {"Functional": "jkeras.models:Functional"},
    "optimizers.base_optimizer": {"BaseOptimizer": "jkeras.optimizers:Optimizer"},
    "random.seed_generator": {
        "draw_seed": f"{OURS}:draw_seed",
        "global_seed_generator": "jkeras.core.weights.rng:global_generator",
        "make_default_seed": f"{OURS}:make_default_seed",
    },
    "saving.saving_lib": {
        "H5IOStore": "jkeras.as_keras_store:ArrayStore",
        "load_model": f"{OURS}:load_model",
        "load_weights_only": f"{OURS}:load_weights_only",
        "save_model": f"{OURS}:save_model",
        "save_weights_only": f"{OURS}:save_weights_only",
    },
    "saving.serialization_lib": {"in_safe_mode": "jkeras.core.names.registry:is_untrusted"},
    "trainers.trainer": {"Trainer": "jkeras.training.shell.trainer:Trainer"},
    "trainers.data_adapters.data_adapter_utils": {
        "class_weight_to_sample_weights": f"{OURS}:class_weight_to_sample_weights",
    },
    "utils.argument_validation": {
        "standardize_padding": f"{OURS}:standardize_padding",
        "standardize_tuple": f"{OURS}:standardize_tuple",
        "validate_string_arg": f"{OURS}:validate_string_arg",
    },
    "utils.backend_utils": {
        "in_grain_data_pipeline": f"{OURS}:in_grain_data_pipeline",
        "in_tf_graph": f"{OURS}:in_tf_graph",
    },
    "utils.dtype_utils": {"dtype_size": f"{OURS}:dtype_size"},
    "utils.io_utils": {"print_msg": f"{OURS}:print_msg"},
    "utils.module_utils": {
        "LazyModule": f"{OURS}:LazyModule",
        **{name: f"{OURS}:{name}" for name in ("grain", "h5py", "jax", "scipy", "tensorflow")},
    },
    "utils.naming": {
        "auto_name": "jkeras.core.session.settings:auto_name",
        "to_snake_case": "jkeras.core.session.settings:snake_case",
    },
    "utils.python_utils": {
        "default": f"{OURS}:default",
        "is_default": f"{OURS}:is_default",
        "pythonify_logs": f"{OURS}:pythonify_logs",
        "to_list": f"{OURS}:to_list",
    },
    "utils.summary_utils": {"count_params": "jkeras.models.summary:count_params"},
    "utils.tracking": {
        "no_automatic_dependency_tracking": f"{OURS}:no_automatic_dependency_tracking",
    },
}
EQUIVALENT = {
    f"keras.src.{module}.{name}": place
    for module, names in PLACES.items()
    for name, place in names.items()
}
