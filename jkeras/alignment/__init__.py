"""`jkeras.alignment`: models of language learn from preferences and rewards."""

from jkeras.core.names.exports import exported
from jkeras.alignment.dpo import DPO, ORPO
from jkeras.alignment.group_loss import group_advantages, grpo_loss
from jkeras.alignment.grpo import GRPO
from jkeras.alignment.kto import KTO
from jkeras.alignment.log_probs import answer_log_probs, token_log_probs
from jkeras.alignment.odds_loss import orpo_loss
from jkeras.alignment.pairs_loss import dpo_loss
from jkeras.alignment.rows import pairs, unpaired
from jkeras.alignment.unpaired_loss import kto_kl, kto_loss

__all__ = exported(globals())
