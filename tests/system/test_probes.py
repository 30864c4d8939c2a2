"""Probes of real containers: commands, HTTP and TCP, to the container and its published port."""
import os
import shutil
import subprocess
import tempfile

from harness import (BINARY, LEAKS, Agent, SystemTest, engine, holds_for, wait_until, workload)

OFTEN = {"periodSeconds": 1, "timeoutSeconds": 2, "failureThreshold": 2}


class Rooted(Agent):
    """An agent in the root's network, where the containers' addresses and ports can be reached."""

    def __init__(self, cluster, index):
        super().__init__(cluster, index)
        self.host = f"127.{1 + (os.getpid() >> 16)}.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
        self.options.update({"--gossip": f"{self.host}:7370", "--api": f"{self.host}:7371",
                             "--join": f"{self.host}:7370"})

    def start(self):
        flags = [f"{flag}={value}" for flag, value in self.options.items()]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "agent", "--insecure", "--allow-host-path=/tmp", *flags,
                 *self.cluster.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"LSAN_OPTIONS": LEAKS, **os.environ})


class Probes(SystemTest):
    def status(self, agent, child):
        return agent.children()[child]

    def is_ready(self, agent, child, ready):
        status = self.status(agent, child)
        assert status["phase"] == "Running" and status["ready"] == ready, status
        return status

    def test_a_command_says_when_it_is_ready_and_when_it_hangs(self):
        cluster = self.cluster(2)
        script = ("sleep 3; touch /tmp/ready; while [ ! -e /tmp/hang ]; do sleep 0.1; done;"
                  "sleep 1000")
        cluster.apply(workload("web", 1, ("sh", "-c", script), container={
            "readinessProbe": {"exec": {"command": ["test", "-e", "/tmp/ready"]}, **OFTEN},
            "livenessProbe": {"exec": {"command": [
                "sh", "-c", "echo it hangs; test ! -e /tmp/hang"]}, **OFTEN}}))
        wait_until(lambda: self.is_ready(cluster[1], "web-0", False), 10, "it runs")
        self.assertEqual(cluster[2].names("web"), {})
        wait_until(lambda: self.is_ready(cluster[1], "web-0", True), 10, "it is ready")
        wait_until(lambda: cluster[2].names("web"), 5, "it has its name")
        identity = cluster.look("web", 1)[0].id
        self.run_in(identity, "rm", "/tmp/ready")
        status = wait_until(lambda: self.is_ready(cluster[2], "web-0", False), 10, "not ready")
        self.assertEqual((status["reason"], status["message"]), ("NotReady", "exit code 1"))
        wait_until(lambda: not cluster[2].names("web"), 5, "its name is gone")
        self.run_in(identity, "touch", "/tmp/hang")
        wait_until(lambda: self.status(cluster[1], "web-0")["restarts"] == 1, 15, "restarted")
        wait_until(lambda: self.is_ready(cluster[1], "web-0", True), 15, "ready again")
        self.assertIn("is unhealthy: exit code 1: it hangs",
                      cluster[1].log_text() + cluster[2].log_text())

    def run_in(self, identity, *command):
        made = engine().must("POST", f"/containers/{identity}/exec", {"Cmd": list(command)})["Id"]
        engine().must("POST", f"/exec/{made}/start", {"Detach": True})

    def test_a_command_that_never_ends_is_started_once(self):
        cluster = self.cluster(1)
        cluster.apply(workload("web", 1, container={
            "readinessProbe": {"exec": {"command": ["sleep", "777"]}, "periodSeconds": 1}}))

        def told():
            status = self.is_ready(cluster[1], "web-0", False)
            return status.get("message") == "no end within 1000 ms"
        wait_until(told, 15, "it is told")
        identity = engine().containers(cluster.name)[0].id

        def one():
            top = engine().must("GET", f"/containers/{identity}/top")["Processes"]
            self.assertEqual(sum("777" in " ".join(line) for line in top), 1, top)
        holds_for(4, one, every=1)

    def test_http_and_tcp_reach_the_container_and_its_published_port(self):
        for way in ("container", "published"):
            with self.subTest(way=way):
                cluster = self.cluster(1, "--probe-via", way, start=False)
                cluster.agents[1] = Rooted(cluster, 1)
                cluster.start()
                self.http_and_tcp(cluster)
                cluster[1].kill()  # the next one takes its addresses

    def http_and_tcp(self, cluster):
        www = tempfile.mkdtemp(prefix="hl-www-")
        self.addCleanup(shutil.rmtree, www)
        volume = {"name": "www", "hostPath": {"path": www}}
        port = {"ports": [{"name": "http", "containerPort": 8080}]}
        script = "exec httpd -f -p 8080 -h /www"
        cluster.apply(workload("web", 1, ("sh", "-c", script), hostNetwork=False, volumes=[volume],
                               container={
            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, **OFTEN},
            "livenessProbe": {"tcpSocket": {"port": 8080}, "initialDelaySeconds": 1, **OFTEN},
            "volumeMounts": [{"name": "www", "mountPath": "/www"}], **port}))
        cluster.apply(workload("none", 1, hostNetwork=False, container={
            "readinessProbe": {"tcpSocket": {"port": "http"}, **OFTEN}, **port}))
        wait_until(lambda: self.is_ready(cluster[1], "web-0", False), 10, "it runs")
        wait_until(lambda: self.status(cluster[1], "web-0").get("message") == "HTTP status 404", 15,
                   "why it is not ready")
        with open(os.path.join(www, "ready"), "w", encoding="ascii") as file:
            file.write("yes")
        wait_until(lambda: self.is_ready(cluster[1], "web-0", True), 15, "it is ready")
        holds_for(5, lambda: self.is_ready(cluster[1], "web-0", True), every=0.5)
        self.assertEqual(self.status(cluster[1], "web-0")["restarts"], 0)
        none = self.status(cluster[1], "none-0")
        self.assertTrue(none["ready"] or none["message"] == "cannot connect", none)
