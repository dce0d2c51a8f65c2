with impressions as (
    select * from {{ ref('stg_impressions') }}
),

without_session as (
    select
        impression_id,
        coalesce(user_key, concat('list ', cast(request_id as varchar))) as visitor,
        cast(shown_at as date) as day,
        shown_at
    from impressions
    where session_id is null
),

gaps as (
    select
        impression_id,
        visitor,
        day,
        shown_at,
        lag(shown_at) over (
            partition by visitor, day
            order by shown_at asc, impression_id asc
        ) as previous_at
    from without_session
),

starts as (
    select
        impression_id,
        visitor,
        day,
        shown_at,
        case
            when previous_at is null then shown_at
            when epoch(shown_at) - epoch(previous_at) > {{ var('session_gap_s') }} then shown_at
        end as started_at
    from gaps
),

numbered as (
    select
        impression_id,
        visitor,
        max(started_at) over (
            partition by visitor, day
            order by shown_at asc, impression_id asc
            rows between unbounded preceding and current row
        ) as started_at
    from starts
),

final as (
    select
        impression_id,
        md5(concat(visitor, '|', cast(cast(epoch(started_at) * 1000 as bigint) as varchar))) as session_id
    from numbered
)

select * from final
