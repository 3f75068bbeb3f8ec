"""The recipe: everything a run needs to know, as one frozen, validated value.

Its schema makes the form in the Prefect UI. Building one touches nothing: no file, no network,
no environment. Importing this module loads neither torch nor transformers.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from distillery.augmentation.masked_words import MaskedWords
from distillery.augmentation.shifted_images import ShiftedImages
from distillery.augmentation.tang_rules import TangRules
from distillery.augmentation.unlabelled import Unlabelled
from distillery.aws.settings import Aws
from distillery.deployment.places import AnyPlace
from distillery.errors import UserError
from distillery.export.quantization.base import Tables
from distillery.export.quantization.fp16 import Fp16
from distillery.export.quantization.int8 import Int8
from distillery.export.quantization.int8_mixed import Int8Mixed
from distillery.export.quantization.int8_static import Int8Static
from distillery.export.quantization.weights_only import WeightsOnly
from distillery.measurements import Scenario
from distillery.noun import Noun
from distillery.nouns import Checkpoint, Ensemble, LabelKind, Role, Teacher
from distillery.objectives.base import Training
from distillery.search.settings import Search
from distillery.students.bilstm import BiLstm
from distillery.students.early_exits import EarlyExits
from distillery.students.from_layers import FromLayers
from distillery.students.mlp import MlpStudent
from distillery.students.mlp_peers import MlpPeers
from distillery.students.narrow import Narrow
from distillery.students.peers import Peers
from distillery.students.pretrained import PretrainedStudent
from distillery.students.soft_tree import SoftTreeStudent
from distillery.targets.named import AnyTarget, named
from distillery.targets.renting import rented
from distillery.teachers.classifier import Classifier
from distillery.teachers.cnn import CnnTeacher
from distillery.teachers.from_scratch import FromScratch
from distillery.teachers.pretrained import Pretrained
from distillery.temperature_study import TemperatureStudy

# one line lists each way to come by a teacher, each student, each quantization, and each way to
# make more rows
AnyTeacher = Annotated[
    Pretrained | FromScratch | Classifier | CnnTeacher, Field(discriminator="kind")
]
AnyStudent = Annotated[
    FromLayers
    | Narrow
    | PretrainedStudent
    | BiLstm
    | EarlyExits
    | Peers
    | MlpStudent
    | MlpPeers
    | SoftTreeStudent,
    Field(discriminator="kind"),
]
AnyQuantization = Annotated[
    Int8 | Int8Static | Int8Mixed | WeightsOnly | Fp16, Field(discriminator="kind")
]
AnyAugmentation = Annotated[
    MaskedWords | TangRules | Unlabelled | ShiftedImages, Field(discriminator="kind")
]


_MEND = {
    "text": "name the image column in data.image, or use another kind",
    "image": "use a teacher of kind cnn, and students of kind mlp, mlp_peers or soft_tree",
}
_MEND_AUGMENTATION = {
    "text": "use masked_words, tang_rules or unlabelled",
    "image": "use shifted_images",
}


class TeacherEnsemble(Noun):
    """Several teachers, of other seeds, architectures or tokenizers, that answer as one."""

    kind: Literal["ensemble"] = "ensemble"
    members: tuple[AnyTeacher, ...] = Field(
        min_length=2,
        max_length=50,
        title="Members",
        description="Each is trained with a seed of its own. Students start from the first.",
    )
    mean: Literal["probabilities", "logits"] = Field(
        default="probabilities", title="Mean", description="Of what, softened by the temperature."
    )
    weights: tuple[float, ...] | None = Field(
        default=None, title="Weights", description="One a member; equal if left out."
    )

    @model_validator(mode="after")
    def _weights_fit(self) -> "TeacherEnsemble":
        if self.weights is None:
            return self
        if len(self.weights) != len(self.members):
            raise ValueError(
                f"weights gives {len(self.weights)} numbers for {len(self.members)} members; "
                "give one each"
            )
        if any(weight <= 0 for weight in self.weights):
            raise ValueError("a weight of 0 or less; leave that member out")
        return self


class Data(Noun):
    """Which rows to learn from, and which columns matter."""

    source: str = Field(
        min_length=1,
        title="Source",
        description="A data set's hub name, or a local folder or file (Parquet, CSV, JSON Lines).",
    )
    config: str | None = Field(
        default=None, title="Hub configuration", description="Such as 'plus' for clinc/clinc_oos."
    )
    text: str = Field(default="text", title="Text column")
    image: str | None = Field(
        default=None, title="Image column", description="For images, instead of text."
    )
    text_pair: str | None = Field(
        default=None, title="Second text column", description="For sentence pairs."
    )
    label: str = Field(default="label", title="Label column")
    label_kind: LabelKind = Field(
        default="class",
        title="Kind of label",
        description="Of what the label column holds: classes, or scores, which are numbers to "
        "predict, such as how alike two texts are.",
    )
    train_split: str = Field(default="train", title="Training split")
    validation_split: str = Field(
        default="validation",
        title="Validation split",
        description="Made from the training rows, stratified by class, where there is none.",
    )
    test_split: str = Field(
        default="test",
        title="Test split",
        description="Made from the training rows, stratified by class, where there is none.",
    )
    validation_fraction: float = Field(default=0.1, gt=0, lt=0.5, title="Validation share")
    test_fraction: float = Field(default=0.2, gt=0, lt=0.5, title="Test share")

    @property
    def kind(self) -> Literal["text", "image"]:
        """What its rows are."""
        return "text" if self.image is None else "image"

    @model_validator(mode="after")
    def _rows_are_of_one_kind(self) -> "Data":
        # a text column left at its default reads the same as one that is named so
        if self.image is not None and (self.text != "text" or self.text_pair is not None):
            raise ValueError("image and text columns are both given; a row is one or the other")
        if self.image is not None and self.label_kind == "score":
            raise ValueError("scores are for texts; leave out label_kind for images")
        return self


class GeneralDistillation(Noun):
    """What students with general stages learn from before their task."""

    text: Unlabelled = Field(title="Text without labels")
    head: Training = Field(
        default=Training(),
        title="Head",
        description="How a language model's head is trained, where a stage predicts tokens and "
        "the teacher's checkpoint has none.",
    )


class Export(Noun):
    """Which forms of each model to make beside fp32, and how near they must stay."""

    quantizations: tuple[AnyQuantization, ...] = Field(
        default=(Int8(),),
        max_length=20,
        title="Quantizations",
        description="Each makes one more candidate of every model. Empty: fp32 alone.",
    )
    tables: Tables = Field(default=Tables(), title="Embedding tables")
    parity_rows: int = Field(default=256, ge=8, le=100_000, title="Rows compared")
    fp32_max_abs_logit_difference: float = Field(
        default=1e-3,
        gt=0,
        title="Largest |Δlogit| of fp32",
        description="Of scores: |Δscore|, in the label's own unit.",
    )
    quantized_max_label_flip_rate: float = Field(
        default=0.05,
        gt=0,
        le=1,
        title="Most label flips of a quantization",
        description="Share of rows whose label a step after fp32 may change.",
    )
    quantized_max_rank_disagreement: float = Field(
        default=0.05,
        gt=0,
        le=2,
        title="Most disagreement on ranks",
        description="Of scores, in place of label flips: 1 − Spearman's ρ with what came before.",
    )

    @property
    def identity(self) -> object:
        """All but what is made beside: one more quantization makes no other one anew."""
        return self.model_dump(mode="json", exclude={"quantizations"})

    @model_validator(mode="after")
    def _labels_are_unique(self) -> "Export":
        labels = [quantization.label for quantization in self.quantizations]
        twice = sorted({label for label in labels if labels.count(label) > 1})
        if twice:
            raise ValueError(
                f"two quantizations would both be called '{twice[0]}'; leave one out, or run the "
                "recipe once with each"
            )
        return self


class Launcher(Noun):
    """How many processes train a model together, each on its share of a batch."""

    processes: int = Field(
        default=1,
        ge=1,
        le=1024,
        title="Processes",
        description="On each machine: one a GPU, or a few that share the cores of a CPU.",
    )
    nodes: int = Field(
        default=1,
        ge=1,
        le=1024,
        title="Nodes",
        description="Machines. More than one meet at DISTILLERY_RENDEZVOUS=host:port and share "
        "the storage; on the others run `distillery join`.",
    )

    @property
    def total(self) -> int:
        """Processes on all machines."""
        return self.processes * self.nodes

    @property
    def identity(self) -> object:
        """Nothing: the student is the same, within tolerance, so no step is done again for it."""
        return None


class Gates(Noun):
    """The limits a model must pass to be promoted. Those left out do not limit."""

    accuracy_kept_min: float | None = Field(
        default=None,
        gt=0,
        le=1,
        title="Accuracy kept",
        description="Share of the teacher's test accuracy; of scores, of its Spearman ρ.",
    )
    accuracy_min: float | None = Field(
        default=None, gt=0, le=1, title="Accuracy", description="Of scores: Spearman's ρ."
    )
    latency_p95_ms_max: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        title="p95 latency (ms)",
        description="End to end, one at a time.",
    )
    size_bytes_max: int | None = Field(
        default=None, gt=0, title="Size (bytes)", description="Of the model file."
    )
    speedup_min: float | None = Field(
        default=None,
        gt=0,
        le=10_000,
        title="Speed-up",
        description="Median latency of the teacher in PyTorch ÷ the candidate's, end to end.",
    )
    cost_per_million_usd_max: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        title="Cost of a million ($)",
        description="Predictions, on demand, at the highest rate that holds the p99 objective. The "
        "first target must be one of AWS.",
    )
    prefer: Literal["latency", "size", "accuracy"] = Field(
        default="latency", title="Among those that pass, prefer"
    )


class Recipe(Noun):
    """One full run: data, teacher, students, and the limits the winner must pass."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,60}$",
        title="Name",
        description="Names the MLflow experiment and, unless 'model' says otherwise, the model.",
    )
    description: str = Field(default="", title="Description")
    model: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$",
        title="Registered model",
        description="The name in the registry; the recipe's own name if left out.",
    )
    data: Data = Field(title="Data")
    teacher: Annotated[
        Pretrained | FromScratch | Classifier | CnnTeacher | TeacherEnsemble,
        Field(discriminator="kind"),
    ] = Field(title="Teacher")
    augmentation: tuple[AnyAugmentation, ...] = Field(
        default=(),
        max_length=20,
        title="Augmentation",
        description="More rows for stages with 'rows: augmented', labelled by the teacher.",
    )
    general_distillation: GeneralDistillation | None = Field(
        default=None, title="General distillation"
    )
    students: tuple[AnyStudent, ...] = Field(min_length=1, max_length=50, title="Students")
    control: bool = Field(
        default=True,
        title="Control",
        description="Also train each student on hard labels, to show what distillation brought.",
    )
    seeds: tuple[int, ...] = Field(
        default=(13,),
        min_length=1,
        max_length=50,
        title="Seeds",
        description="Each student is trained once a seed; the best on validation goes on.",
    )
    temperature_study: TemperatureStudy | None = Field(
        default=None,
        title="Temperature study",
        description="Also train one student with other temperatures and weights, to compare; "
        "none of those is exported.",
    )
    launcher: Launcher = Field(
        default=Launcher(),
        title="Launcher",
        description="Who trains: this process alone, or several under torchrun.",
    )
    export: Export = Field(default=Export(), title="Export")
    benchmark: Scenario = Field(default=Scenario(), title="Benchmark")
    threads: int = Field(
        default=0, ge=0, le=1024, title="Threads", description="0 means one a core."
    )
    search: Search | None = Field(
        default=None,
        title="Search",
        description="Also try other threads, instances and embedding tables; left out, each "
        "candidate is measured once, with 'threads'.",
    )
    targets: tuple[str, ...] = Field(
        default=("cpu",),
        min_length=1,
        max_length=20,
        title="Targets",
        description="Where candidates are measured: cpu, cuda, aws:TYPE. The gates are judged on "
        "the first; the others are reported.",
    )
    aws: Aws = Field(default=Aws(), title="AWS", description="For targets that are rented there.")
    gates: Gates = Field(default=Gates(), title="Gates")
    deploy: AnyPlace | None = Field(
        default=None,
        title="Served at",
        description="Where the champion is served; left out, it is registered and no more.",
    )

    @property
    def teachers(self) -> dict[str, AnyTeacher]:
        """By name: the single one, or the members of the ensemble."""
        if not isinstance(self.teacher, TeacherEnsemble):
            return {"teacher": self.teacher}
        return {f"teacher-{i}": one for i, one in enumerate(self.teacher.members, start=1)}

    def as_one(self, teachers: Sequence[Checkpoint]) -> Teacher:
        """The trained teachers as the one that students learn from."""
        if not isinstance(self.teacher, TeacherEnsemble):
            return teachers[0]
        weights = self.teacher.weights or (1.0,) * len(teachers)
        return Ensemble(
            members=tuple(teachers),
            weights=tuple(weight / sum(weights) for weight in weights),
            mean=self.teacher.mean,
        )

    @property
    def pretrained(self) -> Pretrained:
        """Whom general distillation learns from."""
        source = next(iter(self.teachers.values()))
        assert isinstance(source, Pretrained), "checked with the recipe"
        return source

    @property
    def studied(self) -> AnyStudent | None:
        """Whose temperatures and weights are compared."""
        return self.temperature_study.chosen(self.students) if self.temperature_study else None

    def forms(self, role: Role) -> tuple[tuple[AnyQuantization, Export], ...]:
        """What is made of a checkpoint beside fp32: each quantization, and how it is exported.

        A search tries more embedding tables, but not on controls, which are never promoted.
        """
        tables = [self.export.tables]
        if self.search is not None and role != "control":
            tables += [one for one in self.search.tables if one != self.export.tables]
        return tuple(
            (quantization, self.export.model_copy(update={"tables": one}))
            for quantization in self.export.quantizations
            for one in (tables if quantization.has_small_tables else tables[:1])
        )

    @property
    def places(self) -> tuple[AnyTarget, ...]:
        """The targets themselves; the first is what the verdict is made on."""
        return tuple(named(name, self.aws) for name in self.targets)

    @property
    def registered_model(self) -> str:
        """The model's name in the registry."""
        return self.model or self.name

    @model_validator(mode="after")
    def _all_read_the_data(self) -> "Recipe":
        rows = {"text": "text", "image": "images"}[self.data.kind]
        for name, source in self.teachers.items():
            if source.reads != self.data.kind:
                raise ValueError(
                    f"{name} of kind {source.kind} does not read {rows}, which the data holds; "
                    + _MEND[self.data.kind]
                )
        for student in self.students:
            if student.reads != self.data.kind:
                raise ValueError(
                    f"student '{student.name}' of kind {student.kind} does not read {rows}, which "
                    f"the data holds; {_MEND[self.data.kind]}"
                )
        for augmentation in self.augmentation:
            if augmentation.reads != self.data.kind:
                raise ValueError(
                    f"augmentation of kind {augmentation.kind} does not make {rows}, which the "
                    f"data holds; {_MEND_AUGMENTATION[self.data.kind]}"
                )
        if self.data.kind == "image" and self.general_distillation is not None:
            raise ValueError("general_distillation is for text; leave it out for images")
        return self

    @model_validator(mode="after")
    def _all_learn_what_the_labels_are(self) -> "Recipe":
        if self.data.label_kind == "class":
            return self
        if isinstance(self.teacher, TeacherEnsemble) and self.teacher.mean == "probabilities":
            raise ValueError(
                "teacher.mean is probabilities, which scores do not have; set teacher.mean: logits"
            )
        for student in self.students:
            for number, stage in enumerate(student.task):
                if "score" not in stage.learns:
                    raise ValueError(
                        f"student '{student.name}', task {number} ({stage.objective}) learns from "
                        "class distributions, and the data holds scores; use logit_mse"
                    )
        return self

    @model_validator(mode="after")
    def _can_be_judged_on_the_first_target(self) -> "Recipe":
        twice = sorted({name for name in self.targets if self.targets.count(name) > 1})
        if twice:
            raise ValueError(f"targets names '{twice[0]}' twice; leave one out")
        try:
            first, *_ = self.places
        except UserError as error:
            raise ValueError(f"targets: {error}") from error
        is_rented = bool(rented([first]))
        if is_rented and first.device == "neuron":
            raise ValueError(
                f"the first target is {first.name}, and what is promoted runs in ONNX Runtime, "
                "which Neuron does not; put another first"
            )
        if is_rented and isinstance(self.teacher, TeacherEnsemble):
            raise ValueError(
                f"the first target is {first.name}, and an ensemble of teachers is measured on cpu "
                "or cuda alone; put one of those first"
            )
        if self.gates.cost_per_million_usd_max is not None and not is_rented:
            raise ValueError(
                f"gates.cost_per_million_usd_max needs a price, and {first.name} has none; put a "
                "target such as aws:c7i.2xlarge first"
            )
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Recipe":
        names = [student.name for student in self.students]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two students are named '{twice[0]}'; give each its own name")
        taken = [name for name in names if name == "teacher" or name.startswith("teacher-")]
        if taken:
            raise ValueError(f"a student may not be named '{taken[0]}'; that is a teacher's name")
        augmented = [student.name for student in self.students if student.augments]
        if augmented and not self.augmentation:
            raise ValueError(
                f"student '{augmented[0]}' trains on augmented rows, but the recipe has no "
                "augmentation; add one, or set rows: train"
            )
        general = [student.name for student in self.students if student.general]
        if general and self.general_distillation is None:
            raise ValueError(
                f"student '{general[0]}' has general stages, but the recipe has no "
                "general_distillation; name its text there"
            )
        if general and not isinstance(next(iter(self.teachers.values())), Pretrained):
            raise ValueError(
                f"student '{general[0]}' has general stages, which need a teacher of kind "
                "pretrained: they learn from it before it is fine-tuned"
            )
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("a seed stands twice in seeds")
        return self

    @model_validator(mode="after")
    def _can_be_searched(self) -> "Recipe":
        if self.search is None:
            return self
        if self.targets != ("cpu",):
            raise ValueError(
                "search tries threads on this machine's processor, and targets names "
                f"{', '.join(self.targets)}; leave out one of the two"
            )
        if self.threads:
            raise ValueError(
                "threads and search.threads are both given; leave out threads, which the search "
                "chooses"
            )
        if self.search.tables and self.data.kind == "image":
            raise ValueError("search.tables is for text; images have no embedding tables")
        if self.search.tables and len(self.forms("student")) == len(self.export.quantizations):
            raise ValueError(
                "search.tables adds nothing: no quantization of the recipe keeps small tables, or "
                "export.tables is the same; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _a_student_can_be_studied(self) -> "Recipe":
        if self.temperature_study is not None:
            self.temperature_study.chosen(self.students)
        return self
