with impressions as (
    select * from {{ ref('int_impressions') }}
),

attributed as (
    select * from {{ ref('int_attributed_interactions') }}
),

excluded_sessions as (
    select * from {{ ref('int_excluded_sessions') }}
),

-- max and min do not depend on the order of rows, as sums of floating-point values would
feedback as (
    select
        impression_id
        {%- for signal in var('signals') %},
        {%- if signal.reversed_by %}
        case
            -- what comes back must have been taken before, whatever its value
            when
                max(case when signal = '{{ signal.reversed_by | replace("'", "''") }}' then occurred_at end)
                >= min(case when signal = '{{ signal.name }}' then occurred_at end)
                then 0
            else max(case when signal = '{{ signal.name }}' then value end)
        end as "{{ signal.name }}",
        {%- else %}
        max(case when signal = '{{ signal.name }}' then value end) as "{{ signal.name }}",
        {%- endif %}
        min(case when signal = '{{ signal.name }}' then delay_s end) as "{{ signal.name }}_delay_s"
        {%- endfor %}
    from attributed
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
        clicked_lists.last_clicked_position,
        excluded_sessions.excluded_reason
    from impressions
    inner join lists on impressions.request_id = lists.request_id
    left join feedback on impressions.impression_id = feedback.impression_id
    left join clicked_lists on impressions.request_id = clicked_lists.request_id
    left join excluded_sessions on impressions.session_id = excluded_sessions.session_id
)

select * from final
