"""Disks that are full, read-only, damaged or old: what was acknowledged stays, what runs stays."""
# This module runs alone: a file system is not let go while an engine beside it makes namespaces.
import contextlib
import glob
import os
import shutil
import subprocess
import unittest

from harness import SystemTest, identity, run, wait_until, workload


def workloads(agent):
    return {item["metadata"]["name"] for item in agent.items("namespaces/default/workloads")}


class FullDisk(SystemTest):
    def test_writes_answer_507_and_change_nothing_until_there_is_room(self):
        cluster = self.cluster(1, start=False)
        os.mkdir(cluster[1].data)
        run("mount", "-t", "tmpfs", "-o", "size=24m", "hordelet-test", cluster[1].data)
        cluster.mounts.append(cluster[1].data)
        cluster.start()
        cluster.apply(workload("before", 2))
        before = identity(cluster.exactly_once("before", 2).values())
        filler = os.path.join(cluster[1].data, "filler")
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while True:
                file.write(bytes(65536))

        def put(name):
            return cluster[1].ask("POST", "namespaces/default/workloads", workload(name))
        # What is reserved already may still take some writes; then they are refused.
        taken = []
        for number in range(500):
            large = workload(f"w{number}", 0, ("sleep", "1" * 40000))
            answer = cluster[1].ask("POST", "namespaces/default/workloads", large)
            if answer.status != 201:
                break
            taken.append(f"w{number}")
        self.note(f"{len(taken)} writes still fitted; then: {answer.status} {answer.message}")
        self.assertEqual(answer.status, 507, answer)
        self.assertTrue(answer.message)
        names = {"before", *taken}
        for number in range(5):
            self.assertEqual(put(f"late{number}").status, 507)
            self.assertEqual(cluster[1].ask("DELETE", "namespaces/default/workloads/before").status,
                             507)
        told = {i["metadata"]["name"] for i in cluster[1].items("namespaces/default/workloads")}
        self.assertEqual(told, names)
        self.assertEqual(cluster[1].ask("GET", "/livez").status, 200)
        self.assertEqual(identity(cluster.look("before", 2).values()), before)
        os.unlink(filler)
        wait_until(lambda: put("after").status in (201, 409), 15, "writes work again")
        cluster.exactly_once("after", 1)
        cluster[1].kill()
        cluster[1].start()
        cluster.wait_formed()
        told = {i["metadata"]["name"] for i in cluster[1].items("namespaces/default/workloads")}
        self.assertEqual(told, names | {"after"})
        self.assertEqual(identity(cluster.exactly_once("before", 2).values()), before)


class ReadOnlyDisk(SystemTest):
    """An ext4 that turns read-only, as after an error of its disk."""

    def mount_disk(self, agent):
        self.image = agent.data + ".img"
        os.mkdir(agent.data)
        run("truncate", "-s", "128M", self.image)
        run("mkfs.ext4", "-q", self.image)
        try:
            self.mount(agent)
        except RuntimeError as error:
            self.skipTest(f"no loop device: {error}")

    def mount(self, agent):
        run("mount", "-o", "loop,errors=remount-ro", self.image, agent.data)
        agent.cluster.mounts.append(agent.data)

    def repair(self, agent):
        """What an operator does."""
        run("umount", agent.data)
        agent.cluster.mounts.remove(agent.data)
        subprocess.run(["e2fsck", "-p", self.image], check=False, stdout=subprocess.DEVNULL)
        self.mount(agent)

    def test_what_runs_runs_on_and_writes_answer_507(self):
        cluster = self.cluster(1, start=False)
        self.mount_disk(cluster[1])
        cluster.start()
        # Without access to the API: what is mounted into a container could not be repaired.
        cluster.apply(workload("web", 2, apiAccess=False))
        before = identity(cluster.exactly_once("web", 2).values())
        run("mount", "-o", "remount,abort", cluster[1].data)
        for number in range(4):
            answer = cluster[1].ask("POST", "namespaces/default/workloads",
                                    workload(f"late{number}"))
            self.assertEqual(answer.status, 507, answer)
            # The first one finds out; after that nothing is taken in.
            self.assertIn("nothing changed" if number else "may lose it", answer.message)
        self.assertEqual(workloads(cluster[1]), {"web", "late0"})
        self.assertEqual(cluster[1].ask("GET", "/livez").status, 200)
        self.assertEqual(identity(cluster.look("web", 2).values()), before)
        cluster[1].kill()
        self.repair(cluster[1])
        cluster[1].start()
        cluster.wait_formed()
        self.assertEqual(workloads(cluster[1]), {"web"})
        self.assertEqual(identity(cluster.exactly_once("web", 2).values()), before)

    def test_an_agent_does_not_start_on_one_and_says_why(self):
        cluster = self.cluster(1, start=False)
        os.mkdir(cluster[1].data)
        run("mount", "--bind", cluster[1].data, cluster[1].data)
        cluster.mounts.append(cluster[1].data)
        run("mount", "-o", "remount,bind,ro", cluster[1].data)
        cluster[1].start()
        self.assertEqual(cluster[1].process.wait(10), 1)
        self.assertIn("Read-only file system", cluster[1].log_text())
        self.assertIn(cluster[1].data, cluster[1].log_text())


