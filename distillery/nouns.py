"""The frozen, validated nouns that pass between steps.

Small by design: weights and data move by URI and digest, never by value. Every noun survives a
round trip through JSON, since Prefect stores them so.
"""

from typing import Literal, TypeVar

from pydantic import Field, model_validator

from distillery import digests
from distillery.measurements import Measurement, Skipped
from distillery.noun import Noun
from distillery.search.outcome import Searched

LabelKind = Literal["class", "score"]
"""What a label is: one of several names, or a number."""


class Artifact(Noun):
    """A folder in the storage: where it is, and what its content must hash to."""

    uri: str = Field(description="Relative to the storage root.")
    digest: str
    size_bytes: int


class Split(Noun):
    """One split of a data set, described."""

    rows: int
    label_counts: tuple[int, ...] = Field(
        description="Rows of each label, in label order. Empty for scores."
    )
    length_histogram: tuple[int, ...] = Field(
        description="Rows by whitespace words: 1-4, 5-8, 9-16, 17-32, 33-64, 65-128, more. Empty "
        "for images."
    )


class Dataset(Noun):
    """Rows prepared for training: Parquet files ``train``, ``validation``, ``test``.

    Columns: ``text``, ``text_pair`` (where the rows are pairs) or ``image`` (uint8 pixels, their
    shape in the file's metadata), and ``label`` (an index into ``label_names``; of scores, which
    have a single name, the score itself).
    """

    name: str
    source: str
    artifact: Artifact
    label_names: tuple[str, ...]
    is_pair: bool
    image_shape: tuple[int, int, int] | None = Field(
        default=None, description="Height, width and channels; None for text."
    )
    score_range: tuple[float, float] | None = Field(
        default=None, description="Least and greatest training score; None for classes."
    )
    train: Split
    validation: Split
    test: Split
    leaked_rows_removed: int = Field(
        description="Train rows dropped since they also stand in validation or test."
    )
    validation_made_from_train: bool
    test_made_from_train: bool

    @property
    def digest(self) -> str:
        """The content's digest."""
        return self.artifact.digest

    @property
    def kind(self) -> Literal["text", "image"]:
        """What its rows are."""
        return "text" if self.image_shape is None else "image"

    @property
    def label_kind(self) -> LabelKind:
        """What its labels are."""
        return "class" if self.score_range is None else "score"

    @property
    def identity(self) -> object:
        """Content and label names; not where it came from."""
        return [self.digest, self.label_names, self.is_pair]


class Architecture(Noun):
    """An encoder's shape, which a student has to fit."""

    layers: int
    hidden_size: int
    heads: int
    max_tokens: int | None = Field(description="The longest input; None for no limit.")


class Epoch(Noun):
    """What one epoch of training showed."""

    epoch: float
    train_loss: float
    validation_loss: float
    validation_accuracy: float | None = Field(
        description="None for scores, and where the loss leaves the head untrained."
    )
    validation_spearman: float | None = Field(default=None, description="Of scores alone.")

    @property
    def validation_merit(self) -> float | None:
        """What the best epoch has most of; None where the loss leaves the head untrained."""
        accuracy = self.validation_accuracy
        return self.validation_spearman if accuracy is None else accuracy


Role = Literal["teacher", "student", "control", "champion"]
Precision = Literal["fp32", "fp16", "int8", "int8_static", "int8_mixed", "weights"]
"""How weights are stored, and with "weights" only that; "int8" has activations by their range at
run time, "int8_static" by one measured ahead, and "int8_mixed" leaves some operators in fp32."""
RuntimeName = Literal["pytorch", "onnxruntime"]


class Checkpoint(Noun):
    """Trained weights in the Transformers layout: safetensors, and a tokenizer for text."""

    name: str
    role: Role
    artifact: Artifact
    seed: int
    parameters: int
    label_names: tuple[str, ...]
    max_length: int = Field(
        description="Longest input in tokens, longer ones are truncated; 0 for images."
    )
    parent_digest: str | None = Field(description="Digest of the checkpoint it starts from.")
    history: tuple[Epoch, ...]
    best_epoch: float
    training_seconds: float
    tracking_run_id: str | None = Field(description="MLflow run that trained it.")

    @property
    def digest(self) -> str:
        """The content's digest."""
        return self.artifact.digest

    @property
    def identity(self) -> object:
        """Content and what the content does not hold."""
        return [self.digest, self.name, self.role, self.max_length, self.label_names]

    @property
    def members(self) -> "tuple[Checkpoint, ...]":
        """Itself: a single teacher is an ensemble of one."""
        return (self,)

    @property
    def weights(self) -> tuple[float, ...]:
        """Of the only member."""
        return (1.0,)

    @property
    def mean(self) -> Literal["probabilities", "logits"]:
        """All the same for one."""
        return "logits"


