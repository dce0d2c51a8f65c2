"""An explanation as lines of text."""

from collections.abc import Iterable, Iterator, Mapping

from label_platform.explain.explanation import ExplainedImpression, Explanation
from label_platform.explain.steps import Comparison, Number, Step

_LISTED_AROUND = 40
SIGN = {True: "+", False: "-"}


def as_text_lines(explanation: Explanation) -> list[str]:
    """The explanation, line by line, for a terminal."""
    return [
        explanation.title,
        "",
        *(f"  {name:<18} {value}" for name, value in explanation.facts.items()),
        *(line for each in explanation.impressions for line in _impression(each)),
        *_headed("All together", _steps(explanation.steps)),
        *_headed(explanation.listed_title, _listed(explanation)),
        *_headed("Notes", (f"  {note}" for note in explanation.notes)),
        *_headed("Stored and computed again", _comparisons(explanation.all_comparisons)),
        *_verdict(explanation),
    ]


def number(value: Number) -> str:
    """A number as people read it: six digits after the point at most."""
    if value is None:
        return "none"
    if isinstance(value, str | bool):
        return str(value).lower() if isinstance(value, bool) else value
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def numbers(given: Mapping[str, Number]) -> str:
    """What the symbols of a formula stand for."""
    return ", ".join(f"{name} = {number(value)}" for name, value in given.items())


def verdict(explanation: Explanation) -> str:
    """The last word: whether what is stored is what was computed again."""
    if explanation.gone:
        return f"NOT KNOWN: log files that would tell are gone: {', '.join(explanation.gone)}"
    if explanation.mismatches:
        names = ", ".join(each.name for each in explanation.mismatches)
        return f"MISMATCH: {names}: what is stored is not what follows from the log lines"
    if not explanation.all_comparisons:
        return "nothing is stored to compare with"
    return "no mismatch: what is stored is what follows from the log lines"


def _verdict(explanation: Explanation) -> list[str]:
    said = verdict(explanation)
    if not explanation.mismatches or explanation.gone:
        return ["", said]
    rule = "!" * min(len(said), 80)
    return ["", rule, said, rule]


def _impression(each: ExplainedImpression) -> Iterator[str]:
    shown = each.shown
    yield ""
    yield f"Impression {shown.impression_id}"
    yield f"  {shown.place}"
    yield (
        f"  query {shown.query_id}, item {shown.item_id} at position {shown.position} of list "
        f"{shown.request_id}, {shown.shown_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    context = {name: value for name, value in shown.columns.items() if value is not None}
    if context:
        yield f"  {numbers(context)}"
    for place in each.repeats:
        yield f"  repeated at {place}: counted once"
    if each.excluded:
        yield f"  EXCLUDED: {each.excluded}: its session does not count, it has no label"
    yield "  events:" if each.events else "  no event could belong to it"
    for event in each.events:
        yield (
            f"    {SIGN[event.counts]} {event.signal} {number(event.value)} at "
            f"{event.moment}  {event.fate}"
        )
        yield f"      {event.place}  {event.event_id}"
    yield from _steps(each.computed.steps)


def _steps(steps: Iterable[Step]) -> Iterator[str]:
    for step in steps:
        given = f"   with {numbers(step.numbers)}" if step.numbers else ""
        yield f"  {step.name} = {number(step.result)}"
        yield f"      {step.formula}{given}"
        if step.note:
            yield f"      {step.note}"


def _listed(explanation: Explanation) -> Iterator[str]:
    for row in explanation.listed[:_LISTED_AROUND]:
        what = f"{row.origin}, weight {number(row.weight)}" if row.origin else "does not train"
        place = "not shown" if row.position is None else f"position {row.position:>3}"
        yield f"  {place:<13} item {row.item_id!s:<12} label {number(row.label):<9} {what}"
    left = len(explanation.listed) - _LISTED_AROUND
    if left > 0:
        yield f"  and {left} more"


def _comparisons(comparisons: Iterable[Comparison]) -> Iterator[str]:
    for each in comparisons:
        said = "MISMATCH" if each.differs else "same"
        yield (f"  {each.name:<36} {number(each.stored):>12} {number(each.recomputed):>12}  {said}")


def _headed(title: str, lines: Iterable[str]) -> list[str]:
    found = list(lines)
    return ["", title, *found] if found else []
