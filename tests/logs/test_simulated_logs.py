"""What the simulator says it wrote is what ingestion finds."""

from pathlib import Path

from label_platform.lake import Engine, Lake
from label_platform.logs import ingest
from label_platform.logs.simulators import ProductSearchSettings, simulate_product_search
from label_platform.problem import load_problem

PROBLEM = Path(__file__).parents[2] / "data" / "problems" / "product_search.yaml"


def test_counts_match_the_simulation(tmp_path: Path, engine: Engine) -> None:
    settings = ProductSearchSettings(
        days=3,
        lists_per_day=400,
        n_queries=50,
        n_items=200,
        seed=1,
        duplicate_share=0.02,
        malformed_share=0.05,
    )
    written = simulate_product_search(settings, tmp_path / "simulated")
    problem = load_problem(PROBLEM, tmp_path / "simulated" / "logs")
    report = ingest(problem, Lake(tmp_path / "lake", problem.name), engine)
    sums = {
        table: [
            sum(getattr(file, count) for file in report.files if file.source.startswith(table))
            for count in ("accepted", "ignored", "rejected", "duplicates")
        ]
        for table in ("impressions", "interactions")
    }
    assert sums["impressions"] == [
        written.impressions,
        0,
        written.malformed_impressions,
        written.duplicate_impressions,
    ]
    asked = sum(count for signal, count in written.interactions.items() if signal != "hover")
    assert sums["interactions"] == [
        asked,
        written.interactions["hover"],
        written.malformed_interactions,
        written.duplicate_interactions,
    ]
    assert min(sums["interactions"]) > 0
