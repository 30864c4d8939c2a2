"""The Debian package: built, installed on a clean Debian, run as its unit would, and purged."""
import os
import shutil
import subprocess
import tempfile
import unittest

from harness import LONG, ROOT

# As the unit does, with its user, in a network of its own where the default ports are free. There
# is no engine: an agent serves without one.
RUN_AGENT = """
set -e
ip link set lo up
chroot "$0" install -d -o hordelet -g hordelet /var/lib/hordelet /run/hordelet
as_its_user="setpriv --reuid hordelet --regid hordelet --init-groups"
chroot "$0" $as_its_user hordelet agent --config /etc/hordelet/agent.yaml &
for _ in $(seq 100); do
    chroot "$0" hordelet get members 2>/dev/null && break
    sleep 0.1
done
kill $!
wait $! # with its exit code
"""


def run(*words, **options):
    done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **options)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


@unittest.skipUnless(LONG, "with HORDELET_LONG=1 only: a whole Debian comes from the mirror")
class Package(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="hl-debian-")
        os.chmod(self.root, 0o755)  # the package's user reads in it
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)

    def inside(self, *words):
        return run("chroot", self.root, "env", "DEBIAN_FRONTEND=noninteractive", *words)

    def exists(self, path):
        return os.path.lexists(self.root + path)

    def test_it_installs_runs_and_leaves_nothing_behind(self):
        path = run(os.path.join(ROOT, "script", "package")).splitlines()[-1]
        run("debootstrap", "--variant=minbase", "bookworm", self.root)
        shutil.copy("/etc/resolv.conf", self.root + "/etc/resolv.conf")
        shutil.copy(path, self.root + "/hordelet.deb")
        self.inside("apt-get", "install", "-qq", "-y", "--no-install-recommends", "./hordelet.deb")
        self.assertIn("hordelet", self.inside("hordelet", "--version"))
        self.assertTrue(self.exists("/usr/share/man/man1/hordelet.1.gz"))
        self.assertTrue(self.exists("/lib/systemd/system/hordelet.service"))
        run("chroot", self.root, "dpkg", "--verify", "hordelet")
        self.assertIn("alive", self.run_agent())
        with open(self.root + "/etc/hordelet/agent.yaml", "a", encoding="utf-8") as file:
            file.write("labels: disk=ssd\n")
        self.inside("dpkg", "--install", "/hordelet.deb")  # again: an upgrade
        with open(self.root + "/etc/hordelet/agent.yaml", encoding="utf-8") as file:
            self.assertIn("disk=ssd", file.read())
        self.inside("apt-get", "purge", "-qq", "-y", "hordelet")
        for path in ("/etc/hordelet", "/var/lib/hordelet", "/usr/bin/hordelet"):
            self.assertFalse(self.exists(path), path)
        self.assertNotIn("hordelet", self.inside("getent", "passwd"))

    def run_agent(self):
        command = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
                   "bash", "-c", RUN_AGENT, self.root]
        return run(*command, timeout=60)
