"""The agent's image: built for real, and an agent that lives in a container of it."""
import json
import os
import subprocess
import tempfile
import unittest

from harness import BINARY, LONG, ROOT, SystemTest, engine, wait_until, workload

IMAGE = "hordelet:test"
ADDRESS = "127.0.0.1"
GOSSIP_PORT, API_PORT = 27370, 27371


def docker(*words, check=True):
    done = subprocess.run(["docker", "--host", "unix://" + engine().socket, *words], text=True,
                          capture_output=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"docker {' '.join(words)}: {done.stderr}")
    return done.stdout.strip()


# /run as a container has it: of its image, and so on a disk, but for the directory of the host.
AGENT_IN_A_MOUNT_NAMESPACE = """
set -e
mkdir -p "$0/run/hordelet"
mount --bind "$0/run" /run
mount -t tmpfs -o mode=755 tmpfs /run/hordelet
exec "$1" agent --data-dir "$0/data" --gossip 127.0.0.1:7370
"""


class RunDirectory(unittest.TestCase):
    def test_a_directory_in_memory_that_is_mounted_below_run_is_taken(self):
        with tempfile.TemporaryDirectory() as folder:
            command = ["unshare", "--mount", "--net", "bash", "-c", AGENT_IN_A_MOUNT_NAMESPACE,
                       folder, BINARY]
            with open(os.path.join(folder, "log"), "w", encoding="utf-8") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                wait_until(lambda: os.listdir(f"/proc/{process.pid}/root/run/hordelet"), 10,
                           "the deadlines' directory is made there")
            finally:
                process.kill()
                process.wait()


@unittest.skipUnless(LONG, "with HORDELET_LONG=1 only: a base, a compiler and the libraries come "
                           "from the mirror, which takes minutes")
class Image(SystemTest):
    @classmethod
    def setUpClass(cls):
        subprocess.run([os.path.join(ROOT, "script", "image"), IMAGE], check=True,
                       env={**os.environ, "DOCKER_HOST": "unix://" + engine().socket})

    def start(self):
        """An agent whose API is not the default one, as its environment tells the health check."""
        folder = os.path.join(engine().dir, "image-agent")
        docker("run", "--detach", "--name", "image-agent", "--network", "host",
               "--volume", f"{engine().socket}:/var/run/docker.sock",
               "--volume", f"{folder}:{folder}",
               "--volume", "/run/hordelet:/run/hordelet",
               "--env", f"HORDELET_API=http://{ADDRESS}:{API_PORT}", IMAGE, "agent",
               "--data-dir", folder,
               "--node-name", "n1", "--cluster", "image", "--gossip", f"{ADDRESS}:{GOSSIP_PORT}",
               "--api", f"{ADDRESS}:{API_PORT}", "--allow-host-network")
        self.addCleanup(docker, "rm", "--force", "image-agent", check=False)

    def test_an_agent_in_a_container_is_healthy_runs_children_and_ends_at_sigterm(self):
        self.start()
        wait_until(lambda: docker("inspect", "--format", "{{.State.Health.Status}}",
                                  "image-agent") == "healthy", 30, "the health check succeeds")
        manifest = os.path.join(engine().dir, "image-web.json")
        with open(manifest, "w", encoding="utf-8") as file:
            file.write(json.dumps(workload("web", 2)))
        docker("cp", manifest, "image-agent:/tmp/web.json")
        docker("exec", "image-agent", "hordelet", "apply", "-f", "/tmp/web.json", "--wait")
        self.assertEqual(len(engine().containers("image")), 2)
        docker("stop", "--time", "30", "image-agent")
        self.assertEqual(docker("inspect", "--format", "{{.State.ExitCode}}", "image-agent"), "0")
        self.assertEqual(engine().containers("image"), [])
