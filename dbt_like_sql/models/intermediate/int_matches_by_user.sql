with impressions as (
    select * from {{ ref('stg_impressions') }}
),

all_interactions as (
    select * from {{ ref('stg_interactions') }}
),

windows as (
    select * from {{ ref('int_signal_windows') }}
),

interactions as (
    select
        all_interactions.interaction_id,
        all_interactions.user_key,
        all_interactions.session_id,
        all_interactions.surface,
        all_interactions.item_id,
        all_interactions.position,
        all_interactions.occurred_at,
        windows.window_s
    from all_interactions
    inner join windows on all_interactions.signal = windows.signal
    where all_interactions.request_id is null
),

-- two joins, each on keys that are equal: one condition with "or" would compare all with all
pairs as (
    select
        interactions.interaction_id,
        interactions.window_s,
        interactions.occurred_at,
        interactions.position as reported_position,
        impressions.impression_id,
        impressions.user_key,
        impressions.session_id,
        impressions.position,
        impressions.shown_at
    from interactions
    inner join impressions
        on
            interactions.user_key = impressions.user_key
            and interactions.item_id = impressions.item_id
    where
        coalesce(interactions.session_id = impressions.session_id, true)
        and coalesce(interactions.surface = impressions.surface, true)
    union all
    select
        interactions.interaction_id,
        interactions.window_s,
        interactions.occurred_at,
        interactions.position as reported_position,
        impressions.impression_id,
        impressions.user_key,
        impressions.session_id,
        impressions.position,
        impressions.shown_at
    from interactions
    inner join impressions
        on
            interactions.session_id = impressions.session_id
            and interactions.item_id = impressions.item_id
    where
        (interactions.user_key is null or impressions.user_key is null)
        and coalesce(interactions.surface = impressions.surface, true)
),

timed as (
    select
        *,
        epoch(occurred_at) - epoch(shown_at) as elapsed_s
    from pairs
),

judged as (
    select
        *,
        case
            when elapsed_s < -{{ var('clock_skew_s') }} then 'before_impression'
            when elapsed_s > window_s then 'outside_window'
            else 'in_window'
        end as verdict
    from timed
),

candidates as (
    select
        *,
        row_number() over (
            partition by interaction_id
            order by
                case verdict when 'in_window' then 0 when 'outside_window' then 1 else 2 end asc,
                -- the last touch is the one that the least time has passed since
                case
                    when verdict = 'before_impression' then -elapsed_s
                    {%- if var('touch') == 'first' %}
                    when verdict = 'in_window' then -elapsed_s
                    {%- endif %}
                    else elapsed_s
                end asc,
                case when reported_position = position then 0 else 1 end asc,
                position asc,
                impression_id asc
        ) as preference
    from judged
),

final as (
    select
        interaction_id,
        impression_id,
        user_key,
        session_id,
        position,
        shown_at
    from candidates
    where preference = 1
)

select * from final
