"""Python, the libraries, and what they need of the system."""

import importlib
import platform
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from label_platform.first_contact.doctor.finding import Finding

PACKAGE = "label-platform"
LIBRARIES = ("dagster", "duckdb", "lightgbm", "mlflow", "pandas", "pyarrow")
_PROJECT_FILE = Path(__file__).parents[3] / "pyproject.toml"
_SOME_ZONE = "Asia/Shanghai"
_EXTENSIONS = ("icu", "json", "parquet")


@dataclass(frozen=True)
class Demands:
    """What this project asks for.

    Attributes:
        python: the versions of Python.
        libraries: the versions of each library.
    """

    python: SpecifierSet
    libraries: dict[str, SpecifierSet]


def read_demands(project_file: Path = _PROJECT_FILE) -> Demands:
    """The project file's ranges; where there is only an installed package, that one's."""
    if project_file.is_file():
        project = tomllib.loads(project_file.read_text())["project"]
        python, lines = project["requires-python"], project["dependencies"]
    else:
        installed = metadata.distribution(PACKAGE)
        python, lines = installed.metadata["Requires-Python"], installed.requires or []
    wanted = [Requirement(line) for line in lines]
    ranges = {each.name: each.specifier for each in wanted if each.marker is None}
    return Demands(SpecifierSet(python or ""), ranges)


def python_version(demands: Demands) -> Iterator[Finding]:
    """Whether this Python is new enough."""
    found = platform.python_version()
    if demands.python.contains(found, prereleases=True):
        yield Finding("python", "ok", found)
    else:
        advice = "make a virtual environment with a Python of that range"
        yield Finding("python", "problem", found, str(demands.python), advice)


def library_versions(demands: Demands) -> Iterator[Finding]:
    """Whether the libraries are there, in versions that are known to work."""
    for name in LIBRARIES:
        wanted = demands.libraries.get(name, SpecifierSet())
        expected = f"{name}{wanted}"
        advice = f'pip install "{expected}"'
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Finding(name, "problem", "nothing installed", expected, advice)
            continue
        if wanted.contains(found, prereleases=True):
            yield Finding(name, "ok", found)
        else:
            yield Finding(name, "problem", found, expected, advice)


def lightgbm_loads() -> Iterator[Finding]:
    """Whether LightGBM finds the libraries of the system that it is linked with."""
    check = "lightgbm loads"
    try:
        importlib.import_module("lightgbm")
    except OSError as error:
        advice = "reinstall lightgbm"
        if "libgomp" in str(error):  # slim images leave the OpenMP runtime out
            advice = "apt-get install libgomp1"
        yield Finding(check, "problem", str(error), "a library that loads", advice)
    except ImportError as error:
        yield Finding(check, "problem", str(error), "a library that loads", "reinstall lightgbm")
    else:
        yield Finding(check, "ok", "yes")


def time_zones() -> Iterator[Finding]:
    """Whether zones such as those of log sources are known."""
    try:
        ZoneInfo(_SOME_ZONE)
    except ZoneInfoNotFoundError:
        advice = "pip install tzdata"
        yield Finding("time zones", "problem", f"no {_SOME_ZONE}", "time zone data", advice)
    else:
        yield Finding("time zones", "ok", "known")


def engine_extensions() -> Iterator[Finding]:
    """Whether DuckDB has built in what it would otherwise fetch from the network."""
    from label_platform.lake import Engine

    # a memory limit of its own: one that the environment sets may be what is wrong
    with Engine(memory_limit="256MB") as engine:
        loaded = {
            name
            for (name,) in engine.rows(
                "select extension_name from duckdb_extensions() where loaded and"
                " install_mode = 'STATICALLY_LINKED'"
            )
        }
    absent = [name for name in _EXTENSIONS if name not in loaded]
    if absent:
        expected = f"{', '.join(_EXTENSIONS)} built in"
        advice = "install the duckdb package of the Python package index, which has them"
        yield Finding("duckdb extensions", "problem", f"no {', '.join(absent)}", expected, advice)
    else:
        yield Finding("duckdb extensions", "ok", f"{', '.join(_EXTENSIONS)} are built in")
