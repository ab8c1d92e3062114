"""What `dir` of an object shows, and so tab completion and the reference: what its users may use,
and not what the files of jkeras ask of each other.

Each family has its internal names here, in one set. A name of these that is an argument of the
class, or that a class of the user's defines, is shown all the same. `tests/shell/test_dir.py`
compares what is shown with Keras.
"""

RUNNING = """
    allow_non_tensor_positional_args as_run autograph_info__ bind_call block_of_loop build_for
    built_block call_context check_input converts_inputs cursor declaration declared_input_spec
    field_config flow_type hands_masks_on is_lifted is_native is_plain keeps_sparse
    native_builds own own_values pass_masks private_runs remat_scope resolved run_abstract
    run_on runs_on_host seed_generator_name set_untracked shape_by_rule specs_for supports_cache
    traits type_of_call type_of_numbers weight_in_use writes_activity_regularizer written_policy
"""
MODELS = """
    run_graph begin_ensemble draws_as_keras was_seen lora_to_come compilation compiled_loss
    compiled_metrics asks_for_privacy stored_compile_config private_record take_private_record
    was_private init_opt_state join_members layers_in_lines metrics_of_layers new_layout
    other_members recorded_shapes types_of_inputs graph_class rebuilt without_first
    fit_timing warn_of_padding refuse_ensemble for_prediction prepared
    predict_classes predict_proba fit_generator evaluate_generator predict_generator
    end_where finder record_of_file
    extra_counters extra_links new_predictor of_list predictor_of_each recorded
"""
KERNELS = """
    activation_quantizer adapted adapts_integers codings contract decode encode low_rank_product
    parts product quantization_modes shapes_in_few_bits
    calibrate end_watch in_other_forms in_own_form is_in_groups is_waiting product_in_groups
    quantized_product quantized_weights round_inputs watch
"""
FAMILIES = """
    adapt_mean adapt_variance advance axes bind change_boxes change_images
    change_labels change_masks check convert_weight disturb encoding indices
    mask_shape memory merge merged_shape move move_boxes project rank recolor
    recur resize
    rows sample scores size_of states_for use_cudnn has_cudnn words
"""
LAYER = frozenset((RUNNING + MODELS + KERNELS + FAMILIES).split())
OPTIMIZER = frozenset(
    """
    added_variables addresses advance among_its_own built_for check constants decay_of
    field_config filled flat_step for_stand_ins is_elementwise is_unused keeps_values know
    learning_rate_of
    parameter_paths rebuild rule rule_is_elementwise scalar_names scalars slot slot_groups
    slot_label state_to_variables takes_loss variables_to_state with_learning_rate
    """.split()
)
METRIC = frozenset(
    """
    build_for default_dtype field_config fn_kwargs is_native named_variables set_untracked
    private_runs takes_mask values weight_of_rows
    """.split()
)
CALLBACK = frozenset(
    """
    current end_after found higher_is_better is_better looks_at_batches
    saves_without_value was_restored
    """.split()
)
VARIABLE = frozenset(
    """
    autocast forget_initializer guard held initializer lay_out layout learnable own_dtype own_value
    is_updated placed private_runs scope store whole
    """.split()
)
MODULE = frozenset(["begin_in_tensorflow", "is_native", "private_runs", "set_untracked"])
RECORD = frozenset(["by_numpy", "call_with_mask", "field_config", "fn_kwargs", "sample"])
POLICY = frozenset(["changed", "is_by_path", "is_mixed", "of", "plain_dtype"])

# attributes of the objects that no class has, and one that is set on each class
HELD = ("remat_scope", "traits")


def is_internal(cls, name):
    """Whether a name is one that only the files of jkeras use.

    >>> import jkeras
    >>> is_internal(jkeras.layers.Dense, "run_on"), is_internal(jkeras.layers.Dense, "apply")
    (True, False)
    """
    if name not in getattr(cls, "_internal", ()):
        return False
    if any(field.name == name for field in getattr(cls, "_fields", ())):
        return False
    definer = next((base for base in cls.__mro__ if name in vars(base)), cls)
    return name in HELD or is_of_jkeras(definer)


def is_of_jkeras(cls):
    """Whether a class is written in jkeras."""
    return cls.__module__.partition(".")[0] == "jkeras"


def public_dir(self):
    """What `dir` of an object gives, without internal names."""
    return [name for name in object.__dir__(self) if not is_internal(type(self), name)]
