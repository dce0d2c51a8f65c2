"""Which ranker scores: a version in the registry, or the one of a policy and a day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from label_platform.lake import Partition
from label_platform.pipeline.context import Context
from label_platform.pipeline.rankers import stored_rankers
from label_platform.ranking import Ranker
from label_platform.strict_yaml import ConfigurationError, nearest
from label_platform.tracking import CHAMPION, TrackingStore


@dataclass(frozen=True)
class ChosenRanker:
    """A ranker that scores.

    Attributes:
        ranker: itself.
        name: for people.
        facts: what tells which one it was, for the files that it writes.
    """

    ranker: Ranker
    name: str
    facts: Mapping[str, str]


def choose_ranker(
    context: Context,
    model: str | None = None,
    policy: str | None = None,
    day: date | None = None,
    title: str | None = None,
) -> ChosenRanker:
    """The ranker that options name; the champion where they name none.

    Args:
        context: of the problem.
        model: an alias or the number of a version in the registry.
        policy: instead of a model, the policy whose ranker it is.
        day: of the policy's rankers; the last one by default.
        title: which of the policy's rankers, where it has several.

    Raises:
        ConfigurationError: no such ranker, one of another problem, or options that do not go
            together.
    """
    if policy is None:
        if day is not None or title is not None:
            option = "--day" if day is not None else "--ranker"
            raise ConfigurationError(f"{option} goes with --policy: say which policy's ranker")
        return _registered(context, model or CHAMPION)
    if model is not None:
        raise ConfigurationError("--model and --policy: found both, expected one of them")
    return _of_policy(context, policy, day, title)


def _registered(context: Context, wanted: str) -> ChosenRanker:
    store = TrackingStore(context.project.workspace.mlflow_folder, context.problem.name)
    found = store.registry.find(wanted)
    facts = {"model": store.registry.name, "version": found.version, "run_id": found.run_id}
    return ChosenRanker(
        store.registry.load(found.version), f"{store.registry.name}, {found.name}", facts
    )


def _of_policy(context: Context, policy: str, day: date | None, title: str | None) -> ChosenRanker:
    days = context.lake.days("rankers", policy)
    if not days:
        home = context.lake.folder / "rankers"
        known = [path.name.partition("=")[2] for path in home.glob("policy=*")]
        hint = nearest(policy, known) if known else "`label-platform train` trains rankers"
        raise ConfigurationError(f"--policy: there are no rankers of {policy!r}; {hint}")
    chosen = day or days[-1]
    if chosen not in days:
        raise ConfigurationError(
            f"--day: {policy} has no rankers of {chosen}; {nearest(str(chosen), map(str, days))}"
        )
    rankers = {
        spec.title: each
        for spec, each in stored_rankers(context, Partition("rankers", chosen, policy))
    }
    if title is None and len(rankers) > 1:
        raise ConfigurationError(
            f"--ranker: {policy} has {len(rankers)} rankers of {chosen}, expected the name of one: "
            f"{', '.join(map(repr, rankers))}"
        )
    # what stands before the first comma is the objective, which is enough where it is the only one
    meant = [each for each in rankers if title in {None, each, each.partition(",")[0]}]
    if title not in rankers and len(meant) != 1:
        found = "no ranker" if not meant else f"{len(meant)} rankers"
        raise ConfigurationError(
            f"--ranker: {policy} has {found} {title!r}; {nearest(str(title), rankers)}"
        )
    wanted = str(title) if title in rankers else meant[0]
    facts = {"policy": policy, "ranker": wanted, "day": chosen.isoformat()}
    return ChosenRanker(rankers[wanted], f"{policy} {wanted} {chosen}", facts)
