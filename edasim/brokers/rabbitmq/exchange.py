"""RabbitMQ's exchanges: from a routing key or from headers to the queues that get a copy.

Source: rabbitmq/rabbitmq-server, rabbit_exchange.erl (route) and exchanges_SUITE.erl.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from edasim.brokers.rabbitmq.routes import ROUTES, X_MATCH, X_MATCHES, Binding, Headers, Routes

DEFAULT_EXCHANGE = ""


class ExchangeError(ValueError):
    """An exchange or a binding that the real broker would refuse, in one sentence."""


class Router:
    """All exchanges of one broker. `version` grows with every change that can change a route.

    The default exchange, named "", knows each queue by its name and takes no other bindings.
    """

    def __init__(self) -> None:
        self.version = 0
        self.default = Exchange(DEFAULT_EXCHANGE, "direct", None, self)
        self._exchanges = {DEFAULT_EXCHANGE: self.default}

    def declare(self, name: str, kind: str, alternate: str | None = None) -> Exchange:
        """The exchange of that name, made if need be; `alternate` names who gets what it cannot route."""
        if kind not in ROUTES:
            raise ExchangeError(f"exchange {name}: type {kind} is unknown; {', '.join(ROUTES)} are known")
        if name not in self._exchanges:
            self._exchanges[name] = Exchange(name, kind, alternate, self)
            self.version += 1
        exchange = self._exchanges[name]
        if (exchange.kind, exchange.alternate) != (kind, alternate):
            raise ExchangeError(f"exchange {name} exists with another type or alternate exchange")
        return exchange

    def has_exchange(self, name: str) -> bool:
        """Whether an exchange of that name has been declared."""
        return name in self._exchanges

    def exchange(self, name: str) -> Exchange:
        """The exchange of that name."""
        if name not in self._exchanges:
            raise ExchangeError(f"there is no exchange {name}; it has to be declared first")
        return self._exchanges[name]

    def add_queue(self, name: str) -> None:
        """Make the queue known to the default exchange."""
        self.default._add(Binding(name, name))

    def remove_queue(self, name: str) -> None:
        """Remove all bindings of the queue."""
        for exchange in self._exchanges.values():
            exchange._remove(lambda binding: binding.destination == name)

    def bind(self, exchange: str, queue: str, key: str = "", arguments: Headers | None = None) -> None:
        """Let the queue receive from the exchange of that name what matches the key or the arguments."""
        self.exchange(exchange).bind(queue, key, arguments)

    def route(self, exchange: str, key: str = "", headers: Headers | None = None) -> tuple[str, ...]:
        """The queues that get a copy of what is published to the exchange of that name, each once."""
        return self.exchange(exchange).route(key, headers)


@dataclass(eq=False)
class Exchange:
    """Routes by its type: `direct` by the whole key, `topic` by patterns, `headers` by headers, `fanout` all.

    Made by `Router.declare`.
    """

    name: str
    kind: str
    alternate: str | None
    router: Router = field(repr=False)
    _bindings: dict[Binding, None] = field(default_factory=dict, repr=False)
    _routes: Routes | None = field(default=None, repr=False)

    @property
    def version(self) -> int:
        """Unchanged as long as `route` answers the same; for a caller who remembers the routes of keys."""
        return self.router.version

    def bind(self, destination: str | Exchange, key: str = "", arguments: Headers | None = None) -> None:
        """Send what matches the key or the arguments to a queue (by its name) or to another exchange."""
        if self.name == DEFAULT_EXCHANGE:
            raise ExchangeError("the default exchange takes no bindings: every queue is bound by its name")
        if self.kind == "headers":
            _check_x_match(self.name, arguments or {})
        self._add(_binding(destination, key, arguments))

    def unbind(self, destination: str | Exchange, key: str = "", arguments: Headers | None = None) -> None:
        """Take back a binding with the same destination, key and arguments, if there is one."""
        unwanted = _binding(destination, key, arguments)
        self._remove(lambda binding: binding == unwanted)

    def route(self, key: str = "", headers: Headers | None = None) -> tuple[str, ...]:
        """The queues that get a copy, each once however many bindings match, in the order of their names.

        An exchange on the way is passed once, so cycles end. Its alternate exchange takes over if none of its
        bindings match, even one to an exchange that then finds no queue.
        """
        queues: set[str] = set()
        seen: set[Exchange] = {self}
        ahead: list[Exchange] = [self]
        while ahead:
            for destination in ahead.pop()._destinations(key, headers or {}):
                if isinstance(destination, str):
                    queues.add(destination)
                elif isinstance(destination, Exchange) and destination not in seen:
                    seen.add(destination)
                    ahead.append(destination)
        return tuple(sorted(queues))

    def _destinations(self, key: str, headers: Headers) -> Iterable[Hashable]:
        if self._routes is None:
            self._routes = ROUTES[self.kind]()
            for binding in self._bindings:
                self._routes.add(binding)
        matching = self._routes.matching(key, headers)
        if not matching and self.alternate is not None:
            known = self.router.has_exchange(self.alternate)
            return [self.router.exchange(self.alternate)] if known else []
        return matching

    def _add(self, binding: Binding) -> None:
        if binding not in self._bindings:
            self._bindings[binding] = None
            self.router.version += 1
            if self._routes is not None:
                self._routes.add(binding)

    def _remove(self, unwanted: Callable[[Binding], bool]) -> None:
        remaining = {binding: None for binding in self._bindings if not unwanted(binding)}
        if len(remaining) < len(self._bindings):
            self._bindings = remaining
            self.router.version += 1
            # Built anew when it is next asked for: bindings go away much more rarely than messages come.
            self._routes = None


def _binding(destination: str | Exchange, key: str, arguments: Headers | None) -> Binding:
    # The type is part of the identity, since to Python True, 1 and 1.0 are the same.
    in_order = sorted((arguments or {}).items(), key=lambda item: item[0])
    return Binding(destination, key, tuple((name, type(value), value) for name, value in in_order))


def _check_x_match(exchange: str, arguments: Headers) -> None:
    x_match = arguments.get(X_MATCH, "all")
    if x_match not in X_MATCHES:
        allowed = ", ".join(X_MATCHES)
        raise ExchangeError(f"exchange {exchange}: x-match is {x_match}, but {allowed} are allowed")
