{%- set rules = var('bots') -%}
with impressions as (
    select * from {{ ref('stg_impressions') }}
),

list_sessions as (
    select * from {{ ref('int_list_sessions') }}
),

attributed as (
    select * from {{ ref('int_attributed_interactions') }}
),

sessioned as (
    select
        impressions.impression_id,
        impressions.request_id,
        impressions.user_key,
        impressions.user_agent,
        coalesce(impressions.session_id, list_sessions.session_id) as session_id
    from impressions
    left join list_sessions on impressions.request_id = list_sessions.request_id
),

clicks_per_minute as (
    select
        sessioned.session_id,
        date_trunc('minute', attributed.occurred_at) as minute,
        count(*) as clicks
    from attributed
    inner join sessioned on attributed.impression_id = sessioned.impression_id
    where attributed.signal = '{{ var("click_signal") }}'
    group by sessioned.session_id, date_trunc('minute', attributed.occurred_at)
),

lists_per_session as (
    select
        session_id,
        count(distinct request_id) as lists
    from sessioned
    group by session_id
),

-- one row per rule that a session breaks, in the order in which rules apply
broken as (
    select '' as session_id, 0 as rule, '' as reason where false
    {%- if rules.users %}
    union all
    select session_id, 1 as rule, 'known_user' as reason
    from sessioned
    where user_key in (
        {%- for user in rules.users %}
        '{{ user | replace("'", "''") }}'{{ "," if not loop.last }}
        {%- endfor %}
    )
    {%- endif %}
    {%- if rules.sessions %}
    union all
    select session_id, 2 as rule, 'known_session' as reason
    from sessioned
    where session_id in (
        {%- for session in rules.sessions %}
        '{{ session | replace("'", "''") }}'{{ "," if not loop.last }}
        {%- endfor %}
    )
    {%- endif %}
    {%- if rules.user_agents %}
    union all
    select session_id, 3 as rule, 'user_agent' as reason
    from sessioned
    where
        {%- for part in rules.user_agents %}
        position(lower('{{ part | replace("'", "''") }}') in lower(user_agent)) > 0{{ " or" if not loop.last }}
        {%- endfor %}
    {%- endif %}
    {%- if rules.clicks_per_minute %}
    union all
    select session_id, 4 as rule, 'clicks_per_minute' as reason
    from clicks_per_minute
    where clicks > {{ rules.clicks_per_minute }}
    {%- endif %}
    {%- if rules.lists_per_session %}
    union all
    select session_id, 5 as rule, 'lists_per_session' as reason
    from lists_per_session
    where lists > {{ rules.lists_per_session }}
    {%- endif %}
),

ranked as (
    select
        session_id,
        reason,
        row_number() over (partition by session_id order by rule) as preference
    from broken
),

final as (
    select
        session_id,
        reason
    from ranked
    where preference = 1
)

select * from final
