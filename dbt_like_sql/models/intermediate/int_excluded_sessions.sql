with impressions as (
    select * from {{ ref('int_impressions') }}
),

attributed as (
    select * from {{ ref('int_attributed_interactions') }}
),

sessions as (
    select
        session_id,
        count(distinct request_id) as lists,
        max(case when user_key in ({{ var('bot_users') }}) then 1 else 0 end) as of_known_user,
        max(
            case
                when
                    false
                    {%- for part in var('bot_user_agents') %}
                    or position('{{ part }}' in lower(user_agent)) > 0
                    {%- endfor %}
                    then 1
                else 0
            end
        ) as of_program
    from impressions
    where session_id is not null
    group by session_id
),

clicks_per_minute as (
    select
        session_id,
        date_trunc('minute', occurred_at) as minute,
        count(*) as clicks
    from attributed
    where
        signal = '{{ var("click_signal") }}'
        and session_id is not null
    group by session_id, date_trunc('minute', occurred_at)
),

busiest_minutes as (
    select
        session_id,
        max(clicks) as clicks
    from clicks_per_minute
    group by session_id
),

judged as (
    select
        sessions.session_id,
        case
            when sessions.of_known_user = 1 then 'known_user'
            when sessions.session_id in ({{ var('bot_sessions') }}) then 'known_session'
            when sessions.of_program = 1 then 'user_agent'
            when busiest_minutes.clicks > {{ var('bot_clicks_per_minute') }} then 'clicks_per_minute'
            when sessions.lists > {{ var('bot_lists_per_session') }} then 'lists_per_session'
        end as excluded_reason
    from sessions
    left join busiest_minutes on sessions.session_id = busiest_minutes.session_id
),

final as (
    select
        session_id,
        excluded_reason
    from judged
    where excluded_reason is not null
)

select * from final
