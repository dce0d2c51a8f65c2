with matched as (
    select * from {{ source('lake', 'matched_interactions') }}
),

final as (
    select
        interaction_id,
        request_id,
        user_key,
        item_id,
        reported_position as position,
        signal,
        value,
        occurred_at,
        ingested_at,
        orphan_reason as reason
    from matched
    where orphan_reason is not null
)

select * from final
