"""From a document to containers: apply, spread, scale, change, delete."""
import time
import urllib.request

from harness import IMAGE, SystemTest, engine, wait_until, workload


class Workloads(SystemTest):
    def test_apply_on_one_agent_runs_everywhere_exactly_once(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 12))
        running = cluster.exactly_once("web", 12)
        self.assertEqual({container.node for container in running.values()}, {"n1", "n2", "n3"})

    def test_published_port_answers_where_the_name_says(self):
        cluster = self.cluster(2)
        cluster.apply(workload("site", 2, ("httpd", "-f", "-p", "8080", "-h", "/etc"),
                               hostNetwork=False, container={
                                   "ports": [{"name": "http", "containerPort": 8080}]}))
        running = cluster.exactly_once("site", 2)
        names = cluster[2].names("site")
        for ordinal, container in running.items():
            node, address, port = names[f"site-{ordinal}"]
            # The engine publishes in the root namespace; the agents' addresses are in their own.
            self.assertEqual(address, cluster.by_name(node).host)
            page = urllib.request.urlopen(f"http://127.0.0.1:{port}/passwd", timeout=5)
            self.assertEqual(page.read(), b"root:x:0:0:root:/root:/bin/sh\n")
            bindings = engine().inspect(container.id)["NetworkSettings"]["Ports"]["8080/tcp"]
            self.assertIn(str(port), {binding["HostPort"] for binding in bindings})

    def test_scale_up_and_down_keeps_those_that_stay(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 4))
        before = cluster.exactly_once("web", 4)
        cluster.scale("web", 9, on=2)
        more = cluster.exactly_once("web", 9)
        self.assertEqual({o: more[o].id for o in range(4)}, {o: before[o].id for o in before})
        cluster.scale("web", 2, on=3)
        fewer = cluster.exactly_once("web", 2)
        self.assertEqual({o: fewer[o].id for o in fewer}, {o: before[o].id for o in (0, 1)})
        cluster.scale("web", 0)
        cluster.exactly_once("web", 0)

    def test_delete_leaves_nothing_and_a_new_one_of_the_name_begins_at_a_higher_epoch(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 5))
        before = cluster.exactly_once("web", 5)
        cluster.delete("web", on=2)
        cluster.gone("web")
        cluster.apply(workload("web", 5), on=3)
        after = cluster.exactly_once("web", 5)
        for ordinal, container in after.items():
            self.assertGreater(container.epoch, before[ordinal].epoch)
        self.assertFalse({c.id for c in before.values()} & {c.id for c in after.values()})

    def test_a_changed_spec_replaces_every_container_once(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 4))
        before = cluster.exactly_once("web", 4)
        cluster.apply(workload("web", 4, ("sleep", "2000")), on=2)

        def replaced():
            after = cluster.look("web", 4)
            assert not {c.id for c in before.values()} & {c.id for c in after.values()}
            return after
        after = wait_until(replaced, 30, "all four are of the new spec", every=0.1)
        for ordinal, container in after.items():
            self.assertEqual(engine().inspect(container.id)["Config"]["Cmd"] or
                             engine().inspect(container.id)["Config"]["Entrypoint"],
                             ["sleep", "2000"])
            self.assertEqual(container.node, before[ordinal].node)

    def test_a_container_that_dies_runs_again_on_its_node_at_its_epoch(self):
        cluster = self.cluster(3)
        cluster.apply(workload("web", 3))
        before = cluster.exactly_once("web", 3)[1]
        engine().kill(before.id)

        def again():
            after = cluster.look("web", 3)[1]
            assert after.id != before.id
            return after
        after = wait_until(again, 10, "web-1 runs again")
        self.assertEqual((after.node, after.epoch), (before.node, before.epoch))
        self.assertEqual(cluster[1].children("web")["web-1"]["restarts"], 1)

    def test_a_job_runs_once_and_succeeds(self):
        cluster = self.cluster(2)
        cluster.apply(workload("job", 1, ("sh", "-c", "exit 0"), restart="transient"))
        for agent in cluster.alive:
            status = wait_until(
                lambda agent=agent: (lambda s: s if s["phase"] == "Succeeded" else None)(
                    agent.children("job")["job-0"]), 10, f"{agent} sees the job's success")
            self.assertEqual(status["exitCode"], 0)
        time.sleep(1)
        self.assertEqual(cluster.containers(), [])

    def test_a_crash_loop_backs_off_visibly_and_leaves_its_neighbours_alone(self):
        cluster = self.cluster(2)
        cluster.apply(workload("calm", 4))
        before = cluster.exactly_once("calm", 4)
        cluster.apply(workload("crash", 1, ("sh", "-c", "exit 3")))

        def looping():
            status = cluster[1].children("crash")["crash-0"]
            assert status["phase"] == "CrashLoopBackOff", status
            return status
        status = wait_until(looping, 15, "crash-0 is in CrashLoopBackOff")
        self.assertEqual(status["exitCode"], 3)
        self.assertGreaterEqual(status["restarts"], 3)
        after = cluster.look("calm", 4)
        self.assertEqual({c.id for c in before.values()}, {c.id for c in after.values()})

    def test_an_image_that_cannot_be_pulled_is_a_state_that_people_see(self):
        cluster = self.cluster(2)
        cluster.apply(workload("ghost", 1, image="127.0.0.1:1/no/such:1"))
        reasons = {}

        def both():
            status = cluster[2].children("ghost")["ghost-0"]
            assert status["phase"] == "Pulling", status
            if status.get("reason"):
                reasons[status["reason"]] = status.get("message", "")
            return {"ErrImagePull", "ImagePullBackOff"} <= set(reasons)
        with self.subTest("both reasons are seen"):
            wait_until(both, 15, "ErrImagePull and ImagePullBackOff", every=0.01)
        self.assertTrue(set(reasons) <= {"ErrImagePull", "ImagePullBackOff"}, reasons)
        self.assertTrue(any("127.0.0.1:1" in message for message in reasons.values()), reasons)
        self.assertEqual(cluster.containers(every=True), [])
        cluster.apply(workload("ghost", 1, image=IMAGE), on=2)
        cluster.exactly_once("ghost", 1)

    def test_containers_of_others_are_never_touched(self):
        mine = engine().run("somebody-elses")
        similar = engine().run("hordelet-web-0", {"dev.hordelet.cluster": "another",
                                                  "dev.hordelet.node": "n1",
                                                  "dev.hordelet.child": "default/web/0"})
        try:
            cluster = self.cluster(2)
            cluster.apply(workload("web", 3))
            cluster.exactly_once("web", 3)
            cluster.delete("web")
            cluster.gone("web")
            for agent in cluster.alive:
                self.assertEqual(agent.terminate(20), 0)
            for identity in (mine, similar):
                self.assertTrue(engine().inspect(identity)["State"]["Running"])
                self.assertEqual(engine().inspect(identity)["RestartCount"], 0)
        finally:
            engine().remove_container(mine)
            engine().remove_container(similar)
