"""Nodes that die, freeze, are cut off, and return: every child runs again, in the end once."""
# This module runs alone: its bounds are those of a machine that does nothing else.
import datetime
import time

from harness import SystemTest, engine, holds_for, wait_until, workload


def started_at(container):
    """Of the running container, on the wall clock."""
    text = engine().inspect(container.id)["State"]["StartedAt"]
    second, fraction = text.rstrip("Z").split(".")
    moment = datetime.datetime.fromisoformat(second + "+00:00")
    return moment.timestamp() + float("0." + fraction)


class Failover(SystemTest):
    def test_thirty_children_run_again_within_five_seconds_of_a_killed_node(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 30))
        before = cluster.exactly_once("web", 30, timeout=40)
        lost = {o for o, container in before.items() if container.node == "n2"}
        self.assertTrue(lost)
        killed = cluster.kill_node(2)
        after = cluster.exactly_once("web", 30)
        self.assertEqual({container.node for container in after.values()}, {"n1", "n3"})
        times = sorted(started_at(after[ordinal]) - killed for ordinal in lost)
        self.note(f"{len(lost)} lost; running again after "
                  f"{times[0]:.2f} (first) .. {times[-1]:.2f} s (last)")
        self.assertLess(times[-1], 5)
        for ordinal in set(before) - lost:
            self.assertEqual(after[ordinal].id, before[ordinal].id)
        for ordinal in lost:
            self.assertGreater(after[ordinal].epoch, before[ordinal].epoch)

    def test_an_agent_killed_alone_ends_its_copies_when_it_returns(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 9))
        before = cluster.exactly_once("web", 9)
        cluster[1].kill()
        adopted = wait_until(
            lambda: (lambda c: c if len(c) == 9 else None)(
                {c.child: c for c in cluster.containers() if c.node != "n1"}),
            10, "the survivors run all nine")
        # Nobody can end the old copies: their agent is away.
        self.assertEqual({c.id for c in cluster.containers("n1")},
                         {c.id for c in before.values() if c.node == "n1"})
        cluster[1].start()
        after = cluster.exactly_once("web", 9)
        self.assertEqual({c.id for c in after.values()}, {c.id for c in adopted.values()})

    def test_a_frozen_agent_is_replaced_and_ends_its_copies_when_it_thaws(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 9))
        cluster.exactly_once("web", 9)
        began = time.monotonic()
        cluster[3].freeze()
        wait_until(lambda: len({c.child for c in cluster.containers() if c.node != "n3"}) == 9,
                   10, "the survivors run all nine")
        self.note(f"all run on the survivors {time.monotonic() - began:.2f} s after the freeze")
        cluster[3].thaw()
        after = cluster.exactly_once("web", 9)
        self.assertEqual({c.node for c in after.values()}, {"n1", "n2"})

    def test_a_short_freeze_moves_nothing(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 6))
        before = cluster.exactly_once("web", 6)
        cluster[2].freeze()
        time.sleep(1)
        cluster[2].thaw()
        holds_for(4, lambda: self.assertEqual(
            {c.id for c in cluster.containers()}, {c.id for c in before.values()}))
        cluster.exactly_once("web", 6)

    def test_both_sides_of_a_cut_run_uniform_children_and_the_heal_leaves_one_of_each(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 6))
        cluster.exactly_once("web", 6)
        cluster.cut([3], [1, 2])

        def both_sides():
            here = {c.child for c in cluster.containers() if c.node == "n3"}
            there = {c.child for c in cluster.containers() if c.node != "n3"}
            return len(here) == len(there) == 6
        wait_until(both_sides, 20, "each side runs all six", every=0.1)
        healed = time.monotonic()
        cluster.heal()
        cluster.wait_formed(10)
        self.note(f"all alive again {time.monotonic() - healed:.2f} s after the heal")
        cluster.exactly_once("web", 6)

    def test_two_of_three_nodes_die_one_after_the_other(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 6))
        cluster.exactly_once("web", 6)
        cluster.kill_node(1)
        time.sleep(0.3)
        cluster.kill_node(2)
        after = cluster.exactly_once("web", 6)
        self.assertEqual({c.node for c in after.values()}, {"n3"})
        cluster[1].start()
        cluster[2].start()
        cluster.wait_formed()
        cluster.exactly_once("web", 6)
