"""The Python client as scripts use it: CRUD, watch, the dynamic client, custom resources, leader election. One line per expectation; ends with 1
at the first that does not hold."""

import json
import os
import threading
import uuid

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock

NS = "default"


def check(what, holds, seen=""):
    if not holds:
        print(f"not ok {what}: {seen}", flush=True)
        os._exit(1)
    print(f"ok {what}", flush=True)


def code_of(call):
    try:
        call()
        return 0
    except ApiException as e:
        return e.status


def crud(core):
    made = core.create_namespaced_config_map(NS, {"metadata": {"name": "python", "labels": {"python": "1"}}, "data": {"a": "1"}})
    check("create", made.metadata.uid and made.data == {"a": "1"}, made)
    check("a second create is 409", code_of(lambda: core.create_namespaced_config_map(NS, {"metadata": {"name": "python"}})) == 409)
    check("what is not there is 404", code_of(lambda: core.read_namespaced_config_map("none", NS)) == 404)
    check("what is wrong is 422", code_of(lambda: core.create_namespaced_config_map(NS, {"metadata": {"name": "NO"}})) == 422)
    found = core.list_namespaced_config_map(NS, label_selector="python=1").items
    check("list by label", [o.metadata.name for o in found] == ["python"], found)
    made.data["b"] = "2"
    check("replace", core.replace_namespaced_config_map("python", NS, made).data == {"a": "1", "b": "2"})
    check("a replace of the old version is 409", code_of(lambda: core.replace_namespaced_config_map("python", NS, made)) == 409)
    patched = core.patch_namespaced_config_map("python", NS, {"data": {"a": None, "c": "3"}})
    check("patch", patched.data == {"b": "2", "c": "3"}, patched.data)
    page = core.list_namespace(limit=1)
    check("pages", page.metadata._continue and core.list_namespace(limit=1, _continue=page.metadata._continue).items, page)


def watched(core):
    since = core.list_namespaced_config_map(NS).metadata.resource_version
    core.patch_namespaced_config_map("python", NS, {"metadata": {"labels": {"seen": "1"}}})
    core.delete_namespaced_config_map("python", NS)
    w = watch.Watch()
    events = []
    for e in w.stream(core.list_namespaced_config_map, NS, resource_version=since, field_selector="metadata.name=python", timeout_seconds=20):
        events.append((e["type"], e["object"].metadata.name))
        if e["type"] == "DELETED":
            w.stop()
    check("watch", events == [("MODIFIED", "python"), ("DELETED", "python")], events)


def dynamically(api):
    d = dynamic.DynamicClient(api)
    deployments = d.resources.get(api_version="apps/v1", kind="Deployment")
    body = {
        "metadata": {"name": "python"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}},
        },
    }
    made = deployments.create(body=body, namespace=NS)
    check("create by the dynamic client", made.spec.strategy.type == "RollingUpdate", made)
    applied = deployments.server_side_apply(
        namespace=NS, name="python", body=json.dumps({**body, "apiVersion": "apps/v1", "kind": "Deployment"}), field_manager="python", force_conflicts=True
    )
    check("server-side apply", any(m.manager == "python" and m.operation == "Apply" for m in applied.metadata.managedFields), applied)
    deployments.delete(name="python", namespace=NS)
    definitions = d.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition")
    names = {"plural": "snakes", "singular": "snake", "kind": "Snake"}
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"length": {"type": "integer"}}}}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definitions.create(
        body={"metadata": {"name": "snakes.zoo.example"}, "spec": {"group": "zoo.example", "scope": "Namespaced", "names": names, "versions": [version]}}
    )
    d.resources.invalidate_cache()
    snakes = d.resources.get(api_version="zoo.example/v1", kind="Snake")
    snakes.create(body={"apiVersion": "zoo.example/v1", "kind": "Snake", "metadata": {"name": "kaa"}, "spec": {"length": 6}}, namespace=NS)
    check("a custom resource", [s.spec.length for s in snakes.get(namespace=NS).items] == [6])
    definitions.delete(name="snakes.zoo.example")


def led():
    leading = threading.Event()
    lock = ConfigMapLock("python-leader", NS, str(uuid.uuid4()))
    settings = electionconfig.Config(lock, lease_duration=5, renew_deadline=3, retry_period=1, onstarted_leading=leading.set, onstopped_leading=None)
    threading.Thread(target=leaderelection.LeaderElection(settings).run, daemon=True).start()
    check("leader election", leading.wait(20))


config.load_kube_config()
core = client.CoreV1Api()
crud(core)
watched(core)
dynamically(client.ApiClient())
led()
print("done", flush=True)
os._exit(0)
