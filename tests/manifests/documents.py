#!/usr/bin/env python3
"""Checks Kubernetes documents without a network: against the types of Debian's python3-kubernetes
(those of Kubernetes 1.22), strictly, and as one whole: what refers to what.

    documents.py FILE...     prints one line per problem; ends with 1 if there is one

Of kinds that Kubernetes itself does not have only the metadata is looked at.
"""
import functools
import re
import sys

import yaml
from kubernetes import client

OTHERS = {"PodMonitor", "Certificate"}
# Later than 1.22, with the type that it has.
LATER = {("V1Container", "restartPolicy"): "str"}
QUANTITIES = {"limits", "requests", "sizeLimit", "divisor"}
LABEL = re.compile(r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")
SUBDOMAIN = re.compile(r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")
SCALARS = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float),
           "datetime": (str,), "object": (object,)}


def configuration(checks):
    made = client.Configuration()
    made.client_side_validation = checks
    return made


STRICT, LAX = configuration(True), configuration(False)


@functools.cache
def fields_of(name):
    """{key in YAML: (attribute, type)} and the keys that are required."""
    cls = getattr(client, name)
    fields = {key: (attribute, cls.openapi_types[attribute])
              for attribute, key in cls.attribute_map.items()}
    probe = cls(local_vars_configuration=LAX)
    probe.local_vars_configuration = STRICT
    required = set()
    for key, (attribute, _) in fields.items():
        try:
            setattr(probe, attribute, None)
        except ValueError:
            required.add(key)
    return fields, required, probe


def check_value(value, wanted, path):
    """Problems of one value that should be of a type as the client's models name it."""
    if wanted.startswith("list["):
        if not isinstance(value, list):
            return [f"{path}: must be a list"]
        return [problem for index, item in enumerate(value)
                for problem in check_value(item, wanted[5:-1], f"{path}[{index}]")]
    if wanted.startswith("dict("):
        return check_dict(value, wanted[5:-1].split(", ", 1)[1], path)
    if wanted in SCALARS:
        right = isinstance(value, SCALARS[wanted])
        if wanted in ("int", "float") and isinstance(value, bool):
            right = False
        return [] if right else [f"{path}: must be {wanted}, not {value!r}"]
    return check_object(value, wanted, path)


def check_dict(value, wanted, path):
    if not isinstance(value, dict):
        return [f"{path}: must be a mapping"]
    found = [f"{path}: the key {key!r} is no text" for key in value if not isinstance(key, str)]
    quantity = path.rpartition(".")[2] in QUANTITIES
    for key, item in value.items():
        if not (quantity and isinstance(item, (int, float)) and not isinstance(item, bool)):
            found += check_value(item, wanted, f"{path}.{key}")
    return found


def check_object(value, name, path):
    if not isinstance(value, dict):
        return [f"{path}: must be a mapping"]
    fields, required, probe = fields_of(name)
    value = {key: item for key, item in value.items() if item is not None}
    found = [f"{path}.{key}: is required" for key in sorted(required - set(value))]
    for key, item in value.items():
        if (name, key) in LATER:
            found += check_value(item, LATER[name, key], f"{path}.{key}")
        elif key not in fields:
            found.append(f"{path}: there is no field {key!r} in {name}")
        else:
            attribute, wanted = fields[key]
            inner = check_value(item, wanted, f"{path}.{key}")
            try:
                setattr(probe, attribute, item)  # refuses words that are not among the allowed
            except ValueError as error:
                inner = inner or [f"{path}.{key}: {error}"]
            found += inner
    return found


def class_of(document):
    group, _, version = document["apiVersion"].rpartition("/")
    if document["kind"] in OTHERS and "." in group:
        return None
    name = version[:1].upper() + version[1:] + document["kind"]
    return name if hasattr(client, name) else ""


def check_metadata(document, where):
    metadata = document.get("metadata") or {}
    found = []
    if not SUBDOMAIN.match(metadata.get("name", "")):
        found.append(f"{where}: metadata.name {metadata.get('name')!r} is no DNS name")
    for key, value in (metadata.get("labels") or {}).items():
        if not isinstance(value, str) or not LABEL.match(value):
            found.append(f"{where}: metadata.labels.{key}: {value!r} is no label's value")
    return found


def check_document(document, where):
    if not isinstance(document, dict) or not document.get("apiVersion") or \
            not document.get("kind"):
        return [f"{where}: has no apiVersion and kind"]
    where = f"{where} {document['kind']}"
    name = class_of(document)
    if name == "":
        return [f"{where}: Kubernetes has no {document['apiVersion']} {document['kind']}"]
    found = check_metadata(document, where)
    return found + (check_object(document, name, where) if name else [])


# ---- what refers to what ---------------------------------------------------------------------


