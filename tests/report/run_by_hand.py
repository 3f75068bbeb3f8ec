"""A run small enough to count by hand: 3 classes, 10 test rows, one student and its control."""

from distillery.measurements import (
    Fingerprint,
    Measurement,
    Noise,
    OfflineBatches,
    SingleStream,
)
from distillery.nouns import (
    Artifact,
    Candidate,
    Checkpoint,
    Dataset,
    Epoch,
    Findings,
    Gain,
    Parity,
    Precision,
    Quality,
    RegisteredVersion,
    Role,
    Ruling,
    RuntimeName,
    Split,
    StudiedTemperatures,
    StudyRun,
    Verdict,
)

EVIL = "<img src=x onerror=alert(1)>"
LABELS = ("greeting", EVIL, "goodbye $x")

TRUTH = (0, 0, 0, 0, 1, 1, 1, 2, 2, 2)
BY_TEACHER = (0, 0, 0, 0, 1, 1, 1, 2, 2, 0)  # 9 right; all of class 0 and 1, 2/3 of class 2
BY_STUDENT = (0, 0, 0, 1, 1, 1, 0, 2, 2, 2)  # 8 right; 3/4, 2/3, 3/3; 7 as the teacher
BY_CONTROL = (0, 0, 0, 1, 1, 1, 0, 2, 0, 0)  # 6 right


def artifact(letter: str) -> Artifact:
    """Whose digest is one letter."""
    return Artifact(uri=f"artifacts/{letter}", digest=letter * 24, size_bytes=1)


def checkpoint(name: str, role: Role, letter: str, *, seed: int = 13) -> Checkpoint:
    """Two epochs."""
    return Checkpoint(
        name=name,
        role=role,
        artifact=artifact(letter),
        seed=seed,
        parameters=1_500_000,
        label_names=LABELS,
        max_length=32,
        parent_digest=None if role == "teacher" else "t" * 24,
        history=(
            Epoch(epoch=1, train_loss=2.0, validation_loss=1.0, validation_accuracy=0.5),
            Epoch(epoch=2, train_loss=1.0, validation_loss=0.5, validation_accuracy=0.75),
        ),
        best_epoch=2,
        training_seconds=1.5,
        tracking_run_id=None,
    )


def candidate(
    name: str,
    role: Role,
    letter: str,
    size_bytes: int,
    *,
    runtime: RuntimeName = "onnxruntime",
    precision: Precision = "int8",
    made_from: str = "s",
) -> Candidate:
    """With parity and fused operators where it was exported."""
    parity = Parity(
        step="int8",
        against="student fp32",
        rows=8,
        max_abs_logit_difference=0.25,
        mean_abs_logit_difference=0.125,
        mean_kl=0.001,
        label_flip_rate=0.125,
        label_flip_interval=(0.0224, 0.4709),
        shapes=((1, 8), (4, 16)),
    )
    return Candidate(
        name=name,
        role=role,
        runtime=runtime,
        precision=precision,
        artifact=artifact(letter),
        size_bytes=size_bytes,
        checkpoint_name=name.split()[0],
        checkpoint_digest=made_from * 24,
        parent_digest=None,
        label_names=LABELS,
        fused_operators={"Attention": 2} if runtime == "onnxruntime" else {},
        parities=(parity,) if runtime == "onnxruntime" else (),
    )


def quality(of: Candidate, predictions: tuple[int, ...]) -> Quality:
    """Accuracy is counted; macro F1 is not what is tested here."""
    right = sum(a == b for a, b in zip(predictions, TRUTH, strict=True))
    return Quality(
        candidate_name=of.name,
        candidate_digest=of.digest,
        dataset_digest="d" * 24,
        accuracy=right / len(TRUTH),
        macro_f1=0.5,
        rows=len(TRUTH),
        predictions=predictions,
        labels=TRUTH,
    )


def measurement(of: Candidate, latencies_ms: tuple[float, ...]) -> Measurement:
    """The model alone takes half of the time."""
    return Measurement(
        candidate_name=of.name,
        candidate_digest=of.digest,
        target="this machine",
        fingerprint=Fingerprint(
            cpu_model="Test CPU",
            cpu_count=2,
            cpu_flags=("avx2",),
            memory_bytes=8_000_000_000,
            os="Linux",
            python="3.11.9",
            runtimes={"onnxruntime": "1.31.0"},
        ),
        threads=2,
        single_stream=(
            SingleStream(
                padding="longest_of_batch",
                latencies_ms=latencies_ms,
                model_latencies_ms=tuple(ms / 2 for ms in latencies_ms),
            ),
        ),
        offline=(
            OfflineBatches(
                padding="longest_of_batch",
                batch_size=32,
                rows_per_second=(90.0, 110.0, 100.0),
                model_rows_per_second=(180.0, 220.0, 200.0),
            ),
        ),
        load_ms=12.0,
        first_prediction_ms=3.0,
        peak_memory_bytes=100_000_000,
        warmup_requests=40,
        noise=Noise(steal_share=0.0, frequency_drift=None, calibration_drift=0.0),
    )


