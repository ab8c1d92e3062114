"""Models of keras-hub that it reads by converters of its own, written as transformers has them."""

import collections.abc
import re
import typing

from jkeras.core.errors import explain
from jkeras.saving.hugging_face.layouts import Layout, Matrix, Same, Vector
from jkeras.saving.hugging_face.native.families import planned
from jkeras.saving.hugging_face.native.layouts import Each
from jkeras.saving.hugging_face.native.weights import Row, Theirs, written_config
from jkeras.saving.types import Config

LAYOUTS: dict[str, Layout] = {
    "same": Same(),
    "vector": Vector(),
    "linear": Matrix(),
    "linear-output": Matrix(inputs=2),
    "heads-first": Matrix(heads_first=True),
    "each": Each(),
    "first-half": Each(half=0),
    "second-half": Each(half=1),
}


class Written(typing.NamedTuple):
    """A backbone that is written.

    Attributes:
        kind: the model type.
        rows: as of `native.family`, with the paths of keras-hub; a layout for each.
        config: {entry: argument}.
        further: what else `config.json` says, by the backbone.
        alone: {argument: the only value of it that is computed as transformers does}.
    """

    kind: str
    rows: str
    config: dict[str, str]
    further: collections.abc.Callable[[typing.Any], Config]
    alone: dict[str, typing.Any]


ATTENTION = """
    layers.#.self_attn.q_proj.weight @/self_attention/query/kernel linear
    layers.#.self_attn.k_proj.weight @/self_attention/key/kernel linear
    layers.#.self_attn.v_proj.weight @/self_attention/value/kernel linear
    layers.#.self_attn.o_proj.weight @/self_attention/attention_output/kernel linear-output
    layers.#.input_layernorm.weight @/self_attention_layernorm/scale same
    layers.#.post_attention_layernorm.weight @/feedforward_layernorm/scale same
"""
EMBEDDING = """
    embed_tokens.weight token_embedding/embeddings same
    norm.weight sequence_output_layernorm/scale same
    lm_head.weight token_embedding/reverse_embeddings linear
"""
GEMMA = """
    embed_tokens.weight token_embedding/embeddings same
    norm.weight final_normalization/scale same
    layers.#.input_layernorm.weight @/pre_attention_norm/scale same
    layers.#.self_attn.q_proj.weight @/attention/query/kernel heads-first
    layers.#.self_attn.k_proj.weight @/attention/key/kernel heads-first
    layers.#.self_attn.v_proj.weight @/attention/value/kernel heads-first
    layers.#.self_attn.o_proj.weight @/attention/attention_output/kernel linear-output
    layers.#.self_attn.q_norm.weight @/attention/query_norm/scale same
    layers.#.self_attn.k_norm.weight @/attention/key_norm/scale same
    layers.#.post_attention_layernorm.weight @/post_attention_norm/scale same
    layers.#.pre_feedforward_layernorm.weight @/pre_ffw_norm/scale same
    layers.#.mlp.gate_proj.weight @/ffw_gating/kernel linear
    layers.#.mlp.up_proj.weight @/ffw_gating_2/kernel linear
    layers.#.mlp.down_proj.weight @/ffw_linear/kernel linear
    layers.#.post_feedforward_layernorm.weight @/post_ffw_norm/scale same
"""
SIZES = {
    "vocab_size": "vocabulary_size",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_query_heads",
    "num_key_value_heads": "num_key_value_heads",
    "hidden_size": "hidden_dim",
    "rms_norm_eps": "layer_norm_epsilon",
    "attention_dropout": "dropout",
}
MIXTRAL_MOE = "@/mixtral_sparse_moe_block"
MIXTRAL_EXPERTS = f"{MIXTRAL_MOE}/experts/expert_feedforward"
QWEN_MOE = "@/qwen_sparse_moe_block"
QWEN_EXPERTS = f"{QWEN_MOE}/experts/expert_feedforward"
QWEN_SHARED = f"{QWEN_MOE}/shared_expert_dense/feedforward"
ROUTER = "sparse_feedforward_gate_dense/kernel"
COUNTED = re.compile(r"(?<=_sparse_moe_block)_\d+/")
SHARED = "layers.#.mlp.shared_expert"
THEIR_EXPERTS = "layers.#.block_sparse_moe.experts"
OF_GEMMA = {
    "query_head_dim_normalize": True,
    "use_post_ffw_norm": True,
    "use_post_attention_norm": True,
    "layer_norm_epsilon": 1e-6,  # which blocks have, whatever the argument says
}


