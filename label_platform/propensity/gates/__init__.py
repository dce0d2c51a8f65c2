"""Gates: when an estimate must be refused or flagged."""
