"""A model of transformers whose next token depends on the last one."""

import torch
import transformers
from transformers.modeling_outputs import CausalLMOutput


class TableModel(transformers.PreTrainedModel, transformers.GenerationMixin):
    """Logits from a table."""

    config_class = transformers.PretrainedConfig
    _supports_cache_class = False

    def __init__(self, table):
        config = transformers.PretrainedConfig(
            vocab_size=len(table), use_cache=False, num_hidden_layers=1
        )
        super().__init__(config)
        self.table = torch.nn.Parameter(table)

    def forward(self, input_ids, **kwargs):
        return CausalLMOutput(logits=self.table[input_ids])

    def prepare_inputs_for_generation(self, input_ids, **kwargs):
        return {"input_ids": input_ids}
