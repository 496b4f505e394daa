"""The shops of the laws, which `edasim validate` builds too."""

from edasim.study.validate.shops import (
    ALL,
    BROKERS,
    ONE_QUEUE,
    SEPARATE,
    Parts,
    Scenario,
    architectures,
    chain,
    fan_out,
    shop,
    single_station,
)

__all__ = ["ALL", "BROKERS", "ONE_QUEUE", "SEPARATE", "Parts", "Scenario", "architectures", "chain", "fan_out", "shop",
           "single_station"]
