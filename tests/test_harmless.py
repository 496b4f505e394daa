"""Input that cannot hurt: whatever a scenario says is data in every text, page, picture and file that comes of it."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import edasim
from edasim.charts.saving import save_figure
from edasim.charts.style import picture
from edasim.cli import main
from edasim.lab.explorer import explore
from edasim.lab.flow import flow
from edasim.pictures.topology import topology_figure
from edasim.scenario.errors import ScenarioError
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.scenario.writing import to_dict, to_yaml
from edasim.study.compare import compare
from edasim.study.comparison import Comparison
from edasim.study.description import Description
from tests.study_worlds import small_shop

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(edasim.__file__).parent
HOSTILE = (
    r'=1+1 </script><script>alert(1)</script> <img src=x onerror=alert(1)> "q" --> ../../etc/passwd $x^$ $\frac{1$ '
    r"\input{secret} {0} {title} %s [/red] [bold]b[link=http://x]l :fire: &lt; \x00 $(id)"
)


@pytest.fixture(scope="module")
def shop() -> Scenario:
    """A shop whose title and description are as bad as they can be."""
    return Scenario.from_dict({**to_dict(small_shop()), "title": HOSTILE, "description": HOSTILE})


@pytest.fixture(scope="module")
def compared(shop: Scenario) -> Comparison:
    return compare(shop, replications=1, seed=1)


class Tags(HTMLParser):
    """The tags of a page, and the texts between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attributes]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


# --- texts ----------------------------------------------------------------------------------------------------


def test_it_comes_back_as_it_was(shop: Scenario) -> None:
    assert load(to_yaml(shop)) == shop
    assert load(to_yaml(shop)).title == HOSTILE


def test_tables_and_texts_show_it_as_it_is(shop: Scenario, compared: Comparison) -> None:
    assert "[/red] [bold]b[link=http://x]l :fire:" in " ".join(str(compared.table()).split())
    assert HOSTILE in str(next(iter(compared.runs.values())))
    assert HOSTILE in "\n".join(Description(shop, ("kafka",)).paragraphs())
    assert json.loads(json.dumps(compared.as_dict()))["scenario"] == HOSTILE


def test_the_commands_print_it_as_it_is(shop: Scenario, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shop.yml"
    file.write_text(to_yaml(shop), encoding="utf-8")
    for words in (["describe", str(file)], ["run", str(file), "--arch", "rpc"], ["compare", str(file)]):
        assert main([*words, *(["--replications", "1"] if words[0] != "describe" else [])]) == 0
        said = capsys.readouterr()
        assert "[bold]b[link=http://x]l :fire:" in " ".join(said.out.split())
        assert "\x1b" not in said.out


# --- pages ----------------------------------------------------------------------------------------------------


def test_the_animation_has_no_tag_of_it(compared: Comparison, tmp_path: Path) -> None:
    page = flow(compared).save_html(tmp_path / "flow.html").read_text(encoding="utf-8")
    found = Tags(page)
    assert found.tags.count("script") == 2 and "img" not in found.tags
    assert "onerror" not in found.attributes
    data = re.search(r'<script type="application/json" id="run">(.*?)</script>', page, re.DOTALL)
    assert data is not None and json.loads(data[1])["_panels"]
    policy = re.search(r"Content-Security-Policy\"\s+content=\"([^\"]+)\"", page)
    assert policy is not None and "default-src 'none'" in policy[1]


def test_the_lab_has_no_tag_of_it(shop: Scenario, tmp_path: Path) -> None:
    explorer = explore(shop, ["client.timeout"], ["rpc"])
    explorer.save(tmp_path)
    for value in _html_of(explorer):
        assert not {"script", "img"} & set(Tags(value).tags)
    assert [file.name for file in tmp_path.iterdir()] == [
        "1-1-script-script-alert-1-script-img-src-x-onerror-alert-1-q.png"
    ]


def _html_of(widget: Any) -> list[str]:
    own = [widget.value] if type(widget).__name__ == "HTML" else []
    return own + [text for child in getattr(widget, "children", ()) for text in _html_of(child)]


# --- pictures and files ---------------------------------------------------------------------------------------


def test_no_picture_has_an_element_of_it_and_no_formula_breaks_it(
    shop: Scenario, compared: Comparison, tmp_path: Path
) -> None:
    files = compared.save(tmp_path)
    files += save_figure(topology_figure(shop, "kafka"), tmp_path / "topology")
    figure = picture()
    figure.add_subplot()
    next(iter(compared.runs.values())).journey(1).chart(ax=figure.axes[0])
    files += save_figure(figure, tmp_path / "journey")
    assert {file.parent for file in files} == {tmp_path}
    assert sorted(tmp_path.iterdir()) == sorted(files)
    for file in files:
        if file.suffix == ".svg":
            names = {str(element.tag).rpartition("}")[2] for element in ElementTree.parse(file).iter()}
            assert not {"script", "img", "image", "foreignObject", "a"} & names
        if file.suffix == ".png":
            assert HOSTILE.encode() not in file.read_bytes()
    assert json.loads((tmp_path / "comparison.json").read_text("utf-8"))["scenario"] == HOSTILE
    assert load(tmp_path / "scenario.yml").title == HOSTILE


def test_a_title_is_drawn_letter_by_letter(shop: Scenario) -> None:
    texts = [text for ax in topology_figure(shop, "kafka").axes for text in [ax.title, *ax.texts]]
    assert texts and not any(text.get_parse_math() or text.get_usetex() for text in texts)


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "<b>", "a\nb", "a\0b", "=x", "", "a b", "x" * 65, "é", "."])
@pytest.mark.parametrize("where", ["services", "producers", "faults", "event", "key"])
def test_a_name_is_letters_digits_and_hyphens_or_is_refused(where: str, name: str) -> None:
    data: dict[str, Any] = {
        "duration": "5s",
        "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "40/s"}},
        "services": {"payment": {"handles": "OrderPlaced", "work": "30ms"}},
    }
    if where in ("services", "producers"):
        data[where][name] = next(iter(data[where].values()))
    elif where == "faults":
        data["faults"] = {name: {"crash": "payment", "at": "1s"}}
    elif where == "event":
        data["services"]["payment"]["publishes"] = name
    else:
        data["producers"]["checkout"]["key"] = name
    with pytest.raises(ScenarioError) as refused:
        Scenario.from_dict(data)
    assert all("\n" not in str(problem) and str(problem).isprintable() for problem in refused.value.problems)


