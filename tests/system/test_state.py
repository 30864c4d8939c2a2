"""What a child leaves to its successor, through the socket that is mounted into its container."""
import os

from harness import API, SystemTest, UnixConnection, ask, engine, wait_until, workload

# Runs only if the API is there, and reached as any user.
WITH_API = ("sh", "-c", "test -S /run/hordelet/api.sock && test -n \"$HORDELET_TOKEN\" && "
                        "exec sleep 1000")
OWN = API + "namespaces/default/children/SELF/state"


def value(what):
    return {"apiVersion": "hordelet.dev/v1", "kind": "Name", "metadata": {"name": "web"},
            "spec": {"value": what}}


class Inside:
    """What a container would say over its socket."""

    def __init__(self, agent, container):
        variables = dict(entry.split("=", 1)
                         for entry in engine().inspect(container.id)["Config"]["Env"])
        self.socket = os.path.join(agent.data, "child-api", "api.sock")
        self.variables, self.token = variables, variables.get("HORDELET_TOKEN")

    def ask(self, method, path=OWN, body=None, token=None):
        connection = UnixConnection(self.socket, 20)
        try:
            return ask(connection, method, path, body,
                       {"Hordelet-Token": token or self.token or "none"})
        finally:
            connection.close()


class State(SystemTest):
    def holder(self, cluster, name="web"):
        container = cluster.exactly_once(name, 1)[0]
        agent = cluster.by_name(container.node)
        return agent, Inside(agent, container), container

    def test_a_successor_finds_it_wherever_it_starts(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 1, WITH_API))
        agent, inside, container = self.holder(cluster)
        self.assertEqual(inside.variables["HORDELET_API"], "unix:///run/hordelet/api.sock")
        mounts = engine().inspect(container.id)["Mounts"]
        self.assertEqual([(m["Destination"], m["RW"]) for m in mounts],
                         [("/run/hordelet", False)])
        self.assertEqual(inside.ask("GET").status, 404)
        state = os.urandom(256 * 1024)
        for seen in (b"small", state):
            done = inside.ask("PUT", body=seen)
            self.assertEqual(done.status, 200, done)
            self.assertEqual(inside.ask("GET").body, seen)
        self.assertEqual(inside.ask("PUT", body=state + b"x").status, 413)
        cluster.kill_node(agent.index)
        agent, successor, moved = self.holder(cluster)
        self.assertGreater(moved.epoch, container.epoch)
        found = successor.ask("GET")
        self.assertEqual((found.status, found.headers["Hordelet-State-Epoch"]),
                         (200, str(container.epoch)))
        self.assertEqual(found.body, state)
        self.assertEqual(successor.ask("PUT", body=b"next").status, 200)
        self.assertEqual(successor.ask("GET").headers["Hordelet-State-Epoch"], str(moved.epoch))

    def test_only_the_token_of_this_child_and_epoch_counts(self):
        cluster = self.cluster(2)
        cluster.apply(workload("web", 1, WITH_API))
        cluster.apply(workload("other", 1, WITH_API))
        agent, inside, container = self.holder(cluster)
        _, other, _ = self.holder(cluster, "other")
        self.assertEqual(inside.ask("PUT", body=b"one").status, 200)
        self.assertEqual(inside.ask("GET", token="x" * 40).status, 401)
        web = API + "namespaces/default/children/web-0/state"
        self.assertIn(other.ask("PUT", web, b"two").status, (401, 403))
        self.assertIn(other.ask("GET", web).status, (401, 403))
        self.assertEqual(inside.ask("GET", API + "names").status, 200)
        done = inside.ask("PUT", API + "namespaces/default/names/web", value({"load": 3}))
        self.assertEqual(done.status, 200, done)
        self.assertEqual(cluster[2].get("namespaces/default/names/web")["spec"]["value"],
                         {"load": 3})
        self.assertEqual(other.ask("PUT", API + "namespaces/default/names/web", value(4)).status,
                         403)
        for method, path in (("GET", "workloads"), ("DELETE", "namespaces/default/workloads/web"),
                             ("POST", "members/SELF/leave")):
            self.assertEqual(inside.ask(method, API + path).status, 403, path)
        self.assertEqual(agent.ask("PUT", web, b"three").status, 401)
        # It is placed again: what the old epoch still says is refused, and names the new one.
        done = agent.ask("DELETE", "namespaces/default/children/web-0")
        self.assertEqual(done.status, 200, done)
        wait_until(lambda: agent.children("web")["web-0"]["epoch"] > container.epoch
                   and agent.children("web")["web-0"]["phase"] == "Running", 20, "epoch + 1 runs")
        stale = inside.ask("PUT", API + "namespaces/default/names/web", value(5))
        self.assertEqual(stale.status, 403, stale)
        stale = inside.ask("PUT", body=b"stale")
        self.assertEqual(stale.status, 409, stale)
        self.assertIn(f"epoch {container.epoch + 1}", stale.json["message"])
        self.assertEqual(agent.ask("GET", web).body, b"one")

    def test_it_survives_its_agent_and_goes_with_its_workload(self):
        cluster = self.cluster(2)
        cluster.apply(workload("web", 1, WITH_API))
        agent, inside, container = self.holder(cluster)
        self.assertEqual(inside.ask("PUT", body=b"one").status, 200)
        agent.kill()
        agent.start()
        cluster.wait_formed()
        self.assertEqual(self.holder(cluster)[2].id, container.id)
        wait_until(lambda: inside.ask("PUT", body=b"two").status == 200, 10,
                   "the token counts after the restart")
        self.assertEqual(inside.ask("GET").body, b"two")
        cluster.delete("web")
        wait_until(lambda: cluster.containers() == [], 10, "it has ended")
        cluster.apply(workload("web", 1, WITH_API))
        _, anew, _ = self.holder(cluster)
        self.assertEqual(anew.ask("GET").status, 404)

    def test_api_access_false_mounts_nothing(self):
        cluster = self.cluster(1)
        cluster.apply(workload("web", 1, apiAccess=False))
        _, inside, container = self.holder(cluster)
        self.assertIsNone(inside.token)
        self.assertEqual(engine().inspect(container.id)["Mounts"], [])
