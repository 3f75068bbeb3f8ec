"""One benchmark on one rented machine, from the plan to its outcome.

Its run's name is made of what is measured and where. So whoever starts it again, after a kill,
finds results that are there already, or the instance that works on them, and starts nothing twice.
"""

import json
import logging
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event

from distillery import __version__, digests
from distillery.aws import bundle, inbox, launching, tags, user_data, waiting
from distillery.aws.bundle import OUTCOME, Bundle, Part
from distillery.aws.inbox import DONE, HEARTBEAT, LOG, Inbox
from distillery.aws.nouns import GRACE_MINUTES, Plan, Planned
from distillery.aws.session import Session, clear_errors
from distillery.aws.waiting import TakenAwayError
from distillery.benchmarking.plan import Entry
from distillery.errors import UserError
from distillery.measurements import Instance, Market, Outcome, Scenario
from distillery.runtimes.base import Device, Example

log = logging.getLogger(__name__)

_RUNNER = Path(__file__).with_name("runner.py")


def run(
    session: Session,
    plan: Plan,
    planned: Planned,
    *,
    device: Device,
    entries: Sequence[Entry],
    examples: Sequence[Example],
    scenario: Scenario,
    threads: int,
    stop: Event,
) -> Outcome:
    """What the instance brought back, verified. Nothing of it runs any more, however this ends.

    Raises ``NoMeasurementError`` where it brought nothing, and ``UserError`` for what is the
    user's to mend.
    """
    with tempfile.TemporaryDirectory(prefix="bundle-") as folder:
        made = bundle.make(
            Path(folder),
            instance_type=planned.offering.instance_type,
            device=device,
            entries=entries,
            examples=examples,
            scenario=scenario,
            threads=threads,
            examples_max=plan.aws.examples,
        )
        box = Inbox(bucket=plan.place.bucket, run=_name(planned, made, entries))
        try:
            markets: Sequence[Market] = plan.aws.markets
            while True:
                instance = _at_work(session, plan, planned, box)
                if instance is None:
                    job = _sent(session, plan, box, made, Path(folder))
                    instance = launching.launch(
                        session, plan, planned, run=box.run, user_data=job, markets=markets
                    )
                    box.remember(session, instance)
                try:
                    waiting.wait(session, box, instance, stop)
                    return box.outcome(session, instance)
                except TakenAwayError:
                    markets = [one for one in markets if one != instance.market]
                    if not markets:
                        raise
                    log.warning("the spot market took %s back", instance.instance_id)
                    box.clear(session)
                except Exception:
                    # so that the next run measures anew, and does not find this failure again
                    with suppress(UserError):
                        box.clear(session)
                    raise
        finally:
            waiting.end(session, box)


def _name(planned: Planned, made: Bundle, entries: Sequence[Entry]) -> str:
    """Equal for equal work."""
    whose = [[entry.name, entry.digest, entry.runtime] for entry in entries]
    identity = digests.of_json([__version__, planned.target, whose, made.digest])
    return f"{planned.offering.instance_type}-{identity[:20]}"


def _at_work(session: Session, plan: Plan, planned: Planned, box: Inbox) -> Instance | None:
    """The instance that has finished the run, or works on it; None where one must be started."""
    # in this order: an instance ends only after it has put all that it had to
    with clear_errors("the instances of this run cannot be looked for"):
        found = tags.bearing(session.client("ec2"), tags.RUN, box.run)
    working = [one for one in found if one["State"]["Name"] in ("pending", "running")]
    remembered = box.remembered(session)
    if box.is_done(session) and (remembered or found):
        # not remembered: whoever started it was killed before that
        instance = remembered or launching.describe(found[0], plan, planned)
        log.info("%s has finished this already", instance.instance_id)
        return instance
    if not working:
        return None
    instance = launching.describe(working[0], plan, planned)
    log.info("%s works on this already", instance.instance_id)
    box.remember(session, instance)
    return instance


def _sent(session: Session, plan: Plan, box: Inbox, made: Bundle, folder: Path) -> str:
    """The script to start with, once all that it fetches is there."""
    seconds = (plan.aws.minutes_max + GRACE_MINUTES) * 60
    box.clear(session)
    box.send(session, made.parts)
    job = {
        "files": [
            {
                "name": part.name,
                "url": box.get_url(session, part, seconds),
                "size_bytes": part.size_bytes,
                "sha256": part.sha256,
            }
            for part in made.parts
        ],
        "setup": made.setup,
        "benchmark": made.benchmark,
        "results": {OUTCOME: box.put_url(session, OUTCOME, seconds)},
        "heartbeat": box.put_url(session, HEARTBEAT, seconds),
        "log": box.put_url(session, LOG, seconds),
        "done": box.put_url(session, DONE, seconds),
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    job_part, runner = _part(folder / "job.json"), _part(_RUNNER)
    box.send(session, [job_part, runner])
    return user_data.script(
        minutes=plan.aws.minutes_max,
        runner_url=box.get_url(session, runner, seconds),
        runner_sha256=runner.sha256,
        job_url=box.get_url(session, job_part, seconds),
        job_sha256=job_part.sha256,
        log_url=box.put_url(session, LOG, seconds),
    )


def _part(path: Path) -> Part:
    return Part(
        name=path.name, path=path, size_bytes=path.stat().st_size, sha256=digests.of_file(path)
    )


def forget(session: Session, outcomes: Sequence[Outcome]) -> None:
    """What was brought back is reported: the next run measures anew."""
    for outcome in outcomes:
        if outcome.run is not None:
            inbox.at(outcome.run).clear(session)
