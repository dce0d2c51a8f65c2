with impressions as (
    select * from {{ ref('stg_impressions') }}
    where session_id is null
),

attributed as (
    select * from {{ ref('int_attributed_interactions') }}
),

lists as (
    select
        request_id,
        max(user_key) as user_key,
        min(shown_at) as shown_at
    from impressions
    group by request_id
),

moments as (
    select
        request_id,
        user_key,
        shown_at as moment,
        1 as is_list
    from lists
    where user_key is not null
    union all
    select
        lists.request_id,
        lists.user_key,
        attributed.occurred_at as moment,
        0 as is_list
    from attributed
    inner join impressions on attributed.impression_id = impressions.impression_id
    inner join lists on impressions.request_id = lists.request_id
    where
        lists.user_key is not null
        and cast(attributed.occurred_at as date) = cast(lists.shown_at as date)
),

gaps as (
    select
        *,
        epoch(moment) - epoch(
            lag(moment) over (
                partition by user_key, cast(moment as date)
                order by moment
            )
        ) as idle_s
    from moments
),

-- what happens at the same moment gets the same number, in whatever order it is read
numbered as (
    select
        *,
        sum(case when idle_s > {{ var('session_gap_s') }} then 1 else 0 end) over (
            partition by user_key, cast(moment as date)
            order by moment
        ) as session_number
    from gaps
),

begun as (
    select
        *,
        min(moment) over (
            partition by user_key, cast(moment as date), session_number
        ) as began_at
    from numbered
),

user_sessions as (
    select
        request_id,
        md5(concat(user_key, '|', cast(cast(epoch(began_at) * 1000 as bigint) as varchar)))
            as session_id
    from begun
    where is_list = 1
),

final as (
    select
        lists.request_id,
        coalesce(user_sessions.session_id, md5(cast(lists.request_id as varchar))) as session_id
    from lists
    left join user_sessions on lists.request_id = user_sessions.request_id
)

select * from final
