with interactions as (
    select * from {{ ref('stg_interactions') }}
),

windows as (
    select * from {{ ref('int_signal_windows') }}
),

matches as (
    select * from {{ ref('int_matches_by_request') }}
    union all
    select * from {{ ref('int_matches_by_user') }}
),

timed as (
    select
        interactions.interaction_id,
        interactions.request_id,
        coalesce(interactions.user_key, matches.user_key) as user_key,
        coalesce(interactions.session_id, matches.session_id) as session_id,
        interactions.surface,
        interactions.item_id,
        interactions.position as reported_position,
        interactions.signal,
        interactions.value,
        interactions.occurred_at,
        interactions.ingested_at,
        matches.impression_id,
        cast(matches.shown_at as date) as impression_day,
        matches.position,
        windows.window_s,
        epoch(interactions.occurred_at) - epoch(matches.shown_at) as elapsed_s
    from interactions
    inner join windows on interactions.signal = windows.signal
    left join matches on interactions.interaction_id = matches.interaction_id
),

final as (
    select
        interaction_id,
        request_id,
        user_key,
        session_id,
        surface,
        item_id,
        reported_position,
        signal,
        value,
        occurred_at,
        ingested_at,
        impression_id,
        impression_day,
        position,
        case
            when elapsed_s < 0 and elapsed_s >= -{{ var('clock_skew_s') }} then 0
            else elapsed_s
        end as delay_s,
        case
            when impression_id is null then 'no_impression'
            when elapsed_s < -{{ var('clock_skew_s') }} then 'before_impression'
            when elapsed_s > window_s then 'outside_window'
        end as orphan_reason
    from timed
)

select * from final
