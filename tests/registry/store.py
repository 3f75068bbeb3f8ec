"""A real registry in SQLite, whose models are made in no time, and which may break at any write."""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from factories import LABELS, make_candidate
from mlflow import MlflowClient

from distillery import storage, tracking
from distillery.nouns import Artifact, Facts, RegisteredVersion
from distillery.recipe import Gates
from distillery.registry import policy
from distillery.registry.policy import Policy
from distillery.registry.recheck import as_tags
from distillery.runtimes.base import Card
from registry.places import FilePlace, Trouble

GATES = Gates(speedup_min=3)
_WRITTEN = ("registered_model_aliases", "model_version_tags", "registered_model_tags")
_numbers = itertools.count()


@dataclass(frozen=True)
class Model:
    """One registered model with four versions: 1, 2 and 3 pass its gates, 4 does not."""

    registry: "Registry"
    name: str
    place: FilePlace | None

    def policy(self, model: str) -> Policy:
        """As production reads it, but for the kind of place, which production does not know."""
        return policy.read(model).model_copy(update={"place": self.place})

    def troubled(self, trouble: Trouble) -> "Model":
        assert self.place is not None
        place = self.place.model_copy(update={"trouble": trouble})
        return Model(registry=self.registry, name=self.name, place=place)

    def version(self, number: int) -> RegisteredVersion:
        found = tracking.version_by_number(self.name, str(number))
        assert found is not None
        return found

    def move(self, number: int) -> None:
        """As somebody does on MLflow's page."""
        MlflowClient().set_registered_model_alias(self.name, "champion", str(number))

    def aliases(self) -> dict[str, str]:
        aliases = MlflowClient().get_registered_model(self.name).aliases
        return {alias: str(number) for alias, number in aliases.items()}

    def accepted(self) -> str | None:
        return self.policy(self.name).accepted

    def served(self) -> str | None:
        found = self.place.serving(self.name) if self.place else None
        return found.version if found else None

    def told(self, number: int) -> tuple[str | None, str | None, str | None]:
        """Decision, who asked, reasons."""
        tags = tracking.tags_of(self.version(number))
        decision, by, why = (
            tags.get(f"distillery.{name}")
            for name in ("decision", "requested_by", "decision_reasons")
        )
        return decision, by, why

    def stands(self) -> tuple[dict[str, str], str | None, str | None]:
        """Aliases, the accepted version, and what is served."""
        return self.aliases(), self.accepted(), self.served()


@dataclass(frozen=True)
class Registry:
    """In one SQLite file. What is logged once is registered in many models."""

    root: Path
    sources: list[tuple[str, str]] = field(default_factory=list)

    def fill(self) -> None:
        tracking.connect()
        tracking.open_flow_run("recipe", "flow-1", {})
        with tracking.step_run("flow-1", "register") as step:
            for content in ("one", "two", "three", "four"):
                candidate = make_candidate(content, artifact=_folder(content))
                version = tracking.register(candidate, model="origin", tags={}, step=step)
                source = MlflowClient().get_model_version("origin", version.version).source
                assert source is not None
                self.sources.append((source, candidate.digest))
        tracking.close_flow_run("flow-1", "FINISHED")

    def model(self, *, served: bool = True) -> Model:
        client, name = MlflowClient(), f"model-{next(_numbers)}"
        client.create_registered_model(name)
        for (source, digest), speedup in zip(self.sources, (5.0, 6.0, 7.0, 2.0), strict=True):
            facts = Facts(
                label_kind="class",
                merit=0.9,
                merit_kept=0.97,
                latency_p95_ms=1.5,
                size_bytes=1000,
                speedup=speedup,
            )
            ours = {"distillery.digest": digest, "distillery.role": "student"}
            client.create_model_version(
                name,
                source,
                tags=ours | as_tags(facts),
                model_id=source.removeprefix("models:/"),
            )
        policy.write(name, GATES, None)
        folder = self.root / name
        folder.mkdir()
        place = FilePlace(folder=folder) if served else None
        return Model(registry=self, name=name, place=place)

    @contextmanager
    def breaking_after(self, writes: int) -> Iterator[None]:
        """Every write after so many fails, as where the server died then."""
        with closing(sqlite3.connect(self.root / "mlflow.db", timeout=10)) as database:
            database.execute("create table budget as select ? as writes", (writes,))
            for table, what in itertools.product(_WRITTEN, ("insert", "update", "delete")):
                database.execute(
                    f"create trigger broken_{table}_{what} before {what} on {table} begin select "
                    "raise(abort, 'broken') from budget where writes <= 0; end"
                )
                database.execute(
                    f"create trigger counted_{table}_{what} after {what} on {table} begin update "
                    "budget set writes = writes - 1; end"
                )
            database.commit()
            try:
                yield
            finally:
                for table, what in itertools.product(_WRITTEN, ("insert", "update", "delete")):
                    database.execute(f"drop trigger broken_{table}_{what}")
                    database.execute(f"drop trigger counted_{table}_{what}")
                database.execute("drop table budget")
                database.commit()

    def writes_left(self) -> int:
        with closing(sqlite3.connect(self.root / "mlflow.db", timeout=10)) as database:
            return int(database.execute("select writes from budget").fetchone()[0])


def _folder(content: str) -> Artifact:
    with storage.new_folder() as folder:
        Card(name=content, label_names=LABELS, max_length=8, is_pair=False, pad_token_id=0).write(
            folder
        )
        (folder / "model.onnx").write_text(content)
        return storage.put(folder, "candidate")
