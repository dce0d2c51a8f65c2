"""Negatives that no list showed: random items of the catalogue, behind a guard.

What is drawn for is a rewarded impression of a list; at grain query_item a rewarded cell, and then
the query stands for the list: what it showed is what any list of the query showed in the training
days.

For every positive, items are drawn by md5 of the positive and the number of the draw, until enough
pass the guard (``guard.py``); where it refuses nearly everything there are fewer.

uniform: every item alike. A list takes an item once, whichever of its positives drew it.

popularity: with chance (n + 1) / sum (n + 1), n being how often people were shown the item in the
training days; one is added since an item of chance 0 could not be made up for by any weight. Draws
are with replacement: an item that a list drew twice is one row of twice the weight.

log_q: a draw of chance q_i weighs (1/N) / q_i, as the logit of a sampled softmax is lowered by
log q_i (Bengio and Senecal 2008; Yi et al. 2019). Over draws from the whole catalogue the expected
weight of every item is then that of uniform draws. Draws that the guard refuses are replaced,
which raises the chance of all others of that list by one factor, for popular items are refused more
often. So weights are divided by their mean over the block: each draw weighs ``weight`` on average,
and within a list items have in expectation the shares they have under uniform draws.

With decay a draw counts as its day does, at grain query_item as the last day of its cell.

Features are what the item would have had in the list: those of the items table and of feature
tables as of the moment at which the list was shown, of its query and its user. At grain query_item
that is the last list that showed the rewarded item.
"""

from label_platform.examples.columns import feature_list_sql, item_join_sql
from label_platform.examples.feature_tables import with_feature_tables_sql
from label_platform.examples.guard import (
    NOT_YET,
    SHOWN,
    known_ctes,
    looked_at_ctes,
    refused_sql,
)
from label_platform.examples.relations import ExampleRelations
from label_platform.examples.rewarded import rewarded_sql, shown_sql
from label_platform.examples.standardised import Features
from label_platform.policy import Policy, RandomCatalogue

_SPARE_DRAWS = 4
"""Draws for each item that is needed: the guard refuses few in a catalogue of any size."""

_HEX_DIGITS = 15  # the most that fit a signed 64-bit integer
_CORRECTION = "decimal(18, 9)"
"""Sums of decimals do not depend on the order in which threads add them."""


def random_rows_sql(policy: Policy, block: RandomCatalogue, relations: ExampleRelations) -> str:
    """SQL of random catalogue rows for the lists of the training days.

    Raises:
        ValueError: there is no items table.
    """
    features = feature_list_sql(relations, "kept", items="kept")
    correction = "kept._own_times"
    kept = _kept_ctes(decays=policy.decay is not None)
    if block.draw == "popularity" and block.log_q:
        correction = "kept._own_correction"
    return f"""{_looked_at(policy, block, relations)},

{kept}

select
    'train' as part,
    kept.group_id,
    kept.query_id,
    kept.item_id,
    cast(null as uuid) as impression_id,
    cast(null as integer) as position,
    cast(0 as double) as label,
    round(cast({block.weight!r} * {correction} as double), 6) as weight,
    cast(0 as double) as raw_label,
    cast(0 as double) as raw_weight,
    cast(0 as bigint) as impressions,
    cast(null as double) as expected_examinations,
    'random' as origin{features}
from kept"""


def _kept_ctes(*, decays: bool) -> str:
    """A row per list and item that passed the guard, with how often and how likely it was."""
    counts = f"cast(_own_decay as {_CORRECTION})" if decays else "1"
    return f"""corrected as (
    select
        *,
        cast(_own_uniform_chance / _own_chance as {_CORRECTION}) as _own_own_correction,
        {counts} as _own_counts
    from looked_at
    where _own_reason is null
),

kept as (
    select
        *,
        sum(_own_own_correction * _own_counts) over (partition by group_id, item_id)
            / (select avg(_own_own_correction) from corrected) as _own_correction,
        sum(_own_counts) over (partition by group_id, item_id) as _own_times
    from corrected
    qualify row_number() over (
        partition by group_id, item_id order by _own_positive_id, _own_draw
    ) = 1
)"""


def refused_random_sql(policy: Policy, block: RandomCatalogue, relations: ExampleRelations) -> str:
    """SQL of the draws that the guard refused."""
    return refused_sql(_looked_at(policy, block, relations), "train", "random")


