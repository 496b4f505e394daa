"""Several workers: on one queue, on a queue with little room, or each on a partition.  Laws A04, A05, A13 to A22."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edasim.scenario.value import Scenario
from edasim.simulate import simulate
from edasim.study.validate import formulas
from edasim.study.validate.case import Case, Numbers, Trial, by_shop, mean_of, quotient, statistical
from edasim.study.validate.reading import SOJOURN, WAIT, WAITING, orders_sums, station
from edasim.study.validate.shops import Parts, lasting, relaxation_s, single_station
from edasim.study.validate.single_server import WARM_UPS


def pooled(arrivals: float, rate: float, workers: int, names: Sequence[str], sizes: tuple[int, int],
           ) -> tuple[Trial, ...]:
    """M/M/c: competing workers on one queue."""

    def build(size: int) -> Scenario:
        return single_station(f"poisson {arrivals}/s", f"exponential {1 / rate}s", workers,
                              **lasting(size, arrivals, WARM_UPS * relaxation_s(arrivals, rate, workers)))

    known = formulas.many(arrivals, rate, workers)
    figures = {"P(wait)": WAITING, "Wq": WAIT, "W": SOJOURN}
    quantities = statistical(0.01, {name: known[name] for name in names}, figures)
    return by_shop(build, ("rabbitmq", "rpc", "monolith"), station, quantities, *sizes)


def little_room(arrivals: float, rate: float, workers: int, room: int) -> Parts:
    """All architectures that can refuse, with room for so many orders, of which `workers` are worked on."""
    queue = {"x-queue-type": "classic", "x-max-length": room - workers, "x-overflow": "reject-publish"}
    return {"rabbitmq": {"prefetch": 1, "queue": queue},
            "monolith": {"threads": workers, "queue-limit": room - workers},
            "rpc": {"open-requests": 1_000_000, "queue-limit": room - workers}}


def bounded(  # noqa: PLR0913 - the numbers of the queue, and how it is tried
    arrivals: float, rate: float, workers: int, room: int, share: float, sizes: tuple[int, int],
    names: dict[str, str],
) -> tuple[Trial, ...]:
    """M/M/c/K: who finds no room is refused; `names` are the law's words for loss, throughput and W_accepted."""
    built = little_room(arrivals, rate, workers, room)

    def build(size: int) -> Scenario:
        return single_station(f"poisson {arrivals}/s", f"exponential {1 / rate}s", workers, architectures=built,
                              retry={"attempts": 1}, **lasting(size, arrivals, 20 * room / rate))

    known = formulas.bounded(arrivals, rate, workers, room)
    figures = {"loss": lambda means: 1 - float(means["done"]) / float(means["placed"]), "W_accepted": SOJOURN,
               "throughput": mean_of("throughput")}
    quantities = statistical(share, {word: known[name] for name, word in names.items()},
                             {word: figures[name] for name, word in names.items()},
                             rare=[word for name, word in names.items() if name == "loss"])
    return by_shop(build, tuple(built), station, quantities, *sizes)


ALL_THREE = {name: name for name in ("loss", "throughput", "W_accepted")}

# --- pooled against partitioned -------------------------------------------------------------------------------------

KEYS_APART = {4: "depot"}
"""depot-1 to depot-4 are hashed to partitions 0 to 3 of four, one each."""


def parted(arrivals: float, rate: float, workers: int, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """One queue with competing workers (RabbitMQ), and a partition for each of them (Kafka), on the same orders."""

    def build(size: int) -> Scenario:
        warm_up_s = WARM_UPS * relaxation_s(arrivals / workers, rate)
        producer = {"key": KEYS_APART[workers], "keys": f"uniform over {workers}"}
        return single_station(f"poisson {arrivals}/s", f"exponential {1 / rate}s", workers, producer=producer,
                              **lasting(size, arrivals, warm_up_s))

    def sample(seed: int, size: int) -> Numbers:
        scenario = build(size)
        found = {name: orders_sums(simulate(scenario, name, seed).summary()) for name in ("rabbitmq", "kafka")}
        return {f"{name} {key}": value for name, sums in found.items() for key, value in sums.items()}

    pooled_w = quotient("rabbitmq sojourns", "rabbitmq done")
    parted_w = quotient("kafka sojourns", "kafka done")
    exact = {"W_pooled": formulas.many(arrivals, rate, workers)["W"],
             "W_partitioned": formulas.single(arrivals / workers, rate)["W"]}
    exact["ratio"] = exact["W_partitioned"] / exact["W_pooled"]
    figures: dict[str, Any] = {"W_pooled": pooled_w, "W_partitioned": parted_w,
                               "ratio": lambda means: parted_w(means) / pooled_w(means)}
    said = f"rabbitmq: one queue for {workers} consumers; kafka: {workers} partitions with a key and a member each"
    return (Trial("rabbitmq and kafka", sample, statistical(0.01, exact, figures), *sizes, said=said),)


ERLANG_TABLE = {(1, 1.0): (2_000, 1_000), (2, 1.0): (2_000, 1_000), (5, 3.0): (6_000, 1_500),
                (10, 5.0): (40_000, 3_000), (15, 8.108): (170_000, 4_000)}


def table() -> tuple[Trial, ...]:
    """Erlang B for each pair of servers and offered load."""
    trials: list[Trial] = []
    for (servers, offered), sizes in ERLANG_TABLE.items():
        trials += bounded(offered, 1.0, servers, servers, 0.015, sizes, {"loss": f"({servers},{offered:g})"})
    return tuple(trials)


CASES = (
    Case("A04", pooled(4.0, 1.0, 5, ("P(wait)", "Wq", "W", "Lq"), (170_000, 4_000))),
    Case("A05", pooled(8.0, 1.0, 10, ("P(wait)", "Wq", "W"), (170_000, 4_000))),
    Case("A13", bounded(0.9, 1.0, 1, 10, 0.01, (170_000, 4_000), ALL_THREE)),
    Case("A14", bounded(2.0, 1.0, 1, 5, 0.01, (3_000, 1_500), ALL_THREE)),
    Case("A16", bounded(2.7, 1.0, 3, 8, 0.01, (40_000, 3_000), ALL_THREE)),
    Case("A17", table()),
    Case("A22", parted(3.2, 1.0, 4, (55_000, 4_000))),
)
