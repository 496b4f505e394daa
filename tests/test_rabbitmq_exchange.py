"""A message reaches the queues that the real broker chooses (R01c, R02c, R04c-R08c), each of them once."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edasim.brokers.rabbitmq.exchange import Exchange, ExchangeError, Router


def exchange(kind: str, *bindings: tuple[str, str]) -> Exchange:
    """An exchange with bindings (queue, key)."""
    made = Router().declare("shop", kind)
    for queue, key in bindings:
        made.bind(queue, key)
    return made


def routed(pattern: str, key: str) -> bool:
    return exchange("topic", ("q", pattern)).route(key) == ("q",)


@pytest.mark.parametrize(
    ("key", "queues"),
    [
        ("quick.orange.rabbit", ("Q1", "Q2")),
        ("lazy.orange.elephant", ("Q1", "Q2")),
        ("quick.orange.fox", ("Q1",)),
        ("lazy.brown.fox", ("Q2",)),
        ("lazy.pink.rabbit", ("Q2",)),  # once, though two bindings match
        ("quick.brown.fox", ()),
        ("orange", ()),
        ("quick.orange.new.rabbit", ()),
        ("lazy.orange.new.rabbit", ("Q2",)),
    ],
)
def test_the_topics_of_the_fifth_tutorial(key: str, queues: tuple[str, ...]) -> None:  # R01c
    topic = exchange("topic", ("Q1", "*.orange.*"), ("Q2", "*.*.rabbit"), ("Q2", "lazy.#"))
    assert topic.route(key) == queues


@pytest.mark.parametrize(
    ("key", "queues"), [("a.b.c", ("Q2", "Q3", "Q4", "Q6", "Q7", "Q8")), ("a.b", ("Q1", "Q2", "Q7"))]
)
def test_topic_patterns_that_overlap(key: str, queues: tuple[str, ...]) -> None:  # R02c
    patterns = ("a.b", "a.b.#", "a.b.c", "a.b.*", "a.b.d", "a.*.*", "a.*.#", "*.b.c")
    numbered = [(f"Q{number}", pattern) for number, pattern in enumerate(patterns, start=1)]
    assert exchange("topic", *numbered).route(key) == queues


@pytest.mark.parametrize(
    ("pattern", "key", "matches"),
    [
        ("#", "", True),
        ("*", "", False),
        (".#", ".0.a.b.c", True),
        (".*", ".0.a.b.c", False),
        (".*.a.b.c", ".0.a.b.c", True),
        ("simply#carrots", "simplycarrots", False),
        ("", "", True),
        ("#", "*.#", True),
        ("a.*", "a.#", True),
        ("a.b", "a.*", False),
        ("#.#", "", True),
        ("*.#.*", "a", False),
    ],
)
def test_topic_edge_words(pattern: str, key: str, matches: bool) -> None:  # R04c
    assert routed(pattern, key) is matches


def steps_of(action: Callable[[], object]) -> int:
    """How many functions are called, in Python and in C, while an action lasts, however busy the machine is."""
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
    return steps


def test_a_pattern_of_many_hashes_is_matched_at_once() -> None:  # R05c
    def match() -> None:
        assert routed(".".join("#" * 15), ".".join("a" * 31))
        assert not routed(".".join("#" * 15) + ".b", ".".join("a" * 31))

    assert steps_of(match) < 100_000  # a search that tries all ways would take 5e11


def test_many_bindings_do_not_slow_a_topic_exchange_down() -> None:
    def steps(bindings: int) -> int:
        many = exchange("topic", *((f"q{number}", f"shop.{number}.*.placed") for number in range(bindings)))
        many.route("")  # which orders the bindings, once
        return steps_of(lambda: [many.route(f"shop.{number}.order.placed") for number in range(100)])

    assert steps(10_000) < 1.1 * steps(100)
    many = exchange("topic", *((f"q{number}", f"shop.{number}.*.placed") for number in range(10_000)))
    assert many.route("shop.4711.order.placed") == ("q4711",)


HEADERS = {"msg1": {"foo": "bar", "fuu": "ber"}, "msg2": {"foo": "bar"}, "msg3": {}}


@pytest.mark.parametrize(("x_match", "received"), [("all", ["msg1"]), ("any", ["msg1", "msg2"])])
def test_headers_all_or_any(x_match: str, received: list[str]) -> None:  # R06c
    headers = exchange("headers")
    headers.bind("q", arguments={"x-match": x_match, "foo": "bar", "fuu": "ber"})
    assert [name for name, sent in HEADERS.items() if headers.route("", sent)] == received


@pytest.mark.parametrize(
    ("x_match", "received"), [("all-with-x", ["msg1"]), ("any-with-x", ["msg1", "msg2", "msg3"])]
)
def test_headers_without_a_value_ask_for_presence(x_match: str, received: list[str]) -> None:  # R07c
    headers = exchange("headers")
    headers.bind("q", arguments={"x-match": x_match, "foo": None, "x-foo": None})
    sent: dict[str, dict[str, object]] = {
        "msg1": {"foo": "anything", "x-foo": 42},
        "msg2": {"foo": "whatever"},
        "msg3": {"x-foo": "something"},
        "msg4": {"other": "value"},
        "msg5": {},
    }
    assert [name for name in sent if headers.route("", sent[name])] == received


def test_headers_that_begin_with_x_are_passed_over_unless_asked_for() -> None:
    headers = exchange("headers")
    headers.bind("all", arguments={"x-match": "all", "x-foo": 1})
    headers.bind("any", arguments={"x-match": "any", "x-foo": 1})
    assert headers.route("", {"x-foo": 2}) == ("all",)  # nothing is left to compare: all of it agrees


def test_a_header_agrees_in_type_and_value() -> None:
    headers = exchange("headers")
    headers.bind("number", arguments={"retried": 1})
    headers.bind("truth", arguments={"retried": True})
    assert headers.route("", {"retried": 1}) == ("number",)
    assert headers.route("", {"retried": True}) == ("truth",)


def test_bindings_that_differ_in_the_type_of_a_value_are_two() -> None:
    headers = exchange("headers")
    headers.bind("q", arguments={"retried": 1})
    headers.bind("q", arguments={"retried": True})
    headers.unbind("q", arguments={"retried": 1})
    assert headers.route("", {"retried": 1}) == ()
    assert headers.route("", {"retried": True}) == ("q",)


def test_an_unknown_x_match_is_refused() -> None:
    with pytest.raises(ExchangeError, match="x-match is most, but all, any, all-with-x, any-with-x are"):
        exchange("headers").bind("q", arguments={"x-match": "most"})


@pytest.mark.parametrize("key", ["", "anything"])
def test_fanout_gives_every_queue_a_copy(key: str) -> None:  # R08c
    assert exchange("fanout", ("q1", "a"), ("q2", "b")).route(key) == ("q1", "q2")


def test_the_default_exchange_delivers_to_the_queue_of_that_name() -> None:  # R08c
    router = Router()
    router.add_queue("payment")
    assert router.default.route("payment") == ("payment",)
    assert router.default.route("inventory") == ()
    router.remove_queue("payment")
    assert router.default.route("payment") == ()


def test_the_default_exchange_takes_no_bindings() -> None:
    with pytest.raises(ExchangeError, match="takes no bindings"):
        Router().default.bind("payment", "OrderPlaced")


def test_direct_compares_the_whole_key() -> None:
    direct = exchange("direct", ("q1", "OrderPlaced"), ("q2", "OrderPlaced"), ("q3", "*"))
    assert direct.route("OrderPlaced") == ("q1", "q2")
    assert direct.route("Order") == ()


def test_exchanges_bound_to_exchanges_deliver_once_and_cycles_end() -> None:
    router = Router()
    shop, audit = router.declare("shop", "topic"), router.declare("audit", "fanout")
    shop.bind("payment", "order.#")
    shop.bind(audit, "order.*")
    audit.bind("archive")
    audit.bind("payment")
    audit.bind(shop)
    assert shop.route("order.placed") == ("archive", "payment")
    assert shop.route("order") == ("payment",)


def test_the_alternate_exchange_gets_what_matches_no_binding() -> None:
    router = Router()
    shop = router.declare("shop", "direct", alternate="unrouted")
    assert shop.route("OrderPlaced") == ()  # nobody has declared it yet
    router.declare("unrouted", "fanout").bind("lost-and-found")
    shop.bind("payment", "OrderPlaced")
    assert shop.route("OrderPlaced") == ("payment",)
    assert shop.route("OrderLost") == ("lost-and-found",)
    shop.bind(router.declare("empty", "fanout"), "OrderLost")
    assert shop.route("OrderLost") == ()  # a binding matched, though it led nowhere


def test_an_exchange_is_not_declared_again_with_another_type() -> None:
    router = Router()
    assert router.declare("shop", "topic") is router.declare("shop", "topic")
    with pytest.raises(ExchangeError, match="shop exists with another type"):
        router.declare("shop", "direct")
    with pytest.raises(ExchangeError, match="type random is unknown"):
        router.declare("dice", "random")


def test_exchanges_are_found_by_name() -> None:
    router = Router()
    router.declare("shop", "topic")
    router.bind("shop", "payment", "order.*")
    assert router.route("shop", "order.placed") == ("payment",)
    assert router.has_exchange("shop") and not router.has_exchange("shopp")
    with pytest.raises(ExchangeError, match="there is no exchange shopp"):
        router.route("shopp", "order.placed")


def test_a_removed_queue_is_bound_nowhere() -> None:
    router = Router()
    shop = router.declare("shop", "topic")
    shop.bind("payment", "order.*")
    shop.bind("archive", "#")
    router.remove_queue("payment")
    assert shop.route("order.placed") == ("archive",)


def test_the_version_grows_when_a_route_may_change_and_only_then() -> None:
    shop = exchange("topic", ("payment", "order.*"))
    before = shop.version
    shop.route("order.placed")
    shop.bind("payment", "order.*")  # the same binding again
    shop.unbind("payment", "order.#")  # there is none
    assert shop.version == before
    shop.bind("archive", "#")
    assert shop.version > before and shop.route("order.placed") == ("archive", "payment")
    before = shop.version
    shop.unbind("payment", "order.*")
    assert shop.version > before and shop.route("order.placed") == ("archive",)


def topic_matches(pattern: list[str], words: list[str]) -> bool:
    """What `*` and `#` mean, and nothing else."""
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(topic_matches(pattern[1:], words[skip:]) for skip in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and topic_matches(pattern[1:], words[1:])


def without_one_empty_word(words: list[str]) -> list[str]:
    """[""] joined is the empty key, which has no word."""
    return [] if words == [""] else words


key_words = st.lists(st.sampled_from(["a", "b", "", "#", "*"]), max_size=5)
pattern_words = st.lists(st.sampled_from(["a", "b", "", "*", "#", "#"]), max_size=5)


@given(st.lists(pattern_words, max_size=8), key_words)
def test_topic_routing_is_what_the_wildcards_mean(patterns: list[list[str]], words: list[str]) -> None:
    topic = exchange("topic", *((f"q{i}", ".".join(pattern)) for i, pattern in enumerate(patterns)))
    key = without_one_empty_word(words)
    expected = [
        f"q{i}"
        for i, pattern in enumerate(patterns)
        if topic_matches(without_one_empty_word(pattern), key)
    ]
    assert topic.route(".".join(words)) == tuple(expected)


def headers_match(x_match: str, arguments: dict[str, object], headers: dict[str, object]) -> bool:
    """What x-match means, and nothing else."""
    with_x = x_match.endswith("-with-x")
    agreed = [
        name in headers and (value is None or repr(headers[name]) == repr(value))
        for name, value in arguments.items()
        if with_x or not name.startswith("x-")
    ]
    return all(agreed) if x_match.startswith("all") else any(agreed)


some_headers = st.dictionaries(
    st.sampled_from(["a", "b", "x-a"]), st.sampled_from([None, 1, 1.0, True, "1"]), max_size=3
)


@given(st.sampled_from(["all", "any", "all-with-x", "any-with-x"]), some_headers, some_headers)
def test_headers_routing_is_what_x_match_means(
    x_match: str, arguments: dict[str, object], headers: dict[str, object]
) -> None:
    made = exchange("headers")
    made.bind("q", arguments={"x-match": x_match, **arguments})
    assert bool(made.route("", headers)) is headers_match(x_match, arguments, headers)
