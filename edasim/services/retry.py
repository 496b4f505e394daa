"""When to try again: attempts, backoff and jitter, the same for a consumer, an RPC call and a module call."""
from __future__ import annotations

from edasim.core.world import World
from edasim.scenario.retry_policy import Budget as BudgetSpec
from edasim.scenario.retry_policy import Retry

_TOKEN = 10**9
"""Tokens are counted in billionths, so that ten tenths are one."""


class Budget:
    """A bucket of tokens, full at the start: a success earns a part of one, a retry costs one whole."""

    def __init__(self, spec: BudgetSpec) -> None:
        self.spec = spec
        self._billionths = spec.cap * _TOKEN

    def use(self, spec: BudgetSpec) -> None:
        """Other terms from now on; what is saved up stays, as far as the cap allows."""
        self.spec = spec
        self._billionths = min(self._billionths, spec.cap * _TOKEN)

    def earn(self) -> None:
        """A call ended well; beyond the cap nothing is saved."""
        spec = self.spec
        self._billionths = min(self._billionths + round(spec.earns * _TOKEN), spec.cap * _TOKEN)

    def spend(self) -> bool:
        """Pay for a retry; False when less than a token is left."""
        if self._billionths < _TOKEN:
            return False
        self._billionths -= _TOKEN
        return True


class RetryPolicy:
    """The waits between attempts under one policy; jitter is drawn in sequence for each name.

    Jitter as in M. Brooker, "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015): full is
    U(0, d), equal is d/2 + U(0, d/2), decorrelated is U(base, 3 x the wait before), capped.
    """

    def __init__(self, world: World, name: str, spec: Retry) -> None:
        self.spec = spec
        self._luck = world.draws.sequential("jitter", name)

    def allows(self, attempts_made: int) -> bool:
        """Whether another attempt may follow after so many; where there is a budget, a yes is paid for."""
        return self.spec.attempts is None or attempts_made < self.spec.attempts

    def wait_ns(self, attempts_made: int, last_wait_ns: int = 0) -> int:
        """How long to wait before the next attempt, jitter included."""
        wait_ns = self.spec.backoff.delay_ns(attempts_made)
        jitter = self.spec.jitter
        if wait_ns == 0 or jitter == "none":
            return wait_ns
        luck: float = self._luck.draw()
        if jitter == "full":
            return round(luck * wait_ns)
        if jitter == "equal":
            return round(wait_ns / 2 + luck * wait_ns / 2)
        base_ns = self.spec.backoff.delay_ns(1)
        high_ns = max(base_ns, 3 * (last_wait_ns or base_ns))
        decorrelated_ns = round(base_ns + luck * (high_ns - base_ns))
        most_ns = self.spec.backoff.most_ns
        return decorrelated_ns if most_ns is None else min(decorrelated_ns, most_ns)


class BudgetedPolicy(RetryPolicy):
    """A policy whose retries must be affordable; all callers of a service share its budget."""

    def __init__(self, world: World, name: str, spec: Retry) -> None:
        super().__init__(world, name, spec)
        assert spec.budget is not None, "a budgeted policy has a budget"
        self.budget = Budget(spec.budget)

    def allows(self, attempts_made: int) -> bool:
        """Whether another attempt may follow and the budget pays for it."""
        return super().allows(attempts_made) and self.budget.spend()
