"""Every entry of `config.json` is computed, or changes no output, or is refused by name."""

import collections.abc
import math

from jkeras.core.errors import SerializationError

# ---------------------------------------------------------------- what changes no output

TOKENS = """
    bos_token_id eos_token_id pad_token_id sep_token_id decoder_start_token_id prefix
    tokenizer_class
"""
GENERATION = """
    bad_words_ids begin_suppress_tokens diversity_penalty do_sample early_stopping
    encoder_no_repeat_ngram_size exponential_decay_length_penalty forced_bos_token_id
    forced_eos_token_id length_penalty max_length min_length no_repeat_ngram_size num_beam_groups
    num_beams num_return_sequences output_scores remove_invalid_values repetition_penalty
    return_dict_in_generate suppress_tokens task_specific_params temperature top_k top_p typical_p
"""
TRAINING = """
    attention_probs_dropout_prob classifier_dropout classifier_dropout_prob gradient_checkpointing
    initializer_factor initializer_range router_aux_loss_coef router_jitter_noise
    output_router_logits
"""
# of another head than that of a language model, which is not read
HEADS = """
    _num_labels finetuning_task id2label label2id num_labels problem_type summary_activation
    summary_first_dropout summary_proj_to_labels summary_type summary_use_proj
"""
# how it is computed, what else is returned, and what wrote it
BOOKKEEPING = """
    _attn_implementation _attn_implementation_autoset _commit_hash _experts_implementation
    _name_or_path architectures attn_implementation auto_map chunk_size_feed_forward dtype
    is_llama_config model_type output_attentions output_hidden_states output_past pretraining_tp
    return_dict tf_legacy_loss torch_dtype torchscript transformers.js_config
    transformers_version unsloth_fixed unsloth_version use_bfloat16 use_cache
"""
IGNORED = frozenset(f"{TOKENS} {GENERATION} {TRAINING} {HEADS} {BOOKKEEPING}".split())

# ---------------------------------------------------------------- what has one value only

PLAIN = {
    "add_cross_attention": (False,),
    "cross_attention_hidden_size": (None,),
    "is_decoder": (False,),
    "is_encoder_decoder": (False,),
    "pruned_heads": ({}, None),
    "quantization_config": (None,),
    "tie_encoder_decoder": (False,),
}

# ---------------------------------------------------------------- numbers

COUNTS = frozenset(
    """
    d_ff d_kv d_model decoder_attention_heads decoder_ffn_dim decoder_layers decoder_sparse_step dim
    embed_dim embedding_size encoder_attention_heads encoder_ffn_dim encoder_layers ffn_dim
    ffn_hidden_size global_attn_every_n_layers head_dim hidden_dim hidden_size image_size
    inner_group_num intermediate_size local_attention max_position_embeddings max_source_positions
    max_target_positions moe_intermediate_size n_embd n_head n_heads n_inner n_layer n_layers
    n_positions no_rope_layer_interval num_attention_heads num_channels num_decoder_layers
    num_experts num_experts_per_tok num_heads num_hidden_groups num_hidden_layers
    num_key_value_heads num_kv_heads num_labels num_layers num_local_experts num_mel_bins
    original_max_position_embeddings patch_size pooler_output_size projection_dim projection_size
    relative_attention_max_distance relative_attention_num_buckets shared_expert_intermediate_size
    sliding_window sliding_window_pattern type_vocab_size vocab_size window_size word_embed_proj_dim
    """.split()
)
NONE_OR_MORE = frozenset(("decoder_start_token_id", "num_register_tokens"))
SHARES = frozenset(
    """
    activation_dropout attention_dropout attention_probs_dropout_prob classifier_dropout
    drop_path_rate dropout dropout_rate
    embd_pdrop embedding_dropout hidden_dropout hidden_dropout_prob resid_pdrop seq_classif_dropout
    """.split()
)


def check_supported(
    config: dict, supported: collections.abc.Container[str], what: str, where: str = "config.json"
) -> None:
    """Raises SerializationError for an unsupported entry; one that is None says nothing.

    Args:
        supported: entries besides those that change no output.
        what: that does not compute it.
    """
    for entry, value in config.items():
        if value is not None and entry not in supported and entry not in IGNORED:
            raise SerializationError(
                f"{where} says {shown(entry, value)}, which is not known to be computed by {what}: "
                "remove the entry if it does not change what the model computes."
            )


def check_values(config: dict, values: collections.abc.Mapping[str, tuple], what: str) -> None:
    """Raises SerializationError for an entry with another value than those that are computed.

    Args:
        values: {entry: those}.
    """
    for entry, computed in values.items():
        if entry in config and not any(is_same(config[entry], value) for value in computed):
            raise SerializationError(
                f"config.json says {shown(entry, config[entry])}, which {what} does not compute: "
                f"expected {' or '.join(map(repr, computed))}."
            )


def check_number(entry: str, value: object) -> None:
    """Raises SerializationError where the number of a setting is none that it can be.

    >>> check_number("num_hidden_layers", True)
    Traceback (most recent call last):
        ...
    jkeras.core.errors.SerializationError: config.json says num_hidden_layers=True: expected a ...
    """
    if entry in COUNTS:
        expected, is_right = "a whole number of 1 or more", is_count(value)
    elif entry in NONE_OR_MORE:
        expected, is_right = "a whole number of 0 or more", type(value) is int and value >= 0
    elif entry in SHARES:
        expected, is_right = "a number from 0 to less than 1", is_number(value) and 0 <= value < 1
    else:
        expected, is_right = "a number above 0", is_number(value) and value > 0
    if not is_right:
        raise SerializationError(f"config.json says {shown(entry, value)}: expected {expected}.")


def is_count(value: object) -> bool:
    """Whether a value is a whole number of 1 or more, and no bool."""
    return type(value) is int and value > 0


def is_number(value: object) -> bool:
    """Whether a value is a finite number that float32 has, and no bool."""
    return type(value) in (int, float) and abs(value) < 3e38 and math.isfinite(value)


def is_same(value: object, other: object) -> bool:
    """Whether values are equal; True is not 1.

    >>> is_same(1, 1.0), is_same(1, True)
    (True, False)
    """
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def shown(entry: str, value: object) -> str:
    """An entry in a message."""
    text = repr(value)
    return f"{entry}={text if len(text) <= 100 else f'{text[:100]}…'}"
