"""Runs the SQL models of ``dbt_like_sql/`` in-process: renders, orders by dependency, creates.

A model is ``<name>.sql`` with ``<name>.yml`` beside it. The SQL may use ``ref``, ``source`` and
``var`` and Jinja's ``for`` and ``if``: the subset that real dbt also runs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined, Template, TemplateError

from label_platform.lake.engine import Engine, quote_identifier

MODELS_FOLDER = Path(__file__).parents[2] / "dbt_like_sql" / "models"
_JINJA = Environment(undefined=StrictUndefined, keep_trailing_newline=False, autoescape=False)  # noqa: S701 - SQL, not HTML


class ModelError(ValueError):
    """A model that cannot be rendered or ordered, with its file."""


@dataclass(frozen=True)
class SqlModel:
    """One SQL model.

    Attributes:
        name: file name without its ending; the name that ``ref`` uses.
        path: the SQL file.
        template: its text.
        spec: its entry in the ``.yml`` beside it: description, config, columns.
        unit_tests: given/expect tests in the same file.
    """

    name: str
    path: Path
    template: str
    spec: dict[str, Any]
    unit_tests: tuple[dict[str, Any], ...]

    @property
    def materialized(self) -> str:
        """``view`` or ``table``: whether its result is computed once or at each use."""
        return str(self.spec.get("config", {}).get("materialized", "view"))

    @property
    def version(self) -> str:
        """Identity of the model's SQL, for recipes."""
        return sha256(self.template.encode()).hexdigest()[:12]


@cache
def load_models(folder: Path = MODELS_FOLDER) -> dict[str, SqlModel]:
    """All models below a folder.

    Raises:
        ModelError: a model without its ``.yml``, or a ``.yml`` that describes another name.
    """
    models: dict[str, SqlModel] = {}
    for path in sorted(folder.rglob("*.sql")):
        described = path.with_suffix(".yml")
        if not described.is_file():
            raise ModelError(f"{path}: expected {described.name} beside it")
        facts = yaml.safe_load(described.read_text())
        specs = [spec for spec in facts["models"] if spec["name"] == path.stem]
        if not specs:
            raise ModelError(f"{described}: describes no model named {path.stem!r}")
        models[path.stem] = SqlModel(
            path.stem, path, path.read_text(), specs[0], tuple(facts.get("unit_tests", ()))
        )
    return models


def render(
    model: SqlModel,
    variables: Mapping[str, Any],
    sources: Mapping[str, str],
    given: Mapping[str, str],
) -> tuple[str, set[str]]:
    """A model's SQL and the models it refers to.

    Args:
        model: the model.
        variables: what ``var`` gives.
        sources: the relation that stands for each source table.
        given: the relation that stands for a model which is not to be built.

    Raises:
        ModelError: an unknown variable or source, or a template that does not parse.
    """
    referred: set[str] = set()

    def ref(name: str) -> str:
        if name in given:
            return given[name]
        referred.add(name)
        return quote_identifier(name)

    def source(_system: str, table: str) -> str:
        if table not in sources:
            raise ModelError(f"{model.path}: source {table!r} is not among {sorted(sources)}")
        return sources[table]

    def var(name: str) -> Any:  # noqa: ANN401 - whatever the caller passed
        if name not in variables:
            raise ModelError(f"{model.path}: var {name!r} is not among {sorted(variables)}")
        return variables[name]

    try:
        sql = _compiled(model.template).render(ref=ref, source=source, var=var)
    except TemplateError as error:
        raise ModelError(f"{model.path}: {error}") from error
    return sql, referred


@cache
def _compiled(template: str) -> Template:
    """Compiling takes longer than rendering, and every partition renders the same few models."""
    return _JINJA.from_string(template)


def create_models(
    engine: Engine,
    targets: Iterable[str],
    *,
    variables: Mapping[str, Any],
    sources: Mapping[str, str],
    models: Mapping[str, SqlModel] | None = None,
    given: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Create the targets, and whatever they refer to, as relations in the engine.

    Args:
        engine: where the relations appear, each under its model's name.
        targets: names of models.
        variables: what ``var`` gives.
        sources: the relation that stands for each source table.
        models: the models to choose from; by default those of ``dbt_like_sql``.
        given: the relation that stands for a model which is not to be built.

    Raises:
        ModelError: a reference to a model that does not exist, or a circle.
    """
    known = load_models() if models is None else models
    sqls: dict[str, str] = {}
    graph: dict[str, set[str]] = {}
    waiting = list(targets)
    while waiting:
        name = waiting.pop()
        if name in graph:
            continue
        if name not in known:
            raise ModelError(f"no model is named {name!r}; there are {sorted(known)}")
        sqls[name], graph[name] = render(known[name], variables, sources, given)
        waiting.extend(graph[name])
    for name in TopologicalSorter(graph).static_order():
        kind = "table" if known[name].materialized == "table" else "view"
        engine.execute(f"create or replace temp {kind} {quote_identifier(name)} as {sqls[name]}")