class Ensemble(Noun):
    """Several teachers that answer as one."""

    members: tuple[Checkpoint, ...] = Field(min_length=2)
    weights: tuple[float, ...] = Field(description="One a member, summing to 1.")
    mean: Literal["probabilities", "logits"]

    @property
    def digest(self) -> str:
        """Of the members and how they are averaged."""
        return digests.of_json(self.identity)

    @property
    def identity(self) -> object:
        """Members, weights and mean."""
        return [[member.identity for member in self.members], self.weights, self.mean]

    @property
    def label_names(self) -> tuple[str, ...]:
        """In the members' common order."""
        return self.members[0].label_names


Teacher = Checkpoint | Ensemble


class Corpus(Noun):
    """Rows without labels, in Arrow files: ``text`` and, for pairs, ``text_pair``, or ``image``."""

    artifact: Artifact
    rows: int
    is_pair: bool
    image_shape: tuple[int, int, int] | None = Field(
        default=None, description="Height, width and channels; None for text."
    )
    origin: str = Field(description="Where they came from, in words.")

    @property
    def digest(self) -> str:
        """The content's digest."""
        return self.artifact.digest

    @property
    def identity(self) -> object:
        """Content alone."""
        return self.artifact.digest


class SoftLabels(Noun):
    """A teacher's logits over texts or images, found by their content."""

    artifact: Artifact
    teacher_digest: str
    texts_digest: str = Field(description="Of the data set or corpus that holds them.")
    rows: int
    classes: int

    @property
    def identity(self) -> object:
        """Content alone."""
        return self.artifact.digest


class Parity(Noun):
    """How far one step of an export moved the answers, on real examples."""

    step: str = Field(description="What was done, such as 'fusion'.")
    against: str = Field(description="Name of the reference: what the step began with.")
    rows: int
    max_abs_logit_difference: float = Field(description="A score is its model's only logit.")
    mean_abs_logit_difference: float
    mean_kl: float | None = Field(description="None for scores, as is the next.")
    label_flip_rate: float | None
    label_flip_interval: tuple[float, float] | None = Field(
        default=None, description="95 % interval of the rate, over texts (Wilson)."
    )
    rank_disagreement: float | None = Field(
        default=None, description="Of scores alone: 1 − Spearman's ρ with the reference."
    )
    shapes: tuple[tuple[int, int], ...] = Field(
        description="(batch, tokens), or (batch, pixels), compared."
    )
    failure: str | None = Field(
        default=None, description="Why the graph must not be promoted: what went too far."
    )


class Candidate(Noun):
    """A model in the form in which it would run: a folder that a runtime opens.

    The folder holds ``candidate.json`` (label names, what it reads), ``tokenizer.json`` for text,
    and either ``model.onnx`` or a Transformers checkpoint.
    """

    name: str = Field(description="Unique in a run, such as 'two-layers int8'.")
    role: Role
    runtime: RuntimeName
    precision: Precision
    artifact: Artifact
    size_bytes: int = Field(description="The model file alone, without the tokenizer.")
    checkpoint_name: str
    checkpoint_digest: str
    parent_digest: str | None = Field(
        description="Digest of the candidate it was made from: int8 from fp32."
    )
    label_names: tuple[str, ...]
    fused_operators: dict[str, int] = Field(
        default_factory=dict, description="Of each kind, as fusion recognized them in fp32."
    )
    parities: tuple[Parity, ...] = Field(
        default=(), description="One a step, from PyTorch to this graph."
    )

    @property
    def digest(self) -> str:
        """The content's digest."""
        return self.artifact.digest

    @property
    def parity_failure(self) -> str | None:
        """Why the graph must not be promoted: what the first step that broke it did."""
        return next((parity.failure for parity in self.parities if parity.failure), None)

    @property
    def identity(self) -> object:
        """Content and what the content does not hold."""
        return [self.digest, self.name, self.role, self.parity_failure]


