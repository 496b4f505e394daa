"""The project itself: rooms import downwards, files stay small, what is said in two places agrees."""

import ast
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import edasim

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "edasim"

# A room may import those before it. `edasim` is the package itself: its names come from the rooms before it.
ROOMS = (
    "version", "lazily", "shipped", "core", "scenario", "brokers", "services", "architectures", "simulate", "measure",
    "sourcing", "schemas", "study", "conform", "charts", "pictures", "lab", "report",
    "edasim", "jobs", "handout", "commands", "cli", "__main__",
)
ENGINE_ROOMS = {"edasim", *ROOMS[: ROOMS.index("study") + 1]}
HEAVY_LIBRARIES = {"matplotlib", "networkx", "ipywidgets", "pandas", "scipy"}

# A result is asked for its chart or data frame (`both.chart()`, `run.frame()`). Such a method opens a room
# above its own, or a library that its room does without, when it is called and not before.
OPENED_WHEN_CALLED: dict[str, set[str]] = {
    "edasim/simulate.py": {"measure", "pandas", "study"},
    "edasim/measure/frame.py": {"pandas"},
    "edasim/measure/journey.py": {"pictures", "matplotlib"},
    "edasim/study/comparison.py": {"charts", "matplotlib", "report"},
    "edasim/study/found.py": {"charts", "matplotlib"},
    "edasim/study/swept.py": {"charts", "matplotlib", "pandas"},
    "edasim/study/weighed.py": {"charts", "matplotlib"},
}

FILE_LIMIT = 400
FUNCTION_LIMIT = 60
EXPORT_LIMIT = 15
NOTEBOOK_CELL_LIMIT = 15

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def room_of(file: Path) -> str:
    """The room of a module: the folder or file under edasim that it is in."""
    first = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "edasim" if first == "__init__" else first


def room_imported(module: str) -> str | None:
    """The room that a full module name leads to: `core` for edasim.core.clock, `edasim` for edasim.load."""
    package, _, inner = module.partition(".")
    if package != "edasim":
        return None
    room = inner.split(".")[0]
    return room if room in ROOMS else "edasim"


MODULES = sorted(str(file.relative_to(ROOT)) for file in PACKAGE.rglob("*.py"))
ENGINE_MODULES = [name for name in MODULES if room_of(ROOT / name) in ENGINE_ROOMS]
NOTEBOOKS = sorted(str(file.relative_to(ROOT)) for file in (ROOT / "notebooks").glob("*.ipynb"))


def text_of(name: str) -> str:
    """The text of one file of the project."""
    return (ROOT / name).read_text(encoding="utf-8")


