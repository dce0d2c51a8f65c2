"""Why a row's label is what it is, in words: its signals, its examination, the arithmetic."""

from typing import Any

from label_platform.lake import quote_identifier
from label_platform.policy.compile import LabelInputs
from label_platform.policy.examination import EXAMINATION, TRUST_OFFSET, with_examination
from label_platform.policy.gains import clip_sql, gain_sql
from label_platform.policy.label_spec import DualPositives, FirstOf, SignalGain
from label_platform.policy.signals import used_signals
from label_platform.policy.spec import Policy
from label_platform.problem import Problem

Row = dict[str, Any]


def evidence_sql(policy: Policy, problem: Problem, inputs: LabelInputs, condition: str) -> str:
    """SQL of the impressions that some rows are made from, with what the policy makes of each.

    Args:
        policy: one of the two.
        problem: both are for it.
        inputs: those of the day's labels.
        condition: which impressions.

    Returns:
        impression_id, query_id, item_id, day, position, the policy's signals and segments, gain
        and, where labels are debiased, theta, beta and clip.
    """
    source = (
        f"(select * from {inputs.impression_signals} where excluded_reason is null "
        f"and ({condition}))"
    )
    more = ""
    if inputs.propensities is not None:
        source = f"(\n{with_examination(policy, problem, source, inputs.propensities)}\n)"
        offset = TRUST_OFFSET if policy.debias.method in {"affine", "doubly_robust"} else "0"
        more = f", {EXAMINATION} as theta, {offset} as beta, {clip_sql(policy)} as clip"
    said = dict.fromkeys(
        [*used_signals(policy), *(name for each in policy.segments for name in each.when)]
    )
    if policy.watch_time is not None:
        said[policy.watch_time.duration] = None
    columns = "".join(f", {quote_identifier(name)}" for name in said)
    gain = "0" if policy.watch_time is not None else gain_sql(policy)
    return (
        "select impression_id, query_id, item_id, cast(shown_at as date) as day, "
        f"position{columns}, cast({gain} as double) as gain{more} from {source}"
    )


def impression_words(policy: Policy, row: Row, label: float) -> str:
    """The arithmetic of an impression's label.

    Args:
        policy: at impression grain.
        row: as ``evidence_sql`` gives it.
        label: what came out.
    """
    if policy.watch_time is not None:
        watch = policy.watch_time
        watched, duration = row[watch.watch_s], row[watch.duration]
        return (
            f"{watch.label} of {watched:g} s watched of {duration:g} {watch.duration_unit} "
            f"= {label:g}"
        )
    words = f"{_gain_words(policy, row)} = {row['gain']:g}"
    if "theta" not in row:
        return words if row["gain"] == label else f"{words}; as it had come by now = {label:g}"
    divisor = f"max(theta {row['theta']:g}, clip {row['clip']:g})"
    if policy.debias.into == "weight":
        return f"{words}; its weight, not its label, is divided by {divisor}"
    if policy.debias.method == "ips":
        return f"{words}; {row['gain']:g} / {divisor} = {label:g}"
    return f"{words}; ({row['gain']:g} - trust {row['beta']:g}) / {divisor} = {label:g}"


def cell_words(policy: Policy, rows: list[Row], label: float, sums: tuple[float, float]) -> str:
    """The arithmetic of the label of a query and item.

    Args:
        policy: at either grain; at impression grain the label is the mean over impressions.
        rows: its impressions, as ``evidence_sql`` gives them.
        label: what came out.
        sums: of what is divided, and of what divides.
    """
    came = [
        f"{name} {total:g}" for name in used_signals(policy) if (total := _total(rows, name)) != 0
    ]
    unit = "impression" if len(rows) == 1 else "impressions"
    shown = f"{len(rows)} {unit} ({', '.join(came) or 'no signals'})"
    gain, expected = sums
    if policy.grain == "impression":
        return f"{shown}: mean label {gain:g} / {expected:g} = {label:g}"
    divisor = f"{expected:g}"
    if rows and "theta" in rows[0]:
        mean = _total(rows, "theta") / len(rows)
        divisor = f"expected examinations {expected:g} (mean theta {mean:.3g})"
    summed = {"ips": "sum of gains / theta", "affine": "sum of gains less trust"}.get(
        policy.debias.method, "sum of gains"
    )
    return f"{shown}: {summed} {gain:g} / {divisor} = {label:g}"


def _gain_words(policy: Policy, row: Row) -> str:
    gains, segment = policy.signals, ""
    for each in policy.segments:
        if all(str(row[name]) in _listed(values) for name, values in each.when.items()):
            gains = {**gains, **each.signals}
            segment = " in " + ", ".join(f"{name} {row[name]}" for name in each.when)
            break
    terms = [_term(name, gain, row) for name, gain in gains.items() if row[name]]
    if not terms:
        return f"no signal{segment}"
    if isinstance(policy.combine, FirstOf):
        return f"first of {', '.join(policy.combine.first)}: {', '.join(terms)}{segment}"
    if isinstance(policy.combine, DualPositives):
        return f"any of {', '.join(terms)}{segment}"
    joined = f"max({', '.join(terms)})" if policy.combine == "max" else " + ".join(terms)
    return f"{joined}{segment}"


def _term(name: str, gain: SignalGain, row: Row) -> str:
    text = f"{gain.gain:g} x {name} {row[name]:g}"
    if gain.quality is None:
        return text
    quality = gain.quality
    return f"{text} x {quality.shape}({quality.of} {row[quality.of]:g} of {quality.cap:g})"


def _listed(values: str | tuple[str, ...]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else values


def _total(rows: list[Row], name: str) -> float:
    return float(sum(row[name] for row in rows))