@pytest.mark.parametrize("letter", ["\0", "\x1b", "\u202e", "\u2028", "\x85", "\r", "\x7f"])
def test_no_control_character_gets_into_a_title(letter: str) -> None:
    with pytest.raises(ScenarioError, match="holds a control character"):
        Scenario.from_dict({**to_dict(small_shop()), "title": f"a{letter}b"})


# --- what a run touches ---------------------------------------------------------------------------------------

WATCHER = """
import sys
touched = []
sys.addaudithook(lambda event, given: touched.append((event, [str(one) for one in given[:2]]))
                 if event in ("open", "os.system", "subprocess.Popen", "socket.connect", "os.exec", "os.posix_spawn",
                              "os.remove", "os.rename", "os.mkdir", "shutil.rmtree", "os.symlink", "os.link") else None)
from edasim.cli import main
code = main(sys.argv[1:])
import json
print(json.dumps([code, touched]), file=sys.__stderr__)
"""


def test_a_run_reads_the_scenario_and_writes_under_its_output_folder(shop: Scenario, tmp_path: Path) -> None:
    """Seen by an audit hook, in a process of its own whose folder holds a file that nobody asked for."""
    (tmp_path / "secret").write_text("do not read")
    (tmp_path / "shop.yml").write_text(to_yaml(shop), encoding="utf-8")
    cache = tmp_path / "cache"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "MPLCONFIGDIR": str(cache)}
    command = [sys.executable, "-c", WATCHER, "compare", "shop.yml", "--replications", "1", "--out", "out"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    code, touched = json.loads(ended.stderr.splitlines()[-1])
    assert code == 0
    opened = [(path, str(mode)) for event, (path, mode, *_) in touched if event == "open"]
    written = {Path(tmp_path, path).resolve() for path, mode in opened if set(mode) & set("wxa+")}
    allowed = (tmp_path / "out", cache, Path(os.devnull))
    assert [path for path in written if not any(path.is_relative_to(place) for place in allowed)] == []
    assert any(path.is_relative_to(tmp_path / "out") for path in written)
    assert [path for path, _ in opened if Path(path).name in ("secret", "passwd")] == []
    assert [event for event in touched if event[0].startswith(("os.system", "socket", "os.exec"))] == []
    moved = [Path(tmp_path, path).resolve() for event, paths in touched if event in ("os.rename", "os.remove")
             for path in paths if path not in ("-1", "None")]  # fmt: skip
    assert moved and [path for path in moved if not any(path.is_relative_to(place) for place in allowed)] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "out", "secret", "shop.yml"]


# --- what the package never does ------------------------------------------------------------------------------

MODULES = sorted(str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py"))
NEVER_IMPORTED = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle", "ctypes"}
BETWEEN_PROCESSES = {"study/workers.py": {"pickle"}}
"""What goes from a process to the one that started it, through a pipe that nobody else has, and never to a file."""
NEVER_CALLED = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load",
                "yaml.full_load", "yaml.load_all", "pandas.read_pickle", "numpy.load", "np.load"}  # fmt: skip


def forbidden(text: str) -> list[str]:
    """What a module does that could run what a file says."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in NEVER_IMPORTED]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module or ""] if (node.module or "").split(".")[0] in NEVER_IMPORTED else []
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            found += [called] if called in NEVER_CALLED or called.endswith((".to_pickle", ".read_pickle")) else []
            found += [f"{called} through a shell" for word in node.keywords if word.arg == "shell"]
    return found


@pytest.mark.parametrize("name", MODULES)
def test_no_module_runs_what_a_file_says(name: str) -> None:
    found = set(forbidden((PACKAGE / name).read_text(encoding="utf-8")))
    assert found == BETWEEN_PROCESSES.get(name, set())


def test_what_could_run_a_file_would_be_seen() -> None:
    bad = ("import pickle", "from marshal import loads", "eval('1')", "yaml.load(x)", "frame.to_pickle('x')",
           "subprocess.run('ls', shell=True)", "os.system('ls')", "import joblib.x", "np.load(file)")  # fmt: skip
    assert [len(forbidden(text)) for text in bad] == [1] * len(bad)
