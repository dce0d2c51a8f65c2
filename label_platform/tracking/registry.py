"""The model registry of a problem: versions, their aliases, and why they have them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from label_platform.ranking import Ranker
from label_platform.strict_yaml import ConfigurationError, nearest
from label_platform.tracking.champions import How, TitleChange, earlier_champion
from label_platform.tracking.model_logging import read_ranker_model
from label_platform.tracking.quiet import import_mlflow

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

    from label_platform.tracking.store import TrackingStore

CHAMPION = "champion"
CHALLENGER = "challenger"
DECISION = "promotion"
SUPPORTED = "promotion.supported"
RETIRED = "retired"
ROLLED_BACK = "rolled_back"
_CHANGE = "champion."
_COPIED = ("policy", "ranker", "policy_version", "label_version", "day", DECISION, SUPPORTED)
"""Tags of a ranker's run that its version has too, so that lists of versions need no runs."""


@dataclass(frozen=True)
class RegisteredRanker:
    """A version in the registry.

    Attributes:
        version: its number.
        run_id: the run that trained it.
        aliases: champion, challenger or others.
        tags: what it is, and what was decided of it.
        registered_at: when.
    """

    version: str
    run_id: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    registered_at: datetime

    @property
    def arm(self) -> tuple[str, str]:
        """Policy and ranker, as comparisons name them."""
        return self.tags.get("policy", ""), self.tags.get("ranker", "")

    @property
    def recipe(self) -> tuple[str, str]:
        """What days of the same arm have in common: the version of the policy, and the ranker."""
        return self.tags.get("policy_version", ""), self.tags.get("ranker", "")

    @property
    def retired(self) -> str:
        """Why it was retired; empty if it was not."""
        return self.tags.get(RETIRED, "")

    @property
    def name(self) -> str:
        """For people."""
        known = [self.tags[name] for name in ("policy", "ranker", "day") if name in self.tags]
        return f"version {self.version}" + (f" ({' '.join(known)})" if known else "")


