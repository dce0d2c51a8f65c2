"""An explanation as one self-contained page: no script, no font, no picture from elsewhere."""

from collections.abc import Iterable, Mapping
from html import escape

from label_platform.explain.explanation import EventFate, ExplainedImpression, Explanation
from label_platform.explain.steps import Comparison, Step
from label_platform.explain.text import number, numbers, verdict

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --dim: #5b6675; --line: #d9dee5; --paper: #fff;
  --soft: #f4f6f9; --good: #1a7f4b; --bad: #b3261e; --badsoft: #fdecea; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --dim: #9aa5b4; --line: #38414d;
  --paper: #161a20; --soft: #1f252d; --good: #5fd39a; --bad: #ff8a80; --badsoft: #3b1f1d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.25rem 4rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.45rem; line-height: 1.3; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; overflow-wrap: anywhere; }
.verdict { padding: .7rem 1rem; border-left: 5px solid var(--good); background: var(--soft); }
.verdict.bad { border-color: var(--bad); background: var(--badsoft); color: var(--bad);
  font-weight: 700; font-size: 1.15rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 1.2rem 0; }
dt { color: var(--dim); } dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
.scroll { overflow-x: auto; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--dim); font-weight: 600; white-space: nowrap; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, .place { font: .85em/1.4 ui-monospace, monospace; color: var(--dim);
  overflow-wrap: anywhere; }
.no { color: var(--dim); } .good { color: var(--good); } .bad { color: var(--bad); }
.mark { font-weight: 700; white-space: nowrap; }
.note { color: var(--dim); font-size: .9em; }
"""
_Cells = Iterable[tuple[str, str]]


def as_html(explanation: Explanation) -> str:
    """The explanation as a page that needs no other file and no network."""
    bad = " bad" if explanation.mismatches or explanation.gone else ""
    impressions = [_impression(each) for each in explanation.impressions]
    together = [
        _steps("All together", explanation.steps),
        _comparisons(explanation.all_comparisons),
    ]
    # of many impressions the sum is what people want to read first
    parts = [*impressions, *together] if len(impressions) == 1 else [*together, *impressions]
    body = [
        f"<h1>{escape(explanation.title)}</h1>",
        f'<p class="verdict{bad}">{escape(verdict(explanation))}</p>',
        _facts(explanation.facts),
        _notes(explanation.notes),
        *parts,
        _listed(explanation),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(explanation.title)}</title>\n<style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in body if part)
        + "\n</body></html>\n"
    )


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()
    )
    return f"<dl>{rows}</dl>"


def _impression(each: ExplainedImpression) -> str:
    shown = each.shown
    said = {
        "line": str(shown.place),
        "shown": f"{shown.shown_at:%Y-%m-%d %H:%M:%S} UTC",
        "query": str(shown.query_id),
        "item": f"{shown.item_id} at position {shown.position} of list {shown.request_id}",
        "more": numbers({k: v for k, v in shown.columns.items() if v is not None}),
    }
    if each.repeats:
        said["repeated at"] = f"{', '.join(each.repeats)}: counted once"
    parts = [f"<h2>Impression <code>{escape(shown.impression_id)}</code></h2>", _facts(said)]
    if each.excluded:
        words = f"Excluded: {each.excluded}. Its session does not count, so it has no label."
        parts.append(f'<p class="bad mark">{escape(words)}</p>')
    parts.append(_events(each.events))
    parts.append(_steps("Step by step", each.computed.steps))
    return "\n".join(part for part in parts if part)


def _events(events: Iterable[EventFate]) -> str:
    rows = [
        [
            ("mark good" if event.counts else "mark no", "counts" if event.counts else "left out"),
            ("", escape(event.signal)),
            ("number", number(event.value)),
            ("", escape(event.moment)),
            (
                "" if event.counts else "no",
                _with_place(event),
            ),
        ]
        for event in events
    ]
    if not rows:
        return '<p class="no">No event could belong to it.</p>'
    return _table("Events", ["", "signal", "#value", "at (UTC)", "what became of it"], rows)


def _with_place(event: EventFate) -> str:
    place = f"{escape(event.place)}<br>{escape(event.event_id)}"
    return f'{escape(event.fate)}<div class="place">{place}</div>'


def _steps(title: str, steps: Iterable[Step]) -> str:
    rows = [
        [
            ("", escape(step.name)),
            (
                "",
                f"{escape(step.formula)}"
                + (f"<br><code>{escape(numbers(step.numbers))}</code>" if step.numbers else "")
                + (f'<div class="note">{escape(step.note)}</div>' if step.note else ""),
            ),
            ("number", number(step.result)),
        ]
        for step in steps
    ]
    return _table(title, ["what", "how", "#result"], rows)


def _comparisons(comparisons: Iterable[Comparison]) -> str:
    rows = [
        [
            ("", escape(each.name)),
            ("number", number(each.stored)),
            ("number", number(each.recomputed)),
            ("mark bad", "MISMATCH") if each.differs else ("good", "same"),
        ]
        for each in comparisons
    ]
    return _table("Stored and computed again", ["", "#stored", "#computed again", ""], rows)


def _listed(explanation: Explanation) -> str:
    rows = [
        [
            ("number", "not shown" if row.position is None else str(row.position)),
            ("", escape(str(row.item_id))),
            ("number", number(row.label)),
            ("", escape(row.origin)) if row.origin else ("no", "does not train"),
            ("number", "" if row.weight is None else number(row.weight)),
        ]
        for row in explanation.listed
    ]
    head = ["#position", "item", "#label", "trains as", "#weight"]
    return _table(explanation.listed_title, head, rows)


def _notes(notes: Iterable[str]) -> str:
    rows = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<h2>Notes</h2><ul>{rows}</ul>" if rows else ""


def _table(title: str, head: Iterable[str], rows: list[list[tuple[str, str]]]) -> str:
    """A table; # before a column's name says that it holds numbers."""
    if not rows:
        return ""
    names = "".join(
        f'<th class="number">{name[1:]}</th>' if name.startswith("#") else f"<th>{name}</th>"
        for name in head
    )
    return (
        f'<h2>{escape(title)}</h2><div class="scroll"><table><thead><tr>{names}</tr></thead><tbody>'
        + "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
        + "</tbody></table></div>"
    )


def _cells(row: _Cells) -> str:
    return "".join(
        f'<td class="{kind}">{content}</td>' if kind else f"<td>{content}</td>"
        for kind, content in row
    )
