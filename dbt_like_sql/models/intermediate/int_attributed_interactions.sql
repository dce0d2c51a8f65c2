with impressions as (
    select * from {{ ref('int_impressions') }}
),

matched as (
    select * from {{ source('lake', 'matched_interactions') }}
),

final as (
    select
        impressions.impression_id,
        impressions.request_id,
        impressions.session_id,
        impressions.position,
        matched.interaction_id,
        matched.signal,
        matched.value,
        matched.occurred_at,
        matched.delay_s
    from matched
    inner join impressions
        on
            matched.impression_id = impressions.impression_id
            -- an id is unique within its day only
            and matched.impression_day = cast(impressions.shown_at as date)
    where matched.orphan_reason is null
)

select * from final
