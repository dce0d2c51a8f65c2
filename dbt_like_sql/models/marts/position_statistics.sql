with impression_signals as (
    select * from {{ ref('impression_signals') }}
),

final as (
    select
        query_id,
        item_id,
        position,
        {%- for column in var('context') if column not in ('list_length', 'ranker_id') %}
        "{{ column }}",
        {%- endfor %}
        ranker_id,
        randomized,
        list_length,
        count(*) as impressions,
        count(case when impression_signals."{{ var('click_signal') }}" > 0 then 1 end) as clicks,
        count(case when position > first_clicked_position then 1 end) as impressions_below_click,
        count(
            case
                when position > first_clicked_position and impression_signals."{{ var('click_signal') }}" > 0 then 1
            end
        ) as clicks_below_click,
        {%- if var('viewed_signal') %}
        count(case when impression_signals."{{ var('viewed_signal') }}" > 0 then 1 end) as viewed,
        {%- else %}
        cast(null as bigint) as viewed,
        {%- endif %}
        -- what stands where it stands for certain, or nobody knows how, is no experiment
        count(
            case when logging_probability >= 0.0001 and logging_probability < 1 then 1 end
        ) as chance_impressions,
        count(
            case
                when
                    logging_probability >= 0.0001
                    and logging_probability < 1
                    and impression_signals."{{ var('click_signal') }}" > 0
                    then 1
            end
        ) as chance_clicks,
        -- decimals: their sum does not depend on the order of rows
        cast(
            sum(
                case
                    when logging_probability >= 0.0001 and logging_probability < 1
                        then cast(1 / logging_probability as decimal(18, 6))
                    else 0
                end
            ) as double
        ) as weighted_impressions,
        cast(
            sum(
                case
                    when
                        logging_probability >= 0.0001
                        and logging_probability < 1
                        and impression_signals."{{ var('click_signal') }}" > 0
                        then cast(1 / logging_probability as decimal(18, 6))
                    else 0
                end
            ) as double
        ) as weighted_clicks
    from impression_signals
    where excluded_reason is null
    group by
        query_id,
        item_id,
        position,
        {%- for column in var('context') if column not in ('list_length', 'ranker_id') %}
        "{{ column }}",
        {%- endfor %}
        ranker_id,
        randomized,
        list_length
)

select * from final