class Registry:
    """The versions of a problem's ranker.

    Args:
        store: of the problem.
    """

    def __init__(self, store: "TrackingStore") -> None:
        self._store = store
        self.name = f"{store.problem}.ranker"

    def register(self, run_id: str) -> str:
        """The version of a run's ranker, made on first use: a run has one version.

        Raises:
            LookupError: the run has no logged model.
        """
        client, mlflow = self._store.client, self._store.current()
        known = client.search_model_versions(f"name = '{self.name}' and run_id = '{run_id}'")
        if known:
            return str(min(int(each.version) for each in known))
        models = client.search_logged_models(
            [self._store.experiment_id], filter_string=f"source_run_id = '{run_id}'"
        )
        if not models:
            raise LookupError(f"run {run_id} has no logged model")
        try:
            client.create_registered_model(self.name)
        except mlflow.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        tags = client.get_run(run_id).data.tags
        version = client.create_model_version(
            self.name,
            source=models[0].model_uri,
            run_id=run_id,
            model_id=models[0].model_id,
            tags={name: tags[name] for name in _COPIED if name in tags},
        )
        return str(version.version)

    def versions(self) -> list[RegisteredRanker]:
        """Every version, the oldest first; none where there is no store."""
        if not self._store.exists:
            return []
        aliases: dict[str, list[str]] = {}
        for alias, version in self.aliases().items():
            aliases.setdefault(version, []).append(alias)
        found: list[ModelVersion] = []
        token: str | None = ""
        while token is not None:
            page = self._store.client.search_model_versions(
                f"name = '{self.name}'", page_token=token or None
            )
            found += page
            token = page.token or None
        versions = [_registered(each, aliases.get(str(each.version), [])) for each in found]
        return sorted(versions, key=lambda each: int(each.version))

    def aliases(self) -> dict[str, str]:
        """The version of each alias."""
        model = self._model()
        return {alias: str(version) for alias, version in model.aliases.items()} if model else {}

    def champion(self) -> RegisteredRanker | None:
        """The version in use, if any."""
        return next((each for each in self.versions() if CHAMPION in each.aliases), None)

    def find(self, wanted: str) -> RegisteredRanker:
        """A version by its number or alias.

        Args:
            wanted: ``champion``, ``3``, or in full ``product_search.ranker@champion`` or
                ``models:/product_search.ranker/3``.

        Raises:
            ConfigurationError: there is no such version, or it is another problem's.
        """
        plain = re.fullmatch(r"(?:models:/)?(?:(?P<model>[^/@]+)[/@])?(?P<key>[^/@]+)", wanted)
        if plain is None:
            raise ConfigurationError(
                f"model {wanted!r}: expected an alias or the number of a version, such as "
                "champion or 3"
            )
        model, key = plain["model"], plain["key"]
        if model is not None and model != self.name:
            raise ConfigurationError(
                f"model {wanted!r} is of {model!r}, this problem's is {self.name!r}: rankers of "
                "different problems read different features; name the other problem by --problem"
            )
        versions = self.versions()
        for each in versions:
            if key == each.version or key in each.aliases:
                return each
        if not versions:
            raise ConfigurationError(
                f"model {wanted!r}: nothing is registered in {self.name} yet; `label-platform run` "
                "registers what the evidence supports, `label-platform models promote` by hand"
            )
        if key == CHAMPION:
            raise ConfigurationError(
                f"model {wanted!r}: nobody is champion of {self.name}; `label-platform models "
                "list` shows the versions, `label-platform models promote` makes one champion"
            )
        names = [
            *(alias for each in versions for alias in each.aliases),
            *(each.version for each in versions if not each.retired),
        ]
        raise ConfigurationError(
            f"model {wanted!r}: {self.name} has no such alias or version; {nearest(key, names)}"
        )

    def is_run(self, wanted: str) -> bool:
        """Whether a text is the id of one of the problem's runs of rankers."""
        if not re.fullmatch(r"[0-9a-f]{32}", wanted):
            return False
        return any(self._store.runs(f"attributes.run_id = '{wanted}' and tags.kind = 'ranker'"))

    def load(self, version: str) -> Ranker:
        """The ranker of a version.

        Raises:
            ConfigurationError: it was logged for another problem.
        """
        self._store.current()
        ranker, problem = read_ranker_model(f"models:/{self.name}/{version}")
        if problem and problem != self._store.problem:
            raise ConfigurationError(
                f"version {version} of {self.name} was trained for the problem {problem!r}, this "
                f"is {self._store.problem!r}: rankers of different problems read different features"
            )
        return ranker

    def set_alias(self, alias: str, version: str) -> None:
        """Give a version an alias, or take it away from all by naming none."""
        if version:
            self._store.client.set_registered_model_alias(self.name, alias, version)
        elif alias in self.aliases():
            self._store.client.delete_registered_model_alias(self.name, alias)

    def tag(self, version: str, tags: Mapping[str, str]) -> None:
        """Note something on a version."""
        for name, text in tags.items():
            self._store.client.set_model_version_tag(self.name, version, name, text)

    def untag(self, version: str, name: str) -> None:
        """Take a note off a version."""
        self._store.client.delete_model_version_tag(self.name, version, name)

    def crown(self, version: str, how: How, reason: str) -> TitleChange:
        """Make a version the champion, or nobody, and keep who it was before and why."""
        before = self.aliases().get(CHAMPION, "")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        change = TitleChange(now, version, before, how, reason)
        number = len(self.changes()) + 1
        # first the history: what is cut off here leaves a line too many, not a champion unexplained
        client = self._store.client
        client.set_registered_model_tag(self.name, f"{_CHANGE}{number:06d}", change.to_json())
        self.set_alias(CHAMPION, version)
        if self.aliases().get(CHALLENGER) == version:
            self.set_alias(CHALLENGER, "")
        return change

    def changes(self) -> list[TitleChange]:
        """Every change of champion, the oldest first."""
        model = self._model()
        tags: Mapping[str, str] = model.tags if model else {}
        keys = sorted(name for name in tags if name.startswith(_CHANGE))
        return [TitleChange.from_json(tags[name]) for name in keys]

    def earlier_champion(self) -> str:
        """The version that a rollback goes back to; empty if there is none."""
        retired = {each.version for each in self.versions() if each.retired}
        return earlier_champion(self.changes(), retired)

    def _model(self) -> Any:  # noqa: ANN401 - MLflow's own
        if not self._store.exists:
            return None
        mlflow = import_mlflow()
        try:
            return self._store.client.get_registered_model(self.name)
        except mlflow.MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None


def _registered(version: "ModelVersion", aliases: list[str]) -> RegisteredRanker:
    return RegisteredRanker(
        version=str(version.version),
        run_id=str(version.run_id),
        aliases=tuple(sorted(aliases)),
        tags=dict(version.tags),
        registered_at=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
    )
