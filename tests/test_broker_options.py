"""Options have the names, defaults and limits of the real brokers, and a wrong one gets a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.scenario.broker_option import BrokerOption
from edasim.scenario.broker_options import (
    SECTIONS,
    OptionError,
    fidelity_notes,
    kafka_conflicts,
    kafka_options,
    rabbitmq_queue_arguments,
    resolve,
    versions,
)

TOPIC, PRODUCER, CONSUMER, BROKER = ("kafka topic", "kafka producer", "kafka consumer", "kafka broker")
QUEUE = "rabbitmq queue"
IN_FLIGHT = "max.in.flight.requests.per.connection"
RELEASES = [(section, version) for section in SECTIONS for version in versions(section)]
ALL_OPTIONS = [option for options in SECTIONS.values() for option in options.values()]


def problems_of(section: str, version: str, **given: object) -> list[str]:
    """The sentences about options whose dots are written as underscores."""
    return problems(section, version, {name.replace("_", "."): value for name, value in given.items()})


def problems(section: str, version: str, given: dict[str, object]) -> list[str]:
    with pytest.raises(OptionError) as refused:
        resolve(section, version, given)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return refused.value.problems


@pytest.mark.parametrize(
    ("section", "name", "by_version"),
    [
        (PRODUCER, "linger.ms", {"3.9": 0, "4.0": 5, "4.3": 5}),
        (PRODUCER, "acks", {"3.9": "all", "4.3": "all"}),
        (PRODUCER, "retries", {"4.3": 2147483647}),
        (PRODUCER, "delivery.timeout.ms", {"4.3": 120_000}),
        (PRODUCER, "enable.idempotence", {"3.9": True, "4.3": True}),
        (CONSUMER, "partition.assignment.strategy", {"4.3": ("range", "cooperative-sticky")}),
        (CONSUMER, "session.timeout.ms", {"4.3": 45_000}),
        (CONSUMER, "auto.offset.reset", {"4.3": "latest"}),
        (CONSUMER, "metadata.recovery.strategy", {"3.9": "none", "4.0": "rebootstrap"}),
        (TOPIC, "partitions", {"4.3": 1}),
        (TOPIC, "retention.ms", {"4.3": 604_800_000}),
        (TOPIC, "message.timestamp.after.max.ms", {"3.9": 2**63 - 1, "4.0": 3_600_000}),
        (BROKER, "replica.lag.time.max.ms", {"4.3": 30_000}),
        (BROKER, "broker.session.timeout.ms", {"4.3": 9_000}),
        (QUEUE, "x-queue-type", {"3.10": "classic", "4.3": "classic"}),
        (QUEUE, "x-overflow", {"4.3": "drop-head"}),
        (QUEUE, "x-message-ttl", {"4.3": None}),
    ],
)
def test_defaults_are_those_of_the_release(section: str, name: str, by_version: dict[str, object]) -> None:
    assert {version: resolve(section, version, {})[name] for version in by_version} == by_version


def test_the_delivery_limit_of_a_quorum_queue_came_with_4_0() -> None:
    def limit(version: str, **given: object) -> object:
        return resolve(QUEUE, version, {"x-queue-type": "quorum", **given})["x-delivery-limit"]

    assert [limit(version) for version in ("3.10", "3.13", "4.0", "4.3")] == [None, None, 20, 20]
    assert limit("4.3", **{"x-delivery-limit": -1}) is None
    assert limit("3.10", **{"x-delivery-limit": 3}) == 3
    assert resolve(QUEUE, "4.3", {})["x-delivery-limit"] is None  # a classic queue has none


@pytest.mark.parametrize("option", ALL_OPTIONS, ids=lambda option: option.name)
def test_every_option_is_consistent(option: BrokerOption) -> None:
    for version in ("3.9", "3.10", "3.13", "4.0", "4.3"):
        default = option.default(version)
        assert default is None or option.parse(default, version) == default
    assert option.status in ("modelled", "simplified", "ignored")
    assert option.note


@pytest.mark.parametrize(("section", "version"), RELEASES)
def test_a_section_without_options_has_all_its_defaults(section: str, version: str) -> None:
    known = SECTIONS[section]
    assert resolve(section, version, {}).keys() == {n for n in known if known[n].exists_in(version)}


@pytest.mark.parametrize(
    ("section", "name", "value", "parsed"),
    [
        (PRODUCER, "linger.ms", 20, 20),
        (PRODUCER, "linger.ms", "20", 20),
        (PRODUCER, "linger.ms", "0.5s", 500),
        (PRODUCER, "batch.size", "16KiB", 16_384),
        (PRODUCER, "acks", 1, "1"),
        (PRODUCER, "acks", -1, "all"),
        (CONSUMER, "enable.auto.commit", "false", False),
        (CONSUMER, "partition.assignment.strategy", "sticky, range", ("sticky", "range")),
        (
            CONSUMER,
            "partition.assignment.strategy",
            ["org.apache.kafka.clients.consumer.CooperativeStickyAssignor"],
            ("cooperative-sticky",),
        ),
        (TOPIC, "retention.ms", -1, -1),
        (TOPIC, "min.cleanable.dirty.ratio", 0.25, 0.25),
        (QUEUE, "x-message-ttl", "30s", 30_000),
        (QUEUE, "x-message-ttl", 0, 0),
    ],
)
def test_values_are_read_as_the_broker_reads_them(
    section: str, name: str, value: object, parsed: object
) -> None:
    assert resolve(section, versions(section)[-1], {name: value})[name] == parsed


@pytest.mark.parametrize(
    ("section", "name", "value", "sentence"),
    [
        (TOPIC, "partitions", 0, "partitions is 0, but 1 to 10000 is allowed"),
        (TOPIC, "partitions", True, "partitions is true, but a whole number is needed"),
        (TOPIC, "partitions", 2.5, "partitions is 2.5, but a whole number is needed"),
        (PRODUCER, "acks", 2, "acks is 2, but one of all, -1, 0, 1 is needed"),
        (PRODUCER, "linger.ms", -1, "linger.ms is -1 ms, but 0 to 9223372036854775807 ms is allowed"),
        (PRODUCER, "linger.ms", "10us", 'linger.ms is "10us", but a whole number of milliseconds is needed'),
        (CONSUMER, "enable.auto.commit", 1, "enable.auto.commit is 1, but true or false is needed"),
        (
            CONSUMER,
            "auto.offset.reset",
            "by_duration:1d",
            'auto.offset.reset: "1d" is no ISO 8601 duration; write PT1H, PT30S or P1D',
        ),
        (
            CONSUMER,
            "auto.offset.reset",
            "newest",
            'auto.offset.reset is "newest", but one of latest, earliest, none is needed',
        ),
        (TOPIC, "replication.factor", 100, "replication.factor is 100, but 1 to 99 is allowed"),
        (
            QUEUE,
            "x-queue-type",
            "stream",
            'x-queue-type: "stream" is real, but edasim models only classic, quorum',
        ),
        (QUEUE, "x-message-ttl", -1, "x-message-ttl is -1 ms, but 0 to 315360000000 ms is allowed"),
    ],
)
def test_a_value_that_the_broker_would_refuse_gets_a_sentence(
    section: str, name: str, value: object, sentence: str
) -> None:
    assert problems(section, versions(section)[-1], {name: value}) == [sentence]


def test_an_unknown_option_names_the_nearest_one() -> None:
    assert problems_of(PRODUCER, "4.3", linger=5) == [
        '"linger" is no kafka producer option; the nearest one is linger.ms'
    ]
    assert problems(QUEUE, "4.3", {"x-message-tt": 5}) == [
        '"x-message-tt" is no rabbitmq queue option; the nearest one is x-message-ttl'
    ]


def test_an_option_in_the_wrong_place_is_told_its_place() -> None:
    assert problems_of(CONSUMER, "4.3", acks="all") == [
        '"acks" is no kafka consumer option, but it is a kafka producer option'
    ]


def test_an_option_of_another_release_says_so() -> None:
    assert problems_of(TOPIC, "4.0", message_format_version="3.0") == [
        "message.format.version was removed in 4.0, but this scenario has version 4.0"
    ]
    assert problems(QUEUE, "4.0", {"x-queue-type": "quorum", "x-consumer-timeout": "30s"}) == [
        "x-consumer-timeout came with 4.3, but this scenario has version 4.0"
    ]
    assert problems_of(TOPIC, "2.8") == ['version "2.8" is unknown: 3.9, 4.0, 4.3 are known']


def test_releases_are_compared_as_numbers() -> None:
    option = BrokerOption("x", "int", {"3.9": 9, "3.10": 10}, since="3.9", until="10.0")
    assert [option.default(version) for version in ("3.8", "3.9", "3.10", "4.0")] == [None, 9, 10, 10]
    existing = [version for version in ("3.8", "3.10", "9.9", "10.0") if option.exists_in(version)]
    assert existing == ["3.10", "9.9"]


def test_all_mistakes_are_named_together() -> None:
    assert len(problems_of(PRODUCER, "4.3", linger=5, acks=2, retries="many")) == 3


@pytest.mark.parametrize("conflict", [{"acks": 1}, {"acks": 0}, {"retries": 0}])
def test_a_conflict_turns_idempotence_off_unless_it_was_asked_for(conflict: dict[str, object]) -> None:
    for version in versions(PRODUCER):
        assert resolve(PRODUCER, version, conflict)["enable.idempotence"] is False
        assert problems(PRODUCER, version, {"enable.idempotence": True, **conflict})
        assert resolve(PRODUCER, version, {"enable.idempotence": False, **conflict})


def test_too_many_requests_in_flight_turned_idempotence_off_until_4_0() -> None:
    assert resolve(PRODUCER, "3.9", {IN_FLIGHT: 6})["enable.idempotence"] is False
    assert problems(PRODUCER, "4.0", {IN_FLIGHT: 6}) == [
        f"{IN_FLIGHT} is 6, but at most 5 is allowed with enable.idempotence"
    ]
    assert resolve(PRODUCER, "4.3", {IN_FLIGHT: 6, "enable.idempotence": False})[IN_FLIGHT] == 6


def test_a_transactional_producer_needs_idempotence() -> None:
    assert problems_of(PRODUCER, "4.3", transactional_id="shop", acks=1) == [
        "transactional.id needs enable.idempotence"
    ]


def test_a_delivery_outlasts_its_linger_and_its_request() -> None:
    timeouts = {"linger.ms": 5, "request.timeout.ms": 30_000}
    assert problems(PRODUCER, "4.3", {"delivery.timeout.ms": 30_004, **timeouts}) == [
        "delivery.timeout.ms is 30004 ms, but at least linger.ms + request.timeout.ms (30005 ms) is needed"
    ]
    assert resolve(PRODUCER, "4.3", {"delivery.timeout.ms": 30_005, **timeouts})
    # Nobody chose the default, so the client raises it instead of failing.
    assert resolve(PRODUCER, "4.3", {"request.timeout.ms": "3min"})["delivery.timeout.ms"] == 180_005


def test_a_topic_needs_as_many_replicas_as_must_be_in_sync() -> None:
    assert resolve(TOPIC, "4.3", {"replication.factor": 3, "min.insync.replicas": 3})
    assert problems(TOPIC, "4.3", {"replication.factor": 1, "min.insync.replicas": 2}) == [
        "min.insync.replicas is 2, but replication.factor is 1: no write would succeed"
    ]


def test_a_member_beats_faster_than_its_session_ends() -> None:
    assert problems(CONSUMER, "4.3", {"session.timeout.ms": "6s", "heartbeat.interval.ms": "6s"}) == [
        "heartbeat.interval.ms is 6000 ms, but less than session.timeout.ms (6000 ms) is needed"
    ]


def test_the_new_group_protocol_leaves_the_timeouts_to_the_broker() -> None:
    assert resolve(CONSUMER, "4.3", {"group.protocol": "consumer"})
    assert problems(CONSUMER, "4.3", {"group.protocol": "consumer", "session.timeout.ms": "10s"}) == [
        "session.timeout.ms cannot be set with group.protocol: consumer"
    ]
    assert problems_of(CONSUMER, "4.3", group_remote_assignor="uniform") == [
        "group.remote.assignor cannot be set with group.protocol: classic"
    ]


@pytest.mark.parametrize(("session_ms", "sentences"), [(45_000, 0), (6_000, 0), (5_999, 1)])
def test_the_broker_bounds_the_session_timeout(session_ms: int, sentences: int) -> None:
    consumer = resolve(CONSUMER, "4.3", {"session.timeout.ms": session_ms})
    conflicts = kafka_conflicts(resolve(PRODUCER, "4.3", {}), consumer, resolve(BROKER, "4.3", {}))
    assert len(conflicts) == sentences


@pytest.mark.parametrize(
    ("queue_type", "name", "value"),
    [
        ("quorum", "x-max-priority", 5),
        ("quorum", "x-queue-mode", "lazy"),
        ("quorum", "x-overflow", "reject-publish-dlx"),
        ("quorum", "x-max-age", "7D"),
        ("classic", "x-delivery-limit", 3),
        ("classic", "x-quorum-initial-group-size", 3),
        ("classic", "x-dead-letter-strategy", "at-least-once"),
    ],
)
def test_a_queue_refuses_the_arguments_of_another_type(queue_type: str, name: str, value: object) -> None:
    for version in versions(QUEUE):
        assert name in problems(QUEUE, version, {"x-queue-type": queue_type, name: value})[0]


def test_a_quorum_queue_has_at_most_99_members() -> None:
    quorum = {"x-queue-type": "quorum"}
    assert resolve(QUEUE, "4.3", {**quorum, "x-quorum-initial-group-size": 99})
    assert problems(QUEUE, "4.3", {**quorum, "x-quorum-initial-group-size": 1_000_000}) == [
        "x-quorum-initial-group-size is 1000000, but 1 to 99 is allowed"
    ]


def test_a_dead_letter_key_needs_a_dead_letter_exchange() -> None:
    assert problems(QUEUE, "4.3", {"x-dead-letter-routing-key": "dead"}) == [
        "x-dead-letter-routing-key needs x-dead-letter-exchange"
    ]
    assert resolve(QUEUE, "4.3", {"x-dead-letter-routing-key": "dead", "x-dead-letter-exchange": ""})


def test_options_that_change_nothing_are_named() -> None:
    given = {"acks": "all", "compression.type": "zstd"}
    assert fidelity_notes(PRODUCER, given) == {"compression.type": "ignored: messages keep their size"}
    assert fidelity_notes(CONSUMER, {"fetch.max.bytes": 1}) == {
        "fetch.max.bytes": "ignored: a fetch is bounded by max.partition.fetch.bytes alone"
    }
    assert fidelity_notes(CONSUMER, {"heartbeat.interval.ms": 1000}).keys() == {"heartbeat.interval.ms"}


def test_the_tables_can_be_read_by_name() -> None:
    assert kafka_options("topic")["partitions"].status == "modelled"
    assert rabbitmq_queue_arguments()["x-overflow"].allowed[0] == "drop-head"


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.lists(st.text(max_size=9))
)


@given(st.data(), st.sampled_from(RELEASES))
def test_whatever_is_given_is_resolved_or_refused_in_sentences(
    data: st.DataObject, release: tuple[str, str]
) -> None:
    section, version = release
    names = st.one_of(st.sampled_from(sorted(SECTIONS[section])), st.text(max_size=9))
    options = data.draw(st.dictionaries(names, anything, max_size=4))
    try:
        resolve(section, version, options)
    except OptionError as refused:
        assert refused.problems
        assert all("\n" not in problem for problem in refused.problems)
