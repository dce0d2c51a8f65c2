"""Batches of rows in, scores out: which ranker, which rows, what is written."""

from label_platform.pipeline.scoring.choice import ChosenRanker, choose_ranker
from label_platform.pipeline.scoring.score import Scored, score_day, score_file

__all__ = ["ChosenRanker", "Scored", "choose_ranker", "score_day", "score_file"]
