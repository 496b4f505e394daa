"""Charts of runs and comparisons, with Matplotlib: each is f(*runs, ax=None) -> Axes, and a comparison will do as well.

    from edasim.charts.timeline import backlog, completed, lag, lag_age, staleness, torn
    from edasim.charts.hot_partition import hot_partition                            # Kafka: where records wait
    from edasim.charts.rebalance import rebalance                                    # Kafka: who reads what
    from edasim.charts.replay import replay                                          # Kafka: a group that came late

    rebalance(eager, cooperative, service="payment")         # on axes of its own; in a notebook:
    lab.drawn(rebalance, eager, cooperative, service="payment")
"""
