"""What trials read from a run: sums and counts to be pooled over replications."""

from __future__ import annotations

import numpy as np

from edasim.measure.summary import Summary
from edasim.simulate import Run
from edasim.study.validate.case import Numbers, quotient


def station(run: Run) -> Numbers:
    """One service in front of which orders queue up: sums over counted orders, averages over the measured span."""
    summary = run.summary()
    service = summary.services["payment"]
    inside, span = summary.open_orders(), (summary.start_s, summary.end_s)
    return orders_sums(summary) | {
        "waits": float(service.wait_s.sum()), "begun": float(len(service.wait_s)),
        "waited": float(np.sum(service.wait_s > 0)),
        "L": inside.mean(*span), "Lq": service.backlog_mean, "utilisation": service.utilisation,
        "P0": 1 - inside.share_at_least(1, *span), "throughput": service.throughput_per_s,
        "work": float(service.work_s.sum()), "worked": float(len(service.work_s)),
    }


def orders_sums(summary: Summary) -> dict[str, float]:
    """How many counted orders there were, and the sum of the completion latencies of those that are done."""
    latency = summary.completion_latency_s
    done = latency[np.isfinite(latency)]
    return {"placed": float(summary.outcomes["placed"]), "done": float(len(done)), "sojourns": float(done.sum())}


SOJOURN = quotient("sojourns", "done")
WAIT = quotient("waits", "begun")
WAITING = quotient("waited", "begun")
WORK = quotient("work", "worked")
