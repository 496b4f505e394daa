"""The simulated Kafka does what a real Apache Kafka 4.3.1 was recorded to do, script by script."""

import json
import re
from pathlib import Path

import pytest

from edasim.cli import main
from edasim.conform import golden, on_purpose, simulated
from edasim.conform.assignors import histories, moved
from edasim.conform.assignors import simulated as assigned
from edasim.conform.on_purpose import OnPurpose
from edasim.conform.outcome import AS_SAID, DIFFERS, NOT_PLAYED, SAME, as_text, exit_code, judged, not_played
from edasim.conform.running import beside_golden, record
from edasim.conform.script import Kafka, NotReached, Script, UnknownScript, broke_off, chosen, play
from edasim.conform.trace import plain

SCRIPTS = {one.name: one for one in chosen()}
STRATEGIES = ("range", "roundrobin", "sticky", "cooperative-sticky")

# Scripts that the simulated Kafka does not play as the real one yet, with the reason; the list shrinks.
NOT_YET: dict[str, str] = {}


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in NOT_YET])
def test_the_simulated_kafka_does_what_the_real_one_did(name: str) -> None:
    kept = golden.read(name)
    assert kept is not None, f"no golden trace of {name}"
    outcome = judged(SCRIPTS[name], simulated.trace_of(SCRIPTS[name]), kept.trace)
    assert [str(one) for one in outcome.differing] == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_golden_trace_is_whole_and_says_where_it_comes_from(name: str) -> None:
    kept = golden.read(name)
    assert kept is not None and kept.trace and not broke_off(kept.trace)
    assert kept.kafka == "Apache Kafka 4.3.1" and re.match(r"confluent-kafka [\d.]+, librdkafka [\d.]+", kept.client)
    data = json.loads(golden.path_of(name).read_text(encoding="utf-8"))
    assert (data["script"], data["observes"]) == (name, SCRIPTS[name].sentence)


def test_there_is_a_script_for_each_golden_trace_and_at_least_forty() -> None:
    assert {path.stem for path in golden.FOLDER.glob("*.json")} == set(SCRIPTS)
    assert len(SCRIPTS) >= 40
    assert set(NOT_YET) <= set(SCRIPTS)


def test_what_differs_on_purpose_names_a_script_its_note_and_a_reason() -> None:
    for one in on_purpose.ON_PURPOSE:
        kept = golden.read(one.script)
        assert kept is not None and one.script not in NOT_YET
        assert one.label == "*" or one.label in [label for label, _ in kept.trace]
        assert len(one.reason) > 20


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_assignors_divide_as_the_java_client_does(strategy: str) -> None:
    """Range and roundrobin to the letter; sticky in shares and moves: there Java follows a hash map's order."""
    lives = [history for history in histories() if history.strategy == strategy]
    assert len(lives) >= 20
    for history in lives:
        for before, ours, real in assigned(history):
            if strategy in ("range", "roundrobin"):
                assert ours == real
            assert sorted(map(len, ours.values())) == sorted(map(len, real.values()))
            assert moved(before, ours) == moved(before, real)


def test_almost_every_sticky_assignment_is_the_java_clients_to_the_letter() -> None:
    steps = [(ours, real) for one in histories() if "sticky" in one.strategy for _, ours, real in assigned(one)]
    assert len(steps) > 200
    assert sum(ours != real for ours, real in steps) < len(steps) / 15


def test_the_recorded_histories_have_members_that_join_and_leave_and_topics_that_grow() -> None:
    joined = left = grown = 0
    for one in histories():
        for before, after in zip(one.steps, one.steps[1:], strict=False):
            joined += len(set(after["members"]) - set(before["members"]))
            left += len(set(before["members"]) - set(after["members"]))
            grown += after["topics"] != before["topics"]
    assert min(joined, left, grown) > 20


# --- the comparison itself -------------------------------------------------------------------------------------------


def two_notes(kafka: Kafka) -> None:
    kafka.note("offset", 5)
    kafka.note("read", ["a", "b"])


TWO_NOTES = Script("two-notes", "Two notes.", two_notes, "nothing")


def test_equal_traces_are_the_same() -> None:
    trace = [("offset", 5), ("read", ["a", "b"])]
    assert judged(TWO_NOTES, trace, list(trace)).verdict == SAME


@pytest.mark.parametrize(
    ("real", "sentence"),
    [
        ([("offset", 6), ("read", ["a", "b"])], "two-notes: offset: simulated 5, real 6"),
        ([("offset", "5"), ("read", ["a", "b"])], 'two-notes: offset: simulated 5, real "5"'),
        ([("offset", 5), ("read", ["b", "a"])], 'two-notes: read: simulated ["a", "b"], real ["b", "a"]'),
        ([("offset", 5)], 'two-notes: read: simulated ["a", "b"], real no such note'),
        ([("offset", 5), ("read", ["a", "b"]), ("end", 7)], "two-notes: end: simulated no such note, real 7"),
    ],
)
def test_a_difference_names_script_note_and_both_values(real: list, sentence: str) -> None:
    outcome = judged(TWO_NOTES, [("offset", 5), ("read", ["a", "b"])], real)
    assert (outcome.verdict, [str(one) for one in outcome.differing]) == (DIFFERS, [sentence])


def test_a_difference_on_purpose_is_counted_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    known = (OnPurpose("two-notes", "offset", "Java's buffer blocks, librdkafka's refuses"),)
    monkeypatch.setattr(on_purpose, "ON_PURPOSE", known)
    outcome = judged(TWO_NOTES, [("offset", 5), ("read", [])], [("offset", 6), ("read", [])])
    assert (outcome.verdict, exit_code([outcome])) == (AS_SAID, 0)
    text = as_text([outcome], "a real one")
    assert "two-notes: offset: simulated 5, real 6: Java's buffer blocks, librdkafka's refuses" in text
    assert text.endswith("\n1 script, 0 differences")
    both = judged(TWO_NOTES, [("offset", 5), ("read", [1])], [("offset", 6), ("read", [])])
    assert (both.verdict, exit_code([both])) == (DIFFERS, 1)


