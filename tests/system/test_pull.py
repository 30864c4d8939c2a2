"""Images come from a registry: a real one (Debian's docker-registry) on this machine."""
import http.client
import os
import shutil
import socket
import subprocess
import tempfile

from harness import IMAGE, SystemTest, engine, wait_until, workload


class Registry:
    """docker-registry on a free port of loopback, with its data in a temporary folder."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hlregistry-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.host = "127.0.0.1:%d" % probe.getsockname()[1]
        config = os.path.join(self.dir, "config.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("version: 0.1\nstorage: {filesystem: {rootdirectory: %s/data}}\n"
                       "http: {addr: '%s'}\n" % (self.dir, self.host))
        with open(os.path.join(self.dir, "log"), "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", config], stdout=log,
                                            stderr=log)
        wait_until(self.answers, 20, "the registry answers")

    def answers(self):
        connection = http.client.HTTPConnection(self.host, timeout=2)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
        finally:
            connection.close()

    def publish(self, name):
        """The test image under a name of this registry, and no longer in the engine."""
        image = f"{self.host}/{name}"
        repository, tag = image.rsplit(":", 1)
        engine().must("POST", f"/images/{IMAGE}/tag?repo={repository}&tag={tag}")
        subprocess.run(["docker", "push", "-q", image], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "DOCKER_HOST": f"unix://{engine().socket}"})
        engine().must("DELETE", f"/images/{image}?force=true")
        return image

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.dir, ignore_errors=True)


class Pull(SystemTest):
    def setUp(self):
        self.registry = Registry()
        self.addCleanup(self.registry.close)

    def test_an_image_that_is_not_here_is_pulled_and_then_runs(self):
        cluster = self.cluster(2)
        image = self.registry.publish("pulled:1")
        cluster.apply(workload("pulled", 2, image=image))
        cluster.exactly_once("pulled", 2)
        children = cluster[1].children("pulled")
        self.assertEqual({status["epoch"] for status in children.values()}, {1})
        engine().must("DELETE", f"/images/{image}?force=true")

    def test_an_image_that_comes_late_is_pulled_in_the_end(self):
        cluster = self.cluster(1)
        image = f"{self.registry.host}/late:1"
        cluster.apply(workload("late", 1, image=image))

        def refused():
            status = cluster[1].children("late")["late-0"]
            self.assertEqual(status.get("phase"), "Pulling")
            self.assertEqual(status.get("reason"), "ImagePullBackOff")
            self.assertIn("not found", status["message"])
            return True
        wait_until(refused, 15, "the refusal shows, with the engine's words")
        self.registry.publish("late:1")
        cluster.exactly_once("late", 1, timeout=60)
        engine().must("DELETE", f"/images/{image}?force=true")
