"""Rankings as TREC run files."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def write_runs(rows: pd.DataFrame, scores: NDArray[np.floating], tag: str, path: Path) -> None:
    """Write one line for each item of a group: group, Q0, item, rank, score, tag.

    trec_eval orders by score and then by item, not by rank; ranks are written likewise. An item
    that a group has twice counts with its higher score.

    Args:
        rows: with group_id and item_id, as text.
        scores: of each row, higher ranks first.
        tag: of the run, without spaces.
        path: the file.
    """
    run = rows[["group_id", "item_id"]].astype(str).assign(score=scores)
    run = run.sort_values(["group_id", "score", "item_id"], ascending=[True, False, False])
    run = run.drop_duplicates(["group_id", "item_id"])
    rank = run.groupby("group_id", sort=False).cumcount() + 1
    columns = {
        "group": run["group_id"],
        "q0": "Q0",
        "item": run["item_id"],
        "rank": rank,
        "score": run["score"],
        "tag": tag,
    }
    pd.DataFrame(columns).to_csv(path, sep=" ", header=False, index=False)
