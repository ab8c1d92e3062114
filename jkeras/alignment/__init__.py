"""`jkeras.alignment`: models of language learn from preferences and rewards."""

from jkeras.core.names.exports import exported
from jkeras.alignment.pairs_loss import dpo_loss
from jkeras.alignment.group_loss import group_advantages, grpo_loss
from jkeras.alignment.unpaired_loss import kto_kl, kto_loss
from jkeras.alignment.log_probs import answer_log_probs, token_log_probs
from jkeras.alignment.odds_loss import orpo_loss

__all__ = exported(globals())
