"""label-platform simulate: logs with known truth."""

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from label_platform.cli.options import console
from label_platform.strict_yaml import ConfigurationError

if TYPE_CHECKING:
    from label_platform.logs.simulators import SimulationSummary

app = typer.Typer(no_args_is_help=True, help="Write simulated logs with known truth.")

Settings = TypeVar("Settings")

OutOption = Annotated[Path, typer.Option(help="Folder for logs/ and truth/.")]
DaysOption = Annotated[int, typer.Option(min=1, help="Log days.")]
SeedOption = Annotated[int, typer.Option(help="Same seed, same logs.")]
StartDateOption = Annotated[str, typer.Option(help="First log day.")]
LoggerOption = Annotated[
    Literal["weak", "strong", "random"], typer.Option(help="How good the logging ranker is.")
]
RandomizedShareOption = Annotated[
    float, typer.Option(min=0, max=1, help="Share of lists in random order.")
]


@app.command("product_search")
def simulate_product_search_command(
    out: OutOption,
    days: DaysOption = 10,
    lists_per_day: Annotated[int, typer.Option(min=1, help="Result lists per day.")] = 5000,
    seed: SeedOption = 0,
    start_date: StartDateOption = "2026-10-01",
    logger: LoggerOption = "weak",
    randomized_share: RandomizedShareOption = 0.03,
    trust_bias: Annotated[
        float, typer.Option(min=0, max=1, help="How much users trust high positions.")
    ] = 0.0,
) -> None:
    """Search logs of several days, with truth beside them.

    Example: label-platform simulate product_search --out data/simulated/product_search --days 10
    """
    from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search

    _simulate(
        "product_search",
        ProductSearchSettings,
        simulate_product_search,
        out,
        days=days,
        lists_per_day=lists_per_day,
        seed=seed,
        start_date=start_date,
        logger=logger,
        randomized_share=randomized_share,
        trust_bias=trust_bias,
    )


@app.command("short_video")
def simulate_short_video_command(
    out: OutOption,
    days: DaysOption = 10,
    lists_per_day: Annotated[int, typer.Option(min=1, help="Feeds of 10 videos per day.")] = 5000,
    seed: SeedOption = 0,
    start_date: StartDateOption = "2026-10-01",
    logger: LoggerOption = "weak",
    randomized_share: RandomizedShareOption = 0.03,
    retention: Annotated[
        float, typer.Option(min=0, max=0.8, help="How much satisfaction brings people back.")
    ] = 0.6,
) -> None:
    """Feeds of short videos, of several days, with the true interest beside them.

    Example: label-platform simulate short_video --out data/simulated/short_video --days 10
    """
    from label_platform.logs.simulators import ShortVideoSettings, simulate_short_video

    _simulate(
        "short_video",
        ShortVideoSettings,
        simulate_short_video,
        out,
        days=days,
        lists_per_day=lists_per_day,
        seed=seed,
        start_date=start_date,
        logger=logger,
        randomized_share=randomized_share,
        retention=retention,
    )


def _simulate(
    scenario: str,
    settings_from: Callable[..., Settings],
    simulate: Callable[[Settings, Path, Callable[[int, int], None]], "SimulationSummary"],
    out: Path,
    *,
    days: int,
    start_date: str,
    **options: object,
) -> None:
    """Simulates with a progress bar over the days, and says how much was written where."""
    from rich.progress import Progress

    started = time.perf_counter()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("simulated days", total=days)
        try:
            first_day = date.fromisoformat(start_date)
            settings = settings_from(days=days, start_date=first_day, **options)
            summary = simulate(settings, out, lambda done, _: bars.update(task, completed=done))
        except (ValueError, FileExistsError) as error:
            raise ConfigurationError(f"simulate {scenario}: {error}") from error
    console.print(
        f"simulated {summary.impressions:,} impressions and "
        f"{sum(summary.interactions.values()):,} events over {days} days into {out} "
        f"({time.perf_counter() - started:.1f} s)"
    )