def test_the_last_line_counts_what_was_played() -> None:
    same = judged(TWO_NOTES, [("offset", 5)], [("offset", 5)])
    other = judged(TWO_NOTES, [("offset", 5)], [("offset", 7)])
    idle = not_played(TWO_NOTES, "it kills brokers")
    assert as_text([same, other, other, idle], "it").splitlines()[-1] == "3 scripts, 2 differences"
    assert idle.verdict == NOT_PLAYED and "1 script: it kills brokers" in as_text([same, idle], "it")
    assert (exit_code([same, idle]), exit_code([other, idle]), exit_code([idle])) == (0, 1, 2)


def test_a_script_that_waits_in_vain_or_raises_says_so_in_its_last_note() -> None:
    class Notes:
        def __init__(self) -> None:
            self.trace: list = []

        def note(self, label: str, value: object) -> None:
            self.trace.append((label, plain(value)))

    def waits(kafka: Kafka) -> None:
        kafka.note("begun", True)
        raise NotReached("the end within 30 s")

    def raises(kafka: Kafka) -> None:
        raise KeyError("nothing")

    notes = Notes()
    play(Script("waits", "", waits, "nothing"), notes)  # type: ignore[arg-type]
    assert notes.trace == [("begun", True), ("not reached", "the end within 30 s")] and broke_off(notes.trace)
    play(Script("raises", "", raises, "nothing"), notes)  # type: ignore[arg-type]
    assert notes.trace[-1] == ("failed", "KeyError: 'nothing'")


def test_notes_are_plain_values_without_the_prefix_of_the_run() -> None:
    noted = {"edasim-1.orders-0": ({3, 1}, b"\xff", "edasim-1.orders")}
    assert plain(noted, "edasim-1.") == {"orders-0": [[1, 3], "\\xff", "orders"]}
    with pytest.raises(AssertionError):
        plain(object())


def test_what_is_recorded_is_read_again(tmp_path: Path) -> None:
    trace = [("reports", [[None, 0, 5]]), ("name", "é")]
    path = golden.write(TWO_NOTES, trace, "Kafka 9", "client 1", tmp_path)
    kept = golden.read("two-notes", tmp_path)
    assert kept is not None and (kept.trace, kept.kafka, kept.client) == (trace, "Kafka 9", "client 1")
    assert path.read_text(encoding="utf-8").count("\n") == 10
    assert golden.read("another", tmp_path) is None


def test_only_what_was_the_same_twice_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edasim.conform.real.client_version", lambda: "client 1")
    steady = judged(TWO_NOTES, [("offset", 5)], [("offset", 5)])
    assert record([steady], {"two-notes": [("offset", 5)]}, tmp_path, "Kafka 9") == []
    assert [path.name for path in tmp_path.iterdir()] == ["two-notes.json"]
    cut_short = judged(TWO_NOTES, [], [("not reached", "the end")])
    for one, again in ((steady, [("offset", 6)]), (cut_short, [("not reached", "the end")])):
        golden.path_of("two-notes", tmp_path).unlink(missing_ok=True)
        assert record([one], {"two-notes": again}, tmp_path, "Kafka 9") == ["two-notes"]
        assert list(tmp_path.iterdir()) == []


def test_without_a_golden_trace_a_script_is_not_played(tmp_path: Path) -> None:
    (outcome,) = beside_golden([TWO_NOTES], folder=tmp_path)
    assert outcome.verdict == NOT_PLAYED and "--record" in outcome.why_not


def test_names_of_scripts_are_suggested() -> None:
    with pytest.raises(UnknownScript, match="There is no script 'watermark'; there are watermarks"):
        chosen(["watermark"])


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_compares_with_the_golden_traces(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", "kafka", "--only", "watermarks,commit-names-the-next-record"]) == 0
    said = capsys.readouterr().out
    assert "Apache Kafka 4.3.1 (confluent-kafka" in said and re.search(r"^watermarks +same +\d notes?$", said, re.M)
    assert said.splitlines()[-1] == "2 scripts, 0 differences"


def test_a_difference_is_exit_code_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(simulated, "trace_of", lambda script: [("watermarks", [0, 99])])
    assert main(["conform", "kafka", "--only", "watermarks"]) == 1
    assert re.search(r"^1 script, \d differences?$", capsys.readouterr().out.splitlines()[-1])


def test_the_command_lists_its_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", "kafka", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(SCRIPTS)


def test_json_has_the_differences(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    kept = golden.read("watermarks")
    assert kept is not None
    (label, real), *rest = kept.trace
    monkeypatch.setattr(simulated, "trace_of", lambda script: [(label, "another"), *rest])
    assert main(["conform", "kafka", "--only", "watermarks", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["played"], said["differences"]) == (1, 1)
    assert said["scripts"]["watermarks"]["differences"] == [{"label": label, "simulated": "another", "real": real}]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--bootstrap", "127.0.0.1:1"], "No Kafka answers at 127.0.0.1:1|needs the package confluent-kafka"),
        (["--record", "traces"], "name one by --bootstrap HOST:PORT"),
        (["--only", "watermarkz"], "There is no script 'watermarkz'"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_code_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edasim.conform.real.CONNECT_LIMIT_S", 1.0)
    assert main(["conform", "kafka", *words]) == 2
    assert re.search(sentence, capsys.readouterr().err)
