"""Why a row's label is what it is, in words: its signals, its examination, the arithmetic."""

from typing import Any

from label_platform.lake import quote_identifier
from label_platform.policy.compile import LabelInputs, trust_sql
from label_platform.policy.examination import EXAMINATION, with_examination
from label_platform.policy.gains import clip_sql, gain_sql
from label_platform.policy.label_spec import DualPositives, FirstOf, SignalGain
from label_platform.policy.signals import used_signals
from label_platform.policy.spec import Policy
from label_platform.problem import Problem

Row = dict[str, Any]
_LESS_TRUST = frozenset({"affine", "doubly_robust"})
_ROUNDED = 1e-6


def evidence_sql(policy: Policy, problem: Problem, inputs: LabelInputs, condition: str) -> str:
    """SQL of the impressions that some rows are made from, with what the policy makes of each.

    Args:
        policy: one of the two.
        problem: both are for it.
        inputs: those of the day's labels.
        condition: which impressions.

    Returns:
        impression_id, query_id, item_id, day, position, the policy's signals and segments, gain
        and, where labels are debiased, theta, trust (what the clicks
        that trust alone explains are worth) and clip. The gain is what has come so far.
    """
    source = (
        f"(select * from {inputs.impression_signals} where excluded_reason is null "
        f"and ({condition}))"
    )
    more = ""
    if inputs.propensities is not None:
        source = f"(\n{with_examination(policy, problem, source, inputs.propensities)}\n)"
        trust = trust_sql(policy) if policy.debias.method in _LESS_TRUST else "0"
        numbers = {"theta": EXAMINATION, "trust": trust, "clip": clip_sql(policy)}
        more = "".join(f", cast({sql} as double) as {name}" for name, sql in numbers.items())
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
    divides = "theta" in row and policy.debias.into == "label"
    numbers = (row["trust"], max(row["theta"], row["clip"])) if divides else (0.0, 1.0)
    is_whole = abs((row["gain"] - numbers[0]) / numbers[1] - label) <= _ROUNDED
    divisor = f"max(theta {row['theta']:g}, clip {row['clip']:g})" if "theta" in row else ""
    if not divides:
        words = words if is_whole else f"{words}; as it had come by now = {label:g}"
        weighs = divisor and row["gain"] > 0
        return f"{words}; its weight, not its label, is divided by {divisor}" if weighs else words
    gain = f"{row['gain']:g}" + ("" if is_whole else " / the share of it that had come by now")
    if policy.debias.method in _LESS_TRUST:
        gain = f"({gain} - trust {row['trust']:g})"
    return f"{words}; {gain} / {divisor} = {label:g}"


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
    summed, divisor = "sum of gains", f"{expected:g}"
    if rows and "theta" in rows[0]:
        mean = f"mean theta {_total(rows, 'theta') / len(rows):.3g}"
        divisor = f"{expected:g} ({mean}{_raised(rows)})"
        if policy.debias.method == "ips":
            summed = "sum of gains over theta"
        else:
            divisor = f"expected examinations {divisor}"
        if policy.debias.method in _LESS_TRUST:
            summed = "sum of gains less trust"
    return f"{shown}: {summed} {gain:g} / {divisor} = {label:g}"


def _raised(rows: list[Row]) -> str:
    """How many of the propensities are below the clip, which divides in their place."""
    clips = {row["clip"] for row in rows if row["theta"] < row["clip"]}
    if not clips:
        return ""
    number = sum(row["theta"] < row["clip"] for row in rows)
    which = "it is" if len(rows) == 1 else f"{number} of {len(rows)} are"
    return f", {which} raised to the clip {' or '.join(f'{clip:g}' for clip in sorted(clips))}"


def _gain_words(policy: Policy, row: Row) -> str:
    gains, segment = policy.signals, ""
    for each in policy.segments:
        if all(_as_sql(row[name]) in _listed(values) for name, values in each.when.items()):
            gains = {**gains, **each.signals}
            segment = " in " + ", ".join(f"{name} {_as_sql(row[name])}" for name in each.when)
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


def _as_sql(value: object) -> str:
    """A value as SQL's cast to text writes it, which segments are matched with."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _listed(values: str | tuple[str, ...]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else values


def _total(rows: list[Row], name: str) -> float:
    return float(sum(row[name] for row in rows))
