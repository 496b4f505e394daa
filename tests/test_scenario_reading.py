"""Reading and writing scenarios: what a file says is what the engine gets, and what is written reads back the same."""

import copy
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from edasim.core.quantity import SECOND_NS, show_duration, show_share
from edasim.scenario.document import _PythonParser, read_document, scalar
from edasim.scenario.errors import ScenarioError
from edasim.scenario.estimating import estimate
from edasim.scenario.reading import build, load
from edasim.scenario.retry_policy import Backoff, parse_backoff
from edasim.scenario.value import Publication, Scenario
from edasim.scenario.wire import DEFAULT_LATENCIES
from edasim.scenario.writing import to_dict, to_yaml

SHIPPED = sorted((Path(__file__).parent.parent / "scenarios").glob("*.yml"))
MILLISECOND_NS = 1_000_000

SMALL = {
    "duration": "10s",
    "producers": {"checkout": {"publishes": "OrderPlaced", "arrivals": "40/s"}},
    "services": {"payment": {"handles": "OrderPlaced", "work": "30ms"}},
}


def test_the_sample_reads_as_its_text_says() -> None:
    shop = load(SHIPPED[0].parent / "order-processing.yml")
    assert shop.title == "Order processing in a web shop"
    assert (shop.duration, shop.orders, shop.warm_up, shop.drain) == (
        60 * SECOND_NS,
        None,
        5 * SECOND_NS,
        120 * SECOND_NS,
    )
    checkout = shop.producers["checkout"]
    assert (checkout.publishes, checkout.key, checkout.size) == ("OrderPlaced", "customer", 1000)
    assert (checkout.arrivals.mean_rate, checkout.keys.count) == (40.0, 500)
    assert list(shop.services) == ["inventory", "payment", "notification"]
    payment = shop.services["payment"]
    assert (payment.handles, payment.workers, payment.fails, payment.poison) == (("OrderPlaced",), 3, 0.02, 0.005)
    assert payment.work.mean_s == pytest.approx(0.03)
    assert (payment.required, payment.idempotent, payment.dead_letters, payment.retry) == (True, False, True, None)
    assert (shop.client.timeout, shop.client.retries) == (5 * SECOND_NS, 0)
    assert (shop.retry.attempts, shop.retry.jitter, shop.retry.where) == (3, "full", "worker")
    outage = shop.faults["outage"]
    assert (outage.kind, outage.target, outage.at, outage.link) == ("unavailable", "payment", 23 * SECOND_NS, None)
    assert outage.for_ is not None and outage.for_.constant_ns == 10 * SECOND_NS
    assert shop.architectures.listed == ("monolith", "rpc", "kafka", "rabbitmq")
    assert shop.architectures.kafka is not None and shop.architectures.rabbitmq is not None
    assert shop.architectures.kafka.topic == {"partitions": 6, "replication.factor": 3, "min.insync.replicas": 2}
    assert (shop.architectures.rabbitmq.exchange, shop.architectures.rabbitmq.prefetch) == ("topic", 20)
    assert (shop.knobs["services.payment.workers"].low, shop.knobs["services.payment.workers"].high) == ("1", "8")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_scenario_is_valid_and_reads_back_as_it_is_written(file: Path) -> None:
    shop = load(file)
    assert load(to_yaml(shop)) == shop
    assert Scenario.from_dict(to_dict(shop)) == shop
    assert file.read_text().startswith("# Purpose: ")
    assert "# What to see: " in file.read_text()
    assert estimate(shop).events < 1e6


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_fault_falls_on_no_timers_beat(file: Path) -> None:
    """Timers beat every 1, 2, 3, 5 or 10 seconds; a fault on a beat would show that chance and not the architecture."""
    for fault in load(file).faults.values():
        assert fault.at is not None
        assert all(fault.at % (beat * SECOND_NS) for beat in (2, 3, 5, 10))


def test_eleven_scenarios_are_shipped() -> None:
    assert [file.stem for file in SHIPPED] == [
        "black-friday", "flaky-network", "hot-key", "kafka-exactly-once", "kafka-failover", "kafka-rebalance-storm",
        "kafka-retention-overtakes", "order-processing", "payment-outage", "poison-messages", "slow-notification",
    ]  # fmt: skip