def drawn_sql(policy: Policy, block: RandomCatalogue, relations: ExampleRelations) -> str:
    """SQL of the draws as if they had been shown: item_id, shown_at, excluded_reason (null).

    What a draw would see is looked at by it, before any row is made. Items that were not in the
    catalogue yet are left out, as the guard drops them.

    Raises:
        ValueError: there is no items table.
    """
    if relations.items is None:
        raise ValueError("negatives.random needs the items table")
    in_catalogue = item_join_sql(relations, "drawn", "inner", dated=_is_dated(relations))
    return f"""(with rewarded as (
    {rewarded_sql(policy, relations, "train")}
),

{_drawn(policy, block, relations)}

select drawn.item_id, drawn.shown_at, cast(null as varchar) as excluded_reason
from drawn{in_catalogue})"""


def _looked_at(policy: Policy, block: RandomCatalogue, relations: ExampleRelations) -> str:
    if relations.items is None:
        raise ValueError("negatives.random needs the items table")
    features = Features(relations, logged=False)
    tolerance = policy.negatives.near_duplicates
    known = known_ctes(policy, features, part="train", standardised=tolerance > 0)
    filled = features.filled_sql("dated") if tolerance > 0 else ""
    dated = _is_dated(relations)
    not_yet = "items.item_id is null" if dated else "false"
    catalogue = item_join_sql(relations, "drawn", dated=dated)
    columns = feature_list_sql(relations, "drawn", logged=False)
    reasons = {
        NOT_YET: "candidates._own_is_not_yet",
        SHOWN[policy.grain]: "candidates._own_is_shown",
    }
    return f"""with {known},

rewarded as (
    {rewarded_sql(policy, relations, "train")}
),

{_drawn(policy, block, relations)},

dated as (
    select
        drawn.*,
        {not_yet} as _own_is_not_yet,
        shown.item_id is not null as _own_is_shown{columns}
    from {with_feature_tables_sql("drawn", relations.feature_tables)} as drawn{catalogue}
    left join ({shown_sql(policy, relations)}) as shown
        on drawn.group_id = shown.group_id and drawn.item_id = shown.item_id
),

candidates as (
    select dated.*{filled}
    from dated
    cross join statistics
),

{looked_at_ctes(features, tolerance, block.per_positive, reasons)}"""


def _is_dated(relations: ExampleRelations) -> bool:
    """Without features of items nothing is taken from their table, nor is it asked about dates."""
    return bool(relations.columns_of_items)


def _drawn(policy: Policy, block: RandomCatalogue, relations: ExampleRelations) -> str:
    """CTE ``drawn``, with those that it needs."""
    draws = block.per_positive * _SPARE_DRAWS
    key = "concat('random|', rewarded._own_positive_id, '|', _own_draw)"
    digits = f"substr(md5({key}), 1, {_HEX_DIGITS})"
    once, more = "", ""
    if any(table.of == "user" for table in relations.feature_tables):
        more = "\n        rewarded.user_key,"
    if policy.decay is not None:
        more += "\n        rewarded._own_decay,"
    if block.draw == "uniform":
        once = """
    qualify row_number() over (
        partition by draws.group_id, catalogue.item_id
        order by draws._own_positive_id, draws._own_draw
    ) = 1"""
    return f"""{_catalogue(block, relations)}

draws as (
    select
        rewarded._own_positive_id,
        rewarded.group_id,
        rewarded.query_id,{more}
        rewarded.shown_at,
        _own_draw,
        cast('0x' || {digits} as bigint) % (select cast(sum(share) as bigint) from shares) as number
    from rewarded
    cross join range({draws}) as numbers(_own_draw)
),

drawn as (
    select draws.* exclude (number), catalogue.* exclude (first_number)
    from draws
    asof inner join catalogue on draws.number >= catalogue.first_number{once}
)"""


def _catalogue(block: RandomCatalogue, relations: ExampleRelations) -> str:
    """CTE ``catalogue``: each item has a stretch of whole numbers as long as its chance."""
    share = "1 + coalesce(popularity.shown, 0)" if block.draw == "popularity" else "1"
    return f"""popularity as (
    select item_id, count(*) as shown
    from {relations.signals_train}
    where excluded_reason is null
    group by item_id
),

shares as (
    select stored.item_id, {share} as share
    from (select distinct item_id from {relations.items}) as stored
    left join popularity on stored.item_id = popularity.item_id
),

catalogue as (
    select
        item_id,
        cast(sum(share) over (order by item_id rows unbounded preceding) as bigint) - share
            as first_number,
        share / sum(share) over () as _own_chance,
        1 / count(*) over () as _own_uniform_chance
    from shares
),"""
