with impressions as (
    select * from {{ ref('stg_impressions') }}
),

interactions as (
    select * from {{ ref('stg_interactions') }}
),

-- an event that takes a signal back, and how long after that signal's own event it may
reversals as (
    select
        cast(null as varchar) as reversing,
        cast(null as varchar) as reversed,
        0 as window_s
    where false
    {%- for signal in var('signals') %}
    {%- if signal.reversed_by %}
    union all
    select
        '{{ signal.reversed_by | replace("'", "''") }}' as reversing,
        '{{ signal.name }}' as reversed,
        {{ signal.reversal_window_s }} as window_s
    {%- endif %}
    {%- endfor %}
),

windows as (
    {%- for signal in var('signals') %}
    select '{{ signal.name }}' as signal, {{ signal.window_s }} as window_s
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

-- beside the day's own events, those before it that one of them may take back
events as (
    select
        interactions.*,
        windows.window_s
    from interactions
    inner join windows on interactions.signal = windows.signal
    where
        interactions.signal not in (select reversing from reversals)
        and (
            cast(occurred_at as date) between '{{ var("first_event_day") }}' and '{{ var("last_event_day") }}'
            or interactions.signal in (select reversed from reversals)
        )
),

reversing_events as (
    select *
    from interactions
    where
        signal in (select reversing from reversals)
        and cast(occurred_at as date) between '{{ var("first_event_day") }}' and '{{ var("last_event_day") }}'
),

paired as (
    select
        events.interaction_id,
        events.occurred_at,
        impressions.impression_id,
        impressions.position,
        impressions.shown_at,
        impressions.session_id,
        impressions.user_key,
        impressions.request_id
    from events
    inner join impressions
        on
            events.request_id = impressions.request_id
            and events.item_id = impressions.item_id

    union all

    select
        events.interaction_id,
        events.occurred_at,
        impressions.impression_id,
        impressions.position,
        impressions.shown_at,
        impressions.session_id,
        impressions.user_key,
        impressions.request_id
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
        events.occurred_at,
        impressions.impression_id,
        impressions.position,
        impressions.shown_at,
        impressions.session_id,
        impressions.user_key,
        impressions.request_id
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
        events.session_id as event_session_id,
        paired.user_key as shown_to,
        coalesce(events.request_id, paired.request_id) as list_id,
        -- people come back to buy; but what a session shows is nearer than what one before it did
        case when events.session_id = paired.session_id then 0 else 1 end as is_elsewhere,
        epoch(events.occurred_at) - epoch(paired.shown_at) as delay_s
    from events
    left join paired
        on
            events.interaction_id = paired.interaction_id
            -- an id is unique within its day only
            and events.occurred_at = paired.occurred_at
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
            partition by interaction_id, occurred_at
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

matched as (
    select * from ranked
    where preference = 1
),

-- what is taken back is the latest such event of the list, or else of the user or the session
taken_back as (
    select
        reversing_events.interaction_id,
        reversing_events.occurred_at,
        matched.session_id,
        matched.impression_id,
        matched.position,
        matched.shown_at,
        epoch(reversing_events.occurred_at) - epoch(matched.shown_at) as delay_s,
        case
            when epoch(reversing_events.occurred_at) - epoch(matched.occurred_at) > reversals.window_s
                then 'outside_window'
            else matched.orphan_reason
        end as orphan_reason,
        row_number() over (
            partition by reversing_events.interaction_id, reversing_events.occurred_at
            order by
                case
                    when epoch(reversing_events.occurred_at) - epoch(matched.occurred_at) > reversals.window_s
                        then 1
                    else 0
                end asc,
                matched.occurred_at desc,
                matched.signal asc,
                matched.interaction_id asc
        ) as preference
    from reversing_events
    inner join reversals on reversing_events.signal = reversals.reversing
    inner join matched
        on
            reversals.reversed = matched.signal
            and reversing_events.item_id = matched.item_id
            and reversing_events.occurred_at >= matched.occurred_at
    where
        case
            when reversing_events.request_id is not null
                then reversing_events.request_id = matched.list_id
            else
                coalesce(reversing_events.user_key in (matched.user_key, matched.shown_to), false)
                or coalesce(
                    reversing_events.session_id in (matched.event_session_id, matched.session_id), false
                )
        end
),

reversing as (
    select
        reversing_events.*,
        taken_back.session_id as shown_session_id,
        taken_back.impression_id,
        taken_back.position as shown_position,
        taken_back.shown_at,
        taken_back.delay_s,
        case
            when taken_back.interaction_id is null then 'nothing_to_reverse'
            else taken_back.orphan_reason
        end as orphan_reason
    from reversing_events
    left join taken_back
        on
            reversing_events.interaction_id = taken_back.interaction_id
            and reversing_events.occurred_at = taken_back.occurred_at
            and taken_back.preference = 1
),

all_events as (
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
        shown_at,
        position,
        delay_s,
        orphan_reason
    from matched
    where cast(occurred_at as date) between '{{ var("first_event_day") }}' and '{{ var("last_event_day") }}'

    union all

    select
        interaction_id,
        request_id,
        user_key,
        coalesce(shown_session_id, session_id) as session_id,
        surface,
        item_id,
        position as reported_position,
        signal,
        value,
        occurred_at,
        ingested_at,
        impression_id,
        shown_at,
        shown_position as position,
        delay_s,
        orphan_reason
    from reversing
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
    from all_events
)

select * from final
