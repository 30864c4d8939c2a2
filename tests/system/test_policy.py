"""What a workload may ask of a node: refused where it is written, and where it would run."""
import os

from harness import SystemTest, wait_until, workload


def host_path(path, **spec):
    return workload("data", hostNetwork=False, container={
        "volumeMounts": [{"name": "v", "mountPath": "/v"}]},
        volumes=[{"name": "v", "hostPath": {"path": path}}], **spec)


class Policy(SystemTest):
    def refused(self, agent, document, field, flag):
        answer = agent.ask("POST", "namespaces/default/workloads", document)
        self.assertEqual((answer.status, answer.json["reason"]), (403, "Forbidden"), answer)
        self.assertIn(field, answer.message)
        self.assertIn(flag, answer.message)

    def test_what_the_agent_does_not_allow_is_refused_by_name(self):
        cluster = self.cluster(1, start=False)
        agent = cluster[1]
        allowed = os.path.join(cluster.dir, "allowed")
        os.mkdir(allowed)
        agent.allow = ["--allow-host-path=" + allowed]
        cluster.start()
        security = "spec.container.securityContext."
        self.refused(agent, workload("net"), "spec.hostNetwork", "--allow-host-network")
        for name, context, field in (
                ("privileged", {"privileged": True}, "privileged"),
                ("capability", {"capabilities": {"add": ["SYS_ADMIN"]}}, "capabilities.add[0]")):
            document = workload(name, hostNetwork=False, container={"securityContext": context})
            self.refused(agent, document, security + field, "--allow-" + name)
        field = "spec.volumes[0].hostPath.path"
        for path in ("/etc", allowed + "er", "/", agent.data):
            self.refused(agent, host_path(path), field, "--allow-host-path " + path)
        answer = agent.ask("POST", "namespaces/default/workloads", host_path(allowed + "/../n1"))
        self.assertEqual(answer.status, 422, answer)
        cluster.apply(host_path(allowed))
        cluster.exactly_once("data", 1)
        cluster.apply(workload("tight", hostNetwork=False, container={"securityContext": {
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}}))
        cluster.exactly_once("tight", 1)

    def test_own_files_are_not_allowed_by_a_path_above_them(self):
        cluster = self.cluster(1, start=False)
        agent = cluster[1]
        engine = agent.options["--runtime"].removeprefix("unix://")
        agent.allow = ["--allow-host-path=" + cluster.dir, "--allow-host-path=/tmp"]
        cluster.start()
        field = "spec.volumes[0].hostPath.path"
        for path, own in ((engine, engine), (os.path.dirname(engine), engine),
                          (agent.data + "/child-api.key", agent.data), (cluster.dir, agent.data)):
            self.refused(agent, host_path(path), field, "--allow-host-path " + own)

    def test_it_runs_on_the_node_that_allows_it_and_waits_where_none_does(self):
        cluster = self.cluster(3, start=False)
        for index in (1, 2):
            cluster[index].allow = []
        cluster.start()
        cluster.apply(workload("web", 4), on=3)
        found = cluster.exactly_once("web", 4, timeout=30)
        self.assertEqual({container.node for container in found.values()}, {"n3"})
        cluster.scale("web", 5, on=1)  # that asks for nothing new
        cluster.exactly_once("web", 5, timeout=30)
        cluster[3].terminate(20)

        def waits():
            statuses = cluster[1].children("web").values()
            assert len(statuses) == 5, statuses
            for status in statuses:
                assert (status["phase"], status.get("reason")) == ("Pending", "NotAllowed"), status
                assert "--allow-host-" in status["message"], status
            return True
        wait_until(waits, 20, "all wait and say why")
        self.assertEqual(cluster.containers(), [])
