"""Names of running children: on every node, with the place and the value, and gone in time."""
import http.client
import json
import threading
import time
import urllib.request

from harness import API, SystemTest, ask, engine, median, percentile, wait_until, workload


class Watcher(threading.Thread):
    """Polls one name on one agent over a connection that stays open, and notes when it appears or
    goes."""

    def __init__(self, agent, name):
        super().__init__(daemon=True)
        self.agent, self.path = agent, f"{API}namespaces/default/names/{name}"
        self.ended = threading.Event()
        self.changes = []  # (moment, the node it is on or None)
        self.start()

    def run(self):
        connection = self.agent.connect()
        last = None
        while not self.ended.is_set():
            try:
                answer = ask(connection, "GET", self.path)
            except (OSError, http.client.HTTPException):
                connection.close()
                continue
            now = time.monotonic()
            node = answer.json["status"]["node"] if answer.status == 200 else None
            if node != last:
                self.changes.append((now, node))
                last = node
            time.sleep(0.0005)
        connection.close()

    def finish(self):
        self.ended.set()
        self.join()
        return self.changes


def visibility(cluster, rounds, shape=workload):
    """Lags in seconds between the owner's own view of a name and the others': of appearing, of
    going."""
    appeared, went = [], []
    for number in range(rounds):
        name = f"name{number}"
        watchers = {agent.name: Watcher(agent, name) for agent in cluster.alive}
        cluster.apply(shape(name, 1))
        wait_until(lambda: all(w.changes for w in watchers.values()), 10, f"{name} is everywhere")
        cluster.delete(name)
        wait_until(lambda: all(len(w.changes) == 2 for w in watchers.values()), 10,
                   f"{name} is gone everywhere")
        seen = {node: watcher.finish() for node, watcher in watchers.items()}
        owner = seen[cluster.alive[0].name][0][1]
        for node, changes in seen.items():
            if node != owner:
                appeared.append(max(0, changes[0][0] - seen[owner][0][0]))
                went.append(max(0, changes[1][0] - seen[owner][1][0]))
    return appeared, went


class Registry(SystemTest):
    def test_a_name_is_the_same_on_every_node_with_endpoint_and_value(self):
        cluster = self.cluster(3)
        cluster.apply(workload("db", 1, hostNetwork=False, container={
            "ports": [{"name": "sql", "containerPort": 5432}]},
            names=[{"name": "db", "port": "sql", "value": {"tier": "gold", "weight": 3}}]))
        container = cluster.exactly_once("db", 1)[0]
        published = engine().inspect(container.id)["NetworkSettings"]["Ports"]["5432/tcp"]
        for agent in cluster.alive:
            item = agent.get("namespaces/default/names/db")
            self.assertEqual(item["spec"]["value"], {"tier": "gold", "weight": 3})
            status = item["status"]
            self.assertEqual(status["node"], container.node)
            self.assertEqual(status["address"], cluster.by_name(container.node).host)
            self.assertIn(str(status["port"]), {binding["HostPort"] for binding in published})
            self.assertIn("db", status["owner"])
            done = agent.cli("lookup", "db")
            self.assertEqual((done.returncode, done.stdout.split()),
                             (0, ["db", status["node"], f"{status['address']}:{status['port']}"]))

    def test_a_name_follows_its_child_to_another_node_and_is_gone_when_it_ends(self):
        cluster = self.cluster(3)
        cluster.apply(workload("db", 1))
        container = cluster.exactly_once("db", 1)[0]
        cluster.kill_node(cluster.by_name(container.node).index)
        moved = cluster.exactly_once("db", 1)[0]
        self.assertNotEqual(moved.node, container.node)
        self.assertGreater(moved.epoch, container.epoch)
        cluster.scale("db", 0, on=cluster.by_name(moved.node).index)
        for agent in cluster.alive:
            wait_until(lambda agent=agent: agent.names("db") == {}, 5, f"{agent}: db is gone")
        missing = cluster.alive[0].cli("lookup", "db")
        self.assertEqual(missing.returncode, 1)

    def test_names_of_replicas_carry_their_ordinals(self):
        cluster = self.cluster(2)
        cluster.apply(workload("web", 3, names=[{"name": "front"}, {"name": "back"}]))
        expected = {f"{name}-{ordinal}" for name in ("front", "back") for ordinal in range(3)}
        for agent in cluster.alive:
            wait_until(lambda agent=agent: set(agent.names("web")) == expected, 10,
                       f"{agent} has all six")

    def test_a_client_can_dispatch_to_all_names_of_a_workload(self):
        """As docs/horde.md has it: lookup prints a name a line."""
        cluster = self.cluster(2)
        page = 'echo "$HORDELET_CHILD" >/tmp/index.html; exec httpd -f -p 80 -h /tmp'
        cluster.apply(workload("web", 3, ("sh", "-c", page), hostNetwork=False,
                               names=[{"name": "web", "port": "http"}],
                               container={"ports": [{"name": "http", "containerPort": 80}]}))
        cluster.exactly_once("web", 3)
        told = set()
        for line in cluster[1].cli("lookup", "web").stdout.splitlines():
            port = line.split()[2].rsplit(":", 1)[1]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
                told.add(answer.read().decode().strip())
        self.assertEqual(told, {f"default/web/{ordinal}" for ordinal in range(3)})

    def test_a_name_is_seen_on_another_idle_node_almost_at_once(self):
        cluster = self.cluster(3)
        appeared, went = visibility(cluster, 12)
        for what, lags in (("appears", appeared), ("goes", went)):
            self.note(f"a name {what} on another node after {median(lags) * 1000:.1f} ms (median of"
                      f" {len(lags)}), p99 {percentile(lags, 99) * 1000:.1f} ms")
        self.assertLess(median(appeared), 0.05)
        self.assertLess(median(went), 0.05)

    def test_what_was_written_on_one_agent_is_read_on_another(self):
        cluster = self.cluster(3)
        for number in range(20):
            body = workload(f"w{number}", 0)
            written = cluster[1].ask("POST", "namespaces/default/workloads", body)
            self.assertEqual(written.status, 201, written)
            after = written.headers["Hordelet-Written"]
            for index in (1, 2, 3):
                read = cluster[index].ask("GET", f"namespaces/default/workloads/w{number}",
                                          headers={"Hordelet-After": after})
                self.assertEqual(read.status, 200, read)
                self.assertEqual(json.loads(read.body)["metadata"]["uid"],
                                 written.json["metadata"]["uid"])
