with impressions as (
    select * from {{ ref('int_impressions') }}
),

attributed as (
    select * from {{ ref('int_attributed_interactions') }}
),

excluded_sessions as (
    select * from {{ ref('int_excluded_sessions') }}
),

reversals as (
    select
        cast(null as varchar) as reversing,
        cast(null as varchar) as reversed
    where false
    {%- for signal in var('signals') %}
    {%- if signal.reversed_by %}
    union all
    select
        '{{ signal.reversed_by | replace("'", "''") }}' as reversing,
        '{{ signal.name }}' as reversed
    {%- endif %}
    {%- endfor %}
),

-- a signal's events and those that take them back, which at the same moment come after
steps as (
    select
        attributed.impression_id,
        attributed.interaction_id,
        attributed.occurred_at,
        reversals.reversed,
        case when attributed.signal = reversals.reversed then 1 else -1 end as change
    from attributed
    inner join reversals on attributed.signal in (reversals.reversed, reversals.reversing)
),

balances as (
    select
        *,
        sum(change) over (
            partition by impression_id, reversed
            order by occurred_at asc, change desc, interaction_id asc
            rows between unbounded preceding and current row
        ) as balance
    from steps
),

followed as (
    select
        *,
        min(balance) over (
            partition by impression_id, reversed
            order by occurred_at asc, change desc, interaction_id asc
            rows between 1 following and unbounded following
        ) as lowest_after
    from balances
),

-- each takes back the latest event before it that none has taken back yet, whatever its value
taken_back as (
    select
        interaction_id,
        occurred_at
    from followed
    where change = 1 and lowest_after < balance
),

kept as (
    select
        attributed.*,
        case when taken_back.interaction_id is null then attributed.value end as kept_value
    from attributed
    left join taken_back
        on
            attributed.interaction_id = taken_back.interaction_id
            -- an id is unique within its day only
            and attributed.occurred_at = taken_back.occurred_at
),

-- max and min do not depend on the order of rows, as sums of floating-point values would
feedback as (
    select
        impression_id
        {%- for signal in var('signals') %},
        max(case when signal = '{{ signal.name }}' then kept_value end) as "{{ signal.name }}",
        min(case when signal = '{{ signal.name }}' then delay_s end) as "{{ signal.name }}_delay_s"
        {%- endfor %}
    from kept
    group by impression_id
),

lists as (
    select
        request_id,
        max(position) as list_length
    from impressions
    group by request_id
),

clicked_lists as (
    select
        request_id,
        min(position) as first_clicked_position,
        max(position) as last_clicked_position
    from attributed
    where signal = '{{ var("click_signal") }}'
    group by request_id
),

final as (
    select
        impressions.*,
        lists.list_length
        {%- for signal in var('signals') %},
        {%- if signal.of %}
        case
            when feedback."{{ signal.of }}" > 0 then coalesce(feedback."{{ signal.name }}", 0)
            else 0
        end as "{{ signal.name }}",
        {%- else %}
        coalesce(feedback."{{ signal.name }}", 0) as "{{ signal.name }}",
        {%- endif %}
        feedback."{{ signal.name }}_delay_s"
        {%- endfor %},
        clicked_lists.first_clicked_position,
        clicked_lists.last_clicked_position,
        excluded_sessions.excluded_reason
    from impressions
    inner join lists on impressions.request_id = lists.request_id
    left join feedback on impressions.impression_id = feedback.impression_id
    left join clicked_lists on impressions.request_id = clicked_lists.request_id
    left join excluded_sessions on impressions.session_id = excluded_sessions.session_id
)

select * from final