def output_of(*command: str) -> str:
    """What a command prints in the root of the project; its exit code must be 0."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def project() -> dict:
    """The table [project] of pyproject.toml."""
    return tomllib.loads(text_of("pyproject.toml"))["project"]


def dependencies(requirements: list[str]) -> dict[str, str]:
    """The version range of each requirement by its name in the usual spelling: {"simpy": ">=4.1,<4.2"}."""
    found = [re.fullmatch(r"([A-Za-z0-9._-]+)(.*)", text.replace(" ", "")) for text in requirements]
    return {re.sub(r"[-_.]+", "-", match[1]).lower(): match[2] for match in found if match}


def modules_of(node: ast.AST, name: str) -> list[str]:
    """The full names that an import statement or a call of import_module brings: `edasim.core.clock`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        package = Path(name).parent.parts
        above = package[: len(package) - node.level + 1] if node.level else ()
        source = ".".join([*above, *([node.module] if node.module else [])])
        return [f"{source}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
        return [str(given.value) for given in node.args[:1] if isinstance(given, ast.Constant)]
    return []


def imports_of(name: str) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, at its top or in a function, and the line."""
    for node in ast.walk(ast.parse(text_of(name))):
        yield from ((module, getattr(node, "lineno", 0)) for module in modules_of(node, name))


def test_conda_users_get_the_same_dependencies() -> None:
    environment = yaml.safe_load(text_of("environment.yml"))
    named = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    by_pip = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    wanted = dependencies(project()["dependencies"] + project()["optional-dependencies"]["lab"])
    wanted |= {"python": project()["requires-python"], "pip": ""}
    assert environment["channels"] == ["conda-forge"]
    assert dependencies(named) == wanted
    assert by_pip == [["-e .[lab]"]]


def test_every_dependency_has_a_tested_version() -> None:
    entries = [line for line in text_of("constraints.txt").splitlines() if not line.startswith("#")]
    assert [line for line in entries if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []
    wanted = dependencies(sum(project()["optional-dependencies"].values(), project()["dependencies"]))
    assert set(wanted) <= set(dependencies(entries))


def test_no_file_names_a_registry_or_a_folder_of_one_machine() -> None:
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("this is not a clone")
    # In two halves, so that this file does not name what it looks for.
    hosts = ("py" r"pi\.org", "python" r"hosted\.org", "npm" r"js\.(?:org|com)", "crates" r"\.io",
             "anaconda" r"\.(?:org|com)", r"proxy\." r"golang\.org", "maven" r"\.(?:apache\.)?org",
             r"deb\." r"debian\.org")
    folders = (r"(?<![\w./-])/(?:" r"work|root)(?![\w-])", r"\bshared/(?:" r"cases|design)\b")
    unwanted = re.compile("|".join([*(rf"\b{host}" for host in hosts), *folders]), re.IGNORECASE)
    found = []
    for name in filter(None, output_of("git", "ls-files", "-z").split("\0")):
        if (ROOT / name).is_file():
            text = (ROOT / name).read_bytes().decode("utf-8", errors="ignore")
            found += [f"{name}: {match[0]}" for match in unwanted.finditer(text)]
    assert found == []


def test_every_module_is_in_a_room() -> None:
    assert {room_of(ROOT / name) for name in MODULES} <= set(ROOMS)


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_downwards(name: str) -> None:
    reached = ROOMS[: ROOMS.index(room_of(ROOT / name)) + 1]
    allowed = {None, *reached, *OPENED_WHEN_CALLED.get(name, set())}
    upwards = [(line, module) for module, line in imports_of(name) if room_imported(module) not in allowed]
    assert upwards == []


@pytest.mark.parametrize("name", ENGINE_MODULES)
def test_the_engine_does_not_draw(name: str) -> None:
    libraries = {module.split(".")[0] for module, _ in imports_of(name)}
    assert libraries & HEAVY_LIBRARIES <= OPENED_WHEN_CALLED.get(name, set())


@pytest.mark.parametrize("name", OPENED_WHEN_CALLED)
def test_what_is_opened_when_called_is_not_opened_before(name: str) -> None:
    statements = ast.parse(text_of(name)).body
    modules = [module for statement in statements for module in modules_of(statement, name)]
    early = {module.split(".")[0] for module in modules} | {room_imported(module) for module in modules}
    assert early & OPENED_WHEN_CALLED[name] == set()


def test_importing_edasim_is_light() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "import edasim"]
    report = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    loaded = {line.split("|")[-1].strip().split(".")[0] for line in report.splitlines()}
    assert "edasim" in loaded
    assert loaded & HEAVY_LIBRARIES == set()


def test_the_package_exports_few_names() -> None:
    if not hasattr(edasim, "__all__"):
        pytest.skip("edasim exports nothing yet")
    assert len(edasim.__all__) <= EXPORT_LIMIT
    assert [name for name in edasim.__all__ if not hasattr(edasim, name)] == []


@pytest.mark.parametrize("name", MODULES)
def test_files_and_functions_are_short(name: str) -> None:
    functions = [node for node in ast.walk(ast.parse(text_of(name))) if isinstance(node, FUNCTION)]
    lengths = [(node.name, (node.end_lineno or 0) - node.lineno + 1) for node in functions]
    assert [(function, length) for function, length in lengths if length > FUNCTION_LIMIT] == []
    assert len(text_of(name).splitlines()) <= FILE_LIMIT


@pytest.mark.parametrize("name", MODULES)
def test_what_is_public_says_what_it_is(name: str) -> None:
    module = ast.parse(text_of(name))
    named = [node for node in module.body if isinstance(node, FUNCTION | ast.ClassDef)]
    silent = [node.name for node in named if not ast.get_docstring(node)]
    assert [name for name in silent if not name.startswith("_")] == []
    assert ast.get_docstring(module)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebooks_are_thin_and_without_outputs(name: str) -> None:
    code = [cell for cell in json.loads(text_of(name))["cells"] if cell["cell_type"] == "code"]
    assert [cell["source"] for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []
    lengths = [len("".join(cell["source"]).splitlines()) for cell in code]
    assert [length for length in lengths if length > NOTEBOOK_CELL_LIMIT] == []


def test_make_lists_every_job_with_a_sentence() -> None:
    makefile = text_of("Makefile")
    jobs = " ".join(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)).split()
    said = re.findall(r"^([a-z]+):.*## ([A-Z].+\.)$", makefile, re.MULTILINE)
    assert sorted(jobs) == sorted(job for job, _ in said)
    if shutil.which("make"):
        listed = [line.split(maxsplit=2) for line in output_of("make", "--no-print-directory").splitlines()]
        assert listed == [["make", job, sentence] for job, sentence in said]
