"""label-platform simulate: logs with known truth."""

import time
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from label_platform.cli.options import console
from label_platform.strict_yaml import ConfigurationError

app = typer.Typer(no_args_is_help=True, help="Write simulated logs with known truth.")


@app.command("product_search")
def simulate_product_search_command(
    out: Annotated[Path, typer.Option(help="Folder for logs/ and truth/.")],
    days: Annotated[int, typer.Option(min=1, help="Log days.")] = 10,
    lists_per_day: Annotated[int, typer.Option(min=1, help="Result lists per day.")] = 5000,
    seed: Annotated[int, typer.Option(help="Same seed, same logs.")] = 0,
    start_date: Annotated[str, typer.Option(help="First log day.")] = "2026-10-01",
    logger: Annotated[
        Literal["weak", "strong", "random"], typer.Option(help="How good the logging ranker is.")
    ] = "weak",
    randomized_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of lists in random order.")
    ] = 0.03,
    trust_bias: Annotated[
        float, typer.Option(min=0, max=1, help="How much users trust high positions.")
    ] = 0.0,
) -> None:
    """Search logs of several days, with truth beside them.

    Example: label-platform simulate product_search --out data/simulated/product_search --days 10
    """
    from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search

    started = time.perf_counter()
    try:
        settings = ProductSearchSettings(
            days=days,
            lists_per_day=lists_per_day,
            seed=seed,
            start_date=date.fromisoformat(start_date),
            logger=logger,
            randomized_share=randomized_share,
            trust_bias=trust_bias,
        )
    except ValueError as error:
        raise ConfigurationError(f"simulate product_search: {error}") from error
    try:
        summary = simulate_product_search(settings, out)
    except FileExistsError as error:
        raise ConfigurationError(f"simulate product_search: {error}") from error
    console.print(
        f"simulated {summary.impressions:,} impressions and "
        f"{sum(summary.interactions.values()):,} events over {days} days into {out} "
        f"({time.perf_counter() - started:.1f} s)"
    )
