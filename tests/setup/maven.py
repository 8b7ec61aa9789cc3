"""Servers and libraries in Java: jars that come with Maven and are kept outside of the checkout, for later runs too."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.setup.commands import SetupError, run, say

CACHE: Final = Path(os.environ.get("SOCKUDO_TEST_CACHE") or Path.home() / ".cache" / "sockudo-tests")

_PROJECT: Final = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sockudo</groupId><artifactId>test-servers</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
{dependencies}
  </dependencies>
</project>
"""
_DEPENDENCY: Final = (
    "    <dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"
)


@dataclass(frozen=True)
class Jars:
    """A server or a library, and what it needs.

    Attributes:
        name: what people call it, with its version.
        needed_by: which tests.
        coordinates: `group:artifact:version` of it, and of what it can do without and we cannot.
    """

    name: str
    needed_by: str
    coordinates: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Where the jars are."""
        return CACHE / self.name.lower().replace(" ", "-")

    def is_complete(self) -> bool:
        """Tell whether they are there."""
        return self.folder.is_dir()

    def install(self) -> None:
        """Fetch them where they are missing.

        Raises:
            SetupError: there is no Maven, or it fails.
        """
        if self.is_complete():
            return
        maven = shutil.which("mvn")
        if maven is None:
            raise SetupError(f"{self.name} is missing: install Java and Maven to run {self.needed_by}")
        say(f"fetching {self.name} with Maven")
        CACHE.mkdir(parents=True, exist_ok=True)
        dependencies = [_DEPENDENCY.format(*one.split(":")) for one in self.coordinates]
        # Beside where it goes, so that it is there as a whole or not at all.
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            project = Path(folder, "pom.xml")
            project.write_text(_PROJECT.format(dependencies="\n".join(dependencies)))
            goal = ["dependency:copy-dependencies", f"-DoutputDirectory={folder}/jars"]
            run([maven, "--batch-mode", "--quiet", "--file", str(project), *goal])
            Path(folder, "jars").rename(self.folder)


KAFKA: Final = Jars(
    "Kafka 4.1.0",
    "the tests of its adapter",
    # The second one writes what the server logs.
    ("org.apache.kafka:kafka_2.13:4.1.0", "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"),
)
CASSANDRA: Final = Jars(
    "Cassandra 5.0.2", "the tests of apps in ScyllaDB", ("org.apache.cassandra:cassandra-all:5.0.2",)
)
PUSHER_JAVA: Final = Jars(
    "pusher-http-java 1.3.4", "the tests of webhooks with it", ("com.pusher:pusher-http-java:1.3.4",)
)
PUSHER_JAVA_CLIENT: Final = Jars(
    "pusher-java-client 2.4.4", "the tests of what is shown of it", ("com.pusher:pusher-java-client:2.4.4",)
)
