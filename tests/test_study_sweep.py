"""Sweeps: every combination, the same bytes whoever did the runs, and stopped ones that go on."""

import csv
import hashlib
import json
import math
from pathlib import Path

import pytest

from edasim.scenario.errors import ScenarioError
from edasim.scenario.reading import load
from edasim.scenario.value import Scenario
from edasim.simulate import simulate
from edasim.study import sweep as sweep_module
from edasim.study.kept_runs import NAME, KeptRunsError
from edasim.study.knob import axis, axis_from_text
from edasim.study.metrics import UnknownMetric, check_metrics, metrics_of
from edasim.study.observation import observe
from edasim.study.replicate import replication_seed
from edasim.study.runs import StudyTooLarge
from edasim.study.sweep import SweepInterrupted, sweep
from edasim.study.sweep_files import csv_text, harmless
from edasim.study.swept import Sweep

TINY = """
title: A tiny shop
duration: 3s
producers:
  checkout: {publishes: OrderPlaced, arrivals: poisson 30/s}
services:
  payment: {handles: OrderPlaced, workers: 2, work: exponential 30ms}
client: {timeout: 1s}
architectures:
  monolith: {}
  kafka: {topic: {partitions: 4}}
  rabbitmq: {}
knobs:
  services.payment.workers: 1 .. 8
"""
WORKERS = {"services.payment.workers": [1, 2, 4]}


@pytest.fixture(scope="module")
def tiny() -> Scenario:
    """Three seconds of orders."""
    return load(TINY)


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "texts"), [
    ("a=0%,5%,20%", ("0%", "5%", "20%")),
    ("a=0% .. 20% in 5 steps", ("0%", "5%", "10%", "15%", "20%")),
    ("a=1 .. 20 in 4", ("1", "7", "14", "20")),
    ("a=1 .. 3 in 100", ("1", "2", "3")),
    ("a=1ms .. 1s in 4", ("1ms", "334ms", "667ms", "1s")),
    ("a=5/s .. 95/s in 3", ("5/s", "50/s", "95/s")),
    ("a=poisson 40/s, poisson 60/s", ("poisson 40/s", "poisson 60/s")),
    ("a={A: 1%, B: 2%},{A: 3%, B: 2%}", ('{"A": "1%", "B": "2%"}', '{"A": "3%", "B": "2%"}')),
    ("a=none", ("none",)),
    ("a=1,1,2", ("1", "2")),
])  # fmt: skip
def test_lists_and_ranges_are_values(text: str, texts: tuple[str, ...]) -> None:
    assert axis_from_text(text).texts == texts


@pytest.mark.parametrize(("text", "sentence"), [
    ("a", "has no path and values: write it as in --knob services.payment.fails=0%,5%,20%"),
    ("a=", "has no path and values"),
    ("a=1 .. 5", 'does not say how many values: write 1 .. 5 in 5 steps'),
    ("a=5 .. 1 in 3", "is empty: write the lower end first"),
    ("a=1 .. 5s in 3", "has no two ends of one kind"),
    ("a=1 .. 5 in 1", "1 steps are out of range: give 2 to 1000"),
    ("a=1 .. 5 in 999999999", "out of range"),
    ("a=,,", "it has no values"),
])  # fmt: skip
def test_what_is_no_list_and_no_range_gets_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ScenarioError, match=sentence.replace(".", r"\.")):
        axis_from_text(text)


def test_values_have_numbers_in_the_unit_of_their_kind() -> None:
    assert axis("a", ["5%", "20%"]).numbers == (0.05, 0.2)
    assert axis("a", ["250ms", "2s"]).numbers == (0.25, 2.0)
    assert axis("a", ["exponential 30ms", "30ms"]).numbers == (0.0, 1.0)
    assert axis("a", range(3)).texts == ("0", "1", "2")


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_every_number_of_a_run_is_a_metric(tiny: Scenario) -> None:
    seen = observe(simulate(tiny, "kafka"))
    assert "services.payment.wait_s.p99" in metrics_of(tiny)
    for tree in (seen.numbers, seen.further):
        assert {key for key, value in tree.items() if not isinstance(value, dict | str)} <= set(metrics_of(tiny))


