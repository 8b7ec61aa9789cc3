"""The Helm chart. What needs Helm runs in `make chart`; the rest is checked each time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.servers.server import clean_environ
from tests.support.source import ROOT

CHART: Final = ROOT / "ops" / "helm" / "sockudo"
# The oldest version that the chart supports, and the newest whose schemas there are.
KUBERNETES: Final = ("1.25.0", "1.37.0")
SINGLE: Final = {"replicaCount": 1, "config": {"adapter": {"driver": "local"}}}
# Names of values -> ways to use the chart.
WAYS: Final[dict[str, dict[str, Any]]] = {
    "defaults": {},
    "single": SINGLE,
    "scaled": {"autoscaling": {"enabled": True}},
    "watched": {"serviceMonitor": {"enabled": True, "tokenSecret": "metrics-token", "labels": {"release": "prom"}}},
    "public": {"ingress": {"enabled": True, "className": "nginx", "tlsSecret": "ws-tls"}},
    "by-digest": {"image": {"digest": "sha256:" + "0" * 64}, "workers": "auto"},
    "placed": {
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "realtime", "operator": "Exists"}],
        "sysctls": [{"name": "net.ipv4.ip_local_port_range", "value": "1024 65000"}],
        "extraEnv": [{"name": "LOG_LEVEL", "value": "debug"}],
        "priorityClassName": "high",
        "podAnnotations": {"note": "1"},
        "imagePullSecrets": [{"name": "registry"}],
    },
}


def values() -> dict[str, Any]:
    """Return the defaults of the chart."""
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return found


def templates() -> str:
    """Return all templates as one text."""
    return "\n".join(path.read_text() for path in sorted((CHART / "templates").iterdir()))


def test_the_defaults_satisfy_the_schema_of_the_chart() -> None:
    tool = str(Path(sys.executable).with_name("check-jsonschema"))
    command = [tool, "--schemafile", str(CHART / "values.schema.json"), str(CHART / "values.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert schema["properties"].keys() - {"global"} == values().keys()


def test_every_value_that_a_template_reads_has_a_default() -> None:
    # Below `config` are the settings of the server, which has defaults of its own.
    for path in re.findall(r"\.Values((?!\.config\.)(?:\.\w+)+)", templates()):
        place: Any = values()
        for name in path.strip(".").split("."):
            assert name in place, path
            place = place[name]


def test_every_value_with_a_default_is_read_by_a_template() -> None:
    read = set(re.findall(r"\.Values\.(\w+)", templates()))
    assert values().keys() == read


def test_the_server_accepts_the_settings_of_the_chart(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(values()["config"]))
    app = {f"SOCKUDO_DEFAULT_APP_{name}": "x" * 20 for name in ("ID", "KEY", "SECRET")}
    done = subprocess.run(
        [sys.executable, "-m", "sockudo", "check-config", "config.json"],
        cwd=tmp_path,
        env=clean_environ() | {"REDIS_URL": "redis://redis:6379/0"} | app,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_secret_is_in_the_values() -> None:
    text = json.dumps(values()["config"])
    assert not re.findall(r'"\w*(?:password|secret|token)\w*"', text)
    assert set(re.findall(r'"(redis://[^"]*)"', text)) == set()


@pytest.fixture(scope="module")
def helm() -> str:
    tool = shutil.which("helm")
    if tool is None:
        if os.environ.get("CHART"):
            pytest.fail("helm is not installed")
        pytest.skip("helm is not installed: make chart")
    return tool


def run(helm: str, folder: Path, way: dict[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    """Run Helm for the chart with some values."""
    (folder / "values.json").write_text(json.dumps(way))
    command = [helm, *words, "--values", str(folder / "values.json")]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def template(version: str = KUBERNETES[-1]) -> list[str]:
    """Return the words of Helm that render the chart."""
    return ["template", "live", str(CHART), "--kube-version", version, "--api-versions", "monitoring.coreos.com/v1"]


def render(helm: str, folder: Path, way: dict[str, Any], version: str = KUBERNETES[-1]) -> list[dict[str, Any]]:
    """Return the objects that the chart makes."""
    done = run(helm, folder, way, *template(version))
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def the(kind: str, objects: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the one object of a kind."""
    (found,) = [one for one in objects if one["kind"] == kind]
    return found


@pytest.mark.parametrize("way", WAYS)
def test_helm_finds_nothing_wrong_with_the_chart(helm: str, tmp_path: Path, way: str) -> None:
    done = run(helm, tmp_path, WAYS[way], "lint", "--strict", "--quiet", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("way", WAYS)
def test_kubernetes_accepts_every_object(helm: str, tmp_path: Path, way: str, version: str) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="make chart installs it")
    for found in render(helm, tmp_path, WAYS[way], version):
        if found["kind"] != "ServiceMonitor":
            validate.validate(found, version, strict=True)


def test_a_node_gets_the_time_that_leaving_takes(helm: str, tmp_path: Path) -> None:
    way = {"config": {"readiness_delay": 7, "shutdown_grace_period": 30}}
    pod = the("Deployment", render(helm, tmp_path, way))["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > 37


def test_a_new_node_is_ready_before_an_old_one_leaves(helm: str, tmp_path: Path) -> None:
    spec = the("Deployment", render(helm, tmp_path, {}))["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    (container,) = spec["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/live"


def test_a_node_has_no_rights_that_it_does_not_need(helm: str, tmp_path: Path) -> None:
    pod = the("Deployment", render(helm, tmp_path, {}))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_settings_reach_the_node_as_they_are(helm: str, tmp_path: Path) -> None:
    data = the("ConfigMap", render(helm, tmp_path, {}))["data"]["config.json"]
    assert json.loads(data) == values()["config"]


def test_a_change_of_the_settings_replaces_the_nodes(helm: str, tmp_path: Path) -> None:
    def checksum(way: dict[str, Any]) -> str:
        template = the("Deployment", render(helm, tmp_path, way))["spec"]["template"]
        text: str = template["metadata"]["annotations"]["checksum/config"]
        return text

    assert checksum({}) == checksum({})
    assert checksum({}) != checksum({"config": {"port": 7001}})


def test_nodes_that_do_not_know_each_other_are_refused(helm: str, tmp_path: Path) -> None:
    done = run(helm, tmp_path, {"config": {"adapter": {"driver": "local"}}}, *template())
    assert done.returncode != 0
    assert "3 nodes would not know each other" in done.stderr


def test_prometheus_finds_the_metrics_of_every_node(helm: str, tmp_path: Path) -> None:
    objects = render(helm, tmp_path, WAYS["watched"])
    (service,) = [one for one in objects if one["kind"] == "Service" and one["metadata"]["name"].endswith("-metrics")]
    monitor = the("ServiceMonitor", objects)["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["authorization"]["credentials"] == {"name": "metrics-token", "key": "token"}


def test_a_value_that_does_not_exist_is_refused(helm: str, tmp_path: Path) -> None:
    done = run(helm, tmp_path, {"replicas": 5}, *template())
    assert done.returncode != 0
    assert "replicas" in done.stderr
