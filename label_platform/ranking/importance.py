"""What a ranker looks at."""

import lightgbm as lgb

from label_platform.ranking.ranker import Ranker


def gain_shares(ranker: Ranker) -> dict[str, float]:
    """Each feature's share of the gain of all splits, in [0, 1], together 1.

    Of the ranker's own booster, not of an auxiliary one. Gain says what the trees used, not what
    would be lost without it: of two features that say the same, one may take all.

    Returns:
        By feature, position included where the ranker learns from it; all 0 if nothing was split.
    """
    gains = lgb.Booster(model_str=ranker.booster).feature_importance("gain")
    names = [*ranker.feature_names]
    if ranker.uses_position_feature:
        names.append("position")
    total = float(gains.sum())
    return {
        name: float(gain) / total if total > 0 else 0.0
        for name, gain in zip(names, gains, strict=True)
    }