class DamagedDisk(SystemTest):
    def newest_log(self, agent):
        return max(glob.glob(os.path.join(agent.data, "log.*")),
                   key=lambda path: int(path.rsplit(".", 1)[1]))

    def test_a_flipped_bit_is_reported_and_the_others_make_up_for_it(self):
        cluster = self.cluster(3)
        for number in range(4):
            cluster.apply(workload(f"w{number}"), on=3)
        before = {number: cluster.exactly_once(f"w{number}", 1) for number in range(4)}
        running = identity(c for found in before.values() for c in found.values())
        cluster[3].kill()
        path = self.newest_log(cluster[3])
        with open(path, "r+b") as file:
            content = file.read()
            at = len(content.rstrip(b"\0")) // 2
            file.seek(at)
            file.write(bytes([content[at] ^ 1]))
        cluster[3].start()
        cluster.wait_formed()
        self.assertIn("damaged", cluster[3].log_text())
        wait_until(lambda: workloads(cluster[3]) == {f"w{n}" for n in range(4)}, 10,
                   "n3 has every document again")
        after = {number: cluster.exactly_once(f"w{number}", 1) for number in range(4)}
        stayed = identity(c for found in after.values() for c in found.values())
        elsewhere = {c.id for found in before.values() for c in found.values() if c.node != "n3"}
        self.assertLessEqual(elsewhere, set(stayed))
        self.assertEqual({i: t for i, t in running.items() if i in elsewhere},
                         {i: t for i, t in stayed.items() if i in elsewhere})

    def test_an_old_image_brings_nothing_back_and_loses_nothing(self):
        cluster = self.cluster(3)
        cluster.apply(workload("old"), on=3)
        cluster.exactly_once("old", 1)
        cluster[3].kill()
        shutil.copytree(cluster[3].data, cluster[3].data + ".image",
                        ignore=shutil.ignore_patterns("*.sock"))
        cluster[3].start()
        cluster.wait_formed()
        cluster.apply(workload("new", 2), on=3)
        cluster.exactly_once("new", 2)
        cluster.delete("old", on=3)
        cluster[3].kill()
        shutil.rmtree(cluster[3].data)
        os.rename(cluster[3].data + ".image", cluster[3].data)
        cluster[3].start()
        cluster.wait_formed()
        cluster.apply(workload("last"), on=3)
        for name, replicas in (("new", 2), ("last", 1)):
            cluster.exactly_once(name, replicas)
        for agent in cluster.alive:
            wait_until(lambda a=agent: workloads(a) == {"new", "last"}, 10, f"{agent} agrees")


if __name__ == "__main__":
    unittest.main()
