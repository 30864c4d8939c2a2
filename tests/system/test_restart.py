"""Agents that restart, power cuts: nothing acknowledged is lost, nothing runs twice."""
# This module begins first: it takes longest.
import contextlib
import os
import shutil
import signal
import threading
import time

from harness import SystemTest, engine, holds_for, identity, wait_until, workload


class Restart(SystemTest):
    def test_a_restarted_agent_adopts_its_containers_as_they_are(self):
        cluster = self.cluster(1)
        cluster.apply(workload("web", 4))
        before = identity(cluster.exactly_once("web", 4).values())
        for _ in range(3):
            cluster[1].kill()
            cluster[1].start()
            after = identity(cluster.exactly_once("web", 4).values())
            self.assertEqual(after, before)

    def test_all_agents_restart_at_once_and_no_container_does(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 9))
        before = identity(cluster.exactly_once("web", 9).values())
        for agent in cluster.alive:
            agent.kill()
        for agent in cluster.agents.values():
            agent.start()
        cluster.wait_formed()
        self.assertEqual(identity(cluster.exactly_once("web", 9).values()), before)

    def test_what_was_deleted_while_an_agent_was_away_ends_when_it_returns(self):
        cluster = self.cluster(2)
        cluster.apply(workload("web", 6))
        cluster.exactly_once("web", 6)
        cluster[2].kill()
        cluster.delete("web", on=1)
        wait_until(lambda: not cluster.containers("n1"), 10, "n1's containers end")
        self.assertTrue(cluster.containers("n2"))
        cluster[2].start()
        cluster.gone("web")

    def test_orphans_are_never_touched(self):
        cluster = self.cluster(1)
        labels = {"dev.hordelet.cluster": cluster.name, "dev.hordelet.node": "n1",
                  "dev.hordelet.replica": "0123456789abcdef",
                  "dev.hordelet.child": "default/unknown/0",
                  "dev.hordelet.uid": "01234567-89ab-cdef-0123-456789abcdef",
                  "dev.hordelet.epoch": "1", "dev.hordelet.supervisor": "default",
                  "dev.hordelet.spec-hash": "0123456789abcdef"}
        garbage = {"dev.hordelet.cluster": cluster.name, "dev.hordelet.node": "n1",
                   "dev.hordelet.child": "///", "dev.hordelet.epoch": "many"}
        orphans = [engine().run(f"{cluster.name}-orphan", labels),
                   engine().run(f"{cluster.name}-garbage", garbage)]
        before = {o: engine().inspect(o)["State"]["StartedAt"] for o in orphans}
        cluster.apply(workload("web", 2))
        cluster.exactly_once("web", 2)
        cluster[1].kill()
        cluster[1].start()
        cluster.exactly_once("web", 2)
        cluster.delete("web")
        wait_until(lambda: len(cluster.containers()) == 2, 10, "only the orphans are left")
        time.sleep(2)
        after = {o: engine().inspect(o)["State"]["StartedAt"] for o in orphans}
        self.assertEqual(after, before)
        for orphan in orphans:
            self.assertTrue(engine().inspect(orphan)["State"]["Running"])


class PowerCut(SystemTest):
    def cut_power(self, cluster):
        """All agents and all containers, as nearly at once as a loop can."""
        pids = [engine().inspect(c.id)["State"]["Pid"] for c in cluster.containers()]
        for agent in cluster.alive:
            agent.process.kill()
        for pid in filter(None, pids):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for agent in cluster.agents.values():
            agent.process.wait()
        for container in cluster.containers():  # what began in between
            engine().kill(container.id)

    def test_every_acknowledged_workload_runs_again_once(self):
        cluster = self.cluster(3)
        acknowledged, asked, stop = [], [], threading.Event()

        def writer(index):
            for number in range(100):
                name = f"w{index}-{number}"
                asked.append(name)
                try:
                    cluster.apply(workload(name), on=index)
                except (OSError, AssertionError):
                    return
                acknowledged.append(name)
                if stop.wait(0.15):
                    return
        writers = [threading.Thread(target=writer, args=(i,)) for i in (1, 2, 3)]
        for thread in writers:
            thread.start()
        time.sleep(1.5)
        self.cut_power(cluster)
        stop.set()
        for thread in writers:
            thread.join()
        self.note(f"{len(acknowledged)} acknowledged, {len(asked)} asked for")
        self.assertGreater(len(acknowledged), 10)
        for agent in cluster.agents.values():
            agent.start()
        cluster.wait_formed()
        for name in acknowledged:
            cluster.exactly_once(name, 1, timeout=30, settle=0)
        kept = {c.workload for c in cluster.containers()}
        self.assertLessEqual(kept, set(asked))
        for name in kept:
            cluster.look(name, 1)

    def test_the_first_agent_up_does_not_adopt_the_world(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 9))
        before = cluster.exactly_once("web", 9)
        own = {c.child for c in before.values() if c.node == "n1"}
        self.cut_power(cluster)
        cluster[1].start()
        wait_until(lambda: {c.child for c in cluster.containers("n1")} == own, 15,
                   "n1 runs its own again")
        holds_for(4, lambda: self.assertEqual({c.child for c in cluster.containers()}, own))
        cluster[2].start()
        cluster[3].start()
        after = cluster.exactly_once("web", 9, timeout=30)
        self.assertEqual({o: c.node for o, c in after.items()},
                         {o: c.node for o, c in before.items()})

    def test_a_node_killed_the_instant_after_the_answer_loses_nothing(self):
        cluster = self.cluster(3)
        for number in range(10):
            cluster.apply(workload(f"w{number}", 2), on=3)
            cluster[3].process.kill()
            cluster.kill_node(3)
            cluster.exactly_once(f"w{number}", 2, settle=0)
            shutil.rmtree(cluster[3].data)  # its disk is gone with it
            cluster[3].start()
            cluster.wait_formed()
            cluster.delete(f"w{number}")
        self.note("10 of 10 survived")

    def test_a_write_to_a_lonely_agent_says_that_it_is_not_replicated(self):
        cluster = self.cluster(1)
        answer = cluster.apply(workload("web", 1))
        self.assertIn("not replicated", answer.headers.get("Warning", ""))
