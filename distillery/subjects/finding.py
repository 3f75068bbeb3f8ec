"""A model by what one calls it: ``models:/NAME@ALIAS``, a candidate's folder, an ONNX file.

``compiled:FOLDER`` is the same PyTorch candidate as ``FOLDER``, through torch.compile.
"""

import json
import shutil
from pathlib import Path

from pydantic import Field
from tokenizers import Tokenizer

from distillery import digests, storage, tracking
from distillery.benchmarking.plan import Entry
from distillery.errors import UserError
from distillery.noun import Noun
from distillery.nouns import LabelKind, RegisteredVersion
from distillery.runtimes.base import Card
from distillery.subjects import graphs
from distillery.subjects.graphs import Graph

_WEIGHTS = ("model.onnx", "model.safetensors")
_COMPILED = "compiled:"
_CHOICES = (
    "give models:/NAME@champion, models:/NAME/VERSION, a candidate's folder, compiled:FOLDER or an "
    ".onnx file"
)


class Merit(Noun):
    """How good a registered model was found to be, on the test split of its own data."""

    label_kind: LabelKind
    value: float = Field(description="Accuracy; of scores, Spearman's ρ.")
    data_digest: str = Field(description="Only what was found on equal data is compared.")


class Subject(Noun):
    """A model to measure, in a folder that its runtime opens."""

    name: str = Field(description="As it was asked for.")
    digest: str
    folder: Path
    runtime: str
    size_bytes: int = Field(description="The weights alone, without the tokenizer.")
    batch: int | None = Field(default=None, description="The only batch size that it takes.")
    tokens: int | None = Field(default=None, description="The only length that it takes.")
    vocabulary: int | None = Field(default=None, description="Token ids it knows, where known.")
    has_tokenizer: bool = True
    merit: Merit | None = Field(default=None, description="Where its registry tells.")

    @property
    def card(self) -> Card:
        """What it reads."""
        return Card.read(self.folder)

    @property
    def entry(self) -> Entry:
        """As the driver takes it."""
        return Entry(name=self.name, digest=self.digest, folder=self.folder, runtime=self.runtime)


def find(model: str, tokens: int) -> Subject:
    """The model, fetched and looked at; a graph that is not ours reads at most ``tokens``.

    Raises ``UserError`` where there is none, or where it cannot be a model over texts or images.
    """
    if model.startswith(_COMPILED):
        eager = find(model.removeprefix(_COMPILED), tokens)
        if eager.runtime != "pytorch":
            raise UserError(
                f"{model} holds no PyTorch model, and {_COMPILED} is torch.compile's; leave it out"
            )
        return eager.model_copy(update={"name": model, "runtime": "pytorch_compiled"})
    if model.startswith("models:/"):
        version = tracking.version_at(model)
        found = _of_folder(model, storage.fetch(tracking.download(version)))
        return found.model_copy(update={"merit": _merit(version)})
    path = Path(model).expanduser()
    if path.is_dir():
        return _of_folder(model, path.absolute())
    if path.is_file() and path.suffix == ".onnx":
        return _of_file(model, graphs.inspect(path), tokens)
    raise UserError(f"no model '{model}'; {_CHOICES}")


def _merit(version: RegisteredVersion) -> Merit | None:
    tags = tracking.tags_of(version)
    kinds: dict[str, LabelKind] = {"accuracy": "class", "spearman": "score"}
    for name, kind in kinds.items():
        if f"distillery.{name}" in tags:
            return Merit(
                label_kind=kind,
                value=float(tags[f"distillery.{name}"]),
                data_digest=tags.get("distillery.data_digest", ""),
            )
    return None


def _of_folder(name: str, folder: Path) -> Subject:
    if not (folder / "candidate.json").is_file():
        raise UserError(
            f"the folder {name} is no candidate of distillery's: it holds no candidate.json; "
            "benchmark its .onnx file instead"
        )
    try:
        Card.read(folder)
    except ValueError as error:
        raise UserError(f"{error}; export it again") from error
    weights = [path for file in _WEIGHTS for path in folder.rglob(file)]
    if not weights:
        raise UserError(f"{name} holds neither {' nor '.join(_WEIGHTS)}; export it again")
    is_onnx = (folder / "model.onnx").is_file()
    return Subject(
        name=name,
        digest=digests.of_folder(folder),
        folder=folder,
        runtime="onnxruntime" if is_onnx else "pytorch",
        size_bytes=sum(path.stat().st_size for path in weights),
    )


def _of_file(name: str, graph: Graph, tokens: int) -> Subject:
    """In a folder of its own in the storage: what it reads, and where the graph lies."""
    length = graph.tokens or tokens
    beside = graph.path.parent / "tokenizer.json"
    has_tokenizer = beside.is_file()
    with storage.new_folder() as folder:
        if has_tokenizer:
            shutil.copyfile(beside, folder / "tokenizer.json")
        Card(
            name=graph.path.stem,
            label_names=(),
            max_length=length,
            is_pair=False,
            pad_token_id=_pad_token_id(beside, graph) if has_tokenizer else 0,
        ).write(folder)
        content = digests.of_file(graph.path)
        (folder / "graph.json").write_text(
            json.dumps({"path": str(graph.path), "digest": content}), encoding="utf-8"
        )
        artifact = storage.put(folder, "subject")
    return Subject(
        name=name,
        digest=artifact.digest,
        folder=storage.fetch(artifact),
        runtime="onnx_file",
        size_bytes=graph.size_bytes,
        batch=graph.batch,
        tokens=graph.tokens,
        vocabulary=graph.vocabulary,
        has_tokenizer=has_tokenizer,
    )


def _pad_token_id(path: Path, graph: Graph) -> int:
    """Of a tokenizer that fits the graph."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the Rust side raises nothing narrower
        raise UserError(f"{path} is no tokenizer ({str(error)[:160]}); save it again") from error
    greatest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    if graph.vocabulary is not None and greatest >= graph.vocabulary:
        raise UserError(
            f"{path} gives token ids up to {greatest:,}, and the embedding table of "
            f"{graph.path.name} has {graph.vocabulary:,} rows; put the model's own tokenizer there"
        )
    if tokenizer.padding is not None:
        return int(tokenizer.padding["pad_id"])
    known = (tokenizer.token_to_id(token) for token in ("[PAD]", "<pad>"))
    return next((token for token in known if token is not None), 0)
