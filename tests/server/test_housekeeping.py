from __future__ import annotations

from sockudo.server.housekeeping import Housekeeping


def test_one_job_runs_every_second_and_another_less_often() -> None:
    ran: list[str] = []
    housekeeping = Housekeeping(lambda: ran.append("second"), lambda: ran.append("sweep"), sweep_seconds=3)
    for _ in range(7):
        housekeeping.tick()
    assert ran == ["second"] * 3 + ["sweep"] + ["second"] * 3 + ["sweep"] + ["second"]
