with impressions as (
    select * from {{ ref('stg_impressions') }}
),

requests as (
    select * from {{ ref('stg_requests') }}
),

sessions as (
    select * from {{ ref('int_idle_sessions') }}
),

final as (
    select
        impressions.impression_id,
        impressions.request_id,
        -- an impression without a text has only a stand-in for its query
        case
            when impressions.query_text is null then coalesce(requests.query_id, impressions.query_id)
            else impressions.query_id
        end as query_id,
        coalesce(impressions.query_text, requests.query_text) as query_text,
        coalesce(impressions.user_key, requests.user_key) as user_key,
        coalesce(impressions.session_id, requests.session_id, sessions.session_id) as session_id,
        impressions.item_id,
        impressions.position,
        impressions.shown_at,
        impressions.surface,
        impressions.device,
        impressions.user_agent,
        impressions.ranker_id,
        coalesce(impressions.randomized, false) or coalesce(requests.randomized, false) as randomized,
        impressions.logging_probability
        {%- for feature in var('features') %},
        impressions."{{ feature }}"
        {%- endfor %}
    from impressions
    left join requests on impressions.request_id = requests.request_id
    left join sessions on impressions.impression_id = sessions.impression_id
)

select * from final
