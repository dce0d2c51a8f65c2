with impressions as (
    select * from {{ ref('stg_impressions') }}
),

interactions as (
    select * from {{ ref('stg_interactions') }}
    where request_id is not null
),

candidates as (
    select
        interactions.interaction_id,
        impressions.impression_id,
        impressions.user_key,
        impressions.session_id,
        impressions.position,
        impressions.shown_at,
        -- the reported position only decides where one list shows an item twice
        row_number() over (
            partition by interactions.interaction_id
            order by
                case when interactions.position = impressions.position then 0 else 1 end asc,
                impressions.position asc,
                impressions.shown_at asc
        ) as preference
    from interactions
    inner join impressions
        on
            interactions.request_id = impressions.request_id
            and interactions.item_id = impressions.item_id
),

final as (
    select
        interaction_id,
        impression_id,
        user_key,
        session_id,
        position,
        shown_at
    from candidates
    where preference = 1
)

select * from final
