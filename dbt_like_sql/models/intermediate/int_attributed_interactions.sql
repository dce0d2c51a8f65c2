with matched as (
    select * from {{ ref('matched_interactions') }}
),

impressions as (
    select * from {{ ref('stg_impressions') }}
),

final as (
    select *
    from matched
    where
        orphan_reason is null
        and impression_id in (select impression_id from impressions)
)

select * from final