def test_what_is_left_out_has_its_default() -> None:
    shop = Scenario.from_dict(SMALL)
    assert shop.title == "Untitled"
    assert shop.producers["checkout"].keys.text == "each order"
    assert shop.architectures.listed == ("monolith", "rpc", "kafka", "rabbitmq")
    assert shop.drain == 120 * SECOND_NS
    assert shop.retry.backoff == Backoff(100 * MILLISECOND_NS, 2.0, 5 * SECOND_NS)
    for link in DEFAULT_LATENCIES:
        assert 0 < shop.wire.latency(link).mean_s < 0.005


def test_an_architecture_that_is_listed_empty_has_defaults_and_one_that_is_not_is_left_out() -> None:
    shop = load("duration: 10s\n" + to_yaml(Scenario.from_dict(SMALL)).split("duration: 10s\n")[1].split("arch")[0]
                + "architectures:\n  kafka:\n  monolith:\n")  # fmt: skip
    assert shop.architectures.listed == ("monolith", "kafka")
    assert shop.architectures.kafka is not None and shop.architectures.kafka.version == "4.3"


def test_events_are_published_all_or_one_of() -> None:
    def published(value: object) -> tuple[tuple[Publication, ...], bool]:
        services = {"payment": {"handles": "OrderPlaced", "work": "30ms", "publishes": value}}
        service = Scenario.from_dict({**SMALL, "services": services}).services["payment"]
        return service.publishes, service.publishes_one_of

    a, b = Publication(event="A"), Publication(event="B")
    assert published("A") == ((a,), False)
    assert published(["A", "B"]) == ((a, b), False)
    assert published({"A": "95%", "B": "5%"}) == (
        (Publication(event="A", share=0.95), Publication(event="B", share=0.05)),
        True,
    )


def test_a_wire_is_a_word_or_latencies_by_link() -> None:
    assert Scenario.from_dict({**SMALL, "wire": "none"}).wire.latency("flush").constant_ns == 0
    wire = Scenario.from_dict({**SMALL, "wire": {"base": "none", "append": "1ms", "loss": "2%"}}).wire
    assert (wire.latency("append").constant_ns, wire.latency("route").constant_ns) == (MILLISECOND_NS, 0)
    assert (wire.loss, wire.duplicates) == (0.02, 0.0)


def test_faults_name_parts_or_links() -> None:
    faults = {
        "noise": {"lossy": "payment -> broker", "at": "3s", "share": "5%"},
        "cable": {"cut": "checkout <-> broker", "every": "exponential 60s", "for": "uniform 1s..3s"},
        "release": {"deploy": "payment", "at": "3s", "rolling": "1s"},
    }
    shop = Scenario.from_dict({**SMALL, "faults": faults})
    assert shop.faults["noise"].link == ("payment", "broker", False)
    assert shop.faults["cable"].link == ("checkout", "broker", True)
    assert [fault.kind for fault in shop.faults.values()] == ["lossy", "cut", "deploy"]
    assert load(to_yaml(shop)) == shop


