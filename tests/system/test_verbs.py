"""The verbs that act on members, supervisors and single children, as an operator types them."""
import tempfile
import time

from harness import POLITE, SystemTest, holds_for, wait_until, workload


class Verbs(SystemTest):
    def done(self, agent, *arguments):
        result = agent.cli(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_terminate_stops_a_child_for_good(self):
        cluster = self.cluster(2)
        cluster.apply(workload("web", 2, POLITE))
        cluster.exactly_once("web", 2)
        self.assertEqual(self.done(cluster[2], "terminate", "web-0"), "child/web-0 terminated\n")
        wait_until(lambda: "Succeeded" in self.done(cluster[1], "get", "child", "web-0"), 10,
                   "web-0 stays down")
        self.assertIn("Running", self.done(cluster[1], "get", "child", "web-1"))
        wrong = cluster[1].cli("terminate", "web-7")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("child/web-7", wrong.stderr)

    def test_a_cordoned_member_takes_no_children_until_it_is_uncordoned(self):
        cluster = self.cluster(2)
        self.assertEqual(self.done(cluster[1], "cordon", "n2"), "member/n2 cordoned\n")
        cluster.apply(workload("web", 6))
        cluster.exactly_once("web", 6)
        self.assertEqual(cluster.containers("n2"), [])
        self.done(cluster[2], "uncordon", "n2")
        cluster.apply(workload("more", 6))
        cluster.exactly_once("more", 6)
        self.assertNotEqual(cluster.containers("n2"), [])

    def test_members_of_a_supervisor_are_set_on_any_node(self):
        cluster = self.cluster(3)
        self.done(cluster[3], "set-members", "default", "n1,n2,absent")
        cluster.apply(workload("web", 9))
        cluster.exactly_once("web", 9)
        self.assertEqual(cluster.containers("n3"), [])
        self.done(cluster[1], "set-members", "default", "auto")
        cluster.apply(workload("more", 9))
        cluster.exactly_once("more", 9)
        self.assertNotEqual(cluster.containers("n3"), [])
        self.assertEqual(cluster[1].cli("set-members", "default", "a,").returncode, 2)
        self.done(cluster[2], "set-members", "default", "n1,n2")
        wait_until(lambda: cluster.containers("n3") == [], 15, "n3 hands its children over")
        cluster.exactly_once("web", 9)
        cluster.exactly_once("more", 9)

    def test_a_dead_member_is_forgotten_and_a_living_one_is_not(self):
        cluster = self.cluster(3)
        cluster[3].kill()
        wait_until(lambda: cluster[1].phases().get("n3") == "dead", 8, "n3 is dead")
        self.assertNotEqual(cluster[1].cli("forget", "n2").returncode, 0)
        self.done(cluster[1], "forget", "n3")
        wait_until(lambda: "n3" not in cluster[2].phases(), 5, "n3 is forgotten everywhere")

    def detached(self, cluster, *arguments):
        """n3 goes and leaves what it runs. Returns that: ids and epochs of containers."""
        cluster.apply(workload("web", 9, POLITE))
        cluster.exactly_once("web", 9)
        held = self.held(cluster)
        self.detached_at = time.monotonic()
        self.assertIn("has detached", self.done(cluster[3], "detach", *arguments))
        self.assertEqual(cluster[3].process.wait(5), 0)
        return held

    def held(self, cluster):
        containers = {(c.id, c.epoch) for c in cluster.containers("n3")}
        self.assertNotEqual(containers, set())
        return containers

    def test_a_detached_agent_comes_back_to_its_containers(self):
        cluster = self.cluster(3)
        held = self.detached(cluster, "--for", "20s")

        def check():
            self.assertEqual({cluster[1].phases()["n3"], cluster[2].phases()["n3"]}, {"absent"})
            self.assertEqual(self.held(cluster), held)
            self.assertEqual(len(cluster.containers()), 9)

        holds_for(6, check)
        cluster[3].start()
        wait_until(lambda: set(cluster[1].phases().values()) == {"alive"}, 5, "n3 is back")
        cluster.exactly_once("web", 9)
        self.assertEqual(self.held(cluster), held)

    def test_a_detached_agent_that_is_late_is_adopted(self):
        cluster = self.cluster(3)
        held = self.detached(cluster, "--for", "5s")
        wait_until(lambda: cluster[1].phases()["n3"] == "dead", 8, "n3's time is over")
        self.assertGreater(time.monotonic() - self.detached_at, 4)
        wait_until(lambda: len([c for c in cluster.containers() if c.node != "n3"]) == 9, 8,
                   "what n3 ran runs elsewhere")
        self.assertEqual(self.held(cluster), held)
        cluster[3].start()
        wait_until(lambda: cluster.containers("n3") == [], 10, "n3 ends its old copies")
        cluster.exactly_once("web", 9)

    def test_sigterm_detaches_if_so_configured(self):
        cluster = self.cluster(3)
        cluster[3].terminate(10)
        cluster[3].options["--on-sigterm"] = "detach"
        cluster[3].start()
        wait_until(lambda: set(cluster[1].phases().values()) == {"alive"}, 5, "n3 is back")
        cluster.apply(workload("web", 9, POLITE))
        cluster.exactly_once("web", 9)
        held = self.held(cluster)
        self.assertEqual(cluster[3].terminate(5), 0)
        wait_until(lambda: cluster[1].phases()["n3"] == "absent", 5, "n3 is absent")
        cluster[3].start()
        wait_until(lambda: set(cluster[1].phases().values()) == {"alive"}, 5, "n3 is back again")
        cluster.exactly_once("web", 9)
        self.assertEqual(self.held(cluster), held)

    def test_events_tell_what_happened_on_all_nodes(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 3))
        cluster.exactly_once("web", 3)
        cluster.kill_node(3)
        for agent in (cluster[1], cluster[2]):
            wait_until(lambda: agent.phases()["n3"] == "dead", 5, "n3 is dead")
        cluster.exactly_once("web", 3)
        told = self.done(cluster[1], "events")
        for line in [r"Warning +Dead +member/n3 +n1 ", r"Warning +Dead +member/n3 +n2 ",
                     r"Normal +Started +child/web-0 ", r"Normal +Placed +child/web-2 "]:
            self.assertRegex(told, line)
        self.assertNotRegex(self.done(cluster[2], "events", "web"), "member/")
        self.assertNotIn("Normal", self.done(cluster[2], "events", "--warnings"))
        cluster[2].freeze()
        result = cluster[1].cli("events", "web", "-o", "json")
        self.assertEqual(result.returncode, 0)
        self.assertIn("no answer from n2", result.stderr)
        cluster[2].thaw()

    def test_what_is_exported_is_read_back(self):
        cluster = self.cluster(1)
        cluster.apply(workload("web", 2))
        cluster.exactly_once("web", 2)
        text = self.done(cluster[1], "export")
        self.assertIn("name: web", text)
        self.assertNotIn("status:", text)
        self.done(cluster[1], "delete", "workload", "web", "--wait")
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text)
            file.flush()
            self.done(cluster[1], "apply", "-f", file.name)
        cluster.exactly_once("web", 2)
