"""hordelet logs, from any node of what runs on any node."""
import os
import re
import subprocess
import time

from harness import BINARY, SystemTest, engine, wait_until, workload

LINES = ("sh", "-c", "i=0; while [ $i -lt 50000 ]; do i=$((i+1)); echo line $i; done; "
                     "echo to-stderr >&2; exec sleep 1000")
CLOCK = ("sh", "-c", "trap 'exit 0' TERM; i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; "
                     "done")
FLOOD = ("sh", "-c", "trap 'exit 0' TERM; exec yes 0123456789abcdef0123456789abcdef")


class Logs(SystemTest):
    def logs(self, agent, *arguments, code=0):
        result = agent.cli("logs", *arguments)
        self.assertEqual(result.returncode, code, result.stderr)
        return result.stdout

    def follow(self, agent, *arguments):
        process = subprocess.Popen(
            [BINARY, "logs", "--api", f"http://{agent.host}:7371", "-f", *arguments], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def away(self, cluster, name="web-0"):
        """An agent that does not have it, and the one that does."""
        holder = cluster.by_name(cluster[1].children()[name]["node"])
        return next(a for a in cluster.agents.values() if a is not holder), holder

    def test_all_of_it_its_end_and_its_beginning(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 1, LINES))
        cluster.exactly_once("web", 1)
        wanted = [f"line {i + 1}" for i in range(50000)]

        def printed():  # the engine puts its two outputs together as it likes
            lines = self.logs(cluster[1], "web-0").splitlines()
            return lines if len(lines) == 50001 else None

        whole = wait_until(printed, 60, "all is printed", every=1)
        self.assertEqual([line for line in whole if line != "to-stderr"], wanted)
        for agent in cluster.agents.values():
            self.assertEqual(self.logs(agent, "web-0").splitlines(), whole)
        asked, _ = self.away(cluster)
        self.assertEqual(self.logs(asked, "child/web-0", "--tail", "2").splitlines(), whole[-2:])
        self.assertEqual(self.logs(asked, "web-0", "--tail", "0"), "")
        stamped = self.logs(asked, "web", "--tail", "5", "--timestamps")
        for line in stamped.splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z (line|to-stderr)")
        self.assertEqual(len(self.logs(asked, "web-0", "--since", "1h").splitlines()), 50001)
        time.sleep(2)
        self.assertEqual(self.logs(asked, "web-0", "--since", "1s"), "")
        answer = asked.ask("GET", "namespaces/default/children/web-0/log?tailLines=x")
        self.assertEqual(answer.status, 400)
        self.assertIn("tailLines", answer.message)

    def test_all_children_of_a_workload(self):
        cluster = self.cluster(2)
        cluster.apply(workload("web", 4, ("sh", "-c", "echo I am $HORDELET_CHILD; sleep 1000")))
        cluster.exactly_once("web", 4)
        self.assertEqual(self.logs(cluster[1], "workload/web").splitlines(),
                         [f"[web-{i}] I am default/web/{i}" for i in range(4)])
        process = self.follow(cluster[2], "web")
        seen = {process.stdout.readline() for _ in range(4)}
        self.assertEqual(seen, {f"[web-{i}] I am default/web/{i}\n" for i in range(4)})

    def test_it_is_followed_until_the_container_ends(self):
        cluster = self.cluster(2)
        cluster.apply(workload("web", 1, CLOCK, shutdown="5s"))
        cluster.exactly_once("web", 1)
        asked, holder = self.away(cluster)
        process = self.follow(asked, "web-0", "--tail", "1")
        first = int(process.stdout.readline().split()[1])
        for i in range(10):
            self.assertEqual(process.stdout.readline(), f"tick {first + i + 1}\n")
        cluster[1].cli("delete", "workload", "web")
        rest = process.stdout.read().splitlines()
        self.assertEqual(process.wait(10), 0)
        self.assertTrue(all(re.match(r"tick \d+$", line) for line in rest), rest)

    def test_the_death_of_the_node_ends_it_with_a_message(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 1, CLOCK))
        cluster.exactly_once("web", 1)
        asked, holder = self.away(cluster)
        process = self.follow(asked, "web-0")
        process.stdout.readline()
        began = time.monotonic()
        cluster.kill_node(holder.index)
        process.stdout.read()
        self.assertEqual(process.wait(15), 1)
        self.assertLess(time.monotonic() - began, 10)
        self.assertIn(f"the log ends here: its node {holder.name} is dead", process.stderr.read())

    def test_a_slow_reader_stops_the_reading_and_one_that_goes_ends_it(self):
        cluster = self.cluster(2)
        cluster.apply(workload("web", 1, FLOOD, shutdown="5s"))
        cluster.exactly_once("web", 1)
        asked, holder = self.away(cluster)
        before = [self.memory(a) for a in (asked, holder)]
        process = self.follow(asked, "web-0")
        self.assertTrue(process.stdout.readline())
        printed = engine().inspect(cluster.containers()[0].id)["LogPath"]
        enough = os.path.getsize(printed) + (200 << 20)
        wait_until(lambda: os.path.getsize(printed) > enough, 60, "much more has been printed")
        for agent, bytes_before in zip((asked, holder), before):
            self.assertLess(self.memory(agent) - bytes_before, 8 << 20, agent)
        self.assertEqual(self.reading(holder), 1)
        line = process.stdout.readline()
        self.assertEqual(line, "0123456789abcdef0123456789abcdef\n")
        process.kill()
        wait_until(lambda: self.reading(holder) == 0, 15, "the engine is not read any more")
        self.assertEqual(asked.phases()[holder.name], "alive")

    def memory(self, agent):
        with open(f"/proc/{agent.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096

    def reading(self, agent):
        text = agent.ask("GET", "/metrics").body.decode()
        return int(re.search(r"(?m)^hordelet_log_readers (\d+)$", text).group(1))

    def test_what_has_ended_and_what_is_not_there(self):
        cluster = self.cluster(2)
        cluster.apply(workload("job", 1, ("sh", "-c", "echo done; exit 0"), restart="transient"))
        cluster.apply(workload("bad", 1, image="127.0.0.1:1/no/such:1"))
        wait_until(lambda: cluster[1].children()["job-0"]["phase"] == "Succeeded", 20, "it ends")
        for agent in cluster.agents.values():
            self.assertEqual(self.logs(agent, "job-0"), "done\n")
            self.assertEqual(agent.cli("logs", "nobody").returncode, 1)
            result = agent.cli("logs", "bad-0")
            self.assertEqual((result.returncode, result.stdout), (1, ""))
            self.assertIn("container", result.stderr)
        self.assertEqual(cluster[1].cli("logs").returncode, 2)
        self.assertEqual(cluster[1].cli("logs", "member/n1").returncode, 2)
