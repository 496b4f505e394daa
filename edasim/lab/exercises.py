"""The exercises of the notebooks: each check takes the scenario before and after, runs it, and says what it found.

A check says "Made it" or "Not yet", and with "Not yet" where to look.  It does not give the solution away.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edasim.core.quantity import SECOND_NS
from edasim.lab.counting import mails
from edasim.measure.ownership import Ownership
from edasim.scenario.value import Scenario
from edasim.scenario.writing import to_dict
from edasim.simulate import simulate
from edasim.study.compare import compare
from edasim.study.load import loads
from edasim.study.words import counted, listed, seconds_short

SEED = 7
"""The seed of the notebooks; a solution is one with it."""
REPLICATIONS = 5
FEW_REPLICATIONS = 3
"""Where a number hardly hangs on luck."""
MOST_WORKERS_MORE = 1
HALF_DONE_WITHIN_S = 0.2
MOST_TURNED_AWAY = 100
NORMAL_WITHIN_S = 10.0
READ_AGAIN_WITHIN_S = 15.0
MOST_REFUSED = 20
_KNOBS = ("knobs", "title", "description")


@dataclass(frozen=True, repr=False)
class Verdict:
    """Whether the exercise is made, and one or two sentences of why, or of where to look."""

    made_it: bool
    text: str

    def __repr__(self) -> str:
        return f"{'Made it' if self.made_it else 'Not yet'}: {self.text}"

    def _repr_html_(self) -> str:
        colour, word = ("#009E73", "Made it") if self.made_it else ("#D55E00", "Not yet")
        return (f'<div style="border-left:6px solid {colour};padding:.4em .8em"><b>{word}.</b> '
                f"{html.escape(self.text[:1].upper() + self.text[1:])}</div>")


# --- what may be changed ----------------------------------------------------------------------------------------


def changed(before: Scenario, after: Scenario) -> tuple[str, ...]:
    """The paths at which two scenarios differ, sliders and titles left out."""
    old, new = _flat(to_dict(before)), _flat(to_dict(after))
    paths = [path for path in {**old, **new} if old.get(path) != new.get(path)]
    return tuple(path for path in paths if path.split(".")[0] not in _KNOBS)


def _flat(data: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in data.items():
        path = f"{before}{key}"
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{path}.")
        else:
            flat[path] = value
    return flat


def _beyond(before: Scenario, after: Scenario, *allowed: str) -> Verdict | None:
    """Not yet, where something was changed that the exercise keeps as it is."""
    other = [path for path in changed(before, after) if not path.startswith(allowed)]
    if not other:
        return None
    return Verdict(False, f"{listed(other[:3])} differ{'s' if len(other) == 1 else ''} from the scenario of the "
                          f"exercise: leave that as it was, and change only {listed(allowed)}.")


# --- 00: how long to wait ---------------------------------------------------------------------------------------


def shortest_patience(before: Scenario, after: Scenario) -> Verdict:
    """00: the least patience, in whole seconds, with which the monolith turns fewer than 20 customers away."""
    beyond = _beyond(before, after, "client.timeout")
    if beyond:
        return beyond
    timeout_ns = after.client.timeout
    if timeout_ns is None or timeout_ns % SECOND_NS:
        return Verdict(False, "give the patience in whole seconds, such as 6s.")
    refused = _refused(after)
    told = f"{counted(refused, 'customer')} turned away with {timeout_ns // SECOND_NS} s of patience"
    if refused >= MOST_REFUSED:
        return Verdict(False, f"{told}: how long does the first one wait who orders when the outage begins?")
    if timeout_ns > SECOND_NS:
        less = _refused(after.change({"client.timeout": f"{timeout_ns // SECOND_NS - 1}s"}))
        if less < MOST_REFUSED:
            return Verdict(False, f"{told}, and with a second less it would still be fewer than {MOST_REFUSED}: go on.")
    return Verdict(True, f"{told}, and a second less would not do.")


def _refused(scenario: Scenario) -> int:
    return simulate(scenario, "monolith", SEED).summary().outcomes["refused"]


# --- 01: which event? -------------------------------------------------------------------------------------------


def only_who_paid_gets_a_mail(before: Scenario, after: Scenario) -> Verdict:
    """01: every customer who paid gets one mail, and nobody else gets any."""
    beyond = _beyond(before, after, "services.notification.handles")
    if beyond:
        return beyond
    found = mails(simulate(after, "kafka", SEED))
    wrong = []
    if found.unpaid:
        wrong.append(f"{counted(found.unpaid, 'customer')} who did not pay got a mail: which event says that the money "
                     "is there, and not only that somebody wants something?")
    if found.missing:
        wrong.append(f"{counted(found.missing, 'customer')} paid and got no mail: who hears the event that you chose?")
    if found.repeated:
        wrong.append(f"{counted(found.repeated, 'customer')} got more than one mail: how many of the events that "
                     "notification listens to does one order cause?")
    return Verdict(not wrong, " ".join(wrong) or "every customer who paid got one mail, and nobody else got any.")


# --- 02: one worker more ----------------------------------------------------------------------------------------


def one_worker_where_it_helps(before: Scenario, after: Scenario) -> Verdict:
    """02: with one worker more, half of the orders on Kafka are done within 200 ms."""
    workers = tuple(f"services.{name}.workers" for name in before.services)
    beyond = _beyond(before, after, *workers)
    if beyond:
        return beyond
    more = sum(service.workers for service in after.services.values()) - sum(
        service.workers for service in before.services.values())
    if more > MOST_WORKERS_MORE:
        return Verdict(False, f"you hired {more} workers, and there is money for one: where does it help most?")
    half_s = compare(after, "kafka", REPLICATIONS, SEED).interval("kafka", "completion_latency_s.p50").mean
    said = f"half of the orders on Kafka are done within {seconds_short(half_s)}"
    if half_s <= HALF_DONE_WITHIN_S:
        return Verdict(True, f"{said}; each service goes at its own pace, and the slowest was the one to help.")
    busy = {name: load.utilisation for name, load in loads(after).items()}
    shown = listed(f"{name} {share:.0%}" for name, share in busy.items())
    return Verdict(False, f"{said}, and {seconds_short(HALF_DONE_WITHIN_S)} are asked for. An order is done when its "
                          f"slowest step is, and this is how busy the steps are: {shown}.")


# --- 04: calm the storm -----------------------------------------------------------------------------------------


def storm_calmed(before: Scenario, after: Scenario) -> Verdict:
    """04: at three attempts or more, over RPC, at most 100 customers are turned away after an outage of 2 s."""
    beyond = _beyond(before, after, "retry", "architectures.rpc", "client")
    if beyond:
        return beyond
    if after.retry.attempts is not None and after.retry.attempts < (before.retry.attempts or 1):
        return Verdict(False, "fewer attempts do calm it, as you have seen; this time the three attempts stay. "
                              "What else makes more work than there are orders?")
    study = compare(after, "rpc", REPLICATIONS, SEED)
    away = round(study.interval("rpc", "orders.refused").mean)
    work = study.interval("rpc", "services.payment.duplicated_effects").mean
    said = f"{counted(away, 'customer')} turned away, and {counted(round(work), 'charge')} made twice or more"
    if away <= MOST_TURNED_AWAY:
        return Verdict(True, f"{said}: once payment is back, its workers do what somebody still waits for.")
    return Verdict(False, f"{said}; at most {MOST_TURNED_AWAY} customers are asked for. Waiting longer between the "
                          "attempts moves the work and does not make it less. What are payment's workers doing for "
                          "callers who gave up long ago, and how soon does a caller give up?")


# --- 05: fresh again --------------------------------------------------------------------------------------------


def fresh_again(before: Scenario, after: Scenario) -> Verdict:
    """05: on Kafka, payment's view is back to normal within 10 s of the outage's end."""
    beyond = _beyond(before, after, "services.payment.workers", "architectures.kafka.topic.partitions")
    if beyond:
        return beyond
    study = compare(after, "kafka", REPLICATIONS, SEED)
    took_s = study.interval("kafka", "convergence_s.payment").mean
    said = f"payment's view is back to normal {seconds_short(took_s)} after the outage"
    if took_s <= NORMAL_WITHIN_S:
        return Verdict(True, f"{said}: no worker has more than its share of the partitions to catch up with.")
    workers = after.services["payment"].workers
    partitions = int(after.architectures.kafka.topic.get("partitions", 1)) if after.architectures.kafka else 1
    rest = partitions % workers if workers < partitions else 0
    if rest:
        each = -(-partitions // workers)
        hint = (f"{workers} workers share {partitions} partitions, so that some of them read {each}: "
                "how much does such a worker get to do, and who waits for it?")
    elif workers > partitions:
        hint = f"of {workers} workers {workers - partitions} have no partition to read."
    else:
        hint = "how many orders wait at the end of the outage, and how many more a second can payment do than arrive?"
    return Verdict(False, f"{said}, and {NORMAL_WITHIN_S:g} s are asked for: {hint}")


# --- 06: read again ---------------------------------------------------------------------------------------------


def read_again(before: Scenario, after: Scenario) -> Verdict:
    """06: when a member of payment crashes, each of its partitions has a reader again within 15 s."""
    beyond = _beyond(before, after, "architectures.kafka.consumer")
    if beyond:
        return beyond
    runs = [simulate(after, "kafka", seed) for seed in range(SEED, SEED + FEW_REPLICATIONS)]
    groups = [Ownership(run.summary().reading, "payment") for run in runs]
    numbers = [one.numbers(0.0, one.end_s) for one in groups]
    longest_s = max(one.unread_max_s for one in numbers)
    unread_s = sum(one.unread_partition_s for one in numbers) / len(numbers)
    said = (f"a partition has no reader for up to {seconds_short(longest_s)}, "
            f"and together it is {unread_s:.0f} partition-seconds")
    if longest_s <= READ_AGAIN_WITHIN_S:
        return Verdict(True, f"{said}. The price: whoever is silent for that long without being dead, in a pause of "
                             "its garbage collector say, loses its partitions.")
    return Verdict(False, f"{said}; {READ_AGAIN_WITHIN_S:g} s are asked for. Nobody tells the coordinator of a death: "
                          "it only hears no heartbeat any more. How long does it wait for one?")
