with declared as (
    {%- for signal in var('signals') %}
    select '{{ signal.name }}' as signal, {{ signal.window_s }} as window_s
    {%- if signal.reversed_by %}
    union all
    select '{{ signal.reversed_by | replace("'", "''") }}' as signal, {{ signal.window_s }} as window_s
    {%- endif %}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

final as (
    select
        signal,
        max(window_s) as window_s
    from declared
    group by signal
)

select * from final
