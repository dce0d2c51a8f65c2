"""Whether a policy may use an examination curve."""

from label_platform.policy.label_spec import FallBack
from label_platform.policy.spec import Policy
from label_platform.propensity import Verdict
from label_platform.propensity_settings import PropensityGates


class PolicyRefusedError(RuntimeError):
    """What a policy asks for would mislead, by what the data say."""


class PropensityRefusedError(PolicyRefusedError):
    """A policy needs propensities, the evidence does not support them, and it does not fall back.

    Attributes:
        verdict: the refused estimate's verdict.
        reason: the estimate's own words and numbers.
    """

    def __init__(self, policy: Policy, verdict: Verdict, reason: str) -> None:
        super().__init__(
            f"{policy.name}: its propensities are refused ({verdict}): {reason}. "
            "With debias.on_refusal: {fall_back_to: none} it would be built without debiasing"
        )
        self.verdict = verdict
        self.reason = reason


class PriorRefusedError(PolicyRefusedError):
    """The labels themselves speak against the prior that a policy asks for."""

    def __init__(self, policy: Policy, reason: str) -> None:
        super().__init__(
            f"{policy.name}: debias.prior: toward: empirical_bayes is refused: {reason}. Leave the "
            "prior out, take toward: model, or write debias.on_refusal: {fall_back_to: none}"
        )


class MixedLabelsError(PolicyRefusedError):
    """The curves of some days were refused, and a policy that falls back mixes two scales."""

    def __init__(self, policy: Policy, without: list[str], days: int) -> None:
        super().__init__(
            f"{policy.name}: its propensities are refused on {len(without)} of {days} days "
            f"({', '.join(without)}), so labels fell back to no debiasing there and not on the "
            "others: trained together they would be on two scales. Write debias.method: none, or "
            "a debias.propensity that is there on all days, or a training.window that leaves these "
            "days out"
        )


def labels_need_propensities(policy: Policy) -> bool:
    """Whether the label's formula divides by propensities."""
    return policy.debias.method not in {"none", "posterior"}


def examples_need_propensities(policy: Policy) -> bool:
    """Whether some training row is weighted by its propensity."""
    examined = policy.negatives.examined
    weighted = examined is not None and examined.weight in {"theta", "posterior"}
    return weighted or policy.debias.method in {"posterior", "doubly_robust"}


def examples_need_predictions(policy: Policy) -> bool:
    """Whether some training row needs a model's prediction of its relevance."""
    debias, examined = policy.debias, policy.negatives.examined
    posterior = examined is not None and examined.weight == "posterior"
    toward_model = debias.prior is not None and debias.prior.toward == "model"
    return posterior or toward_model or debias.method in {"posterior", "doubly_robust"}


def falls_back(policy: Policy) -> bool:
    """Whether the policy agrees to be built without propensities."""
    return isinstance(policy.debias.on_refusal, FallBack)


def require_propensities(
    policy: Policy, verdict: str, reason: str, gates: PropensityGates, *, is_wide: bool
) -> bool:
    """Whether the policy uses this estimate; False means that it falls back to none.

    Args:
        policy: a policy whose labels or examples need propensities.
        verdict: the estimate's verdict.
        reason: the estimate's reason, repeated in the refusal.
        gates: whether the problem takes wide estimates.
        is_wide: whether some interval is wider than asked, which a worse flag hides in the verdict.

    Raises:
        PropensityRefusedError: refused, and the policy does not say what to fall back to.
    """
    found = Verdict(verdict)
    if not found.is_refusal:
        if not (is_wide and gates.refuse_wide):
            return True
        found = Verdict.WIDE
    if falls_back(policy):
        return False
    raise PropensityRefusedError(policy, found, reason)
