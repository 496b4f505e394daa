"""How each type of exchange finds the bindings that match a message.

Source: rabbitmq/rabbitmq-server, rabbit_exchange_type_headers.erl and rabbit_db_topic_exchange.erl, and the
sequences of their test suites.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

Headers = Mapping[str, object]

X_MATCH = "x-match"
X_MATCHES = ("all", "any", "all-with-x", "any-with-x")
ONE_WORD = "*"
ANY_WORDS = "#"


@dataclass(frozen=True)
class Binding:
    """What an exchange sends where. Bound twice with the same key and arguments, it is still one binding."""

    destination: Hashable
    key: str = ""
    arguments: tuple[tuple[str, type, object], ...] = ()


class Routes(Protocol):
    """How one type of exchange finds the bindings that match."""

    def add(self, binding: Binding) -> None: ...
    def matching(self, key: str, headers: Headers) -> Iterable[Hashable]: ...


class DirectRoutes:
    """The whole routing key is the binding key."""

    def __init__(self) -> None:
        self._by_key: dict[str, list[Hashable]] = {}

    def add(self, binding: Binding) -> None:
        self._by_key.setdefault(binding.key, []).append(binding.destination)

    def matching(self, key: str, headers: Headers) -> list[Hashable]:
        return self._by_key.get(key, [])


class FanoutRoutes:
    """Every binding matches."""

    def __init__(self) -> None:
        self._all: list[Hashable] = []

    def add(self, binding: Binding) -> None:
        self._all.append(binding.destination)

    def matching(self, key: str, headers: Headers) -> list[Hashable]:
        return self._all


class HeadersRoutes:
    """A binding's arguments are compared with the headers; one without a value (None) asks for presence.

    x-match says whether `all` (the default) or `any` must agree. Names that begin with x- are passed over,
    unless it is all-with-x or any-with-x, which compare all but x-match itself.
    """

    def __init__(self) -> None:
        self._rules: list[tuple[HeaderRule, Hashable]] = []

    def add(self, binding: Binding) -> None:
        arguments = {name: value for name, _, value in binding.arguments}
        x_match = str(arguments.pop(X_MATCH, "all"))
        if not x_match.endswith("-with-x"):
            arguments = {name: value for name, value in arguments.items() if not name.startswith("x-")}
        self._rules.append((HeaderRule(arguments, x_match.startswith("all")), binding.destination))

    def matching(self, key: str, headers: Headers) -> list[Hashable]:
        return [destination for rule, destination in self._rules if rule.matches(headers)]


@dataclass(frozen=True)
class HeaderRule:
    """Without any argument left to compare, `all` matches every message and `any` none."""

    arguments: Headers
    needs_all: bool

    def matches(self, headers: Headers) -> bool:
        agreed = (self._agrees(name, wanted, headers) for name, wanted in self.arguments.items())
        return all(agreed) if self.needs_all else any(agreed)

    @staticmethod
    def _agrees(name: str, wanted: object, headers: Headers) -> bool:
        if name not in headers:
            return False
        value = headers[name]
        return wanted is None or (type(value) is type(wanted) and value == wanted)


class TopicNode:
    """A place in the tree of patterns, with a branch for each word that may come next."""

    __slots__ = ("branches", "destinations", "takes_any_words")

    def __init__(self, takes_any_words: bool = False) -> None:
        self.branches: dict[str, TopicNode] = {}
        self.destinations: list[Hashable] = []
        self.takes_any_words = takes_any_words


class TopicRoutes:
    """Patterns of words between dots: `*` stands for one word, `#` for any number of words, none included.

    Patterns share their beginnings in a tree, so a key is compared with few of them. Each (place in the tree,
    word of the key) is visited once, which keeps a pattern of many `#` cheap.
    """

    def __init__(self) -> None:
        self._root = TopicNode()

    def add(self, binding: Binding) -> None:
        node = self._root
        for word in _words(binding.key):
            if word not in node.branches:
                node.branches[word] = TopicNode(takes_any_words=word == ANY_WORDS)
            node = node.branches[word]
        node.destinations.append(binding.destination)

    def matching(self, key: str, headers: Headers) -> set[Hashable]:
        words = _words(key)
        found: set[Hashable] = set()
        ahead = [(self._root, 0)]
        seen: set[tuple[TopicNode, int]] = set()
        while ahead:
            place = ahead.pop()
            if place in seen:
                continue
            seen.add(place)
            node, read = place
            if read == len(words):
                found.update(node.destinations)
            ahead.extend(_next_places(node, words, read))
        return found


def _next_places(node: TopicNode, words: list[str], read: int) -> Iterable[tuple[TopicNode, int]]:
    """Where the key can go on in the tree after `read` of its words."""
    if ANY_WORDS in node.branches:
        yield node.branches[ANY_WORDS], read
    if read < len(words):
        if node.takes_any_words:
            yield node, read + 1
        for branch in (words[read], ONE_WORD):
            if branch in node.branches:
                yield node.branches[branch], read + 1


def _words(key: str) -> list[str]:
    """An empty key has no word; "a..b" has three, the middle one empty."""
    return key.split(".") if key else []


ROUTES: Mapping[str, Callable[[], Routes]] = {
    "direct": DirectRoutes,
    "topic": TopicRoutes,
    "fanout": FanoutRoutes,
    "headers": HeadersRoutes,
}