def test_an_unknown_metric_is_told_the_nearest(tiny: Scenario) -> None:
    with pytest.raises(UnknownMetric, match=r'"orders\.refusd" is no number of a run: did you mean orders\.refused\?'):
        sweep(tiny, WORKERS, "kafka", 1, metrics=["orders.refusd"])
    with pytest.raises(UnknownMetric, match="no number to look at"):
        check_metrics(tiny, [])


# --- results ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swept(tiny: Scenario) -> Sweep:
    """Three numbers of workers on two brokers, twice."""
    return sweep(tiny, WORKERS, ["kafka", "rabbitmq"], 2, 5)


def test_each_number_is_that_of_its_own_run(swept: Sweep, tiny: Scenario) -> None:
    for point, workers in enumerate((1, 2, 4)):
        for architecture in ("kafka", "rabbitmq"):
            alone = [
                observe(simulate(tiny.change({"services.payment.workers": workers}), architecture,
                                 replication_seed(5, number))).number("completion_latency_s.p99")
                for number in range(2)
            ]
            assert swept.values(point, architecture, "completion_latency_s.p99") == alone


def test_a_grid_has_every_combination_the_last_knob_moving_fastest(tiny: Scenario) -> None:
    found = sweep(tiny, {"services.payment.workers": [1, 2], "services.payment.fails": ["0%", "50%"]}, "monolith", 1)
    assert [found.texts(point) for point in range(4)] == [
        {"services.payment.workers": workers, "services.payment.fails": fails}
        for workers in ("1", "2") for fails in ("0%", "50%")
    ]
    assert len(set(found.values(0, "monolith", "completion_latency_s.p99")
                   + found.values(1, "monolith", "completion_latency_s.p99"))) == 2


def test_the_table_is_tidy_and_says_what_made_it(swept: Sweep, tmp_path: Path) -> None:
    swept.save(tmp_path)
    rows = list(csv.DictReader((tmp_path / "sweep.csv").open(encoding="utf-8")))
    assert len(rows) == 3 * 2 * 2
    assert {row["edasim"] for row in rows} == {sweep_module.__version__}
    assert [row["services.payment.workers"] for row in rows[::4]] == ["1", "2", "4"]
    assert float(rows[0]["completion_latency_s.p99"]) == swept.values(0, "kafka", "completion_latency_s.p99")[0]
    told = json.loads((tmp_path / "sweep.json").read_text(encoding="utf-8"))
    assert load(told["scenario"]) == load(TINY)
    assert told["seed"] == 5
    assert told["knobs"] == {"services.payment.workers": ["1", "2", "4"]}
    assert {row["scenario"] for row in rows} == {told["scenario_digest"]}
    assert sorted(file.name for file in tmp_path.glob("*.png")) == [
        "sweep-completion_latency_s-p99.png", "sweep-orders-refused.png",
    ]
    assert not list(tmp_path.glob(".*"))