def ruling(of: Candidate, reason: str, *, eligible: bool = True, passed: bool = False) -> Ruling:
    """One reason."""
    return Ruling(
        candidate_name=of.name,
        candidate_digest=of.digest,
        eligible=eligible,
        passed=passed,
        reasons=(reason,),
    )


def split(rows: int) -> Split:
    """All rows short."""
    return Split(
        rows=rows,
        label_counts=(rows - 6, 3, 3),
        length_histogram=(rows, 0, 0, 0, 0, 0, 0),
    )


def study() -> StudiedTemperatures:
    """Two seeds; by validation T=2 on the teacher alone is best, by test T=1 with hard labels."""

    def runs(
        temperature: float | None, share: float, *found: tuple[float, float]
    ) -> tuple[StudyRun, ...]:
        return tuple(
            StudyRun(
                temperature=temperature,
                share_ce=share,
                seed=seed,
                validation_accuracy=validation,
                test_accuracy=test,
            )
            for seed, (validation, test) in enumerate(found)
        )

    return StudiedTemperatures(
        student_name="student",
        variants=(
            *runs(2, 0, (0.9, 0.7), (0.8, 0.8)),
            *runs(1, 0, (0.8, 0.8), (0.8, 0.6)),
            *runs(1, 0.5, (0.7, 0.9), (0.7, 0.9)),
        ),
        limits=(*runs(None, 0, (0.6, 0.7), (0.8, 0.7)), *runs(None, 0.5, (0.5, 0.5), (0.6, 0.6))),
        controls=runs(None, 1, (0.95, 0.6), (0.85, 0.7)),
    )


def run(*, promoted: bool = True, requests: int = 100) -> Findings:
    """The student in int8 against the teacher; teacher 8 ms and 4 MB, student 2 ms and 1 MB."""
    teacher = candidate(
        "teacher pytorch",
        "teacher",
        "p",
        4_000_000,
        runtime="pytorch",
        precision="fp32",
        made_from="t",
    )
    student = candidate("student int8", "student", "i", 1_000_000)
    control = candidate(
        "student-control pytorch",
        "control",
        "c",
        4_000_000,
        runtime="pytorch",
        precision="fp32",
        made_from="k",
    )
    return Findings(
        recipe_name="by-hand",
        recipe_description=f"A description with {EVIL}",
        recipe_yaml=f"name: by-hand  # {EVIL}\n",
        recipe_digest="r" * 24,
        model="by-hand",
        code_version="0.1.0",
        flow_run_id="00000000-0000-0000-0000-000000000000",
        started_at="2025-01-02T03:04:05Z",
        target="this machine",
        gates={
            "accuracy_kept_min": 0.85,
            "accuracy_min": None,
            "latency_p95_ms_max": 5.0,
            "size_bytes_max": None,
            "speedup_min": None,
            "prefer": "latency",
        },
        dataset=Dataset(
            name="greetings",
            source="greetings.csv",
            artifact=artifact("d"),
            label_names=LABELS,
            is_pair=False,
            train=split(100),
            validation=split(20),
            test=Split(rows=10, label_counts=(4, 3, 3), length_histogram=(10, 0, 0, 0, 0, 0, 0)),
            leaked_rows_removed=3,
            validation_made_from_train=True,
            test_made_from_train=False,
        ),
        teachers=(checkpoint("teacher", "teacher", "t"),),
        corpus=None,
        language_model=None,
        starts=(),
        students=(checkpoint("student", "student", "s"),),
        controls=(checkpoint("student-control", "control", "k"),),
        # the order of a run; rows are sorted
        candidates=(control, student, teacher),
        qualities=(
            quality(teacher, BY_TEACHER),
            quality(student, BY_STUDENT),
            quality(control, BY_CONTROL),
        ),
        measurements=(
            measurement(teacher, (8.0,) * requests),
            measurement(student, (2.0,) * requests),
        ),
        gains=(
            Gain(
                student_name="student",
                student_accuracies=(0.8,),
                control_accuracies=(0.6,),
                mean_gain=0.2,
                interval_low=-0.1,
                interval_high=0.5,
                method="paired bootstrap over test rows",
            ),
        ),
        verdict=Verdict(
            winner_name=student.name if promoted else None,
            winner_digest=student.digest if promoted else None,
            champion_unchanged=False,
            summary=(
                "student int8 is promoted: accuracy kept 88.89% ≥ 85.00%."
                if promoted
                else "Nothing was promoted: no candidate passed the gates."
            ),
            rulings=(
                ruling(teacher, "reference: measured to compare with", eligible=False),
                ruling(student, "accuracy kept 88.89% is judged", passed=promoted),
                ruling(control, "control: never promoted", eligible=False),
            ),
        ),
        versions=(
            RegisteredVersion(
                model="by-hand",
                version="7",
                uri="models:/by-hand/7",
                candidate_name=student.name,
                candidate_digest=student.digest,
                aliases=("champion",),
            ),
        )
        if promoted
        else (),
    )
