from __future__ import annotations

from tests.servers.topologies import BROKERS, TOPOLOGIES, is_wanted


def run_on(*chosen: str, everywhere: bool) -> set[str]:
    return {name for name in TOPOLOGIES if is_wanted(name, chosen, everywhere=everywhere)}


def test_every_driver_of_a_bus_is_a_topology() -> None:
    assert TOPOLOGIES.keys() == {"one", "memory", "workers"} | BROKERS.keys()
    assert BROKERS.keys() == {"redis", "redis-cluster", "nats", "rabbitmq", "kafka"}


def test_what_nodes_tell_each_other_is_tried_on_every_topology() -> None:
    assert run_on(everywhere=True) == TOPOLOGIES.keys()


def test_what_no_bus_changes_is_tried_on_one_broker() -> None:
    assert run_on(everywhere=False) == {"one", "memory", "redis", "workers"}


def test_a_chosen_topology_is_the_only_one() -> None:
    for everywhere in (False, True):
        assert run_on("kafka", "one", everywhere=everywhere) == {"kafka", "one"}


def test_what_knows_no_topology_is_always_run() -> None:
    assert is_wanted(None, ("kafka",), everywhere=False)
    assert is_wanted("memory, stores in redis", (), everywhere=False)
