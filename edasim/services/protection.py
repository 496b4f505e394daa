"""What the callers of one service remember from call to call: whether calling makes sense, and what they can afford."""
from __future__ import annotations

from edasim.core.message import Message
from edasim.core.world import World
from edasim.scenario.value import Service as ServiceSpec
from edasim.services.breaker import Breaker
from edasim.services.retry import Budget, BudgetedPolicy, RetryPolicy


class Protection:
    """The breaker and the retry budget of one service, either of which may be missing; an attempt is one call.

    All callers of a service share one: the modules of the monolith, the gateway over RPC, on a broker all of the
    service's consumers.
    """

    def __init__(self, breaker: Breaker | None, budget: Budget | None) -> None:
        self.breaker = breaker
        self._budget = budget

    def enter(self) -> int:
        """A permit for one attempt; 0 when the breaker lets none through."""
        return 1 if self.breaker is None else self.breaker.enter()

    def keep_out(self, message: Message) -> None:
        """Record that a call was not made for want of a permit."""
        assert self.breaker is not None, "only a breaker keeps a call out"
        self.breaker.short_circuited(message.id)

    def over(self, permit: int, ok: bool) -> None:
        """An attempt has ended."""
        if ok and self._budget is not None:
            self._budget.earn()
        if self.breaker is not None:
            self.breaker.over(permit, ok)

    def abandon(self, permit: int) -> None:
        """An attempt was called off, or died with its worker."""
        if self.breaker is not None:
            self.breaker.abandon(permit)


def protection_of(world: World, name: str, spec: ServiceSpec, policy: RetryPolicy) -> Protection | None:
    """None for a service with neither breaker nor budget, so that nothing needs to be remembered."""
    breaker = None if spec.breaker is None else Breaker(world, name, spec.breaker)
    budget = policy.budget if isinstance(policy, BudgetedPolicy) else None
    return None if breaker is None and budget is None else Protection(breaker, budget)
