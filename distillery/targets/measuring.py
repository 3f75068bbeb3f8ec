"""The same entries on several targets: this machine first and alone, then instances in parallel."""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import Event

from distillery.benchmarking.plan import Entry
from distillery.errors import NoMeasurementError, UserError
from distillery.measurements import Outcome, Scenario, Skipped
from distillery.runtimes.base import Example
from distillery.targets.ec2_instance import Ec2Instance
from distillery.targets.named import AnyTarget
from distillery.targets.renting import opened, rented

log = logging.getLogger(__name__)


def measure(
    entries: Mapping[AnyTarget, Sequence[Entry]],
    examples: Sequence[Example],
    scenario: Scenario,
    threads: int,
) -> tuple[Outcome, ...]:
    """One outcome a target, in their order.

    An instance that brings nothing back is told with its reason, and the others go on. Raises
    ``UserError`` for what is the user's to mend; those that run by then are waited for, and their
    results are found by the next run.
    """
    found: dict[str, Outcome] = {}
    for target, of in entries.items():
        if isinstance(target, Ec2Instance):
            continue
        # threads that wait for instances would disturb it, so that it goes first
        if of:
            found[target.name] = target.outcome(of, examples, scenario, threads)
    instances = [target for target in rented(list(entries)) if entries[target]]
    if instances:
        found |= _measure_there(instances, entries, examples, scenario, threads)
    return tuple(found.get(one.name, Outcome(target=one.name)) for one in entries)


def _measure_there(
    instances: Sequence[Ec2Instance],
    entries: Mapping[AnyTarget, Sequence[Entry]],
    examples: Sequence[Example],
    scenario: Scenario,
    threads: int,
) -> dict[str, Outcome]:
    session, plan = opened(instances)
    stop, refused = Event(), Event()

    def one(target: Ec2Instance) -> Outcome:
        if refused.is_set():  # what is wrong with another is wrong with this one too
            return Outcome(target=target.name)
        try:
            return target.measure(
                entries[target],
                examples,
                scenario,
                threads,
                session=session,
                plan=plan,
                stop=stop,
            )
        except NoMeasurementError as error:
            log.warning("%s: %s", target.name, error)
            names = tuple(entry.name for entry in entries[target])
            return Outcome(
                target=target.name,
                skipped=(Skipped(models=names, target=target.name, why=str(error)),),
            )
        except UserError:
            refused.set()
            raise

    futures: list[Future[Outcome]] = []
    with ThreadPoolExecutor(plan.aws.max_parallel, thread_name_prefix="instance") as pool:
        try:
            # each with the caller's context, which tells whose its log lines are
            futures = [pool.submit(copy_context().run, one, target) for target in instances]
            for future in futures:
                future.exception()
        except BaseException:  # each ends its instance on its way out
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return {target.name: future.result() for target, future in zip(instances, futures, strict=True)}
