with interactions as (
    select * from {{ source('lake', 'interactions') }}
),

final as (
    select
        interaction_id,
        request_id,
        user_key,
        session_id,
        surface,
        item_id,
        position,
        signal,
        value,
        occurred_at,
        ingested_at
    from interactions
    where ingested_at <= cast('{{ var("as_of") }}' as timestamp with time zone)
)

select * from final