@pytest.mark.parametrize(
    ("text", "delays_ms"),
    [
        ("none", [0, 0, 0]),
        ("fixed 100ms", [100, 100, 100]),
        ("exponential 100ms x2 max 350ms", [100, 200, 350, 350]),
        ("exponential 100ms x3", [100, 300, 900]),
    ],
)
def test_a_backoff_waits_as_it_says(text: str, delays_ms: list[int]) -> None:
    backoff = parse_backoff(text)
    assert backoff.text == text
    assert [backoff.delay_ns(retry) // MILLISECOND_NS for retry in range(1, len(delays_ms) + 1)] == delays_ms
    assert backoff.delay_ns(1_000_000) <= 3652 * 86_400 * SECOND_NS


def test_unlimited_and_none_are_the_absence_of_a_limit() -> None:
    shop = Scenario.from_dict({
        **SMALL,
        "retry": {"attempts": "unlimited"},
        "client": {"timeout": "none"},
        "architectures": {"rabbitmq": {"prefetch": 0}, "rpc": {"timeout": "none"}},
    })  # fmt: skip
    assert (shop.retry.attempts, shop.client.timeout) == (None, None)
    assert shop.architectures.rabbitmq is not None and shop.architectures.rabbitmq.prefetch is None
    assert load(to_yaml(shop)) == shop


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("False", False), ("12", 12), ("-3", -3), ("0", 0),
        ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0), ("1.", 1.0), (".inf", float("inf")),
        ("yes", "yes"), ("on", "on"), ("n", "n"), ("010", "010"), ("0o17", "0o17"), ("0x1f", "0x1f"), ("1:30", "1:30"),
        ("1_000", "1_000"), ("2024-01-01", "2024-01-01"),
        ("1.2.3", "1.2.3"), ("4.3 ", "4.3 "), ("9" * 5000, "9" * 5000),
        ("١", "١"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    found = scalar(text)
    assert found == value
    assert type(found) is type(value)


def test_a_document_knows_the_line_of_each_path() -> None:
    document = read_document("a: 1\nb:\n  - c: 2\n    d: 3\n  - 4\n")
    assert document.data == {"a": 1, "b": [{"c": 2, "d": 3}, 4]}
    assert [document.line(path) for path in [(), ("a",), ("b",), ("b", 0, "d"), ("b", 1), ("b", 0, "e")]] == [
        1, 1, 2, 4, 5, 3,
    ]  # fmt: skip


def test_quotes_keep_a_text_a_text() -> None:
    assert read_document("a: \"4.3\"\nb: 'true'\nc: |\n  12\nd: >-\n  null\n").data == {
        "a": "4.3", "b": "true", "c": "12\n", "d": "null",
    }  # fmt: skip


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_without_libyaml_a_file_reads_the_same(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = file.read_text()
    quick = read_document(text)
    monkeypatch.setattr("edasim.scenario.document._Parser", _PythonParser)
    assert read_document(text) == quick


def test_a_text_may_be_given_instead_of_a_file() -> None:
    text = (
        "{duration: 10s, producers: {checkout: {publishes: A, arrivals: 1/s}}, services: {b: {handles: A, work: 1s}}}"
    )
    assert load(text) == load(text + "\n") == load("\ufeff" + text + "\n")


def test_a_scenario_cannot_be_changed_in_place() -> None:
    shop = Scenario.from_dict(SMALL)
    with pytest.raises(ValueError, match="frozen"):
        shop.title = "Mine"  # type: ignore[misc]
    with pytest.raises(TypeError, match=r"scenario.change\(...\) makes a changed copy"):
        shop.services["payment"] = shop.services["payment"]
    with pytest.raises(TypeError):
        shop.services.update({})


def test_a_scenario_goes_to_another_process_and_back() -> None:
    shop = load(SHIPPED[0])
    assert pickle.loads(pickle.dumps(shop)) == shop
    assert copy.deepcopy(shop) == shop
    assert hash(shop) == hash(pickle.loads(pickle.dumps(shop)))


def test_an_error_goes_to_another_process_and_back() -> None:
    with pytest.raises(ScenarioError) as refused:
        Scenario.from_dict({})
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


@pytest.mark.parametrize("title", ["12", "1e3", "true", "~", "010", "1:30", "- a", "a: b", "#1", "{", "'", "Ü 🛒"])
def test_a_text_that_looks_like_something_else_stays_a_text(title: str) -> None:
    shop = Scenario.from_dict({**SMALL, "title": title})
    assert load(to_yaml(shop)).title == title


NAMES = some.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,12}", fullmatch=True).filter(
    lambda name: name not in ("broker", "database", "gateway", "client", "checkout")
)
DURATIONS = some.integers(1, 10**12).map(show_duration)
SHARES = some.integers(0, 10_000).map(lambda part: show_share(part / 10_000))
WORK = some.one_of(
    DURATIONS,
    DURATIONS.map("exponential {}".format),
    some.tuples(DURATIONS, some.integers(1, 300)).map(lambda pair: f"lognormal mean {pair[0]} cv {pair[1] / 100}"),
    some.lists(DURATIONS, min_size=1, max_size=3),
)
BUDGET = some.fixed_dictionaries({}, optional={"earns": SHARES, "cap": some.integers(1, 99)})
RETRY = some.fixed_dictionaries({}, optional={
    "attempts": some.integers(1, 9) | some.just("unlimited"),
    "backoff": some.sampled_from(["none", "fixed 10ms", "exponential 100ms x1.5 max 5s"]),
    "jitter": some.sampled_from(["none", "full", "equal", "decorrelated"]),
    "where": some.sampled_from(["worker", "back", "aside"]), "budget": BUDGET,
})  # fmt: skip
STORE = some.fixed_dictionaries({}, optional={
    "replicas": some.integers(2, 15), "write-quorum": some.integers(1, 2), "read-quorum": some.integers(1, 2),
    "replication": some.sampled_from(["all", "quorum-only"]), "readers": some.booleans(), "handoff": some.booleans(),
    "write": WORK, "write-ack": WORK, "read": WORK, "read-reply": WORK,
})  # fmt: skip
BREAKER = some.one_of(
    some.integers(1, 99).map(lambda number: {"failures": number}),
    some.integers(1, 99).map(lambda number: {"failure-rate": "12.5%", "window": number, "open-for": "3s", "probes": 4}),
)
IDEMPOTENT = some.one_of(
    some.booleans(), DURATIONS.map(lambda span: {"for": span}),
    some.integers(1, 99).map(lambda number: {"remembers": number}),
)
SERVICE = some.fixed_dictionaries({"handles": some.just("OrderPlaced"), "work": WORK}, optional={
    "workers": some.integers(1, 50), "fails": SHARES, "poison": SHARES, "required": some.booleans(),
    "idempotent": IDEMPOTENT, "breaker": BREAKER, "dead-letters": some.booleans(), "joins": DURATIONS, "retry": RETRY,
    "store": STORE,
    "publishes": some.sampled_from(["Paid", ["Paid", "Booked"], {"Paid": "95%", "Failed": "5%"}]),
})  # fmt: skip
SCENARIOS = some.fixed_dictionaries(
    {
        "duration": some.just("1min"),
        "producers": some.fixed_dictionaries({"checkout": some.fixed_dictionaries(
            {"publishes": some.just("OrderPlaced"), "arrivals": some.sampled_from(["1/s", "ramp 1/s to 2/s over 9s"])},
            optional={"keys": some.sampled_from(["none", "zipf 1.1 over 7"]), "key": NAMES},
        )}),
        "services": some.dictionaries(NAMES, SERVICE, min_size=1, max_size=3),
    },
    optional={
        "title": some.text(some.characters(categories=("L", "N", "P", "S"), include_characters=" "), max_size=30),
        "warm-up": some.integers(0, 10**9).map(show_duration),
        "client": some.fixed_dictionaries({}, optional={
            "timeout": DURATIONS | some.just("none"), "budget": BUDGET}),
        "retry": RETRY,
        "wire": some.sampled_from(["default", "none", {"base": "none", "loss": "1%", "flush": "exponential 1ms"}]),
        "architectures": some.sampled_from([{}, {"kafka": None}, {"rabbitmq": {"prefetch": 0}}]).filter(bool),
        "changes": some.lists(some.tuples(DURATIONS, SHARES).map(
            lambda pair: {"at": pair[0], "path": "wire.loss", "value": pair[1]}), max_size=3),
    },
)  # fmt: skip


@given(SCENARIOS)
def test_any_scenario_reads_back_as_it_is_written(data: dict) -> None:
    shop = build(data, allow_large=True)
    assert load(to_yaml(shop), allow_large=True) == shop
    assert to_dict(build(to_dict(shop), allow_large=True)) == to_dict(shop)


@pytest.mark.parametrize("name", ["payment-outage", "payment-outage.yml"])
def test_a_bare_name_is_a_shipped_scenario_wherever_one_is(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = load(next(file for file in SHIPPED if file.stem == "payment-outage"))
    monkeypatch.chdir(tmp_path)
    assert load(name) == shipped
    with pytest.raises(ScenarioError, match=r"elsewhere/payment-outage: the file cannot be read"):
        load("elsewhere/payment-outage")
    with pytest.raises(ScenarioError, match="payment-outrage: the file cannot be read"):
        load("payment-outrage")


def test_a_file_of_ones_own_comes_before_a_shipped_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "payment-outage.yml").write_text(to_yaml(Scenario.from_dict({**SMALL, "title": "Mine"})))
    monkeypatch.chdir(tmp_path)
    assert load("payment-outage.yml").title == "Mine"
    assert load("payment-outage").title == "Payment is down for ten seconds"
