"""How a library call becomes a step: cached by content, recorded in MLflow.

The key of a step is its name, its slice of the recipe, the digests of its inputs, and the
library's version. Results are small nouns, kept as JSON under the storage root, and shared with
other machines where the storage is; a result whose artifact no longer matches its digest is
dropped, so that the step runs again. Two runs that come to one step at once carry it out once.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import prefect
import prefect.runtime
from prefect import State
from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.client.schemas.objects import TaskRun
from prefect.context import TaskRunContext
from prefect.results import get_result_store

from distillery import __version__, digests, full_disk, storage, tracking
from distillery.errors import UserError
from distillery.noun import Noun
from distillery.nouns import Artifact
from tasks.step_lock import StepLock

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

RESULTS = storage.results()
_LOCK = StepLock()

# Prefect forwards the library's lines only from the level that their logger lets through
logging.getLogger("distillery").setLevel(logging.INFO)


def _without_traceback(record: logging.LogRecord) -> bool:
    """What a user can mend is one line here too."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, UserError) or full_disk.caused(error):
        record.exc_info = None
    return True


for _name_of_prefects in ("task_runs", "task_engine", "flow_runs", "flow_engine"):
    logging.getLogger(f"prefect.{_name_of_prefects}").addFilter(_without_traceback)


def cached_step(function: Callable[P, R]) -> "prefect.Task[P, R]":
    """A task whose result is kept, and whose work is not done twice."""
    as_task = prefect.task(
        name=_name(function),
        cache_policy=StepCache(isolation_level="SERIALIZABLE", lock_manager=_LOCK),
        persist_result=True,
        result_storage=RESULTS,
        result_serializer="json",
        on_completion=[share_result] if storage.shared() else [],
    )
    return as_task(_mendable(function))


def fresh_step(function: Callable[P, R]) -> "prefect.Task[P, R]":
    """A task that runs every time: a benchmark is never cached."""
    as_task = prefect.task(name=_name(function), cache_policy=NO_CACHE, persist_result=False)
    return as_task(_mendable(function))


@dataclass
class StepCache(CachePolicy):
    """Our own key; Prefect's INPUTS collide across tasks, its TASK_SOURCE misses the library."""

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **_: Any,
    ) -> str:
        """The step's key, whose result is intact or gone."""
        key = step_key(task_ctx.task.name, inputs)
        _drop_if_damaged(key)
        return key


def step_key(step: str, inputs: Mapping[str, Any]) -> str:
    """``<step>-<32 hex digits>``: equal where the step would do the same work."""
    identity = [__version__, {name: _identity(value) for name, value in inputs.items()}]
    return f"{step}-{digests.of_json(identity)[:32]}"


def work_folder() -> Path:
    """Where the running step may keep what it resumes from."""
    context = TaskRunContext.get()
    if context is None:
        raise RuntimeError("work_folder() is for running tasks")
    return storage.work(step_key(context.task.name, context.parameters))


@contextmanager
def recorded(step: str) -> Iterator[tracking.StepRun]:
    """The step's own MLflow run, a child of the flow run's."""
    with tracking.step_run(flow_run_id(), step) as run:
        yield run


def flow_run_id() -> str:
    """Of the flow run that this task belongs to."""
    return str(prefect.runtime.flow_run.id)


def _mendable(function: Callable[P, R]) -> Callable[P, R]:
    @wraps(function)
    def step(*args: P.args, **kwargs: P.kwargs) -> R:
        with full_disk.told():
            return function(*args, **kwargs)

    return step


def _name(function: Callable[..., object]) -> str:
    return function.__name__.replace("_", "-")


def _identity(value: object) -> object:
    match value:
        case Noun():
            return value.identity
        case list() | tuple():
            return [_identity(item) for item in value]
        case None | str() | int() | float() | bool():
            return value
    raise TypeError(f"{type(value).__name__} cannot be part of a step's key")


def share_result(task: "prefect.Task[..., object]", task_run: TaskRun, state: State) -> None:
    """What a step came to, for every machine; called when its result is on this one's disk."""
    record: Any = state.data
    for artifact in _artifacts(record.result):
        storage.share(artifact)
    storage.share_result(Path(record.metadata.storage_key).name)


def _drop_if_damaged(key: str) -> None:
    path = storage.result(key)
    if path is None:
        return
    try:
        record = get_result_store().read(key)
        damaged = [a for a in _artifacts(record.result) if not storage.is_intact(a)]
    except UserError:
        raise
    except Exception as error:  # whatever a torn or foreign file makes the reader raise
        log.warning("the result of step %s cannot be read (%s); running it again", key, error)
        storage.drop_result(key)
        return
    if damaged:
        log.warning("%s is damaged or missing; making it again", damaged[0].uri)
        storage.drop_result(key)
        return
    storage.renew_result(key)


def _artifacts(value: object) -> Iterator[Artifact]:
    match value:
        case Artifact():
            yield value
        case Noun():
            for name in type(value).model_fields:
                yield from _artifacts(getattr(value, name))
        case list() | tuple():
            for item in value:
                yield from _artifacts(item)
