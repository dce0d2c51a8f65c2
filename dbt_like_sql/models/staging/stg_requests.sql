with requests as (
    select * from {{ source('lake', 'requests') }}
),

known as (
    select
        request_id,
        query_id,
        query_text,
        user_key,
        session_id,
        randomized,
        asked_at,
        row_number() over (
            partition by request_id
            order by case when query_text is null then 1 else 0 end asc, asked_at desc, query_text desc
        ) as recency
    from requests
    where ingested_at <= cast('{{ var("as_of") }}' as timestamp with time zone)
),

final as (
    select
        request_id,
        query_id,
        query_text,
        user_key,
        session_id,
        randomized
    from known
    where recency = 1
)

select * from final
