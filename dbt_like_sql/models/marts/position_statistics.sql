with impression_signals as (
    select * from {{ ref('impression_signals') }}
),

final as (
    select
        query_id,
        item_id,
        position,
        {%- for column in var('context') %}
        "{{ column }}",
        {%- endfor %}
        ranker_id,
        randomized,
        list_length,
        count(*) as impressions,
        count(case when "{{ var('click_signal') }}" > 0 then 1 end) as clicks
    from impression_signals
    where excluded_reason is null
    group by
        query_id,
        item_id,
        position,
        {%- for column in var('context') %}
        "{{ column }}",
        {%- endfor %}
        ranker_id,
        randomized,
        list_length
)

select * from final
