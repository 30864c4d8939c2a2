"""An engine that restarts, hangs, or is not there: the agents live, and children run once again."""
import os
import signal
import threading
import time

from harness import POLITE, SystemTest, engine, holds_for, wait_until, workload


class Pulse:
    """GET /livez of every agent, all the while; keeps the slowest answer."""

    def __init__(self, cluster):
        self.agents = list(cluster.alive)
        self.slowest, self.count, self.failed = 0, 0, None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.beat)

    def beat(self):
        while not self.stop.wait(0.1):
            for agent in self.agents:
                began = time.monotonic()
                try:
                    answer = agent.ask("GET", "/livez", timeout=5)
                    if answer.status != 200:
                        self.failed = answer
                except OSError as error:
                    self.failed = error
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.count += 1

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def check(self, test):
        test.note(f"{self.count} times /livez, the slowest {self.slowest * 1000:.0f} ms")
        test.assertIsNone(self.failed)
        test.assertLess(self.slowest, 1)


def processes(*command):
    """How many processes of this very command line there are on the machine."""
    wanted = "\0".join(command).encode() + b"\0"
    count = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    count += file.read() == wanted
            except OSError:
                pass  # it has just ended
    return count


class EngineTrouble(SystemTest):
    def setUp(self):
        self.addCleanup(lambda: engine().start())

    def kill_engine(self):
        pid = engine().pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}/exe"), 5, "dockerd is gone")

    def test_engine_restarts_and_every_child_runs_again_once(self):
        cluster = self.cluster(3)
        command = ("sleep", f"1{os.getpid()}")
        cluster.apply(workload("web", 6, command))
        before = cluster.exactly_once("web", 6)
        with Pulse(cluster) as pulse:
            self.kill_engine()
            wait_until(lambda: "the engine does not answer" in cluster[1].log_text(), 5,
                       "n1 says that its engine is away")
            # While it is away, what is asked for is taken down.
            cluster.apply(workload("late", 2), on=2)
            engine().start()
            after = cluster.exactly_once("web", 6, timeout=30)
            cluster.exactly_once("late", 2)
        pulse.check(self)
        self.assertEqual({o: c.node for o, c in after.items()},
                         {o: c.node for o, c in before.items()})
        self.assertEqual(processes(*command), 6)

    def test_engine_stops_in_good_order_and_comes_back(self):
        cluster = self.cluster(2)
        cluster.apply(workload("web", 4, POLITE))
        cluster.exactly_once("web", 4)
        with Pulse(cluster) as pulse:
            pid = engine().pid
            os.kill(pid, signal.SIGTERM)
            wait_until(lambda: not os.path.exists(f"/proc/{pid}/exe"), 30, "dockerd is gone")
            engine().start()
            cluster.exactly_once("web", 4, timeout=30)
        pulse.check(self)

    def test_engine_hangs_and_goes_on(self):
        cluster = self.cluster(2)
        cluster.apply(workload("web", 4))
        before = cluster.exactly_once("web", 4)
        with Pulse(cluster) as pulse:
            engine().signal(signal.SIGSTOP)
            try:
                cluster.apply(workload("late", 2))
                cluster.scale("web", 3)
                cluster.apply(workload("later", 1), on=2)
                holds_for(6, lambda: self.assertEqual(
                    {"n1": "alive", "n2": "alive"}, cluster[1].phases()))
            finally:
                engine().signal(signal.SIGCONT)
            after = cluster.exactly_once("web", 3, timeout=30)
            cluster.exactly_once("late", 2, timeout=30)
            cluster.exactly_once("later", 1, timeout=30)
        pulse.check(self)
        self.assertEqual({c.id for c in after.values()}, {before[o].id for o in range(3)})

    def test_engine_is_absent_at_the_start_and_comes_later(self):
        engine()
        cluster = self.cluster(2, start=False)
        self.kill_engine()
        cluster.start()
        with Pulse(cluster) as pulse:
            cluster.apply(workload("web", 3))
            holds_for(1, lambda: self.assertEqual(
                {s["phase"] for s in cluster[2].children("web").values()}, {"Pending"}))
            for item in cluster[1].items("members"):
                self.assertFalse(item["status"]["runtime"]["healthy"])
            engine().start()
            cluster.exactly_once("web", 3, timeout=30)
        pulse.check(self)

    def test_children_of_an_engine_that_stays_away_are_adopted_by_others(self):
        cluster = self.cluster(2, "--engine-grace=2s", start=False)
        cluster[2].options["--runtime"] = "unix:///no/such/engine.sock"
        cluster.start()
        cluster.apply(workload("web", 6))
        after = cluster.exactly_once("web", 6)
        self.assertEqual({c.node for c in after.values()}, {"n1"})