def pod_of(document):
    if document["kind"] == "Pod":
        return document["spec"]
    return document["spec"]["template"]["spec"] if document["kind"] == "DaemonSet" else None


def containers_of(pod):
    return pod.get("initContainers", []) + pod["containers"]


def check_pod(pod, where):
    volumes = [volume["name"] for volume in pod.get("volumes", [])]
    found = [f"{where}: two volumes {name}" for name in set(volumes) if volumes.count(name) > 1]
    used = set()
    for container in containers_of(pod):
        at = f"{where}, container {container['name']}"
        mounts = container.get("volumeMounts", [])
        used |= {mount["name"] for mount in mounts}
        found += [f"{at}: mounts {mount['name']}, which is no volume" for mount in mounts
                  if mount["name"] not in volumes]
        paths = [mount["mountPath"] for mount in mounts]
        found += [f"{at}: two mounts at {path}" for path in set(paths) if paths.count(path) > 1]
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        found += [f"{at}: port name {name} is too long" for name in ports if len(name) > 15]
        if len(set(ports.values())) != len(container.get("ports", [])):
            found.append(f"{at}: a port or its name is there twice")
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            port = container.get(probe, {}).get("httpGet", {}).get("port", 1)
            if isinstance(port, str) and port not in ports:
                found.append(f"{at}: {probe} asks at {port}, which is no port")
    found += [f"{where}: volume {name} is mounted nowhere" for name in set(volumes) - used]
    return found


def check_config_maps(documents, pod, where):
    """ConfigMaps are all ours; Secrets may be the operator's."""
    ours = {document["metadata"]["name"]: document["data"] for document in documents
            if document["kind"] == "ConfigMap"}
    found = []
    for volume in pod.get("volumes", []):
        if "configMap" not in volume:
            continue
        name = volume["configMap"]["name"]
        if name not in ours:
            found.append(f"{where}: there is no ConfigMap {name}")
        found += [f"{where}: ConfigMap {name} has no {item['key']}"
                  for item in volume["configMap"].get("items", [])
                  if name in ours and item["key"] not in ours[name]]
    return found


def matches(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


def check_daemon_set(documents, daemon_set):
    spec = daemon_set["spec"]
    template, where = spec["template"], f"DaemonSet {daemon_set['metadata']['name']}"
    labels, selector = template["metadata"]["labels"], spec["selector"]["matchLabels"]
    found = [] if matches(selector, labels) else [f"{where}: selects not its own pods"]
    accounts = [document["metadata"]["name"] for document in documents
                if document["kind"] == "ServiceAccount"]
    if accounts and template["spec"]["serviceAccountName"] not in accounts:
        found.append(f"{where}: its service account is not {accounts}")
    ports = {port["name"] for container in template["spec"]["containers"]
             for port in container.get("ports", [])}
    for document in documents:
        name = f"{document['kind']} {document['metadata']['name']}"
        if document["kind"] == "Service":
            if not matches(document["spec"]["selector"], labels):
                found.append(f"{name}: selects not the pods of {where}")
            found += [f"{name}: {port['targetPort']} is no port of {where}"
                      for port in document["spec"]["ports"] if port["targetPort"] not in ports]
        elif document["kind"] == "NetworkPolicy":
            if not matches(document["spec"]["podSelector"]["matchLabels"], labels):
                found.append(f"{name}: selects not the pods of {where}")
        elif document["kind"] == "Pod" and matches(selector, document["metadata"]["labels"]):
            found.append(f"{name}: {where} would take it for its own")
    return found


def check_set(documents):
    """One rendering of the chart, or one file: all documents are right one by one."""
    found, seen = [], set()
    for document in documents:
        identity = (document["kind"], document["metadata"].get("namespace"),
                    document["metadata"]["name"])
        if identity in seen:
            found.append(f"{identity}: is there twice")
        seen.add(identity)
        pod = pod_of(document)
        if pod:
            where = f"{document['kind']} {document['metadata']['name']}"
            found += check_pod(pod, where) + check_config_maps(documents, pod, where)
        if document["kind"] == "DaemonSet":
            found += check_daemon_set(documents, document)
    return found


def load(path):
    with open(path, encoding="utf-8") as file:
        return [document for document in yaml.safe_load_all(file) if document]


def check_file(path):
    documents = load(path)
    found = [problem for index, document in enumerate(documents)
             for problem in check_document(document, f"{path}[{index}]")]
    if not documents:
        found.append(f"{path}: has no document")
    return found or [f"{path}: {problem}" for problem in check_set(documents)]


def main(paths):
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    found = [problem for path in paths for problem in check_file(path)]
    for problem in found:
        print(problem)
    print(f"documents: {len(paths)} files, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
