"""A real Prometheus for tests: it scrapes one target every second."""

from __future__ import annotations

import contextlib
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Final

from tests.servers.ports import free_port
from tests.servers.processes import ServerProcess, program, wait_until

PACKAGE: Final = "prometheus"

_CONFIGURATION: Final = """
global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [{rules}]
scrape_configs:
  - job_name: sockudo
    authorization: {{credentials: "{token}"}}
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
"""


class PrometheusProcess:
    """One `prometheus`."""

    def __init__(self, folder: Path, target: int, token: str, rules: Path) -> None:
        folder.mkdir()
        self._port = free_port()
        configuration = folder / "prometheus.yml"
        configuration.write_text(_CONFIGURATION.format(rules=json.dumps(str(rules)), token=token, target=target))
        command = [program("prometheus", PACKAGE), f"--config.file={configuration}"]
        command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{self._port}"]
        self._process = ServerProcess(command, folder)

    def start(self, *, is_up: bool = True) -> None:
        """Start it and return when it has scraped its target three times, or has failed to."""
        self._process.start()
        wait_until(lambda: self._has_scraped(is_up=is_up), "prometheus has scraped three times", within=60)

    def stop(self) -> None:
        """End it."""
        self._process.end()

    def log_tail(self) -> str:
        """Return the end of its log."""
        return self._process.log_tail()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an expression now.

        Raises:
            HTTPError: it is wrong.
        """
        found: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules with their state."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _has_scraped(self, *, is_up: bool) -> bool:
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            found = self.query(f'count_over_time((up{{job="sockudo"}} == {int(is_up)})[1m:1s])')
            return bool(found) and float(found[0]["value"][1]) >= 3
        return False

    def _get(self, path: str, **params: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(params)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            document = json.load(answer)
        assert document["status"] == "success", document
        data: dict[str, Any] = document["data"]
        return data


def promtool(*words: str) -> str:
    """Check files; return what promtool says, which is an error where it finds one."""
    done = subprocess.run([program("promtool", PACKAGE), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
