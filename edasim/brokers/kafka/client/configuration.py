"""A client's configuration: librdkafka's names, checked as it checks them, and what the engine makes of them."""
from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from edasim.brokers.kafka.client.errors import KafkaException, failure
from edasim.brokers.kafka.client.property_table import (
    ALIASES,
    BOTH,
    CALLBACKS,
    CONSUMER,
    IGNORED,
    PRODUCER,
    PROPERTIES,
    Property,
)

Configuration = dict[str, Any]
_WORDS = {"true": True, "false": False, "t": True, "f": False, "1": True, "0": False}
_STRATEGIES = ("range", "roundrobin", "cooperative-sticky")


def wrong(sentence: str) -> KafkaException:
    """What a constructor raises: KafkaException with _INVALID_ARG."""
    return failure("_INVALID_ARG", sentence)


def configured(side: str, conf: Mapping[str, Any] | None, more: Mapping[str, Any]) -> Configuration:
    """All properties of a producer or consumer by their canonical names, and the callbacks; raises KafkaException."""
    given = {**(conf or {}), **more}
    result: Configuration = {one.name: one.default for one in PROPERTIES.values() if one.side in (BOTH, side)}
    named: set[str] = set()
    for name, value in given.items():
        canonical = ALIASES.get(name, name)
        if name in CALLBACKS:
            if not callable(value):
                raise wrong(f"{name} is a function, not {type(value).__name__}")
            result[name] = value
        elif canonical in PROPERTIES:
            if PROPERTIES[canonical].side in (BOTH, side):
                result[canonical] = parsed(PROPERTIES[canonical], name, value)
                named.add(canonical)
        elif name not in IGNORED:
            raise wrong(_unknown(name))
    (_check_producer if side == PRODUCER else _check_consumer)(result, named)
    return result


def _unknown(name: Any) -> str:
    near = get_close_matches(str(name), [*PROPERTIES, *ALIASES, *IGNORED], n=1, cutoff=0.0)[0]
    return f'there is no configuration property "{name}"; the nearest one is {near}'


def parsed(one: Property, name: str, value: Any) -> Any:
    """A value in the type of its property; numbers and booleans may be text, as librdkafka takes them."""
    if one.default is None or (isinstance(one.default, str) and not one.allowed):
        return value if value is None else str(value)
    if isinstance(one.default, str):
        if str(value) not in one.allowed:
            raise wrong(f'{name} is "{value}", but it is one of {", ".join(one.allowed)}')
        return str(value)
    if isinstance(one.default, bool):
        word = str(value).lower()
        if word not in _WORDS:
            raise wrong(f'{name} is "{value}", but it is true or false')
        return _WORDS[word]
    return _number(one, name, value)


def _number(one: Property, name: str, value: Any) -> float:
    if one.name == "request.required.acks" and value == "all":
        return -1
    try:
        number = float(value) if isinstance(one.default, float) else int(str(value))
    except ValueError:
        raise wrong(f'{name} is "{value}", but it is a number from {one.low} to {one.high}') from None
    if not one.low <= number <= one.high:
        raise wrong(f"{name} is {value}, but {one.low} to {one.high} is allowed")
    return number


def _check_producer(conf: Configuration, named: set[str]) -> None:
    if conf["transactional.id"]:
        if conf["enable.idempotence"] is False and "enable.idempotence" in named:
            raise wrong("a producer with a transactional.id is idempotent: leave enable.idempotence away, or set it")
        conf["enable.idempotence"] = True
        if "message.timeout.ms" not in named:
            conf["message.timeout.ms"] = min(conf["message.timeout.ms"], conf["transaction.timeout.ms"])
        elif conf["message.timeout.ms"] > conf["transaction.timeout.ms"]:
            raise wrong("message.timeout.ms is longer than transaction.timeout.ms, which ends the transaction first")
    if not conf["enable.idempotence"]:
        return
    if conf["request.required.acks"] != -1:
        raise wrong("enable.idempotence needs acks=all: a record that only the leader has may come twice after all")
    if conf["message.send.max.retries"] == 0:
        raise wrong("enable.idempotence needs retries: set at least 1")
    if "max.in.flight.requests.per.connection" not in named:
        conf["max.in.flight.requests.per.connection"] = 5
    elif conf["max.in.flight.requests.per.connection"] > 5:
        raise wrong("enable.idempotence allows at most 5 requests in flight: brokers remember the last 5 batches")


