"""Comparing: the same orders everywhere, paired, repeatable, and honest about what is not finished."""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edasim.simulate import UnknownArchitecture, simulate
from edasim.study.compare import Interrupted, chosen_architectures, compare
from edasim.study.comparison import Comparison, json_text
from edasim.study.observation import grid_step_s, observe
from edasim.study.replicate import replication_seed
from tests.study_worlds import made_up, observed, small_comparison, small_shop

ROOT = Path(__file__).resolve().parent.parent
ALL = ("monolith", "rpc", "kafka", "rabbitmq")


def test_all_architectures_get_the_same_orders_in_each_replication() -> None:
    both = small_comparison()
    placed = [both.values(name, "orders.placed") for name in both.architectures]
    assert both.architectures == ALL
    assert placed[0] == placed[1] == placed[2] == placed[3]
    assert len(set(placed[0])) > 1  # and others in each replication


def test_replications_have_their_seeds_in_common_over_architectures() -> None:
    both = small_comparison()
    seeds = {name: [observation.seed for observation in both.observations[name]] for name in ALL}
    assert len({tuple(found) for found in seeds.values()}) == 1
    assert len(set(seeds["kafka"])) == 3


def test_the_first_replication_is_the_run_that_simulate_shows() -> None:
    alone = observe(simulate(small_shop(), "kafka", seed=7))
    assert alone.numbers == small_comparison().first("kafka").numbers


def test_seeds_of_replications_are_the_same_in_every_process_and_differ() -> None:
    assert replication_seed(7, 0) == 7
    assert replication_seed(7, 1) == 0x897A7B1A8F21  # as b2sum -l 48 says of 7, NUL, replication, NUL, 1
    assert len({replication_seed(seed, number) for seed in range(20) for number in range(20)}) == 400


def test_common_draws_make_differences_sharper() -> None:
    found = small_comparison().difference("rpc", "services.payment.utilisation", "kafka")
    assert found.variance_reduction > 0.5


def test_json_has_the_shape_that_programs_read() -> None:
    node = small_comparison().as_dict()
    assert list(node) == ["scenario", "seed", "version", "replications", "architectures"]
    kafka = node["architectures"]["kafka"]
    assert list(kafka) == [
        "orders", "torn_peak", "orphan_effects", "accept_latency_s", "completion_latency_s", "services", "conservation",
    ]  # fmt: skip
    assert list(kafka["orders"]["placed"]) == ["mean", "low", "high"]
    assert list(kafka["services"]) == ["inventory", "payment"]
    assert kafka["conservation"] == "ok"


def test_one_replication_has_plain_numbers() -> None:
    one = compare(small_shop(), ["kafka"], replications=1, seed=7)
    assert one.as_dict()["architectures"]["kafka"]["orders"]["placed"] == one.first("kafka").numbers["orders"]["placed"]
    assert one.as_dict()["replications"] == 1


def test_what_is_infinite_once_is_null_in_json() -> None:
    numbers = [observed("kafka"), observed("kafka", completion_latency_s__p99=None)]
    node = made_up({"kafka": numbers}).as_dict()["architectures"]["kafka"]
    assert node["completion_latency_s"]["p99"] == {"mean": None, "low": None, "high": None}
    assert node["completion_latency_s"]["p95"]["mean"] == pytest.approx(0.2)
    json.loads(json_text(node))


def test_the_same_seed_prints_the_same_bytes_whatever_the_hash_seed() -> None:
    program = (
        "from tests.study_worlds import small_shop; from edasim.study.compare import compare; "
        "from edasim.study.comparison import json_text; "
        "print(json_text(compare(small_shop(), None, 2, 7).as_dict()))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) > 1000


def test_ctrl_c_keeps_the_replications_that_all_have_finished() -> None:
    def stop(done: int, total: int) -> None:
        assert total == 20
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        compare(small_shop(), replications=5, seed=7, progress=stop)
    partly = stopped.value.comparison
    assert partly is not None
    assert (partly.replications, partly.asked, partly.complete) == (2, 5, False)
    assert partly.as_dict()["incomplete"] is True
    assert "incomplete: 2 of 5 replications" in str(partly.table())
    assert partly.verdict().endswith("Incomplete: 2 of 5 replications were finished.")
    assert partly.differences()["incomplete"] is True


def test_a_single_replication_out_of_several_is_marked_too() -> None:
    whole = compare(small_shop(), ["kafka"], 1, 7)
    cut = Comparison(whole.scenario, whole.seed, 10, whole.observations, whole.runs)
    assert "n = 1 run, seed 7 (incomplete: 1 of 10 replications): no error bars." in " ".join(str(cut.table()).split())
    assert "ncomplete" not in f"{whole.table()}{whole.verdict()}{whole.differences()}"


def test_ctrl_c_before_anything_is_finished_leaves_nothing() -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as stopped:
        compare(small_shop(), replications=5, progress=stop)
    assert stopped.value.comparison is None


def test_progress_counts_up_to_the_number_of_runs() -> None:
    seen: list[tuple[int, int]] = []
    compare(small_shop(), ["rpc", "kafka"], 2, 7, lambda done, total: seen.append((done, total)))
    assert seen == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]


