with impressions as (
    select * from {{ ref('stg_impressions') }}
),

matched as (
    select * from {{ ref('int_matched_interactions') }}
),

bot_sessions as (
    select * from {{ ref('int_bot_sessions') }}
),

-- max and min do not depend on the order of rows, as sums of floating-point values would
feedback as (
    select
        impression_id
        {%- for signal in var('signals') %},
        {%- if signal.reversed_by %}
        case
            when count(case when signal = '{{ signal.reversed_by }}' then 1 end) > 0 then 0
            else max(case when signal = '{{ signal.name }}' then value end)
        end as "{{ signal.name }}",
        {%- else %}
        max(case when signal = '{{ signal.name }}' then value end) as "{{ signal.name }}",
        {%- endif %}
        min(case when signal = '{{ signal.name }}' then delay_s end) as "{{ signal.name }}_delay_s"
        {%- endfor %}
    from matched
    where orphan_reason is null
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
    from matched
    where
        signal = '{{ var("click_signal") }}'
        and orphan_reason is null
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
        case when bot_sessions.session_id is not null then 'bot_session' end as excluded_reason
    from impressions
    inner join lists on impressions.request_id = lists.request_id
    left join feedback on impressions.impression_id = feedback.impression_id
    left join clicked_lists on impressions.request_id = clicked_lists.request_id
    left join bot_sessions on impressions.session_id = bot_sessions.session_id
)

select * from final