def _gemma2(backbone: typing.Any) -> Config:
    further = {"query_pre_attn_scalar": backbone.head_dim}
    if not backbone.use_sliding_window_attention:
        further["layer_types"] = ["full_attention"] * backbone.num_layers
    return {**further, "intermediate_size": backbone.intermediate_dim // 2}


def _gemma3(backbone: typing.Any) -> Config:
    further = {"query_pre_attn_scalar": backbone.head_dim}
    factor = backbone.global_rope_scaling_factor
    if factor != 1:
        further["rope_scaling"] = {"rope_type": "linear", "factor": factor}
    if not backbone.use_sliding_window_attention:
        further["layer_types"] = ["full_attention"] * backbone.num_layers
    return further


WRITTEN = {
    "GemmaBackbone": Written(
        "gemma2",
        GEMMA,
        {
            **SIZES,
            "head_dim": "head_dim",
            "sliding_window": "sliding_window_size",
            "attn_logit_softcapping": "attention_logit_soft_cap",
            "final_logit_softcapping": "final_logit_soft_cap",
        },
        _gemma2,
        OF_GEMMA,
    ),
    "Gemma3Backbone": Written(
        "gemma3_text",
        GEMMA,
        {
            **SIZES,
            "intermediate_size": "intermediate_dim",
            "head_dim": "head_dim",
            "sliding_window": "sliding_window_size",
            "final_logit_softcapping": "final_logit_soft_cap",
        },
        _gemma3,
        {
            **OF_GEMMA,
            "vision_encoder": None,
            "use_query_key_norm": True,
            "attention_logit_soft_cap": None,
            "local_rope_scaling_factor": 1.0,
            "use_bidirectional_attention": False,
            "is_embedding_model": False,
        },
    ),
    "MixtralBackbone": Written(
        "mixtral",
        f"""{EMBEDDING}{ATTENTION}
        layers.#.block_sparse_moe.gate.weight {MIXTRAL_MOE}/{ROUTER} linear
        {THEIR_EXPERTS}.*.w1.weight {MIXTRAL_EXPERTS}_gate_dense each
        {THEIR_EXPERTS}.*.w3.weight {MIXTRAL_EXPERTS}_intermediate_dense each
        {THEIR_EXPERTS}.*.w2.weight {MIXTRAL_EXPERTS}_output_dense each
        """,
        {
            **SIZES,
            "intermediate_size": "intermediate_dim",
            "num_local_experts": "num_experts",
            "num_experts_per_tok": "top_k",
            "sliding_window": "sliding_window",
            "rope_theta": "rope_max_wavelength",
        },
        lambda backbone: {},
        {"rope_scaling_factor": 1.0},
    ),
    "QwenMoeBackbone": Written(
        "qwen2_moe",
        f"""{EMBEDDING}{ATTENTION}
        layers.#.self_attn.q_proj.bias @/self_attention/query/bias vector
        layers.#.self_attn.k_proj.bias @/self_attention/key/bias vector
        layers.#.self_attn.v_proj.bias @/self_attention/value/bias vector
        layers.#.mlp.gate.weight {QWEN_MOE}/{ROUTER} linear
        layers.#.mlp.experts.*.gate_proj.weight {QWEN_EXPERTS}_gate_dense first-half
        layers.#.mlp.experts.*.up_proj.weight {QWEN_EXPERTS}_gate_dense second-half
        layers.#.mlp.experts.*.down_proj.weight {QWEN_EXPERTS}_output_dense each
        {SHARED}.gate_proj.weight {QWEN_SHARED}_gate_dense/kernel linear
        {SHARED}.up_proj.weight {QWEN_SHARED}_intermediate_dense/kernel linear
        {SHARED}.down_proj.weight {QWEN_SHARED}_output_dense/kernel linear
        layers.#.mlp.shared_expert_gate.weight {QWEN_MOE}/shared_expert_gate_dense/kernel linear
        """,
        {
            **SIZES,
            "intermediate_size": "intermediate_dim",
            "moe_intermediate_size": "moe_intermediate_dim",
            "shared_expert_intermediate_size": "shared_expert_intermediate_dim",
            "num_experts": "num_experts",
            "num_experts_per_tok": "top_k",
            "norm_topk_prob": "norm_top_k_prob",
            "rope_theta": "rope_max_wavelength",
            "tie_word_embeddings": "tie_word_embeddings",
        },
        lambda backbone: {},
        {
            "rope_scaling_factor": 1.0,
            "use_sliding_window_attention": False,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
        },
    ),
}


def table_of(backbone: typing.Any) -> Written | None:
    """What a backbone is written by; None for another one."""
    names = [cls.__name__ for cls in type(backbone).__mro__]
    if "GemmaBackbone" in names and not backbone.use_post_ffw_norm:
        return None  # the first Gemma
    return next((WRITTEN[name] for name in names if name in WRITTEN), None)


def config_of(written: Written, backbone: typing.Any) -> Config:
    """What `config.json` says of a backbone.

    Raises:
        ValueError: an argument has a value that transformers does not have.
    """
    for argument, only in written.alone.items():
        value = getattr(backbone, argument)
        if value != only:
            raise ValueError(
                explain(
                    "`to_transformers`",
                    f"a {type(backbone).__name__} with {argument}={only!r}, the only value with "
                    f"which it computes what the model type '{written.kind}' does",
                    f"{argument}={value!r}",
                )
            )
    entries = {entry: getattr(backbone, argument) for entry, argument in written.config.items()}
    entries = {"model_type": written.kind, **entries, **written.further(backbone)}
    family, entries, _ = planned(entries, "causal_lm")
    return written_config(family, entries, "causal_lm", backbone.variable_dtype)


def theirs_of(written: Written, backbone: typing.Any) -> dict[str, Theirs]:
    """{name of transformers: `Theirs`}.

    Raises:
        ValueError: the backbone has weights that transformers' model does not have.
    """
    # a block of experts has a name that counts those that a program made
    ours = {COUNTED.sub("/", variable.path): variable for variable in backbone.weights}
    found, used = {}, set()
    block = "decoder_block_" if "gemma" in written.kind else "transformer_layer_"
    for row in _rows(written.rows, block, backbone):
        if row.ours[0] not in ours:
            continue
        used.add(row.ours[0])
        for index, name in enumerate(row.theirs):
            is_head = name.startswith("lm_head.")
            whole = {True: name, False: f"model.{name}"}[is_head]
            found[whole] = Theirs(row, index, [ours[row.ours[0]]])
    others = sorted(set(ours) - used)
    if others:
        raise ValueError(
            explain(
                "`to_transformers`",
                f"the weights that a {type(backbone).__name__} has by itself",
                f"others too: {', '.join(others[:5])}",
            )
        )
    return found


def _rows(text: str, block: str, backbone: typing.Any) -> collections.abc.Iterator[Row]:
    """The rows of a backbone."""
    lines = [line.split() for line in text.strip().splitlines() if line.strip()]
    for theirs, path, layout in lines:
        layers = range(backbone.num_layers) if "#" in theirs else [0]
        for layer in layers:
            name = theirs.replace("#", str(layer))
            count = getattr(backbone, "num_experts", 1) if "*" in name else 1
            names = tuple(name.replace("*", str(number)) for number in range(count))
            yield Row(names, (path.replace("@", f"{block}{layer}"),), LAYOUTS[layout])
