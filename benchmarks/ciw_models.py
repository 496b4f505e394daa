"""The cases of `peers.py` in Ciw, as its documentation writes them. Runs in an environment that has Ciw and no edasim.

`python ciw_models.py '{"rate": 80, "stations": [[1, 0.01]], "orders": 200000, "seed": 1}'` prints one JSON object.
"""
from __future__ import annotations

import gc
import json
import sys
import time
from importlib.metadata import version
from typing import Any

import ciw


def simulated(case: dict[str, Any], orders: int) -> list[float]:
    """The mean wait in seconds at each station, after so many customers have left each on average.

    Ciw has no fork and join: of several stations each gets a Poisson stream of its own. A station alone cannot tell,
    since what a fan-out hands to each of its services is a Poisson stream, too. Nobody moves on from a station.
    """
    stations = case["stations"]
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=case["rate"]) for _ in stations],
        service_distributions=[ciw.dists.Exponential(rate=1 / work_s) for _, work_s in stations],
        number_of_servers=[servers for servers, _ in stations],
        routing=[[0.0] * len(stations) for _ in stations],
    )
    ciw.seed(case["seed"])
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(orders * len(stations), method="Finish")
    waits: list[list[float]] = [[] for _ in stations]
    for record in simulation.get_all_records():
        waits[record.node - 1].append(record.waiting_time)
    return [sum(found) / len(found) if found else 0.0 for found in waits]


def main(text: str) -> None:
    """Warm up, run once, and say how long that took in CPU seconds and what came out."""
    case = json.loads(text)
    simulated(case, 200)
    gc.collect()
    start = time.process_time()
    waits_s = simulated(case, case["orders"])
    spent_s = time.process_time() - start
    print(json.dumps({"spent_s": spent_s, "waits_s": waits_s, "version": version("ciw")}))


if __name__ == "__main__":
    main(sys.argv[1])
