with impressions as (
    select * from {{ ref('stg_impressions') }}
),

interactions as (
    select * from {{ ref('stg_interactions') }}
),

asked_signals as (
    {%- for signal in var('signals') %}
    select '{{ signal.name }}' as signal, {{ signal.window_s }} as window_s
    {%- if signal.reversed_by %}
    union all
    select '{{ signal.reversed_by | replace("'", "''") }}' as signal, {{ signal.window_s }} as window_s
    {%- endif %}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

-- one event may take back two signals
windows as (
    select
        signal,
        max(window_s) as window_s
    from asked_signals
    group by signal
),

events as (
    select
        interactions.*,
        windows.window_s
    from interactions
    inner join windows on interactions.signal = windows.signal
),

paired as (
    select
        events.interaction_id,
        impressions.impression_id,
        impressions.position,
        impressions.shown_at,
        impressions.session_id
    from events
    inner join impressions
        on
            events.request_id = impressions.request_id
            and events.item_id = impressions.item_id

    union all

    select
        events.interaction_id,
        impressions.impression_id,
        impressions.position,
        impressions.shown_at,
        impressions.session_id
    from events
    inner join impressions
        on
            events.user_key = impressions.user_key
            and events.item_id = impressions.item_id
    where
        events.request_id is null
        -- what only one side knows cannot tell two lists apart
        and coalesce(events.surface = impressions.surface, true)

    union all

    select
        events.interaction_id,
        impressions.impression_id,
        impressions.position,
        impressions.shown_at,
        impressions.session_id
    from events
    inner join impressions
        on
            events.session_id = impressions.session_id
            and events.item_id = impressions.item_id
    where
        events.request_id is null
        -- the same session under another name: somebody who logged in
        and coalesce(events.user_key <> impressions.user_key, true)
        and coalesce(events.surface = impressions.surface, true)
),

timed as (
    select
        events.interaction_id,
        events.request_id,
        events.user_key,
        coalesce(paired.session_id, events.session_id) as session_id,
        events.surface,
        events.item_id,
        events.position as reported_position,
        events.signal,
        events.value,
        events.occurred_at,
        events.ingested_at,
        events.window_s,
        paired.impression_id,
        paired.position,
        paired.shown_at,
        -- people come back to buy; but what a session shows is nearer than what one before it did
        case when events.session_id = paired.session_id then 0 else 1 end as is_elsewhere,
        epoch(events.occurred_at) - epoch(paired.shown_at) as delay_s
    from events
    left join paired on events.interaction_id = paired.interaction_id
),

judged as (
    select
        timed.*,
        case
            when impression_id is null then 'no_impression'
            when delay_s < -{{ var('clock_skew_s') }} then 'before_impression'
            when delay_s > window_s then 'outside_window'
        end as orphan_reason
    from timed
),

ranked as (
    select
        judged.*,
        row_number() over (
            partition by interaction_id
            order by
                case
                    when orphan_reason is null then 0
                    when orphan_reason = 'outside_window' then 1
                    else 2
                end asc,
                -- the reported position only decides where one list shows an item twice
                case when request_id is not null and reported_position = position then 0 else 1 end asc,
                is_elsewhere asc,
                -- of impressions after the event, the nearest
                case when orphan_reason = 'before_impression' then shown_at end asc,
                {% if var('touch') == 'first' %}shown_at asc{% else %}shown_at desc{% endif %},
                case when reported_position = position then 0 else 1 end asc,
                position asc,
                impression_id asc
        ) as preference
    from judged
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
        cast(shown_at as date) as impression_day,
        position,
        case when orphan_reason is null then greatest(delay_s, 0) else delay_s end as delay_s,
        orphan_reason
    from ranked
    where preference = 1
)

select * from final
