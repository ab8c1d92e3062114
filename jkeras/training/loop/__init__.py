"""The loop over steps: programs, evaluation, predictions, resuming."""
