"""Bad scenarios: each file holds one mistake, and at its top the sentences that it must produce."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edasim.scenario.errors import ScenarioError
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario

INVALID = Path(__file__).parent / "scenarios" / "invalid"
FILES = sorted(file.name for file in INVALID.glob("*.yml"))
EXPECTED = re.compile(rb"^# expect: (\d+): (.*)$", re.MULTILINE)

SMALL = """
duration: 10s
producers:
  checkout: {publishes: OrderPlaced, arrivals: 40/s}
services:
  payment: {handles: OrderPlaced, work: 30ms}
"""


def sentences(source: str | Path) -> list[str]:
    """What a scenario is refused with."""
    with pytest.raises(ScenarioError) as refused:
        load(source)
    assert str(refused.value).splitlines() == [str(problem) for problem in refused.value.problems][:20]
    return str(refused.value).splitlines()


def expected(file: Path) -> list[str]:
    """The sentences at the top of a file, each `LINE: SENTENCE`; line 0 stands for the file as a whole."""
    found = EXPECTED.findall(file.read_bytes())
    return [
        f"{file}:{line.decode()}: {sentence.decode()}".replace(f"{file}:0:", f"{file}:") for line, sentence in found
    ]


@pytest.mark.parametrize("name", FILES)
def test_a_mistake_produces_its_sentence(name: str) -> None:
    assert expected(INVALID / name)
    assert sentences(INVALID / name) == expected(INVALID / name)


def test_there_are_many_kinds_of_mistakes() -> None:
    assert len(FILES) >= 90


@pytest.mark.parametrize("name", FILES)
def test_a_sentence_names_a_line_and_says_what_is_wrong_and_what_helps(name: str) -> None:
    lines = (INVALID / name).read_bytes().count(b"\n") + 1
    for line, sentence in EXPECTED.findall((INVALID / name).read_bytes()):
        assert 0 <= int(line) <= lines
        assert ":" in sentence.decode() or ";" in sentence.decode() or "," in sentence.decode()


def test_no_traceback_and_no_code_is_run(tmp_path: Path) -> None:
    """In a process of its own, so that whatever reading a file could start would be seen."""
    mark = tmp_path / "ran"
    file = tmp_path / "tag.yml"
    file.write_text(f'title: !!python/object/apply:os.mkdir ["{mark}"]\n')
    program = "import sys\nfrom edasim.scenario.reading import load\n"
    program += "from edasim.scenario.errors import ScenarioError\n"
    program += "try:\n    load(sys.argv[1])\nexcept ScenarioError as error:\n    sys.exit(str(error))\n"
    ended = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True)
    assert not mark.exists()
    assert (
        ended.stderr
        == f'{file}:1: title: "tag:yaml.org,2002:python/object/apply:os.mkdir" is a tag: write plain values\n'
    )


def test_a_file_over_1_mb_is_not_looked_into(tmp_path: Path) -> None:
    file = tmp_path / "large.yml"
    file.write_bytes(b"\xff" * 1_000_001)
    assert sentences(file) == [f"{file}: this is over 1 MB: at most 1000000 bytes are allowed"]


def test_a_megabyte_of_values_is_left_where_it_becomes_too_much() -> None:
    assert sentences(SMALL + "extra: [" + "1," * 400_000 + "]\n") == [
        "extra[19989]: this is too much: at most 20000 values are allowed"
    ]


def test_a_file_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    assert sentences(tmp_path / "none.yml") == [
        f"{tmp_path}/none.yml: the file cannot be read: No such file or directory"
    ]
    assert sentences("paymnt-outage") == [
        "paymnt-outage: the file cannot be read: No such file or directory, and no shipped scenario has that name: "
        "did you mean payment-outage?"
    ]
    cure = f"name a scenario file, as in {tmp_path}/scenario.yml"
    assert sentences(tmp_path) == [f"{tmp_path}: the file cannot be read: this is a folder: {cure}"]
    assert sentences("a\0b") == ["a\\x00b: the file cannot be read: this is no name of a file"]


def test_more_than_twenty_mistakes_are_counted_rather_than_listed() -> None:
    text = SMALL + "".join(f"key-{number}: 1\n" for number in range(30))
    with pytest.raises(ScenarioError) as refused:
        load(text)
    assert len(refused.value.problems) == 30
    assert str(refused.value).splitlines()[20:] == ["and 10 more of the kind"]


def test_problems_are_told_apart_by_line_and_path() -> None:
    with pytest.raises(ScenarioError) as refused:
        load(SMALL.replace("30ms", "30").replace("40/s", "40"))
    problems = refused.value.problems
    assert [(problem.line, problem.path) for problem in problems] == [
        (4, "producers.checkout.arrivals"),
        (6, "services.payment.work"),
    ]


def test_a_mapping_is_held_to_the_same_rules_without_lines() -> None:
    with pytest.raises(ScenarioError) as refused:
        Scenario.from_dict({"duration": 10, "producers": {}, "services": {"payment": {"handles": "OrderPlaced", 3: 4}}})
    assert str(refused.value).splitlines() == [
        "duration: 10 has no unit: write 10ms, or a duration such as 30ms, 1.5s or 2min",
        "services.payment.work: this is missing: write how long handling takes, such as exponential 30ms",
        "services.payment[3]: this key is not known: choose from handles, work, workers, cores, fails, poison, "
        "required, idempotent, publishes, joins, retry, breaker, dead-letters, redrive, store",
        "producers: none is given: write at least one",
    ]


def test_a_large_run_is_possible_when_it_is_asked_for() -> None:
    text = SMALL.replace("duration: 10s", "orders: 50000000")
    assert "are too much" in sentences(text)[0]
    assert load(text, allow_large=True).orders == 50_000_000


VALUES = some.recursive(
    some.one_of(some.none(), some.booleans(), some.integers(), some.floats(), some.text(max_size=20)),
    lambda inside: some.lists(inside, max_size=3) | some.dictionaries(some.text(max_size=12), inside, max_size=3),
    max_leaves=8,
)
KEYS = ["title", "duration", "orders", "warm-up", "producers", "services", "client", "retry", "faults", "wire"]
KEYS += ["architectures", "knobs", "changes"]


def assert_a_scenario_or_sentences(data: dict) -> None:
    small = {
        "duration": "10s",
        "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "40/s"}},
        "services": {"payment": {"handles": "OrderPlaced", "work": "30ms"}},
    }
    try:
        Scenario.from_dict({**small, **data})
    except ScenarioError as refused:
        assert refused.problems
        assert all(problem.message and "\n" not in str(problem) for problem in refused.problems)


@given(some.dictionaries(some.sampled_from(KEYS), VALUES, max_size=4))
def test_any_data_at_all_is_a_scenario_or_sentences(data: dict) -> None:
    assert_a_scenario_or_sentences(data)


PARTS = [
    ("services", "payment", ["handles", "work", "workers", "fails", "publishes", "joins", "retry", "store"]),
    ("faults", "outage", ["unavailable", "slow", "crash", "at", "for", "every", "by", "share", "workers", "rolling"]),
    ("producers", "checkout", ["publishes", "arrivals", "key", "keys", "size"]),
    ("architectures", "kafka", ["version", "topic", "producer", "consumer", "broker", "commit"]),
    ("architectures", "rabbitmq", ["version", "queue", "queues", "prefetch", "exchange"]),
]


@given(some.sampled_from(PARTS).flatmap(lambda part: some.tuples(
    some.just(part[0]), some.just(part[1]), some.dictionaries(some.sampled_from(part[2]), VALUES, max_size=4)
)))  # fmt: skip
def test_any_part_at_all_is_one_or_sentences(part: tuple[str, str, dict]) -> None:
    room, name, data = part
    assert_a_scenario_or_sentences({room: {name: data}})


@given(some.text(max_size=200) | some.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_any_text_at_all_is_a_scenario_or_sentences(text: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        load(SMALL + text + "\nduration: 3s\n")
    assert refused.value.problems
