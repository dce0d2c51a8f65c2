"""How late each signal comes."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from label_platform.pipeline.delays import SignalDelays


def print_delays(console: Console, found: list[SignalDelays]) -> None:
    """How late each signal comes: a row of figures, and what they say in words."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("signal", no_wrap=True)
    names = ("events", "p50", "p90", "p99", "window", "outside\nwindow", "recom-\nmended")
    for name in (*names, "still\nopen"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in found:
        estimate = each.delays
        least = "≥" if estimate.refusal else ""
        outside = estimate.outside_window
        table.add_row(
            each.signal,
            f"{estimate.events:,}",
            *(f"{least}{duration(percentile.delay_s)}" for percentile in estimate.percentiles),
            *[""] * (3 - len(estimate.percentiles)),
            duration(each.window_s),
            "" if outside is None else f"{least}{outside:.1%}",
            duration(estimate.recommended_s) if estimate.recommended_s else "none",
            f"{estimate.still_open:.1%}",
        )
    console.print(table)
    for each in found:
        console.print(f"[bold]{each.signal}[/]: {escape(_delays_in_words(each))}", highlight=False)


def duration(seconds: float) -> str:
    """A span of time in its largest unit of which there is at least one: 45s, 30m, 1.5h, 3d."""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if abs(seconds) >= length:
            return f"{seconds / length:.3g}{unit}"
    return f"{seconds:.3g}s"


def _delays_in_words(found: SignalDelays) -> str:
    estimate = found.delays
    if estimate.refusal:
        said = f"no window is recommended: {estimate.refusal}"
    else:
        p99 = estimate.percentiles[-1]
        said = (
            f"of the events up to {duration(estimate.followed_s)} 99% come within "
            f"{duration(p99.delay_s)} ({duration(p99.low_s)} to {duration(p99.high_s)}); later "
            "ones are not looked for"
        )
    if found.arrival_lag_s:
        lags = ", ".join(map(duration, found.arrival_lag_s))
        said += f"; from event to ingestion p50, p90, p99: {lags}"
    return said