class Quality(Noun):
    """A candidate's predictions over the full test split."""

    candidate_name: str
    candidate_digest: str
    dataset_digest: str
    accuracy: float | None = Field(default=None, description="Of classes, as is macro F1.")
    macro_f1: float | None = None
    spearman: float | None = Field(
        default=None, description="Of scores: ρ of predictions and labels, and below Pearson's r."
    )
    pearson: float | None = None
    rows: int
    predictions: tuple[int, ...] | tuple[float, ...] = Field(
        description="Predicted label index of each test row, or its score."
    )
    labels: tuple[int, ...] | tuple[float, ...]

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> "Quality":
        of_classes = (self.accuracy is not None, self.macro_f1 is not None)
        of_scores = (self.spearman is not None, self.pearson is not None)
        if {of_classes, of_scores} != {(True, True), (False, False)}:
            raise ValueError("a quality has accuracy and macro F1, or Spearman's ρ and Pearson's r")
        return self

    @property
    def label_kind(self) -> LabelKind:
        """What was predicted."""
        return "score" if self.accuracy is None else "class"

    @property
    def merit(self) -> float:
        """What candidates are compared by: accuracy, or Spearman's ρ of scores."""
        merit = self.spearman if self.accuracy is None else self.accuracy
        assert merit is not None, "validated"
        return merit


class Gain(Noun):
    """What distillation brought over the control: the same student, hard labels only."""

    student_name: str
    student_accuracies: tuple[float, ...] = Field(
        default=(), description="One a seed; empty for scores, whose ρ stand below."
    )
    control_accuracies: tuple[float, ...] = ()
    student_spearmans: tuple[float, ...] = ()
    control_spearmans: tuple[float, ...] = ()
    mean_gain: float
    interval_low: float
    interval_high: float
    method: Literal["paired bootstrap over test rows", "paired t over seeds"]

    @property
    def student_merits(self) -> tuple[float, ...]:
        """Accuracies, or Spearman's ρ of scores; one a seed."""
        return self.student_accuracies or self.student_spearmans

    @property
    def control_merits(self) -> tuple[float, ...]:
        """The control's."""
        return self.control_accuracies or self.control_spearmans


class StudyRun(Noun):
    """One training of a temperature study."""

    temperature: float | None = Field(
        description="None where there is none: logit matching, the limit of large ones, and hard "
        "labels."
    )
    share_ce: float = Field(description="Weight of the hard labels; the teacher has the rest.")
    seed: int
    validation_accuracy: float = Field(description="What a setting is chosen by.")
    test_accuracy: float


class StudiedTemperatures(Noun):
    """One student by temperature and weights, each setting once a seed."""

    student_name: str
    variants: tuple[StudyRun, ...] = Field(description="Soft targets.")
    limits: tuple[StudyRun, ...] = Field(description="Logit matching, with the same shares.")
    controls: tuple[StudyRun, ...] = Field(description="Hard labels; empty without a control.")


class Facts(Noun):
    """What gates ask about a candidate. None: it was not found out."""

    label_kind: LabelKind
    merit: float | None = Field(description="Test accuracy, or Spearman's ρ of scores.")
    merit_kept: float | None = Field(description="Share of the teacher's.")
    latency_p95_ms: float | None = Field(description="None too where too few were timed.")
    size_bytes: int | None
    speedup: float | None = Field(description="p50 of the teacher in PyTorch ÷ its own.")
    cost_per_million_usd: float | None = Field(
        default=None, description="Of predictions, on a rented target that holds its objective."
    )
    parity_failure: str | None = None


class Ruling(Noun):
    """What the judge said about one candidate."""

    candidate_name: str
    candidate_digest: str
    eligible: bool = Field(description="Controls and references are never promoted.")
    passed: bool
    reasons: tuple[str, ...]
    facts: Facts | None = Field(
        default=None, description="What the gates were asked about; None where not eligible."
    )


class Verdict(Noun):
    """The winner and why; each loser and why."""

    winner_name: str | None
    winner_digest: str | None
    champion_unchanged: bool
    summary: str
    rulings: tuple[Ruling, ...]

    @property
    def promoted(self) -> bool:
        """Whether some model passed: a new champion, or the reigning one confirmed."""
        return self.winner_digest is not None


class RegisteredVersion(Noun):
    """A version in the model registry."""

    model: str
    version: str
    uri: str
    candidate_name: str
    candidate_digest: str
    aliases: tuple[str, ...] = ()


