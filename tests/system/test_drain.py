"""hordelet drain and uncordon: a member hands over what it runs and stays a member."""
import json
import time

from harness import POLITE, SystemTest, wait_until, workload


class Drain(SystemTest):
    def test_a_drained_member_is_empty_and_takes_children_again_once_uncordoned(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 9, POLITE))
        cluster.exactly_once("web", 9)
        before = {c.id: c.node for c in cluster.containers()}
        moving = [c for c, node in before.items() if node == "n3"]
        self.assertNotEqual(moving, [])
        began = time.monotonic()
        result = cluster[1].cli("drain", "n3")
        self.note(f"{len(moving)} children drained in {time.monotonic() - began:.1f} s")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"^member/n3 drains: \d+ children\n")
        self.assertEqual(result.stdout.splitlines()[-1], "member/n3 drained")
        self.assertRegex(result.stdout, r"child/default/web-\d: moved to n[12], ")
        cluster.exactly_once("web", 9)
        after = {c.id: c.node for c in cluster.containers()}
        self.assertNotIn("n3", after.values())
        for identity, node in before.items():  # nobody else was touched
            if node != "n3":
                self.assertEqual(after.get(identity), node)
        self.assertEqual(cluster[2].phases()["n3"], "alive")
        self.assertIn("alive,drained", cluster[2].cli("get", "members").stdout)
        self.assertEqual(cluster[1].cli("drain", "n3").returncode, 0)  # it is so already

        cluster[3].terminate(10)
        cluster[3].start()
        wait_until(lambda: set(cluster[1].phases().values()) == {"alive"}, 15, "n3 is back")
        cluster.apply(workload("more", 9))
        cluster.exactly_once("more", 9)
        self.assertEqual(cluster.containers("n3"), [])  # the wish outlives the agent
        self.assertEqual(cluster[2].cli("uncordon", "n3").returncode, 0)
        cluster.apply(workload("again", 9))
        cluster.exactly_once("again", 9)
        self.assertNotEqual(cluster.containers("n3"), [])

    def test_what_nobody_else_may_take_runs_on(self):
        cluster = self.cluster(2)
        cluster.apply(workload("web", 4, POLITE))
        cluster.exactly_once("web", 4)
        cluster[1].cli("cordon", "n1")
        held = {c.id for c in cluster.containers("n2")}
        self.assertNotEqual(held, set())
        result = cluster[1].cli("drain", "n2", "--timeout", "3s")
        self.assertEqual(result.returncode, 1)
        self.assertIn("waits: its node drains, and no other member may take it", result.stdout)
        self.assertIn("hordelet uncordon n2", result.stderr)
        self.assertEqual({c.id for c in cluster.containers("n2")}, held)
        told = json.loads(cluster[1].cli("get", "child", "-o", "json").stdout)
        reasons = {c["status"].get("reason") for c in told["items"]
                   if c["status"]["node"] == "n2"}
        self.assertEqual(reasons, {"Draining"})
        cluster[2].cli("uncordon", "n1")
        wait_until(lambda: cluster.containers("n2") == [], 15, "n2 goes on when there is room")
        cluster.exactly_once("web", 4)

    def test_wrong_uses(self):
        cluster = self.cluster(1)
        self.assertEqual(cluster[1].cli("drain").returncode, 2)
        wrong = cluster[1].cli("drain", "nobody")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("member/nobody", wrong.stderr)
