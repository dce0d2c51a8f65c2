with impressions as (
    select * from {{ ref('stg_impressions') }}
),

interactions as (
    select * from {{ ref('stg_interactions') }}
),

windows as (
    {%- for signal in var('signals') %}
    select '{{ signal.name }}' as signal, {{ signal.window_s }} as window_s
    {%- if signal.reversed_by %}
    union all
    select '{{ signal.reversed_by }}' as signal, {{ signal.window_s }} as window_s
    {%- endif %}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

candidates as (
    select
        interactions.interaction_id,
        interactions.request_id,
        interactions.item_id,
        interactions.position as reported_position,
        interactions.signal,
        interactions.value,
        interactions.occurred_at,
        interactions.ingested_at,
        impressions.impression_id,
        impressions.position,
        impressions.session_id,
        epoch(interactions.occurred_at) - epoch(impressions.shown_at) as delay_s,
        -- the reported position only decides where one list shows an item twice
        row_number() over (
            partition by interactions.interaction_id
            order by
                case when interactions.position = impressions.position then 0 else 1 end asc,
                impressions.position asc nulls last
        ) as preference
    from interactions
    left join impressions
        on
            interactions.request_id = impressions.request_id
            and interactions.item_id = impressions.item_id
),

final as (
    select
        candidates.*,
        case
            when candidates.impression_id is null then 'no_impression'
            when candidates.delay_s < 0 then 'before_impression'
            when candidates.delay_s > windows.window_s then 'outside_window'
        end as orphan_reason
    from candidates
    inner join windows on candidates.signal = windows.signal
    where candidates.preference = 1
)

select * from final
