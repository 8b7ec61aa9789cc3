from __future__ import annotations

from sockudo.server.gates import NodeGates
from tests.fakes.node import World


def test_a_node_drains_from_the_moment_it_prepares_to_leave() -> None:
    world = World()
    gates = NodeGates(world.node, world.gauge)
    assert not gates.is_draining
    world.node.is_leaving = True
    assert gates.is_draining


def test_a_node_without_others_is_never_isolated() -> None:
    world = World()
    gates = NodeGates(world.node, world.gauge)
    assert (gates.full(), gates.overload(), gates.isolation()) == ("", "", "")
