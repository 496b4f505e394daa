"""What comes twice, what is lost, and what brokers can carry.  Laws F01 to F15."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edasim.brokers.kafka.partitioner import partition_for
from edasim.core.draws import Draws
from edasim.core.identity import collision_probability
from edasim.core.journal import Verb
from edasim.scenario.value import Scenario
from edasim.simulate import Run, simulate
from edasim.study.validate import formulas
from edasim.study.validate.case import Case, Experiment, Numbers, Quantity, Trial, by_shop, mean_of, statistical
from edasim.study.validate.rules import Absolute, Between, Exact, Relative, Statistical
from edasim.study.validate.shops import Parts, architectures, shop, single_station

# --- F01, F02: repeated -----------------------------------------------------------------------------------------------


def lost_words(share: float, fails: float, idempotent: bool, size: int) -> Scenario:
    """Word that a message was handled gets lost with this chance; it is delivered again until the word gets through.
    """
    fault: Parts = {"duplicating": "payment", "share": f"{100 * share:g}%", "at": "0s"}
    scenario = single_station("constant 400/s", "1ms", duration=f"{size / 400:g}s", faults={"words": fault},
                              retry={"attempts": "unlimited", "backoff": "none"})
    return scenario.change({"services.payment.fails": f"{100 * fails:g}%", "services.payment.idempotent": idempotent})


def deliveries(run: Run) -> Numbers:
    """How often orders were handled, attempted, and how many effects they have."""
    placed = len(run.messages)
    handled = np.bincount(run.facts.numbers[run.facts.verbs == Verb.handled], minlength=placed)
    service = run.summary().services["payment"]
    return {"deliveries_per_msg": float(handled.mean()), "share_delivered_more_than_once": float(np.mean(handled > 1)),
            "share_>=3": float(np.mean(handled > 2)), "attempts": service.attempts / placed,
            "effects": float(np.mean(handled > 0)) + service.duplicated_effects / placed}


TWICE = ("rabbitmq", "kafka", "rpc")


def repeated(share: float, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """The number of deliveries is geometric."""
    exact = {"deliveries_per_msg": 1 / (1 - share), "share_delivered_more_than_once": share, "share_>=3": share**2}
    return by_shop(lambda size: lost_words(share, 0.0, False, size), TWICE, deliveries,
                   statistical(0.005, exact, rare=["share_>=3"]), *sizes)


def failing_and_repeated(fails: float, share: float, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """Failures and lost words multiply; an idempotent service has its effect once."""
    plain = (Quantity("attempts", 1 / ((1 - fails) * (1 - share)), Statistical(0.005), None, "attempts"),
             Quantity("side_effects_per_msg_non_idempotent", 1 / (1 - share), Statistical(0.005),
                      mean_of("effects"), "side_effects_per_msg_non_idempotent"))
    once = (Quantity("idempotent", 1.0, Exact(), mean_of("effects"), "idempotent"),)
    trials = [*by_shop(lambda size: lost_words(share, fails, False, size), TWICE, deliveries, plain, *sizes)]
    for name in TWICE:
        trials += by_shop(lambda size: lost_words(share, fails, True, size), (name,), deliveries, once, 2_000, 2_000)
    return tuple(replace(trial, replications=3) if trial.quantities is once else trial for trial in trials)


# --- F03, F04: crashes ------------------------------------------------------------------------------------------------


def at_most_once(share: float, orders: int) -> tuple[Trial, ...]:
    """Committed before the work: what a worker dies with is lost.

    One record in a poll and one worker that is always busy, whose life is memoryless: it dies before a record's effect
    exists with the chance 1 - exp(-work / mean life).
    """
    work_s = 1000
    life_s = -work_s / math.log1p(-share)
    kafka = {"commit": "before", "topic": {"partitions": 1}, "producer": {"linger.ms": 0},
             "consumer": {"max.poll.records": 1, "max.poll.interval.ms": 86_400_000}}

    def build(size: int) -> Scenario:
        return single_station("constant 100/s", f"{work_s}s", duration=f"{size / 100}s",
                              drain=f"{size * 1.5 * work_s}s", architectures={"kafka": kafka},
                              faults={"death": {"crash": "payment", "every": f"exponential {life_s}s", "for": "1ms"}})

    def read(run: Run) -> Numbers:
        outcomes, service = run.summary().outcomes, run.summary().services["payment"]
        return {"processed_share": outcomes["done"] / outcomes["placed"],
                "duplicates": float(service.duplicated_effects)}

    most = 4 * math.sqrt(share * (1 - share) / orders)
    quantities = (Quantity("processed_share", 1 - share, Absolute(most), published="processed_share"),
                  Quantity("duplicates", 0.0, Exact(), published="duplicates"))
    said = "4 sigma of the binomial"
    return (Trial("kafka", Experiment(build, "kafka", read), quantities, orders, orders, 1, said=said),)


def auto_commit(rate: float, interval_s: float, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """A member dies at a time that is uniform between two commits: they begin at a drawn phase."""
    died_s = 2 * interval_s + 1.37
    kafka = {"topic": {"partitions": 1}, "producer": {"linger.ms": 0},
             "consumer": {"auto.commit.interval.ms": round(interval_s * 1000)}}

    def sample(seed: int, size: int) -> Numbers:
        scenario = single_station(
            f"constant {rate}/s", "10us", duration=f"{died_s + 0.1}s", architectures={"kafka": kafka},
            faults={"death": {"crash": "payment", "at": f"{died_s}s", "for": "10ms"}})
        found = [simulate(scenario, "kafka", seed + crash).summary().services["payment"].duplicated_effects
                 for crash in range(size)]
        return {"mean_reprocessed": float(np.mean(found)), "max": float(np.max(found)),
                "beyond": float(np.sum(np.array(found) > whole + 1))}

    whole = rate * interval_s
    quantities = (
        Quantity("mean_reprocessed", whole / 2, Statistical(0.02), published="mean_reprocessed"),
        Quantity("max", whole, Between(0.8 * whole, whole + 1.5), mean_of("max"), "max"),
        Quantity("crashes after which more than an interval's records come again", 0.0, Exact(), mean_of("beyond")))
    said = (f"one crash of the only member in each run, at {died_s:g} s; a replication has as many crashes as its size "
            "says, and max is the mean of the replications' largest")
    return (Trial("kafka", sample, quantities, *sizes, said=said, most_at_once=10**9),)


# --- F05, F07: recognised ---------------------------------------------------------------------------------------------


def window(rate: float, remembers: int, delays_s: tuple[int, ...]) -> tuple[Trial, ...]:
    """A repetition passes when more ids than are remembered came meanwhile."""
    trials: list[Trial] = []
    links = {"rabbitmq": "payment -> broker", "kafka": "payment -> broker", "rpc": "gateway -> payment"}
    built = architectures() | {"rabbitmq": {"prefetch": "unlimited", "queue": {"x-queue-type": "classic"}},
                               "kafka": {"topic": {"partitions": 1},
                                         "producer": {"linger.ms": 0, "enable.idempotence": False}}}
    for delay_s in delays_s:
        passes = rate * delay_s > remembers

        def read(run: Run) -> Numbers:
            again = int(np.sum(run.facts.verbs == Verb.handled)) - int(np.sum(run.facts.verbs == Verb.placed))
            return {"passed": run.summary().services["payment"].duplicated_effects / again, "repeated": float(again)}

        for name, link in links.items():
            again = {"duplicating": link, "share": "10%", "after": f"{delay_s}s", "at": "0s", "for": "20s"}

            def build(_size: int, again: Parts = again) -> Scenario:
                payment = {"work": "1ms", "idempotent": {"remembers": remembers}}
                return shop(f"constant {rate}/s", {"payment": payment}, duration="60s", architectures=built,
                            faults={"again": again})

            exact = Quantity(f"{delay_s} s: share of repetitions that pass", float(passes), Exact(),
                             mean_of("passed"))
            trials.append(Trial(name, Experiment(build, name, read), (exact,), 6_000, 6_000, 1))
    return tuple(trials)


def collisions(cases: dict[int, int], most: float, simulated: tuple[int, int]) -> tuple[Trial, ...]:
    """The birthday law of random ids, beside the exact product; and ids drawn by the engine's own generator."""

    def law(_seed: int, _size: int) -> Numbers:
        return {f"{bits}": collision_probability(ids, bits) for bits, ids in cases.items()}

    bits, ids = simulated

    def drawn(seed: int, size: int) -> Numbers:
        stream = Draws(seed).stream("id", "message")
        blocks = math.ceil(ids / 1024)
        hits = 0
        for number in range(size):
            uniforms = np.concatenate([stream.uniforms(number * blocks + block) for block in range(blocks)])[:ids]
            numbers = np.sort((uniforms * 2**bits).astype(np.int64))
            hits += bool(np.any(np.diff(numbers) == 0))
        return {"hits": hits / size}

    quantities = tuple(Quantity(f"{bits}", formulas.collision_chance(bits, ids), Relative(most), published=f"{bits}")
                       for bits, ids in cases.items())
    beside = Quantity(f"{bits} bits, {ids} ids drawn", formulas.collision_chance(bits, ids), Statistical(None),
                      mean_of("hits"))
    said = "edasim.core.identity.collision_probability; exact is the product of (1 - k / 2^bits)"
    return (Trial("arithmetic", law, quantities, 1, 1, 1, said=said),
            Trial("draws", drawn, (beside,), 1_000, 1_000, also=True, halves=False,
                  said="edasim.core.draws.Draws, as ids"))


