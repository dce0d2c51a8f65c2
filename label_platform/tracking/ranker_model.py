"""How MLflow loads a logged ranker: the model itself fixes position, a caller cannot forget it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from label_platform.ranking import Ranker


class RankerModel:
    """A logged ranker as MLflow serves it.

    Args:
        ranker: the ranker.
    """

    def __init__(self, ranker: Ranker) -> None:
        self.ranker = ranker

    def predict(self, rows: pd.DataFrame, params: dict[str, Any] | None = None) -> np.ndarray:
        """Scores, one per row, higher is better; only comparable within one list."""
        del params  # part of MLflow's signature
        return self.ranker.score(rows)


def _load_pyfunc(path: str) -> RankerModel:
    return RankerModel(Ranker.from_json(Path(path).read_text()))