def _check_consumer(conf: Configuration, named: set[str]) -> None:
    if not conf["group.id"]:
        raise ValueError("a consumer needs a group.id, also when it assigns its partitions itself")
    if conf["group.protocol"] == "consumer":
        for name in ("session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"):
            if name in named:
                raise wrong(f"{name} is set by the broker when group.protocol is consumer: leave it away")
    elif conf["max.poll.interval.ms"] < conf["session.timeout.ms"]:
        raise wrong("max.poll.interval.ms is below session.timeout.ms: it has to be at least as long")
    offered = strategies(conf)
    if len(offered) > 1 and "cooperative-sticky" in offered:
        raise wrong("partition.assignment.strategy mixes cooperative-sticky with eager strategies: choose one kind")
    for strategy in offered:
        if strategy not in _STRATEGIES:
            raise wrong(f'partition.assignment.strategy has "{strategy}", but {", ".join(_STRATEGIES)} are supported')


def strategies(conf: Configuration) -> tuple[str, ...]:
    """The assignment strategies that a consumer offers, the best first."""
    return tuple(word.strip() for word in conf["partition.assignment.strategy"].split(",") if word.strip())


def producer_options(conf: Configuration) -> dict[str, Any]:
    """The engine's producer options (the Java client's names) for a configuration.

    batch.num.messages has no counterpart there and is kept by the client's buffer; how long a client waits for a
    broker's answer is called socket.timeout.ms by librdkafka.
    """
    linger_ms = round(conf["queue.buffering.max.ms"])
    timeout_ms = max(conf["message.timeout.ms"] or 2**31 - 1, linger_ms)
    acks = conf["request.required.acks"]
    return {
        "acks": {-1: "all", 0: "0"}.get(acks, "1"),
        "enable.idempotence": conf["enable.idempotence"],
        "linger.ms": linger_ms,
        "batch.size": conf["batch.size"],
        "retries": conf["message.send.max.retries"],
        "retry.backoff.ms": conf["retry.backoff.ms"],
        "retry.backoff.max.ms": max(conf["retry.backoff.ms"], conf["retry.backoff.max.ms"]),
        "request.timeout.ms": min(conf["socket.timeout.ms"], timeout_ms - linger_ms),
        "delivery.timeout.ms": timeout_ms,
        "max.in.flight.requests.per.connection": min(conf["max.in.flight.requests.per.connection"], 2**31 - 1),
        **_reconnects(conf),
        # How much fits is what the client itself says, record by record (queue.buffering.max.kbytes).
        "buffer.memory": 2**62,
        "max.request.size": max(conf["batch.size"], conf["message.max.bytes"]),
        "transactional.id": conf["transactional.id"],
        "transaction.timeout.ms": conf["transaction.timeout.ms"],
    }


def _reconnects(conf: Configuration) -> dict[str, Any]:
    least_ms = conf["reconnect.backoff.ms"]
    return {"reconnect.backoff.ms": least_ms, "reconnect.backoff.max.ms": max(least_ms,
                                                                              conf["reconnect.backoff.max.ms"])}


def consumer_options(conf: Configuration) -> dict[str, Any]:
    """The engine's consumer options (the Java client's names) for a configuration.

    A poll gives one record, as librdkafka's does.
    """
    reset = {"smallest": "earliest", "beginning": "earliest", "largest": "latest", "end": "latest", "error": "none"}
    options = {
        "max.poll.records": 1,
        "auto.offset.reset": reset.get(conf["auto.offset.reset"], conf["auto.offset.reset"]),
        "isolation.level": conf["isolation.level"],
        "enable.auto.commit": conf["enable.auto.commit"] and conf["auto.commit.interval.ms"] > 0,
        "auto.commit.interval.ms": max(1, conf["auto.commit.interval.ms"]),
        "fetch.min.bytes": conf["fetch.min.bytes"],
        "fetch.max.wait.ms": conf["fetch.wait.max.ms"],
        "max.partition.fetch.bytes": conf["fetch.message.max.bytes"],
        "max.poll.interval.ms": conf["max.poll.interval.ms"],
        "group.protocol": conf["group.protocol"],
        **_reconnects(conf),
        "group.instance.id": conf["group.instance.id"],
    }
    if conf["group.protocol"] == "classic":
        options["session.timeout.ms"] = conf["session.timeout.ms"]
        # librdkafka does not mind heartbeats that come too late for the session; the broker does.
        options["heartbeat.interval.ms"] = min(conf["heartbeat.interval.ms"], max(1, conf["session.timeout.ms"] - 1))
        options["partition.assignment.strategy"] = strategies(conf)
    elif conf["group.remote.assignor"]:
        options["group.remote.assignor"] = conf["group.remote.assignor"]
    return options


__all__ = ["CONSUMER", "PRODUCER", "Configuration", "configured", "consumer_options", "producer_options", "strategies"]
