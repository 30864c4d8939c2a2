#!/usr/bin/env python3
"""Writes the first inputs of the targets that read text: seed.py CORPUS.

From the documents that tests/bad refuses and manifests/examples offers, and from what engines,
clients and operators say. The corpus in the tree holds those of them that libFuzzer's -merge=1
kept for what they reach; longer ones grow in build/fuzz: see script/fuzz.
"""
import json
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENGINE = {
    "inspect": (0, {"Id": "a" * 64, "Name": "/hordelet-c-n-default-web-0-1", "Image": "sha256:0",
                    "State": {"Status": "exited", "Running": False, "ExitCode": 137, "Error": "",
                              "StartedAt": "2026-11-20T10:00:00.123456789Z",
                              "FinishedAt": "0001-01-01T00:00:00Z", "OOMKilled": True},
                    "Config": {"Labels": {"dev.hordelet.cluster": "c", "dev.hordelet.node": "n",
                                          "dev.hordelet.replica": "0123456789abcdef",
                                          "dev.hordelet.child": "default/web/0",
                                          "dev.hordelet.uid":
                                          "b535a988-ee71-435f-95d2-408f6a354d22",
                                          "dev.hordelet.epoch": "1",
                                          "dev.hordelet.supervisor": "default",
                                          "dev.hordelet.spec-hash": "0123456789abcdef"}},
                    "NetworkSettings": {"IPAddress": "172.17.0.2", "Ports": {
                        "80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "32768"}], "81/udp": None}}}),
    "list": (1, [{"Id": "b" * 64, "Names": ["/x"], "State": "running",
                  "Labels": {"dev.hordelet.child": "default/web/0"}}]),
    "event": (2, {"Type": "container", "Action": "die", "id": "c" * 64, "time": 1,
                  "Actor": {"ID": "c" * 64, "Attributes": {"exitCode": "1",
                                                           "dev.hordelet.epoch": "2"}}}),
    "version": (3, {"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12",
                    "Components": [{"Name": "Podman Engine", "Version": "4.3.1"}]}),
    "created": (4, {"Id": "d" * 64, "Warnings": []}),
    "message": (5, {"message": "No such image: x:1\n"}),
    "document": (7, {"spec": {"replicas": 1, "hostNetwork": False, "container": {
        "image": "busybox:1.36", "command": ["sh", "-c", "echo $(A) $$(B)"], "args": ["x"],
        "env": [{"name": "A", "value": "b"}], "ports": [{"containerPort": 80, "hostPort": 8080}],
        "volumeMounts": [{"name": "d", "mountPath": "/d", "readOnly": True}],
        "resources": {"limits": {"cpu": "500m", "memory": "64Mi"}}},
        "volumes": [{"name": "d", "hostPath": {"path": "/srv"}}]}}),
}
PULL = ('{"status":"Pulling from x","id":"1"}\n{"status":"Downloading","id":"ab","progressDetail":'
        '{"current":5,"total":10}}\n{"status":"Pull complete","id":"ab"}\n{"error":"denied"}\n')
REQUESTS = {
    "list": "GET\n/apis/hordelet.dev/v1/children?limit=1&fieldSelector=status.phase%3DPending\n"
            "application/yaml\n\n\n",
    "get": "GET\n/apis/hordelet.dev/v1/namespaces/default/workloads/web?pretty=true\n\n\n3.1\n",
    "register": "PUT\n/apis/hordelet.dev/v1/namespaces/default/names/db\n\napplication/json\n\n"
                '{"apiVersion":"hordelet.dev/v1","kind":"Name","metadata":{"name":"db","labels":'
                '{"a":"b"}},"spec":{"address":"c","port":5,"value":{"d":"e"},"ttlSeconds":9}}',
    "select": "GET\n/apis/hordelet.dev/v1/names?fieldSelector=spec.value.d%3De,status.owner!%3Df&"
              "count=1\n\n\n\n",
    "meta": "POST\n/apis/hordelet.dev/v1/namespaces/default/metas\n\napplication/json\n\n"
            '{"apiVersion":"hordelet.dev/v1","kind":"Meta","metadata":{"name":"a"},"spec":'
            '{"value":[1]}}',
    "state": "PUT\n/apis/hordelet.dev/v1/namespaces/default/children/SELF/state\n\n\n\nbytes",
    "token": "GET\n/livez\n\n\ndefault.web.0.00000000-0000-4000-8000-000000000001.1."
             "00000000000000000000000000000000\n",
    "metrics": "GET\n/metrics\n\n\n\n",
    "create": "POST\n/apis/hordelet.dev/v1/namespaces/default/workloads?dryRun=All\n\n"
              'application/json\n\n{"apiVersion":"hordelet.dev/v1","kind":"Workload","metadata":'
              '{"name":"a"},"spec":{"container":{"image":"b"}}}',
    "scale": "PATCH\n/apis/hordelet.dev/v1/namespaces/default/workloads/web/scale\n\n"
             'application/merge-patch+json\n\n{"spec":{"replicas":5}}',
    "apply": "PATCH\n/apis/hordelet.dev/v1/namespaces/default/workloads/web?fieldManager=m&"
             "force=true\n\napplication/apply-patch+yaml\n\napiVersion: hordelet.dev/v1\n"
             "kind: Workload\nmetadata: {name: web}\nspec: {container: {image: c}}\n",
    "delete": "DELETE\n/apis/hordelet.dev/v1/namespaces/default/children/web-0?terminate=true\n\n"
              'application/json\n\n{"kind":"DeleteOptions","preconditions":{"uid":"x"}}',
    "cordon": "PATCH\n/apis/hordelet.dev/v1/members/SELF\n\napplication/merge-patch+json\n\n"
              '{"spec":{"unschedulable":true}}',
    "supervisor": "PUT\n/apis/hordelet.dev/v1/supervisors/default\n\napplication/yaml\n\n"
                  "apiVersion: hordelet.dev/v1\nkind: Supervisor\nmetadata: {name: default}\n"
                  "spec: {members: [a, b], maxChildren: 7}\n",
}
PROBES = {
    "probe-exec": {"exec": {"command": ["test", "-f", "/ready"]}},
    "probe-http": {"httpGet": {"path": "/a", "port": "web", "scheme": "HTTPS",
                               "httpHeaders": [{"name": "Host", "value": "x"}]}},
    "probe-tcp": {"tcpSocket": {"port": 80}},
}
SLICE = {"metadata": {"name": "s-1", "resourceVersion": "5"}, "addressType": "IPv4",
         "endpoints": [{"addresses": ["10.0.0.1", "10.0.0.2"]}, {"addresses": ["fd00::1"]}],
         "ports": [{"name": "gossip", "protocol": "TCP", "port": 7370}, {"port": 1}]}
ENDPOINTS = {
    "list": {"kind": "EndpointSliceList", "metadata": {"resourceVersion": "4"}, "items": [SLICE]},
    "added": {"type": "ADDED", "object": SLICE},
    "deleted": {"type": "DELETED", "object": SLICE},
    "bookmark": {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}},
    "expired": {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "old"}},
}
CONFIGS = {
    "discovery": "--discover-dns=a,b:5\n--discover-kubernetes\nn/s\n--discover-interval=2s\n",
    "flags": "--node-name=a\n--gossip\n127.0.0.1:7370\n--labels\na=b,c=d\n--join=x:1,y:2\n"
             "--profile\nwan\nHORDELET_AGENT_API=127.0.0.1:7371\nHORDELET_AGENT_INSECURE=true\n",
    "file": "--insecure\n\nnode-name: a\njoin: [10.0.0.1:7370, 'x:2']\nlabels: {disk: ssd}\n"
            "start-grace: 30s\nlog-format: json\n",
}


def save(corpus, target, name, data):
    folder = os.path.join(corpus, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


def main(corpus):
    documents = [*sorted((ROOT / "tests/bad").iterdir()),
                 *sorted((ROOT / "manifests/examples").iterdir())]
    for path in documents:
        data = path.read_bytes()
        if len(data) > 2048:
            continue
        save(corpus, "yaml", path.name, data)
        save(corpus, "json", path.name, b"\x01\x00" + data)
    patch = [{"op": "add", "path": "/spec/container/env/-", "value": {"name": "C"}},
             {"op": "test", "path": "/spec/replicas", "value": 2},
             {"op": "move", "from": "/spec/names/0", "path": "/spec/names/-"},
             {"op": "remove", "path": "/spec/container/command"}]
    save(corpus, "json", "json-patch", b"\x03\x00" + json.dumps(patch).encode())
    save(corpus, "json", "merge-patch", b'\x02\x01{"spec":{"replicas":5,"names":null}}')
    for name, (kind, value) in ENGINE.items():
        save(corpus, "engine", name, bytes([kind]) + json.dumps(value).encode())
    for name, probe in PROBES.items():
        spec = {"container": {"ports": [{"name": "web", "containerPort": 80}],
                              "readinessProbe": probe}}
        save(corpus, "engine", name, b"\x08" + json.dumps({"spec": spec}).encode())
    save(corpus, "engine", "exec", b"\x09" + b'{"Running":false,"ExitCode":1,"Pid":7}')
    save(corpus, "engine", "exec-output", b"\x09\x01\0\0\0\0\0\0\x03no\n")
    save(corpus, "engine", "pull", b"\x06" + PULL.encode())
    for name, text in REQUESTS.items():
        save(corpus, "http", name, text)
    for name, value in ENDPOINTS.items():
        save(corpus, "endpoints", name, json.dumps(value))
    save(corpus, "endpoints", "watch", "\n".join(json.dumps(v) for v in ENDPOINTS.values()))
    for name, text in CONFIGS.items():
        save(corpus, "config", name, text)


if __name__ == "__main__":
    main(sys.argv[1])