def test_parquet_holds_the_same_with_scenario_seed_and_version(swept: Sweep, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    swept.save(tmp_path)
    table = parquet.read_table(tmp_path / "sweep.parquet")
    metadata = table.schema.metadata
    assert load(metadata[b"edasim.scenario"].decode()) == load(TINY)
    assert metadata[b"edasim.seed"] == b"5"
    assert metadata[b"edasim.version"].decode() == sweep_module.__version__
    frame = swept.frame()
    assert table.column_names == list(frame.columns)
    assert table.to_pydict() == frame.to_dict("list")


def test_without_pyarrow_there_is_no_parquet(swept: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edasim.study.sweep_files.find_spec", lambda name: None)
    assert "sweep.parquet" not in [file.name for file in swept.save(tmp_path)]


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of each table in a folder."""
    names = ("sweep.csv", "sweep.json", "sweep.parquet", "scenario.yml")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def test_two_workers_write_the_same_bytes_as_one(tiny: Scenario, tmp_path: Path) -> None:
    study = (tiny, {"services.payment.workers": "1 .. 4 in 3"}, ["monolith", "kafka"], 3, 2)
    sweep(*study, workers=1).save(tmp_path / "one")
    sweep(*study, workers=2, folder=tmp_path / "two").save(tmp_path / "two")
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


def test_the_json_has_a_mean_and_both_ends(swept: Sweep) -> None:
    told = swept.as_dict()
    node = told["points"][0]["architectures"]["kafka"]["completion_latency_s.p99"]
    assert node["low"] <= node["mean"] <= node["high"]
    assert "incomplete" not in told
    assert "payment.workers" in str(swept.table())


def test_what_never_came_is_infinite(tiny: Scenario, tmp_path: Path) -> None:
    never = tiny.change({"drain": "0s", "services.payment.work": "10s", "services.payment.workers": 1})
    found = sweep(never, {"services.payment.fails": ["0%", "1%"]}, "kafka", 2)
    assert found.values(0, "kafka", "completion_latency_s.p99") == [math.inf, math.inf]
    assert "never" in str(found.table())
    found.save(tmp_path)
    assert ",inf," in (tmp_path / "sweep.csv").read_text(encoding="utf-8")


# --- what a sweep refuses ---------------------------------------------------------------------------------------------


def test_a_point_that_cannot_be_is_named(tiny: Scenario) -> None:
    with pytest.raises(ScenarioError, match=r"services\.payment\.workers: 0 .*\(with services\.payment\.workers=0\)"):
        sweep(tiny, {"services.payment.workers": [1, 0]}, "kafka", 1)
    with pytest.raises(ScenarioError, match=r'there is no "paymnt" among the services: did you mean payment\?'):
        sweep(tiny, {"services.paymnt.workers": [1]}, "kafka", 1)


def test_an_endless_grid_is_refused_before_it_is_built(tiny: Scenario) -> None:
    grid = {f"services.payment.{name}": "0% .. 20% in 1000" for name in ("fails", "poison")}
    with pytest.raises(StudyTooLarge, match=r"would take 1,000,000 runs, and at most 100,000"):
        sweep(tiny, grid, "kafka", 1)
    with pytest.raises(StudyTooLarge, match=r"about 4e\+10 events in 9,000 runs"):
        sweep(tiny.change({"duration": "30000s"}), {"services.payment.workers": [2]}, "kafka", 9_000)


@pytest.mark.parametrize("wrong", [
    {"knobs": {}}, {"knobs": [axis("a", [1]), axis("a", [2])]}, {"knobs": WORKERS, "replications": 0},
])  # fmt: skip
def test_what_makes_no_sweep_is_refused(tiny: Scenario, wrong: dict) -> None:
    with pytest.raises(ValueError, match=r"knobs: there is none|a: this knob is there twice|at least 1 is needed"):
        sweep(tiny, **wrong)


# --- spreadsheets -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["=1+1", "+1", "-cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_text_is_a_formula(text: str) -> None:
    assert harmless(text).startswith("'")
    assert "\n" not in csv_text({text: [text]}).rstrip("\n").replace("\n", "", 1)


def test_numbers_stay_numbers() -> None:
    assert [harmless(cell) for cell in (-1.5, 3, 0.1, math.inf)] == ["-1.5", "3", "0.1", "inf"]


# --- stopping and going on --------------------------------------------------------------------------------------------


class Stops:
    """An executor in whose work somebody presses Ctrl-C after some runs."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.done = 0

    def map(self, function, items, on_result=None):  # type: ignore[no-untyped-def]
        """See `Executor`."""
        for place, item in enumerate(items):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            self.done += 1
            on_result(place, function(item))


def test_a_stopped_sweep_goes_on_where_it_was(
    tiny: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = (tiny, WORKERS, ["kafka"], 3, 4)
    sweep(*study).save(tmp_path / "whole")
    monkeypatch.setattr(sweep_module, "executor_for", lambda *_: Stops(5))
    with pytest.raises(SweepInterrupted) as stop:
        sweep(*study, folder=tmp_path)
    partly = stop.value.sweep
    assert partly.shortfall == "incomplete: 5 of 9 runs"
    partly.save(tmp_path)
    assert "incomplete: 5 of 9 runs" in (tmp_path / "sweep.csv").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "sweep.json").read_text(encoding="utf-8"))["results"]["incomplete"] is True
    rest = Stops(4)
    monkeypatch.setattr(sweep_module, "executor_for", lambda *_: rest)
    sweep(*study, folder=tmp_path).save(tmp_path)
    assert rest.done == 4
    assert hashes(tmp_path) == hashes(tmp_path / "whole")


def test_a_grown_grid_takes_over_what_is_there(tiny: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep(tiny, WORKERS, "kafka", 2, folder=tmp_path)
    more = Stops(100)
    monkeypatch.setattr(sweep_module, "executor_for", lambda *_: more)
    sweep(tiny, {"services.payment.workers": [1, 2, 3, 4]}, "kafka", 3, folder=tmp_path)
    assert more.done == 3 + 3  # the new point, and the third replication of the old ones


def test_a_line_that_was_not_finished_is_done_again(tiny: Scenario, tmp_path: Path) -> None:
    whole = sweep(tiny, WORKERS, "kafka", 1, folder=tmp_path)
    kept = tmp_path / NAME
    before = kept.read_bytes()
    last = before.splitlines(keepends=True)[-1]
    for rest in (before[:-7], before[: -len(last)] + last[:20] + b"x" * 500):
        kept.write_bytes(rest)
        again = sweep(tiny, WORKERS, "kafka", 1, folder=tmp_path)
        assert kept.read_bytes() == before
        assert again.as_dict() == whole.as_dict()


@pytest.mark.parametrize("change", [
    lambda tiny: {"seed": 2},
    lambda tiny: {"metrics": ["orders.done"]},
    lambda tiny: {"scenario": tiny.change({"services.payment.fails": "1%"})},
])  # fmt: skip
def test_the_runs_of_another_study_are_not_taken(tiny: Scenario, tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    study = {"scenario": tiny, "knobs": WORKERS, "architectures": "kafka", "replications": 1, "folder": tmp_path}
    sweep(**study)
    with pytest.raises(KeptRunsError, match=r"has runs of another study .*: choose another folder or delete it"):
        sweep(**study | change(tiny))


HOSTILE = [
    b"[" * 100_000 + b"\n", b"\x00\xff\n", b"null\n", b"{}\n", b'{"run": 1, "numbers": [1, 2]}\n',
    b'{"run": "x", "numbers": [1]}\n', b'{"run": "x", "numbers": [1, true]}\n', b'{"run": "x", "numbers": [1, NaN]}\n',
    b'{"run": "x", "numbers": [1, 1e999]}\n', b'{"run": "x", "numbers": [1, "=1"]}\n',
    b'{"run": "x", "numbers": [1, ' + b"9" * 400 + b"]}\n", b'{"run": "x", "numbers": [1, ' + b"9" * 9000 + b"]}\n",
    b"x" * (2**20 + 5),
]  # fmt: skip


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("place", [1, 3])
def test_a_hostile_file_of_runs_gets_a_sentence(tiny: Scenario, tmp_path: Path, line: bytes, place: int) -> None:
    sweep(tiny, WORKERS, "kafka", 1, folder=tmp_path)
    kept = tmp_path / NAME
    lines = kept.read_bytes().splitlines(keepends=True)
    kept.write_bytes(b"".join([*lines[: place - 1], line, *lines[place:]]))
    with pytest.raises(KeptRunsError, match=rf"{NAME}:{place}: this line is of no kept study"):
        sweep(tiny, WORKERS, "kafka", 1, folder=tmp_path)


def test_runs_are_not_written_through_a_link(tiny: Scenario, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeptRunsError, match="is a link to elsewhere"):
        sweep(tiny, WORKERS, "kafka", 1, folder=tmp_path / "out")
    assert not (tmp_path / "elsewhere").exists()


def test_a_full_disk_leaves_the_table_that_was_there(
    swept: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept.save(tmp_path)
    before = hashes(tmp_path)

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as stream:
            stream.write(data[:10])
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        swept.save(tmp_path)
    assert hashes(tmp_path) == before
    assert not list(tmp_path.glob(".*"))
