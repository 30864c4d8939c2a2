"""Names of processes that are not children: registered, renewed, taken over, fought for."""
import signal
import subprocess
import time

from harness import API_PORT, BINARY, SystemTest, holds_for, wait_until, workload

NAMES = "namespaces/default/names"
METAS = "namespaces/default/metas"


def registration(ttl=3, value=None, **spec):
    return {"apiVersion": "hordelet.dev/v1", "kind": "Name",
            "metadata": {"name": "db", "labels": {"app": "db"}},
            "spec": {"address": "10.0.0.5", "port": 5432, "ttlSeconds": ttl, "value": value,
                     **spec}}


def meta(value):
    return {"apiVersion": "hordelet.dev/v1", "kind": "Meta", "metadata": {"name": "limit"},
            "spec": {"value": value}}


def owner(token):
    return {"Hordelet-Token": token}


ME, YOU = owner("the-token-of-one-owner"), owner("the-token-of-another")


class OutsideNames(SystemTest):
    def is_everywhere(self, cluster, there=True):
        return all((agent.ask("GET", f"{NAMES}/db").status == 200) == there
                   for agent in cluster.alive)

    def test_an_owner_registers_renews_changes_and_unregisters(self):
        cluster = self.cluster(3)
        done = cluster[1].ask("POST", NAMES, registration(value={"tier": "gold"}), ME)
        self.assertEqual(done.status, 201, done)
        after = {"Hordelet-After": done.headers["Hordelet-Written"]}
        for agent in cluster.alive:
            item = agent.ask("GET", f"{NAMES}/db", headers=after)
            self.assertEqual(item.status, 200, item)
            self.assertEqual(item.json["spec"]["value"], {"tier": "gold"})
            self.assertEqual(item.json["status"]["node"], "n1")
            self.assertEqual((item.json["status"]["address"], item.json["status"]["port"]),
                             ("10.0.0.5", 5432))
            self.assertTrue(item.json["status"]["owner"].startswith("token/"))
            for selector in ("fieldSelector=spec.value.tier%3Dgold", "labelSelector=app%3Ddb",
                             "fieldSelector=status.owner%3D" + item.json["status"]["owner"]):
                self.assertEqual(len(agent.items(f"names?{selector}")), 1, selector)
            count = agent.get("names?count=true")
            self.assertEqual(count["metadata"]["remainingItemCount"], 1)
            self.assertEqual(agent.cli("lookup", "db").stdout.split(),
                             ["db", "n1", "10.0.0.5:5432"])
        self.assertEqual(cluster[2].ask("POST", NAMES, registration(), YOU).status, 409)
        self.assertEqual(cluster[2].ask("PUT", f"{NAMES}/db", registration(), YOU).status, 403)
        self.assertEqual(cluster[2].ask("DELETE", f"{NAMES}/db", headers=YOU).status, 403)
        self.assertEqual(cluster[2].ask("PUT", f"{NAMES}/db", registration()).status, 401)
        for _ in range(8):
            time.sleep(1)
            self.assertEqual(cluster[1].ask("PUT", f"{NAMES}/db", registration(), ME).status, 200)
        self.assertTrue(self.is_everywhere(cluster))
        self.assertIsNone(cluster[3].get(f"{NAMES}/db")["spec"].get("value"))
        self.assertEqual(cluster[3].ask("DELETE", f"{NAMES}/db", headers=ME).status, 200)
        wait_until(lambda: self.is_everywhere(cluster, False), 3, "it is gone everywhere")

    def test_what_is_not_renewed_goes_also_when_its_agent_is_dead(self):
        cluster = self.cluster(3)
        self.assertEqual(cluster[1].ask("POST", NAMES, registration(ttl=2), ME).status, 201)
        wait_until(lambda: self.is_everywhere(cluster, False), 5, "it has ended")
        self.assertEqual(cluster[1].ask("POST", NAMES, registration(ttl=8), ME).status, 201)
        wait_until(lambda: self.is_everywhere(cluster), 3, "it is there again")
        cluster[1].kill()
        wait_until(lambda: cluster[2].phases()["n1"] == "dead", 5, "n1 is dead")
        self.assertTrue(self.is_everywhere(cluster))  # its owner may come to another agent
        wait_until(lambda: self.is_everywhere(cluster, False), 12, "it has ended")
        self.assertEqual(cluster[2].ask("POST", NAMES, registration(), YOU).status, 201)
        cluster[1].start()
        cluster.wait_formed()
        self.assertEqual(cluster[1].get(f"{NAMES}/db")["status"]["node"], "n2")

    def test_an_owner_keeps_its_name_while_agents_die(self):
        cluster = self.cluster(3)
        self.assertEqual(cluster[1].ask("POST", NAMES, registration(ttl=4), ME).status, 201)
        wait_until(lambda: self.is_everywhere(cluster), 3, "it is everywhere")
        cluster[1].kill()

        def renewed():
            done = cluster[2].ask("PUT", f"{NAMES}/db", registration(ttl=4), ME)
            self.assertEqual(done.status, 200, done)
            self.assertTrue(self.is_everywhere(cluster))
        holds_for(8, renewed, every=1)
        self.assertEqual(cluster[3].get(f"{NAMES}/db")["status"]["node"], "n2")

    def test_both_sides_of_a_split_register_a_name_and_one_owner_remains(self):
        cluster = self.cluster(3)
        cluster.cut([3], [1, 2])
        wait_until(lambda: cluster[1].phases()["n3"] == "dead" == cluster[3].phases()["n1"], 8,
                   "both sides call the other dead")
        self.assertEqual(cluster[1].ask("POST", NAMES, registration(ttl=60), ME).status, 201)
        self.assertEqual(cluster[3].ask("POST", NAMES, registration(ttl=60), YOU).status, 201)
        cluster.heal()
        cluster.wait_formed(10)

        def renewed():
            return sorted((cluster[1].ask("PUT", f"{NAMES}/db", registration(ttl=60), ME).status,
                           cluster[3].ask("PUT", f"{NAMES}/db", registration(ttl=60), YOU).status))
        wait_until(lambda: renewed() == [200, 403], 8, "one has it, the other is told")
        owners = {agent.get(f"{NAMES}/db")["status"]["owner"] for agent in cluster.alive}
        self.assertEqual(len(owners), 1)

    def test_a_child_whose_name_is_taken_says_so_and_takes_it_when_it_is_free(self):
        cluster = self.cluster(2)
        self.assertEqual(cluster[1].ask("POST", NAMES, registration(ttl=60), ME).status, 201)
        cluster.apply(workload("db", 1))
        wait_until(lambda: cluster[2].children("db")["db-0"].get("reason") == "NameConflict", 20,
                   "its reason is NameConflict")
        item = cluster[2].get("namespaces/default/workloads/db")
        conditions = {c["type"]: c["status"] for c in item["status"]["conditions"]}
        self.assertEqual(conditions["NameConflict"], "True")
        child = cluster[2].children("db")["db-0"]
        self.assertIn("token/", child["conditions"][0]["message"])
        self.assertEqual(cluster[2].ask("DELETE", f"{NAMES}/db", headers=ME).status, 200)
        wait_until(lambda: cluster[2].names("db").keys() == {"db"}, 5, "the child has its name")
        self.assertEqual(cluster[1].ask("POST", NAMES, registration(), ME).status, 409)
        self.assertEqual(cluster[1].ask("PUT", f"{NAMES}/db", registration(), ME).status, 403)

    def test_register_keeps_a_name_until_it_is_told_to_end(self):
        cluster = self.cluster(2)
        done = cluster[1].cli("register", "db", "10.0.0.5:5432", "--ttl", "2s", "--value",
                              '{"tier": "gold"}', "--label", "app=db")
        self.assertEqual(done.returncode, 0, done.stderr)
        token = done.stdout.split()[-1]
        self.assertEqual(cluster[1].cli("unregister", "db", "--token", "x" * 20).returncode, 1)
        done = cluster[2].cli("unregister", "db", "--token", token)
        self.assertEqual(done.returncode, 0, done.stderr)
        with subprocess.Popen([BINARY, "register", "db", ":5432", "--ttl", "2s", "--keep", "--api",
                               f"http://{cluster[1].host}:{API_PORT}"],
                              stdout=subprocess.DEVNULL) as keeper:
            wait_until(lambda: self.is_everywhere(cluster), 5, "it is registered")
            holds_for(5, lambda: self.assertTrue(self.is_everywhere(cluster)), every=0.5)
            keeper.send_signal(signal.SIGTERM)
            self.assertEqual(keeper.wait(5), 0)
        wait_until(lambda: self.is_everywhere(cluster, False), 2, "it is gone")

    def test_meta_is_put_read_and_removed_on_any_agent(self):
        cluster = self.cluster(3)
        done = cluster[1].ask("PUT", f"{METAS}/limit", meta({"max": 3}))
        self.assertEqual(done.status, 201, done)
        after = {"Hordelet-After": done.headers["Hordelet-Written"]}
        item = cluster[3].ask("GET", f"{METAS}/limit", headers=after).json
        self.assertEqual(item["spec"]["value"], {"max": 3})
        self.assertEqual(cluster[2].ask("PUT", f"{METAS}/limit", meta(4)).status, 200)
        wait_until(lambda: cluster[1].get(f"{METAS}/limit")["spec"]["value"] == 4, 3, "n1 has it")
        self.assertEqual(cluster[1].ask("DELETE", f"{METAS}/limit").status, 200)
        wait_until(lambda: cluster[3].items("metas") == [], 3, "it is gone")
