"""hordelet gc --orphans, on a real engine: what is of nobody goes when it is asked for, and nothing
else."""
import json
import os
import shutil

from harness import POLITE, SystemTest, engine, wait_until, workload


class Gc(SystemTest):
    def orphan(self, cluster, node, name, cluster_name=None):
        return engine().run(f"{cluster.name}-{node}-{name}-{cluster_name}", {
            "dev.hordelet.cluster": cluster_name or cluster.name, "dev.hordelet.node": node,
            "dev.hordelet.replica": "0123456789abcdef", "dev.hordelet.child": f"default/{name}/0",
            "dev.hordelet.uid": "01234567-89ab-cdef-0123-456789abcdef", "dev.hordelet.epoch": "1",
            "dev.hordelet.supervisor": "default", "dev.hordelet.spec-hash": "0123456789abcdef"})

    def listed(self, agent, *arguments):
        result = agent.cli("gc", "--orphans", "--dry-run", "-o", "json", *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return {item["containerID"] for item in json.loads(result.stdout)["items"]}

    def exists(self, identity):
        return engine().ask("GET", f"/containers/{identity}/json").status == 200

    def test_only_orphans_go_and_only_when_asked(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 6, POLITE))
        cluster.exactly_once("web", 6)
        kept = [self.orphan(cluster, "n9", "unknown"),  # of a node that is none of ours
                self.orphan(cluster, "n1", "unknown", "another-cluster"),
                engine().run(f"{cluster.name}-plain")]
        self.addCleanup(lambda: [engine().remove_container(c) for c in kept])
        first, second = (self.orphan(cluster, "n1", "unknown"), self.orphan(cluster, "n2", "gone"))
        for agent in cluster.agents.values():  # its next list tells of them
            agent.terminate(10)
            agent.start()
        cluster.wait_formed()
        cluster.exactly_once("web", 6)
        wait_until(lambda: self.listed(cluster[3]) == {first, second}, 10, "both are known")
        self.assertEqual(self.listed(cluster[3], "--node", "n2"), {second})
        table = cluster[3].cli("gc", "--orphans", "--dry-run").stdout
        self.assertRegex(table, rf"(?m)^n1 +{first[:12]} +default/unknown-0 +1 +running$")
        before = {c.id for c in cluster.containers() if c.node in ("n1", "n2", "n3")}
        result = cluster[3].cli("gc", "--orphans", "--node", "n1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout,
                         f"container {first[:12]} of default/unknown-0 on n1 removed\n")
        self.assertFalse(self.exists(first))
        self.assertTrue(self.exists(second))
        self.assertEqual(cluster[1].cli("gc", "--orphans").returncode, 0)
        self.assertFalse(self.exists(second))
        self.assertTrue(all(self.exists(c) for c in kept))
        self.assertEqual({c.id for c in cluster.containers() if c.node in ("n1", "n2", "n3")},
                         before - {first, second})
        result = cluster[2].cli("gc", "--orphans")
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        self.assertIn("no orphans", result.stderr)

    def test_what_a_lost_data_directory_leaves_behind(self):
        cluster = self.cluster(1)
        cluster.apply(workload("web", 2, POLITE))
        cluster.exactly_once("web", 2)
        left = {c.id for c in cluster.containers()}
        cluster[1].kill()
        shutil.rmtree(cluster[1].data)
        os.mkdir(cluster[1].data)
        cluster[1].start()
        wait_until(lambda: cluster[1].phases() == {"n1": "alive"}, 15, "n1 is back")
        wait_until(lambda: self.listed(cluster[1]) == left, 15, "they are orphans now")
        self.assertEqual({c.id for c in cluster.containers()}, left)
        result = cluster[1].cli("gc", "--orphans")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(cluster.containers(), [])

    def test_wrong_uses_and_members_that_are_away(self):
        cluster = self.cluster(2)
        self.assertEqual(cluster[1].cli("gc").returncode, 2)
        self.assertEqual(cluster[1].cli("gc", "--orphans", "-o", "json").returncode, 2)
        self.assertEqual(cluster[1].cli("gc", "--orphans", "--node", "nobody").returncode, 1)
        cluster[2].kill()
        wait_until(lambda: cluster[1].phases()["n2"] == "dead", 8, "n2 is dead")
        result = cluster[1].cli("gc", "--orphans")
        self.assertEqual(result.returncode, 0)
        self.assertIn("member/n2 cannot be asked", result.stderr)
        self.assertEqual(cluster[1].cli("gc", "--orphans", "--node", "n2").returncode, 1)
