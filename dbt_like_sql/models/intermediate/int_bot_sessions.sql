with matched as (
    select * from {{ ref('int_matched_interactions') }}
),

clicks_per_minute as (
    select
        session_id,
        date_trunc('minute', occurred_at) as minute,
        count(*) as clicks
    from matched
    where
        signal = '{{ var("click_signal") }}'
        and orphan_reason is null
        and session_id is not null
    group by session_id, date_trunc('minute', occurred_at)
),

final as (
    select distinct session_id
    from clicks_per_minute
    where clicks > {{ var('bot_clicks_per_minute') }}
)

select * from final
