"""What people decide about registered rankers: promoting by hand, going back, retiring."""

from dataclasses import dataclass

from label_platform.pipeline.workspace import Workspace
from label_platform.strict_yaml import ConfigurationError
from label_platform.tracking import (
    CHALLENGER,
    CHAMPION,
    DECISION,
    RETIRED,
    ROLLED_BACK,
    SUPPORTED,
    RegisteredRanker,
    Registry,
    TrackingStore,
    held_by_hand,
)


@dataclass(frozen=True)
class Settled:
    """What a decision changed.

    Attributes:
        version: the version that it was about.
        champion: the champion now; None if there is none.
        words: what happened, for people.
    """

    version: RegisteredRanker
    champion: RegisteredRanker | None
    words: str


def registry_of(workspace: Workspace, problem: str) -> Registry:
    """The registry of a problem."""
    return TrackingStore(workspace.mlflow_folder, problem).registry


def promote(registry: Registry, wanted: str, reason: str, although: str = "") -> Settled:
    """Make a version champion by hand; verdicts give the title to no other arm until ``release``.

    Args:
        registry: of the problem.
        wanted: the version's number or alias, or the run of a ranker that has no version yet.
        reason: why; kept with the change.
        although: why the evidence is set aside, where it does not support the version.

    Raises:
        ConfigurationError: there is no such version or reason, it is champion already or retired,
            or the evidence does not support it and nothing is said to that.
    """
    _require("--reason", reason)
    found = _version_or_run(registry, wanted)
    if found.retired:
        raise ConfigurationError(
            f"{found.name} was retired ({found.retired}): a retired version is never promoted "
            "again; train another one"
        )
    if CHAMPION in found.aliases:
        raise ConfigurationError(f"{found.name} is champion already")
    said = found.tags.get(DECISION, "no comparison has judged it")
    is_supported = found.tags.get(SUPPORTED) == "yes"
    if not is_supported and not although.strip():
        raise ConfigurationError(
            f"{found.name}: the evidence does not support it ({said}); to promote it nevertheless, "
            'say why: --although "..."'
        )
    words = reason if is_supported else f"{reason}; although {said}: {although}"
    before = registry.champion()
    for each in registry.versions():
        # whoever promotes it knows better than whoever gave it up
        if each.recipe == found.recipe and ROLLED_BACK in each.tags:
            registry.untag(each.version, ROLLED_BACK)
    registry.crown(found.version, "by hand", words)
    instead = f" instead of {before.name}" if before else ""
    return Settled(found, registry.champion(), f"{found.name} is champion{instead}: {words}")


def release(registry: Registry, reason: str) -> Settled:
    """Let verdicts decide again who is champion; until the next comparison nothing changes.

    Args:
        registry: of the problem.
        reason: why; kept with the history.

    Raises:
        ConfigurationError: no reason, or verdicts decide already.
    """
    _require("--reason", reason)
    champion, held = registry.champion(), held_by_hand(registry.changes())
    if champion is None or not held:
        raise ConfigurationError(f"{registry.name}: verdicts decide already, nothing to release")
    registry.crown(champion.version, "release", reason)
    words = f"{champion.name} is champion until a verdict says otherwise: {reason}"
    return Settled(champion, champion, words)


def roll_back(registry: Registry, reason: str) -> Settled:
    """Put the champion before this one back; what is given up is not promoted by itself again.

    Args:
        registry: of the problem.
        reason: why; kept with the change and with the version that is given up.

    Raises:
        ConfigurationError: no reason, no champion, or none before it.
    """
    _require("--reason", reason)
    given_up = registry.champion()
    if given_up is None:
        raise ConfigurationError(f"{registry.name}: nobody is champion, nothing to go back from")
    earlier = registry.earlier_champion()
    if not earlier:
        raise ConfigurationError(
            f"{registry.name}: {given_up.name} had no predecessor that could be gone back to; "
            "`label-platform models promote` another version"
        )
    # noted first: were this cut off here, the version would be barred, not promoted again
    registry.tag(given_up.version, {ROLLED_BACK: reason})
    registry.crown(earlier, "rollback", reason)
    champion = registry.find(earlier)
    words = f"{champion.name} is champion again, {given_up.name} is given up: {reason}"
    return Settled(given_up, champion, words)


def retire(registry: Registry, wanted: str, reason: str) -> Settled:
    """Archive a version: it loses its aliases and is never promoted again.

    The champion's title goes back to the one before, so that what serves it goes on.

    Args:
        registry: of the problem.
        wanted: the version's number or alias.
        reason: why; kept with the version.

    Raises:
        ConfigurationError: no reason, no such version, or one that was retired before.
    """
    _require("--reason", reason)
    found = registry.find(wanted)
    if found.retired:
        raise ConfigurationError(f"{found.name} was retired before ({found.retired})")
    registry.tag(found.version, {RETIRED: reason})
    words = f"{found.name} is retired: {reason}"
    if CHALLENGER in found.aliases:
        registry.set_alias(CHALLENGER, "")
    if CHAMPION in found.aliases:
        earlier = registry.earlier_champion()
        registry.crown(earlier, "retirement", reason)
        now = registry.champion()
        words += f"; {now.name} is champion again" if now else "; nobody is champion now"
    return Settled(found, registry.champion(), words)


def _version_or_run(registry: Registry, wanted: str) -> RegisteredRanker:
    if registry.is_run(wanted):
        try:
            return registry.find(registry.register(wanted))
        except LookupError as error:
            raise ConfigurationError(str(error)) from error
    return registry.find(wanted)


def _require(option: str, text: str) -> None:
    if not text.strip():
        raise ConfigurationError(f"{option}: found no words, expected why, for those who ask later")