Outcome = Literal["accepted", "deployed", "unchanged", "refused", "failed"]
"""Accepted where the model is served nowhere, else deployed; unchanged: it was so already. A
version that is accepted and cannot be served any more has failed."""


class Decision(Noun):
    """What became of the wish that a version be champion."""

    model: str
    version: str | None = Field(description="The one that was asked for; None for no champion.")
    outcome: Outcome
    reasons: tuple[str, ...] = Field(description="The gates that held, or why it is refused.")
    requested_by: str
    champion: str | None = Field(description="The version that the alias names afterwards.")
    address: str | None = Field(default=None, description="Where it is served.")

    @property
    def holds(self) -> bool:
        """Whether the wish is fulfilled."""
        return self.outcome not in ("refused", "failed")

    @property
    def summary(self) -> str:
        """One line."""
        reasons = "; ".join(self.reasons)
        if self.version is None:
            return f"{self.model} has no champion: {reasons}"
        told = f"{self.model} version {self.version} {_TOLD[self.outcome]}"
        if self.address:
            told += f" at {self.address}"
        if self.outcome != "refused":
            return f"{told}: {reasons}"
        stays = f"champion is version {self.champion}" if self.champion else "there is no champion"
        return f"{told}: {reasons}; {stays}"


_TOLD: dict[Outcome, str] = {
    "accepted": "is champion",
    "deployed": "is champion and served",
    "unchanged": "is champion already",
    "refused": "is refused",
    "failed": "is champion and does not serve",
}


class Findings(Noun):
    """All that a run found: what the report tells, and what ``--json`` prints."""

    recipe_name: str
    recipe_description: str
    recipe_yaml: str = Field(description="The recipe as it ran, overrides included.")
    recipe_digest: str
    model: str = Field(description="Name in the registry.")
    code_version: str
    flow_run_id: str
    started_at: str = Field(description="ISO 8601, UTC.")
    target: str = Field(description="The first: what the verdict is made on.")
    gates: dict[str, float | str | None] = Field(description="The recipe's gates, as given.")
    dataset: Dataset
    teachers: tuple[Checkpoint, ...] = Field(description="One, or the members of an ensemble.")
    corpus: Corpus | None = Field(description="What augmentation added.")
    language_model: Checkpoint | None = Field(
        description="Of general distillation over tokens. A history means that its head was "
        "trained first, since the teacher's checkpoint had none."
    )
    starts: tuple[Checkpoint, ...] = Field(description="Students after general distillation.")
    students: tuple[Checkpoint, ...] = Field(description="One a student and seed.")
    controls: tuple[Checkpoint, ...]
    candidates: tuple[Candidate, ...]
    qualities: tuple[Quality, ...] = Field(description="One a candidate, by name.")
    measurements: tuple[Measurement, ...] = Field(
        description="Of those that were benchmarked, target by target."
    )
    skipped: tuple[Skipped, ...] = Field(default=(), description="What gave no number, and where.")
    searched: Searched | None = Field(default=None, description="Where the recipe asked for it.")
    gains: tuple[Gain, ...]
    temperature_study: StudiedTemperatures | None = Field(
        default=None, description="Where the recipe asked for one."
    )
    verdict: Verdict
    versions: tuple[RegisteredVersion, ...]
    decision: Decision | None = Field(
        default=None, description="What became of the winner; None where there is none."
    )

    def quality(self, candidate_name: str) -> Quality:
        """The quality of a candidate. Raises ``KeyError`` where it was not evaluated."""
        return _named(self.qualities, candidate_name)

    def measurement(self, candidate_name: str) -> Measurement:
        """The measurement of a candidate on the target that is judged.

        Raises ``KeyError`` where it was not benchmarked there.
        """
        return _named(self.judged_measurements, candidate_name)

    @property
    def judged_measurements(self) -> tuple[Measurement, ...]:
        """Those of the first target; what others showed is reported and never ranked with it."""
        return tuple(one for one in self.measurements if one.target == self.target)


_OfCandidate = TypeVar("_OfCandidate", Quality, Measurement)


def _named(found: tuple[_OfCandidate, ...], candidate_name: str) -> _OfCandidate:
    for one in found:
        if one.candidate_name == candidate_name:
            return one
    raise KeyError(candidate_name)