# --- F09: overtaken ---------------------------------------------------------------------------------------------------


def overtaken(gap_ms: float, mean_ms: float, sizes: tuple[int, int]) -> tuple[Trial, ...]:
    """Two events a fixed time apart, each with a delay of its own and nothing that keeps their order."""

    def build(size: int) -> Scenario:
        # Pairs, so far apart from one another that they never meet; more workers than a pair needs.
        pause_ms = gap_ms + 40 * mean_ms
        times = [f"{number * pause_ms + late}ms" for number in range(1, size // 2 + 1) for late in (0, gap_ms)]
        built = {"rabbitmq": {"prefetch": 1, "queue": {"x-queue-type": "classic"}}, "monolith": {},
                 "rpc": {"open-requests": 1_000_000}}
        return shop(times, {"payment": {"work": f"exponential {mean_ms}ms", "workers": 4}}, architectures=built,
                    duration=f"{(size // 2 + 1) * pause_ms}ms")

    def read(run: Run) -> Numbers:
        done_s = run.summary().orders.done_s
        return {"P(overtake)": float(np.mean(done_s[1::2] < done_s[0::2]))}

    exact = {"P(overtake)": 0.5 * math.exp(-gap_ms / mean_ms)}
    return by_shop(build, ("rabbitmq", "rpc", "monolith"), read, statistical(0.01, exact), *sizes)


# --- F11, F12: groups -------------------------------------------------------------------------------------------------


def group_limit(partitions: int, rate: float, members: tuple[int, ...]) -> tuple[Trial, ...]:
    """A group handles as much as it has members or partitions; who has none is idle."""
    trials = []
    for place, number in enumerate(members):
        busy = min(number, partitions)

        def build(_size: int, number: int = number) -> Scenario:
            kafka = {"topic": {"partitions": partitions}, "producer": {"linger.ms": 0}}
            return single_station(f"constant {3 * partitions * rate}/s", f"{1000 / rate:g}ms", number, duration="7s",
                                  warm_up="2s", drain="0s", architectures={"kafka": kafka})

        def read(run: Run, number: int = number) -> Numbers:
            facts = run.facts
            inside = (facts.verbs == Verb.handled) & (facts.times_ns > run.scenario.warm_up) & (
                facts.times_ns <= run.closed_ns)
            at_work = {run.places[place].name for place in facts.places[inside]}
            return {"throughput": run.summary().services["payment"].throughput_per_s,
                    "idle": float(number - len(at_work))}

        quantities = (
            Quantity(f"throughput, {number} consumers", busy * rate, Relative(0.001),
                     mean_of("throughput"), f"throughput.{place}"),
            Quantity(f"idle, {number} consumers", float(number - busy), Relative(0.001),
                     mean_of("idle"), f"idle.{place}"))
        trials.append(Trial("kafka", Experiment(build, "kafka", read), quantities, 1, 1, 1))
    return tuple(trials)


def key_of(partition: int, partitions: int) -> str:
    """A kind of keys whose only key goes to this partition."""
    return next(name for name in (f"kind-{number}" for number in range(10_000))
                if partition_for(f"{name}-1", partitions) == partition)


def uneven(partitions: int, members: int, per_partition: float, rate: float) -> tuple[Trial, ...]:
    """Who has more partitions than others falls behind first; a producer for each partition, all like clockwork."""
    most = math.ceil(partitions / members)
    ahead = partitions % members or members

    def scenario(each: float, span_s: int) -> Scenario:
        producers = {f"source-{number}": {"publishes": "OrderPlaced", "arrivals": f"constant {each:.6f}/s",
                                          "key": key_of(number, partitions), "keys": "uniform over 1"}
                     for number in range(partitions)}
        kafka = {"topic": {"partitions": partitions}, "producer": {"linger.ms": 0},
                 "consumer": {"partition.assignment.strategy": "range"}}
        return Scenario.from_dict({
            "duration": f"{span_s}s", "warm-up": f"{span_s // 4}s", "drain": "0s", "wire": "none",
            "client": {"timeout": "none"}, "producers": producers, "architectures": {"kafka": kafka},
            "services": {"payment": {"handles": "OrderPlaced", "work": f"{1000 / rate:g}ms", "workers": members}}})

    def sample(seed: int, _size: int) -> Numbers:
        flooded = simulate(scenario(per_partition, 120), "kafka", seed).summary()
        waiting = flooded.backlog("payment").at(np.array([flooded.start_s, flooded.end_s]))
        calm = simulate(scenario(0.75 * rate / most, 120), "kafka", seed)
        facts = calm.facts
        inside = (facts.verbs == Verb.handled) & (facts.times_ns > calm.scenario.warm_up)
        handled = np.bincount(facts.places[inside]).max()
        total = 0.75 * rate / most * partitions
        load = handled / rate / (calm.summary().end_s - calm.summary().start_s)
        return {"growth": float(np.diff(waiting)[0]) / (flooded.end_s - flooded.start_s), "total": total / load}

    quantities = (
        Quantity("max_sustainable_total", partitions * rate / most, Relative(0.01), mean_of("total"),
                 "max_sustainable_total"),
        Quantity("lag_growth_per_s", ahead * (most * per_partition - rate), Relative(0.01),
                 mean_of("growth"), "lag_growth_per_s"))
    said = "the largest total from the load of the busiest member at three quarters of it"
    return (Trial("kafka", sample, quantities, 1, 1, 1, said=said),)


# --- F14, F15: outages and windows ------------------------------------------------------------------------------------


def outage(arrivals: int, rate: int, down_s: int, short_s: int) -> tuple[Trial, ...]:
    """What an outage leaves behind is worked off at the rate that is to spare."""

    def build(length_s: int) -> Scenario:
        duration_s = 23 + 1.1 * length_s * rate / (rate - arrivals)
        return single_station(f"constant {arrivals}/s", f"{1e9 / rate:.0f}ns", duration=f"{duration_s:.0f}s",
                              faults={"outage": {"unavailable": "payment", "at": "23s", "for": f"{length_s}s"}})

    def read(run: Run) -> Numbers:
        backlog, end_ns = run.summary().backlog("payment"), run.bands[0].end_ns
        assert end_ns is not None, "the outage ends within the run"
        empty_s = backlog.times_s[(backlog.times_s > end_ns / 1e9) & (backlog.values == 0)][0]
        service = run.summary().services["payment"]
        return {"peak_backlog": service.backlog_max, "catch_up_s": float(empty_s) - end_ns / 1e9,
                "oldest_wait_s": float(service.wait_s.max())}

    trials: list[Trial] = []
    for name, length_s in (("rabbitmq", down_s), *((one, short_s) for one in ("kafka", "rpc", "monolith"))):
        exact = {"peak_backlog": arrivals * length_s, "catch_up_s": arrivals * length_s / (rate - arrivals),
                 "oldest_wait_s": length_s}
        quantities = tuple(Quantity(key, float(value), Relative(0.002), published=key if length_s == down_s else "")
                           for key, value in exact.items())

        def built(_size: int, length_s: int = length_s) -> Scenario:
            return build(length_s)

        size = round(arrivals * length_s * 1.1 * rate / (rate - arrivals))
        trials.append(Trial(name, Experiment(built, name, read), quantities, size, size, 1, most_at_once=10**9,
                            said=f"down for {length_s} s"))
    return tuple(trials)


def prefetching(one_way_ms: int, work_ms: int, prefetches: tuple[int, ...]) -> tuple[Trial, ...]:
    """One consumer far from its broker is as busy as its window reaches; a wider one only makes messages wait."""
    round_trip_ms = 2 * one_way_ms + work_ms
    rounds = 150

    def waited_ms(run: Run) -> float:
        delivered, started = (run.facts.only(run.facts.verbs == verb) for verb in (Verb.delivered, Verb.started))
        waits_ns = started.times_ns - delivered.times_ns[: len(started)] - one_way_ms * 1_000_000
        return float(waits_ns[-100:].mean()) / 1e6

    def read(run: Run) -> Numbers:
        service = run.summary().services["payment"]
        return {"busy": service.utilisation, "rate": service.throughput_per_s, "waited": waited_ms(run)}

    trials = []
    for place, prefetch in enumerate(prefetches):

        def build(_size: int, prefetch: int = prefetch) -> Scenario:
            return shop(
                f"constant {1600 / work_ms:.0f}/s", {"payment": {"work": f"{work_ms}ms"}},
                warm_up=f"{20 * round_trip_ms}ms", duration=f"{(20 + rounds) * round_trip_ms}ms", drain="0s",
                wire={"base": "none", "broker-to-consumer": f"{one_way_ms}ms", "consumer-to-broker": f"{one_way_ms}ms"},
                architectures={"rabbitmq": {"prefetch": prefetch, "queue": {"x-queue-type": "classic"}}})

        busy = formulas.prefetch_utilisation(prefetch, work_ms, round_trip_ms)
        quantities = [
            Quantity(f"utilisation, prefetch {prefetch}", busy, Relative(0.001), mean_of("busy"),
                     f"utilisation.{place}"),
            Quantity(f"throughput_per_s, prefetch {prefetch}", 1000 * busy / work_ms, Relative(0.001),
                     mean_of("rate"), f"throughput_per_s.{place}")]
        if prefetch == max(prefetches):
            waits = float(prefetch * work_ms - round_trip_ms)
            quantities.append(Quantity(f"client_buffer_wait_ms_at_{prefetch}", waits, Relative(0.001),
                                       mean_of("waited"), f"client_buffer_wait_ms_at_{prefetch}"))
        trials.append(Trial("rabbitmq", Experiment(build, "rabbitmq", read), tuple(quantities), 1, 1, 1))
    return tuple(trials)


CASES = (
    Case("F01", repeated(0.1, (235_000, 3_000))),
    Case("F02", failing_and_repeated(0.3, 0.1, (1_200, 600))),
    Case("F03", at_most_once(0.02, 100_000)),
    Case("F04", auto_commit(100, 5, (62, 5))),
    Case("F05", window(100, 1000, (8, 12))),
    Case("F07", collisions({32: 100_000, 64: 10**9, 24: 1000}, 0.0001, (24, 1000))),
    Case("F09", overtaken(50, 100, (2_200, 600))),
    Case("F11", group_limit(6, 100, (3, 6, 12))),
    Case("F12", uneven(10, 4, 40, 100)),
    Case("F14", outage(100, 125, 600, 60)),
    Case("F15", prefetching(50, 4, (1, 10, 25, 26, 51))),
)
