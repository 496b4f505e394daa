"""How fast edasim is: beside two plain models of the same work, beside Ciw, and how its time and memory grow.

`make bench`, or `python benchmarks/bench.py --help`. The models take turns in one process, so that a machine
that slows down slows all of them; the medians of the rounds count, and each ratio is one of runs of one round.
Times are CPU seconds of the process. A missed target changes no exit code: machines are noisy, people decide.
"""
from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import heapq_loop, peers, usual_simpy
from benchmarks.rows import Part, Row, at_least, at_most, page, table
from benchmarks.workload import Workload
from edasim.core.files import write_whole
from edasim.scenario.value import Scenario
from edasim.simulate import simulate

BROKERS = ("rabbitmq", "kafka")
GROWN: dict[str, tuple[str, dict[str, int]]] = {
    "rabbitmq": ("rabbitmq", {}), "kafka": ("kafka", {}), "kafka, 12 partitions": ("kafka", {"partitions": 12}),
}
"""What is run at several sizes: its broker, and what differs from the workload."""
SEED = 7
EDASIM, USUAL, HEAPQ, HEAPQ_IN_BLOCKS = "edasim", "usual SimPy", "heapq loop", "heapq loop, draws in blocks"
MOVED_ORDERS = 2_000
SIZES = (2_000, 20_000, 200_000)
QUICK_SIZES = (500, 5_000, 50_000)


# --- speed beside the plain models ----------------------------------------------------------------------------


def models(workload: Workload, broker: str) -> dict[str, Callable[[int], object]]:
    """What takes turns: a name, and how to run it with a seed."""
    scenario = Scenario.from_dict(workload.scenario())
    usual, loop = getattr(usual_simpy, broker), getattr(heapq_loop, broker)
    return {
        EDASIM: lambda seed: simulate(scenario, broker, seed=seed),
        USUAL: lambda seed: usual(workload, seed),
        HEAPQ: lambda seed: loop(workload, seed),
        HEAPQ_IN_BLOCKS: lambda seed: loop(workload, seed, in_blocks=True),
    }


def orders_per_s(workload: Workload, run: Callable[[int], object]) -> float:
    """One run, timed; what the run before left behind is collected before the clock starts."""
    gc.collect()
    start = time.process_time()
    result = run(SEED)
    spent = time.process_time() - start
    del result
    return workload.orders / spent