def test_bad_choices_are_refused_in_a_sentence() -> None:
    without_rpc = small_shop().change({"architectures.rpc": None})
    with pytest.raises(UnknownArchitecture, match=r'"soap" is no architecture: choose monolith'):
        chosen_architectures(small_shop(), ["soap"])
    with pytest.raises(UnknownArchitecture, match=r'does not list "rpc": it has monolith, kafka, rabbitmq'):
        chosen_architectures(without_rpc, ["rpc"])
    with pytest.raises(ValueError, match="at least 1"):
        compare(small_shop(), replications=0)
    assert chosen_architectures(without_rpc, None) == ("monolith", "kafka", "rabbitmq")
    assert chosen_architectures(small_shop(), ["kafka", "kafka"]) == ("kafka",)


def test_curves_go_on_after_a_run_that_ended_early() -> None:
    both = small_comparison()
    curves = [both.curve(name, "completed") for name in ALL]
    assert len({len(times_s) for times_s, _, _ in curves}) == 1
    for name, (times_s, mean, half) in zip(ALL, curves, strict=True):
        assert times_s[1] == grid_step_s(small_shop())
        assert (half >= 0).all()
        assert (mean[1:] >= mean[:-1]).all()
        warm = [observation.number("orders.done") for observation in both.observations[name]]
        assert mean[-1] >= sum(warm) / 3  # those of the warm-up are on the curve, too


def test_the_dots_add_up_to_the_orders_in_the_focus() -> None:
    for name in ALL:
        observation = small_comparison().first(name)
        counts = observation.further["focus"]
        assert len(observation.fates) == counts["placed"]
        assert sum(counts[outcome] for outcome in ("refused", "done", "parked", "lost", "pending")) == counts["placed"]
        assert 40 < counts["placed"] < 120  # two seconds at 40/s


def test_everything_is_saved(tmp_path: Path) -> None:
    both = small_comparison()
    files = both.save(tmp_path / "deep" / "folder")
    names = {file.name for file in files}
    assert {"comparison.json", "differences.json", "verdict.txt", "scenario.yml", "slide.png", "slide.svg"} <= names
    assert {name.removesuffix(".png") for name in names if name.endswith(".png")} == {
        name.removesuffix(".svg") for name in names if name.endswith(".svg")
    }
    assert all(file.stat().st_size > 100 for file in files)
    folder = tmp_path / "deep" / "folder"
    assert (folder / "comparison.json").read_text() == json_text(both.as_dict())
    assert (folder / "verdict.txt").read_text().strip() == both.verdict()
    differences = json.loads((folder / "differences.json").read_text())
    assert differences["against"] == "monolith"
    assert set(differences["architectures"]) == {"rpc", "kafka", "rabbitmq"}
    assert differences["architectures"]["kafka"]["orders.placed"]["mean"] == 0


def test_the_table_says_what_each_was_given_and_what_an_answer_means() -> None:
    text = str(small_comparison().table())
    rows = {line.split("│")[1].strip(): line for line in text.splitlines() if line.startswith("│")}
    assert "5 in one process" in rows["workers"]
    assert rows["workers"].count("2 + 3") == 3
    assert rows["an answer means"].count("done") == 2
    assert rows["an answer means"].count("received") == 2
    assert "±" in rows["refused"]
    assert "not told apart" in text
    assert str(small_comparison()).startswith(text)


def test_a_fault_on_a_part_that_is_missing_is_not_applicable() -> None:
    shop = small_shop().change({"faults.cable": {"unavailable": "broker", "at": "2s", "for": "100ms"}})
    rows = [line for line in str(compare(shop, None, 1, 7).table()).splitlines() if "fault: cable" in line]
    assert rows[0].count("not applicable") == 2
    assert rows[0].count("applies") == 2


def test_a_time_that_some_replications_lack_says_in_how_many() -> None:
    numbers = [observed("kafka"), observed("kafka", completion_latency_s__p99=None)]
    made = made_up({"kafka": numbers})
    assert made.seconds("kafka", "completion_latency_s.p99") == "never in 1 of 2"
    assert made.percentile_known(["kafka"], "completion_latency_s") == "p95"
    assert made.interval("kafka", "completion_latency_s.p99").mean == math.inf


def test_the_table_shows_what_an_operator_and_a_customer_would_look_for() -> None:
    both = small_comparison()
    text = str(both.table())
    for label in ("lag at most", "lag at most, the oldest", "not visible after 1 s", "back to normal after"):
        assert f"│ {label} " in text, label
    kafka = both.first("kafka")
    services = kafka.numbers["services"]
    assert kafka.number("attempts") == sum(node["handled"] + node["failed"] for node in services.values())
    assert kafka.number("lag_max") >= kafka.number("backlog_max")
    assert kafka.number("not_visible") > 0
    assert kafka.number("back_to_normal_s") > 0
    assert both.first("monolith").number("not_visible") == 0


def test_a_printed_run_has_the_same_words_as_the_table() -> None:
    text = str(simulate(small_shop(), "kafka", seed=7))
    assert "effects of refused orders 0" in text
    assert "not visible 1 s after a yes: payment " in text
    assert "back to normal after a fault: payment " in text
    header = next(line for line in text.splitlines() if "attempts" in line).split()
    for column in ("attempts", "wait", "per", "lag", "oldest"):
        assert column in header
    assert max(map(len, text.splitlines())) <= 120
    quiet = str(simulate(small_shop().change({"faults": {}}), "monolith", seed=7))
    assert "not visible 1 s after a yes: none" in quiet
    assert "back to normal" not in quiet


def test_the_glossary_has_every_word_of_the_table() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"\*\*([^*]+)\*\*", text.partition("## The words of the comparison's table")[2])
    labels = [str(cell) for cell in small_comparison().table().columns[0].cells]
    assert [label for label in labels if not label.startswith(("fault: ", *words))] == []
