"""Training labels for ranking: from biased logs to labels, rankers and defensible comparisons."""