def measure_speed(workload: Workload, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Orders/s by broker and model, one number for each round, after a small run of each to warm up."""
    contestants = {broker: models(workload, broker) for broker in BROKERS}
    for broker in BROKERS:
        for run in models(replace(workload, orders=200), broker).values():
            run(SEED)
    speeds: dict[str, dict[str, list[float]]] = {broker: {} for broker in BROKERS}
    for _ in range(rounds):
        for broker, of_broker in contestants.items():
            for name, run in of_broker.items():
                speeds[broker].setdefault(name, []).append(orders_per_s(workload, run))
    return speeds


def speed_rows(speeds: dict[str, dict[str, list[float]]]) -> list[Row]:
    """Medians, and the ratios that have targets."""
    rows = []
    for broker, by_model in speeds.items():
        rows += [Row(f"{broker}: {name}", median(values), "orders/s") for name, values in by_model.items()]
        ours = by_model[EDASIM]
        rows.append(at_least(f"{broker}: {EDASIM} / {USUAL}", _ratio(ours, by_model[USUAL]), 3, aim=4))
        rows.append(at_most(f"{broker}: {HEAPQ} / {EDASIM}", _ratio(by_model[HEAPQ], ours), "", 2.5))
        rows.append(Row(f"{broker}: {HEAPQ_IN_BLOCKS} / {EDASIM}", _ratio(by_model[HEAPQ_IN_BLOCKS], ours), ""))
    return rows


def _ratio(above: Sequence[float], below: Sequence[float]) -> float:
    return median(one / other for one, other in zip(above, below, strict=True))


# --- growth in time and memory --------------------------------------------------------------------------------


def peak_bytes() -> int:
    """The most memory that this process has had so far; 0 where the system does not say."""
    status = Path("/proc/self/status")
    if status.exists():
        # ru_maxrss would not do on Linux: a process inherits it from the one that started it.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure_one_size(name: str, orders: int) -> dict[str, float]:
    """One run in a process of its own: orders/s, and the peak of memory for each order with all facts as arrays."""
    broker, changes = GROWN[name]
    small, scenario = (Scenario.from_dict(Workload(orders=number, **changes).scenario()) for number in (200, orders))
    simulate(small, broker, seed=SEED)
    gc.collect()
    before = peak_bytes()
    start = time.process_time()
    run = simulate(scenario, broker, seed=SEED)
    spent = time.process_time() - start
    after_run = peak_bytes()
    facts = len(run.facts)
    return {
        "orders_per_s": orders / spent,
        "run_bytes_per_order": (after_run - before) / orders,
        "bytes_per_order": (peak_bytes() - before) / orders,
        "facts_per_order": facts / orders,
    }


def measure_growth(sizes: Sequence[int], rounds: int) -> dict[str, dict[int, dict[str, float]]]:
    """By name and number of orders, the medians of the rounds; the sizes take turns."""
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for name in GROWN:
            for orders in sizes:
                command = [sys.executable, __file__, "--one", name, str(orders)]
                answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
                found.setdefault((name, orders), []).append(json.loads(answer))
    return {
        name: {
            orders: {what: median(one[what] for one in found[name, orders]) for what in found[name, orders][0]}
            for orders in sizes
        }
        for name in GROWN
    }


def growth_rows(growth: dict[str, dict[int, dict[str, float]]]) -> list[Row]:
    """Orders/s at each size, how much of it is left at the largest, and memory there."""
    rows = []
    for name, by_size in growth.items():
        rows += [Row(f"{name}: {orders:,} orders", one["orders_per_s"], "orders/s")
                 for orders, one in by_size.items()]
        middle, largest = list(by_size)[-2:]
        left = by_size[largest]["orders_per_s"] / by_size[middle]["orders_per_s"]
        rows.append(at_least(f"{name}: speed at {largest:,} / at {middle:,}", left, 0.7))
        memory = by_size[largest]
        rows.append(Row(f"{name}: memory of a run, without arrays", memory["run_bytes_per_order"], "B/order"))
        rows.append(at_most(f"{name}: memory with all facts", memory["bytes_per_order"], "B/order", 2000, aim=1000))
    return rows


# --- a slider move --------------------------------------------------------------------------------------------


def measure_slider(moves: int) -> dict[str, dict[str, float]]:
    """By architecture, the medians in ms from a slider's move to the finished PNG, and with a fresh figure each time.

    The scenario is the payment outage with about 2,000 orders, one architecture shown.
    """
    from edasim.lab.explorer import explore
    from edasim.lab.panels import Panels
    from edasim.scenario.reading import load
    from edasim.shipped import scenario_file

    shop = load(scenario_file("payment-outage")).change({"duration": None, "orders": MOVED_ORDERS})
    found = {}
    for name in shop.architectures.listed:
        explorer = explore(shop, ["client.timeout"], [name], seed=SEED)
        texts = explorer.dials["client.timeout"].texts[1 : moves + 1]
        moved, fresh = [], []
        for text in texts:
            gc.collect()
            start = time.process_time()
            explorer.set("client.timeout", text)
            moved.append(time.process_time() - start)
            seen = list(explorer._seen.values())
            start = time.process_time()
            explorer.panels.png(seen)
            kept = time.process_time()
            Panels([name]).png(seen)
            fresh.append(moved[-1] + (time.process_time() - kept) - (kept - start))
        found[name] = {"moved_ms": 1e3 * median(moved), "fresh_ms": 1e3 * median(fresh)}
    return found


def slider_rows(slider: dict[str, dict[str, float]]) -> list[Row]:
    """Each architecture's move, and how much more a fresh figure costs."""
    rows = []
    for name, one in slider.items():
        what = f"{name}: slider move, {MOVED_ORDERS:,} orders, to PNG"
        rows.append(at_most(what, one["moved_ms"], "ms", 100, aim=50))
        rows.append(Row(f"{name}: the same with a fresh figure", one["fresh_ms"], "ms"))
    return rows


# --- all of it ------------------------------------------------------------------------------------------------


def machine() -> str:
    """Where this was measured."""
    cores = os.cpu_count() or 1
    return (f"Python {platform.python_version()} on {platform.system()} {platform.machine()} with {cores} "
            f"{'core' if cores == 1 else 'cores'}, CPU time of one process")


def parts_of(given: argparse.Namespace) -> Iterator[tuple[Part, dict[str, Any]]]:
    """Measure one part after the other: what a reader sees, and the raw numbers by their name in the JSON."""
    quick = given.quick
    orders, rounds = (min(given.orders, 3_000), min(given.rounds, 3)) if quick else (given.orders, given.rounds)
    speeds = measure_speed(Workload(orders=orders), rounds)
    how = f"{orders:,} orders in each run, the models in turns, medians of {rounds} rounds."
    yield Part("Beside two plain models of the same work", how, speed_rows(speeds)), {"speed": speeds}
    if not given.no_growth:
        growth_rounds = 1 if quick else 3
        growth = measure_growth(QUICK_SIZES if quick else SIZES, growth_rounds)
        how = f"Runs of three sizes in turns, each in a fresh process, medians of {counted_rounds(growth_rounds)}."
        yield Part("Growth in time and memory", how, growth_rows(growth)), {"growth": growth}
    if not given.no_slider:
        moves = 5 if quick else 15
        slider = measure_slider(moves)
        how = f"From a slider's move to the finished picture, medians of {moves} moves."
        yield Part("A slider in the lab", how, slider_rows(slider)), {"slider": slider}
    if not given.no_peers:
        yield peers.part(quick, given.rounds), {}


def counted_rounds(rounds: int) -> str:
    """`1 round`, `3 rounds`."""
    return f"{rounds} round{'' if rounds == 1 else 's'}"


def options() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = argparse.ArgumentParser(description="Measure the speed of edasim beside two plain models and Ciw.")
    parser.add_argument("--orders", type=int, default=10_000, help="orders of one run beside the plain models")
    parser.add_argument("--rounds", type=int, default=5, help="how often each model has its turn")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller runs: a first impression")
    parser.add_argument("--no-growth", action="store_true", help="without the growth in time and memory")
    parser.add_argument("--no-slider", action="store_true", help="without the moves of a slider (they need the lab)")
    parser.add_argument("--no-peers", action="store_true", help="without Ciw (it is installed into .venv-ciw)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--write", metavar="FILE", help="write it all as a page, too")
    parser.add_argument("--one", nargs=2, metavar=("NAME", "ORDERS"), help="one run of one size, as JSON")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table or JSON."""
    given = options().parse_args(arguments)
    if given.one:
        print(json.dumps(measure_one_size(given.one[0], int(given.one[1]))))
        return 0
    parts: list[Part] = []
    raw: dict[str, Any] = {"machine": machine(), "orders": given.orders, "rounds": given.rounds, "quick": given.quick}
    for part, numbers in parts_of(given):
        parts.append(part)
        raw |= numbers
        if not given.json:
            print("\n\n".join(text for text in (part.name, part.how, table(part.rows), *part.remarks) if text), "\n")
            sys.stdout.flush()
    if given.json:
        raw["rows"] = [asdict(row) for part in parts for row in part.rows]
        raw["remarks"] = [remark for part in parts for remark in part.remarks]
        print(json.dumps(raw, indent=2))
    else:
        print(f"Measured with {machine()}.")
    if given.write:
        write_whole(given.write, page(machine(), parts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
