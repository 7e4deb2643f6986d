"""Networks on disk: our own format, those of others, and the checkpoints of a run."""
