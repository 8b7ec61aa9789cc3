"""A server process on a bus that its configuration names beside the settings: `python node_process.py CONFIG`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sockudo import log
from sockudo.bootstrap import run
from sockudo.cluster.base import Adapter
from sockudo.cluster.times import ClusterTimes
from sockudo.config.model import Settings

TIMES = ClusterTimes(heartbeat_interval=0.5, node_timeout=1.5, introduction=0.1)


def make_adapter(driver: str, url: str) -> Adapter:
    """Return an adapter that notices a lost bus as soon as the others would notice a lost node."""
    if driver == "nats":
        from sockudo.cluster.nats import NatsAdapter
        from sockudo.cluster.nats_options import NatsOptions

        return NatsAdapter(NatsOptions(servers=(url,), connect_timeout=1, ping_timeout=1.5))
    from sockudo.cluster.redis import RedisAdapter
    from sockudo.cluster.redis_options import RedisOptions
    from sockudo.redis.options import RedisTarget, RedisTiming

    timing = RedisTiming(connect_timeout=1, probe_interval=0.5, probes=3)
    return RedisAdapter(RedisOptions(RedisTarget(url=url), timing=timing))


def main() -> int:
    """Serve until told to stop."""
    document: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    adapter = make_adapter(*document.pop("bus"))
    log.configure(level="info", output_format="json", debug=False, colors=False, include_target=True)
    return run(
        Settings.model_validate(document),
        lambda addresses: print(f"http://127.0.0.1:{addresses[0][1]}", flush=True),
        link=(adapter, TIMES),
    )


if __name__ == "__main__":
    sys.exit(main())
