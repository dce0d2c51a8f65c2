"""Negatives that no list showed: random items of the catalogue, behind a guard.

For every positive, items are drawn uniformly by md5 of the positive and the number of the draw.
A drawn item is refused if

- it was not in the catalogue yet when the list was shown,
- the list showed it, or drew it already,
- it is positive for the same query anywhere in the training days, or
- its features are those of such a positive (a near duplicate under another id).

Of the items that pass, each positive takes the first it needs. Where the guard refuses nearly
everything there are fewer. Uniform draws need no correction for popularity (logQ).
"""

from label_platform.examples.columns import feature_list_sql, item_join_sql
from label_platform.examples.relations import ExampleRelations
from label_platform.lake import quote_identifier
from label_platform.policy import RandomCatalogue

_SPARE_DRAWS = 4
"""Draws for each item that is needed: the guard refuses few in a catalogue of any size."""

_HEX_DIGITS = 15  # the most that fit a signed 64-bit integer


def random_rows_sql(block: RandomCatalogue, relations: ExampleRelations) -> str:
    """SQL of random catalogue rows for the lists of the training days.

    Raises:
        ValueError: there is no items table.
    """
    if relations.items is None:
        raise ValueError("negatives.random needs the items table")
    features = feature_list_sql(relations, "kept", items="kept")
    return f"""{_positives(relations)},

{_candidates(block, relations)},

{_guarded(relations)},

kept as (
    select * from guarded
    qualify row_number() over (
        partition by positive_id order by draw
    ) <= {block.per_positive}
)

select
    'train' as part,
    kept.request_id as group_id,
    kept.query_id,
    kept.item_id,
    cast(null as uuid) as impression_id,
    cast(null as integer) as position,
    cast(0 as double) as label,
    cast({block.weight!r} as double) as weight,
    cast(0 as double) as raw_label,
    cast(0 as double) as raw_weight,
    cast(0 as bigint) as impressions,
    cast(null as double) as expected_examinations,
    'random' as origin{features}
from kept"""


def _positives(relations: ExampleRelations) -> str:
    rows = relations.signals_train
    return f"""with rewarded as (
    select
        signals.impression_id as positive_id,
        signals.request_id,
        signals.query_id,
        signals.item_id,
        signals.shown_at
    from {relations.labels_train} as labels
    inner join {rows} as signals on labels.impression_id = signals.impression_id
    where labels.label > 0
),

positives as (
    select rewarded.*{feature_list_sql(relations, "rewarded")}
    from rewarded{item_join_sql(relations, "rewarded")}
),

shown as (
    select request_id, item_id from {rows}
)"""


def _candidates(block: RandomCatalogue, relations: ExampleRelations) -> str:
    draws = block.per_positive * _SPARE_DRAWS
    digits = f"substr(md5(concat('random|', rewarded.positive_id, '|', draw)), 1, {_HEX_DIGITS})"
    return f"""catalogue as (
    select item_id, row_number() over (order by item_id) - 1 as number
    from (select distinct item_id from {relations.items})
),

draws as (
    select
        rewarded.* exclude (item_id),
        draw,
        cast('0x' || {digits} as bigint) % (select count(*) from catalogue) as number
    from rewarded
    cross join range({draws}) as numbers(draw)
),

drawn as (
    select draws.* exclude (number), catalogue.item_id
    from draws
    inner join catalogue on draws.number = catalogue.number
    -- a list takes an item once, whichever of its positives drew it
    qualify row_number() over (
        partition by draws.request_id, catalogue.item_id
        order by draws.positive_id, draws.draw
    ) = 1
),

candidates as (
    select drawn.*{feature_list_sql(relations, "drawn")}
    from drawn{item_join_sql(relations, "drawn", join="inner")}
)"""


def _guarded(relations: ExampleRelations) -> str:
    alike = "".join(
        f"\n            and candidates.{name} is not distinct from positives.{name}"
        for name in map(quote_identifier, relations.item_feature_columns)
    )
    return f"""guarded as (
    select candidates.*
    from candidates
    where
        not exists (
            select 1 from shown
            where
                candidates.request_id = shown.request_id
                and candidates.item_id = shown.item_id
        )
        and not exists (
            select 1 from positives
            where
                candidates.query_id = positives.query_id
                and candidates.item_id = positives.item_id
        )
        and not exists (
            select 1 from positives
            where
                candidates.query_id = positives.query_id{alike}
        )
)"""
