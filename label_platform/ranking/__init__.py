"""LightGBM rankers: training rows as arrays, training, scoring."""

from label_platform.ranking.errors import TrainingError
from label_platform.ranking.example_rows import ResamplingUnits
from label_platform.ranking.feature_codes import NUMBERS_ONLY, FeatureCodes
from label_platform.ranking.feature_matrix import read_features
from label_platform.ranking.importance import gain_shares
from label_platform.ranking.parquet_columns import ParquetColumns
from label_platform.ranking.ranker import AuxiliaryScores, Ranker
from label_platform.ranking.relevance_model import cross_fitted_labels
from label_platform.ranking.teacher import Teacher, load_teacher, teacher_scores
from label_platform.ranking.train import RankerTrainer, fit_ranker
from label_platform.ranking.training_data import TrainingData

__all__ = [
    "NUMBERS_ONLY",
    "AuxiliaryScores",
    "FeatureCodes",
    "ParquetColumns",
    "Ranker",
    "RankerTrainer",
    "ResamplingUnits",
    "Teacher",
    "TrainingData",
    "TrainingError",
    "cross_fitted_labels",
    "fit_ranker",
    "gain_shares",
    "load_teacher",
    "read_features",
    "teacher_scores",
]
