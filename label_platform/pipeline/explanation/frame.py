"""What stands around the numbers of an explained label: versions, verdicts, its list, warnings."""

from collections.abc import Sequence
from datetime import date

from label_platform.examples import refused_draws_sql
from label_platform.explain import ListRow, Shown
from label_platform.lake import Partition, quote_literal
from label_platform.pipeline.context import Context
from label_platform.pipeline.examples import example_relations
from label_platform.pipeline.explanation.lines import LabelLines
from label_platform.pipeline.propensity_judgment import judgment_of
from label_platform.policy import (
    Policy,
    PolicyRefusedError,
    falls_back,
    label_version,
    labels_need_propensities,
    policy_version,
)

_BY_SESSION = (
    "the exclusion ({}) is taken as it is recorded: its rule looks at whole sessions, not at "
    "these lines"
)


def facts_of(context: Context, policy: Policy, days: Sequence[date]) -> dict[str, str]:
    """Policy, versions, days and the propensities' verdict, in words."""
    problem = context.problem
    debias = policy.debias
    facts = {
        "policy": f"{policy.name}: {policy.description}",
        "file": str(policy.path),
        "grain": policy.grain,
        "debias": f"{debias.method}, clip {debias.clip:g}" if debias.method != "none" else "none",
        "label version": label_version(policy, problem),
        "policy version": policy_version(policy, problem),
        "days": f"{days[0]} to {days[-1]}" if len(days) > 1 else "".join(map(str, days)),
    }
    built = [
        manifest.attributes
        for day in days
        if (manifest := context.lake.manifest(Partition("labels", day, policy.name))) is not None
    ]
    versions = {str(each.get("label_version")) for each in built}
    if versions - {facts["label version"]}:
        facts["built with"] = (
            f"label version {', '.join(sorted(versions))}: not today's version (of the policy, the "
            "problem or the formulas)"
        )
    if labels_need_propensities(policy) and days:
        verdict, reason = judgment_of(context, days[-1], debias.estimator)
        facts["propensities"] = f"{verdict}: {reason}"
        # labels of another version were not made by what the policy says of refusals now
        of_today = [each for each in built if each.get("label_version") == facts["label version"]]
        if falls_back(policy) and not all(each.get("debiased") for each in of_today):
            facts["fell back"] = "to no debiasing, as the policy says where its curve is refused"
    examples_days = context.lake.days("examples", policy.name)
    if examples_days:
        # refused draws are counted for all lists together: they are no rows
        examples = context.require(Partition("examples", examples_days[-1], policy.name))
        refused = examples.attributes.get("refused", {})
        if refused:
            facts["refused draws"] = "; ".join(f"{why}: {n}" for why, n in refused.items())
    return facts


def notes_of(lines: LabelLines, excluded: str) -> tuple[str, ...]:
    """What a reader should know of the files, and of exclusions."""
    raw = lines.raw
    notes = [f"{name} has changed since it was ingested" for name in sorted(raw.changed)]
    notes += [f"{name} was ingested, but {why}" for name, why in sorted(raw.gone.items())]
    if excluded:
        notes.append(_BY_SESSION.format(excluded))
    return tuple(notes)


def listed_rows(context: Context, policy: Policy, shown: Shown) -> tuple[ListRow, ...]:
    """The impression's list: the label of each row, and why it trains or that it does not.

    Drawn items that were refused as negatives follow, with the reason.
    """
    lake, day = context.lake, shown.shown_at.date()
    examples_days = lake.days("examples", policy.name)
    if not examples_days:
        return ()
    request = f"{quote_literal(str(shown.request_id))}"
    examples = lake.scan("examples", examples_days[-1:], policy.name)
    rows = context.engine.rows(
        f"""with listed as (
            select impression_id, item_id, position from {lake.scan("impressions", [day])}
            where request_id::varchar = {request}
        ), training as (
            select * from {examples} where group_id::varchar = {request}
        )
        select position, item_id, labels.label, training.origin, training.weight
        from listed
        left join {lake.scan("labels", [day], policy.name)} as labels using (impression_id)
        left join (select impression_id, origin, weight from training) as training
            using (impression_id)
        union all
        select position, item_id, label, origin, weight from training where impression_id is null
        order by position nulls last, item_id"""
    )
    if not any(origin for *_, origin, _weight in rows):
        return ()  # its day is none of the training days
    listed = [
        ListRow(position, item, label, origin or "", weight)
        for position, item, label, origin, weight in rows
    ]
    drawn = _refused_draws(context, policy, examples_days[-1], request)
    return (*listed, *(ListRow(None, item, None, words, None) for item, words in drawn))


def drawn_rows(context: Context, policy: Policy, query: object) -> tuple[ListRow, ...]:
    """What was drawn from the catalogue for a query: what trains, then what was refused.

    Its other rows are cells, which are explained by themselves.
    """
    examples_days = context.lake.days("examples", policy.name)
    if policy.negatives.random is None or not examples_days:
        return ()
    key = quote_literal(str(query))
    examples = context.lake.scan("examples", examples_days[-1:], policy.name)
    rows = context.engine.rows(
        f"""select item_id, label, origin, weight from {examples}
        where group_id::varchar = {key} and origin = 'random' order by item_id"""
    )
    drawn = _refused_draws(context, policy, examples_days[-1], key)
    return (
        *(ListRow(None, *row) for row in rows),
        *(ListRow(None, item, None, words, None) for item, words in drawn),
    )


def _refused_draws(
    context: Context, policy: Policy, day: date, group: str
) -> list[tuple[object, str]]:
    """Items that were drawn as negatives of a list and refused, each with the block and reason.

    Args:
        context: the piece of work.
        policy: whose.
        day: of the training rows.
        group: the list, or the query at query-item grain, as an SQL literal.
    """
    if policy.negatives.random is None and policy.negatives.hard is None:
        return []
    try:
        relations = example_relations(context, policy, context.split(day))
    except PolicyRefusedError:
        # rows of these labels would not be built any more: those that were are told to be old
        return []
    refused = refused_draws_sql(policy, relations)
    return [
        (item, f"refused as {origin}: {reason}")
        for item, origin, reason in context.engine.rows(
            f"select item_id, origin, reason from (\n{refused}\n) "
            f"where group_id::varchar = {group} order by all"
        )
    ]
