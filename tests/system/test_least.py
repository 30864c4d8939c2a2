"""LeastRequested on a real engine: what containers ask for against what agents say they have."""
from harness import SystemTest, wait_until, workload


class LeastRequested(SystemTest):
    def test_children_spread_by_what_they_ask_for_and_the_rest_waits(self):
        cluster = self.cluster(2, "--cpu", "1500m", "--memory", "4Gi")
        cluster.apply({"apiVersion": "hordelet.dev/v1", "kind": "Supervisor",
                       "metadata": {"name": "least"},
                       "spec": {"distributionStrategy": "LeastRequested"}})
        wait_until(lambda: all(m["status"].get("capacity") == {"cpu": "1500m", "memory": 4 << 30}
                               for m in cluster[1].items("members")), 5, "members tell")
        document = workload("web", 7, supervisor="least")
        document["spec"]["container"]["resources"] = {"requests": {"cpu": "500m"}}
        cluster.apply(document)
        wait_until(lambda: len(cluster.containers()) == 6, 20, "six fit")
        self.assertEqual(len(cluster.containers("n1")), 3)
        waiting = [c for c in cluster[2].children("web").values() if c["phase"] == "Pending"]
        self.assertEqual([c["reason"] for c in waiting], ["NoRoom"])
        self.assertIn("cpu and memory", waiting[0]["message"])
        name = next(n for n, c in cluster[2].children("web").items() if c["phase"] == "Pending")
        self.assertIn("NoRoom: it has not the cpu", cluster[1].cli("ring", name).stdout)
        cluster.scale("web", 6)
        cluster.exactly_once("web", 6)
