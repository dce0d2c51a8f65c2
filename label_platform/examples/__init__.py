"""Training examples: the split into days, negatives, features."""

from label_platform.examples.absence import absence_sql, absences
from label_platform.examples.build import ROW_ORDER, examples_sql, origin_counts_sql
from label_platform.examples.evaluation_rows import evaluation_rows_sql
from label_platform.examples.feature_tables import (
    JoinedTable,
    leaks_sql,
    with_feature_tables_sql,
    wrong_rows_sql,
)
from label_platform.examples.features import (
    FeatureColumns,
    require_logged_score,
    resolve_features,
)
from label_platform.examples.finish import (
    BASE,
    PREDICTED,
    TAUGHT,
    Fitted,
    base_sql,
    bounds_of,
    bounds_sql,
    dense_scale,
    dense_weights_sql,
    finished_sql,
    needs_finish,
)
from label_platform.examples.random_catalogue import drawn_sql
from label_platform.examples.refused import refused_counts_sql, refused_draws_sql
from label_platform.examples.relations import ExampleRelations
from label_platform.examples.split import Split, SplitError, split_days

__all__ = [
    "BASE",
    "PREDICTED",
    "ROW_ORDER",
    "TAUGHT",
    "ExampleRelations",
    "FeatureColumns",
    "Fitted",
    "JoinedTable",
    "Split",
    "SplitError",
    "absence_sql",
    "absences",
    "base_sql",
    "bounds_of",
    "bounds_sql",
    "dense_scale",
    "dense_weights_sql",
    "drawn_sql",
    "evaluation_rows_sql",
    "examples_sql",
    "finished_sql",
    "leaks_sql",
    "needs_finish",
    "origin_counts_sql",
    "refused_counts_sql",
    "refused_draws_sql",
    "require_logged_score",
    "resolve_features",
    "split_days",
    "with_feature_tables_sql",
    "wrong_rows_sql",
]
