with impressions as (
    select * from {{ source('lake', 'impressions') }}
),

final as (
    select
        impression_id,
        request_id,
        query_id,
        query_text,
        user_key,
        session_id,
        item_id,
        position,
        shown_at,
        surface,
        device,
        user_agent,
        ranker_id,
        randomized,
        logging_probability
        {%- for feature in var('features') %},
        "{{ feature }}"
        {%- endfor %}
    from impressions
    where ingested_at <= cast('{{ var("as_of") }}' as timestamp with time zone)
)

select * from final
