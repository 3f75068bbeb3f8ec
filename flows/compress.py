"""The main job: a recipe in, a promoted model out, or why there is none."""

from collections.abc import Sequence
from datetime import UTC, datetime

import prefect
import prefect.runtime

from distillery import digests, recipe_files, tracking
from distillery.benchmarking.fingerprint import fingerprint
from distillery.evaluation import gain
from distillery.monitoring.reference import DATASET_FILE
from distillery.nouns import (
    Checkpoint,
    Corpus,
    Dataset,
    Findings,
    SoftLabels,
    StudiedTemperatures,
    StudyRun,
    Teacher,
)
from distillery.provenance import code_version
from distillery.recipe import AnyStudent, Launcher, Recipe
from distillery.registry.recipes import RECIPE_FILE, TRIGGER
from distillery.registry.registration import Origin
from distillery.verdict import judge
from flows.closing import close_failed, close_killed
from flows.settled import failed
from tasks.augment_dataset import augment_dataset
from tasks.benchmark_candidates import benchmark_candidates
from tasks.check_recipe import check_recipe
from tasks.close_targets import close_targets
from tasks.compute_soft_labels import compute_soft_labels
from tasks.distill_general import distill_general
from tasks.distill_student import distill_student
from tasks.evaluate_candidate import evaluate_candidate
from tasks.export_fp32 import export_fp32
from tasks.fetch_champion import fetch_champion
from tasks.fine_tune_teacher import fine_tune_teacher
from tasks.ownership import sign
from tasks.package_pytorch import package_pytorch
from tasks.prepare_corpus import prepare_corpus
from tasks.prepare_dataset import prepare_dataset
from tasks.promote_winner import promote_winner
from tasks.publish_report import publish_report
from tasks.quantize import quantize
from tasks.register_versions import register_versions
from tasks.search_configurations import search_configurations
from tasks.train_control import train_control
from tasks.train_language_model import train_language_model


@prefect.flow(
    name="compress",
    flow_run_name="compress-{recipe.name}",
    description="Turn a large classifier into the smallest, fastest one that passes its gates.",
    persist_result=False,
    on_failure=[close_failed],
    on_cancellation=[close_killed],
    on_crashed=[close_killed],
)
def compress(recipe: Recipe, trigger: str = "") -> Findings:
    """From data to a promoted model, or to the reasons why there is none.

    ``trigger`` says what it is run for, where nobody asked for it; it stands on the MLflow run.
    """
    sign()
    check_recipe(recipe)
    tracking.close_orphans()
    flow_run_id = str(prefect.runtime.flow_run.id)
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    recipe_digest = digests.of_json(recipe.model_dump(mode="json"))
    code = code_version()
    run = tracking.open_flow_run(
        recipe.name,
        flow_run_id,
        {"recipe_digest": recipe_digest, "code": code, TRIGGER: trigger or "asked for"},
    )
    run.params(recipe.model_dump(mode="json", exclude={"description"}))
    run.text(recipe_files.as_yaml(recipe), RECIPE_FILE)

    dataset = prepare_dataset(recipe.data, recipe.name)
    run.text(dataset.model_dump_json(), DATASET_FILE)
    teachers = [
        fine_tune_teacher(source, dataset, name, recipe.seeds[0] + i, recipe.launcher)
        for i, (name, source) in enumerate(recipe.teachers.items())
    ]
    teacher = recipe.as_one(teachers)
    corpus = (
        augment_dataset(recipe.augmentation, dataset, teachers[0], recipe.seeds[0])
        if recipe.augmentation
        else None
    )
    of_dataset = [compute_soft_labels(one, dataset) for one in teachers]
    of_corpus = [compute_soft_labels(one, corpus) for one in teachers if corpus]
    language_model, starts = distilled_generally(recipe, dataset)

    students, controls, gains, study = [], [], [], None
    references = [package_pytorch(teacher, dataset)]
    checkpoints = list(teachers)
    for student in recipe.students:
        start = starts.get(student.name)
        more = corpus if student.augments else None
        soft_labels = [*of_dataset, *(of_corpus if student.augments else [])]
        distilled = [
            born_again(student, teacher, soft_labels, dataset, more, start, seed, recipe.launcher)
            for seed in recipe.seeds
        ]
        trained = [
            train_control(
                student.as_control(), teacher, dataset, more, start, seed, recipe.launcher
            )
            for seed in recipe.seeds
            if recipe.control
        ]
        students += distilled
        controls += trained
        best = max(distilled, key=best_validation)
        references.append(package_pytorch(best, dataset))
        checkpoints += [best, *(one for one in trained if one.seed == best.seed)]
        if trained:
            gains.append(
                gain(
                    student.name,
                    [evaluate_candidate(package_pytorch(c, dataset), dataset) for c in distilled],
                    [evaluate_candidate(package_pytorch(c, dataset), dataset) for c in trained],
                )
            )
        if student == recipe.studied:
            study = temperatures_studied(
                recipe, student, teacher, soft_labels, dataset, more, start, trained
            )

    exported = []
    for checkpoint in checkpoints:
        fp32 = export_fp32(checkpoint, dataset, recipe.export)
        exported += [fp32] + [
            quantize(fp32, dataset, quantization, export, fingerprint().cpu_flags)
            for quantization, export in recipe.forms(checkpoint.role)
        ]

    champion = fetch_champion(recipe.registered_model, dataset, exported)
    candidates = [*references, *exported, *([champion] if champion else [])]
    qualities = [evaluate_candidate(candidate, dataset) for candidate in candidates]
    # a control is the same graph as its student: timing it twice would tell nothing
    timed = [candidate for candidate in candidates if candidate.role != "control"]
    searched = (
        search_configurations(
            timed, qualities, dataset, recipe.search, recipe.gates, recipe.benchmark
        )
        if recipe.search
        else None
    )
    outcomes = (
        (searched.outcome,)
        if searched
        else benchmark_candidates(timed, dataset, recipe.places, recipe.benchmark, recipe.threads)
    )
    measurements = tuple(measured for one in outcomes for measured in one.measurements)

    reigning = tracking.champion(recipe.registered_model)
    verdict = judge(
        gates=recipe.gates,
        candidates=candidates,
        qualities=qualities,
        measurements=measurements,
        target=outcomes[0].target,
        champion_digest=reigning.candidate_digest if reigning else None,
        set_aside=searched.set_aside if searched else {},
    )
    versions = register_versions(
        exported,
        qualities,
        outcomes[0].measurements,
        recipe.registered_model,
        Origin(
            flow_run_id=flow_run_id,
            tracking_run_id=run.run_id,
            code_version=code,
            dataset_digest=dataset.digest,
            recipe_digest=recipe_digest,
        ),
    )
    promotion = promote_winner(
        verdict, versions, recipe.registered_model, recipe.gates, recipe.deploy
    )

    findings = Findings(
        recipe_name=recipe.name,
        recipe_description=recipe.description,
        recipe_yaml=recipe_files.as_yaml(recipe),
        recipe_digest=recipe_digest,
        model=recipe.registered_model,
        code_version=code,
        flow_run_id=flow_run_id,
        started_at=started_at,
        target=outcomes[0].target,
        gates=recipe.gates.model_dump(),
        dataset=dataset,
        teachers=tuple(teachers),
        corpus=corpus,
        language_model=language_model,
        starts=tuple(starts.values()),
        students=tuple(students),
        controls=tuple(controls),
        candidates=tuple(candidates),
        qualities=tuple(qualities),
        measurements=measurements,
        skipped=tuple(skipped for one in outcomes for skipped in one.skipped),
        searched=searched,
        gains=tuple(gains),
        temperature_study=study,
        verdict=verdict,
        versions=promotion.versions,
        decision=promotion.decision,
    )
    publish_report(findings, run.run_id)
    close_targets(outcomes)
    if findings.decision is not None and not findings.decision.holds:
        return failed(findings.decision.summary)  # type: ignore[no-any-return]
    tracking.close_flow_run(flow_run_id, "FINISHED")
    return findings


def distilled_generally(
    recipe: Recipe, dataset: Dataset
) -> tuple[Checkpoint | None, dict[str, Checkpoint]]:
    """The language model, where a stage predicts tokens, and by name each student that has general
    stages, after them.
    """
    students = [student for student in recipe.students if student.general]
    general = recipe.general_distillation
    if general is None:
        return None, {}
    source, seed = recipe.pretrained, recipe.seeds[0]
    text = prepare_corpus(general.text, seed)
    language_model = (
        train_language_model(source, text, general.head, seed, recipe.launcher)
        if any(stage.predicts == "tokens" for student in students for stage in student.general)
        else None
    )
    return language_model, {
        student.name: distill_general(
            student.before_its_task(), source, language_model, text, dataset, seed, recipe.launcher
        )
        for student in students
    }


def born_again(
    student: AnyStudent,
    teacher: Teacher,
    soft_labels: Sequence[SoftLabels],
    dataset: Dataset,
    corpus: Corpus | None,
    start: Checkpoint | None,
    seed: int,
    launcher: Launcher,
) -> Checkpoint:
    """The student's last generation; of one generation, it learns from the teacher itself."""
    for _ in range(student.generations - 1):
        teacher = distill_student(
            student, teacher, soft_labels, dataset, corpus, start, seed, launcher
        )
        soft_labels = [compute_soft_labels(teacher, texts) for texts in (dataset, corpus) if texts]
    return distill_student(student, teacher, soft_labels, dataset, corpus, start, seed, launcher)


def temperatures_studied(
    recipe: Recipe,
    student: AnyStudent,
    teacher: Teacher,
    soft_labels: Sequence[SoftLabels],
    dataset: Dataset,
    corpus: Corpus | None,
    start: Checkpoint | None,
    controls: Sequence[Checkpoint],
) -> StudiedTemperatures:
    """The student with other temperatures and weights, beside its controls; evaluated, no more."""
    assert recipe.temperature_study is not None, "it names the student"

    def run(checkpoint: Checkpoint, share_ce: float, temperature: float | None) -> StudyRun:
        quality = evaluate_candidate(package_pytorch(checkpoint, dataset), dataset)
        return StudyRun(
            temperature=temperature,
            share_ce=share_ce,
            seed=checkpoint.seed,
            validation_accuracy=best_validation(checkpoint),
            test_accuracy=quality.accuracy,
        )

    runs = [
        run(
            born_again(
                variant.student,
                teacher,
                soft_labels,
                dataset,
                corpus,
                start,
                seed,
                recipe.launcher,
            ),
            variant.share_ce,
            variant.temperature,
        )
        for variant in recipe.temperature_study.variants(student)
        for seed in recipe.seeds
    ]
    return StudiedTemperatures(
        student_name=student.name,
        variants=tuple(one for one in runs if one.temperature is not None),
        limits=tuple(one for one in runs if one.temperature is None),
        controls=tuple(run(control, 1.0, None) for control in controls),
    )


def best_validation(checkpoint: Checkpoint) -> float:
    """What seeds are chosen by: accuracy or Spearman's ρ of the kept epoch, on validation."""
    kept = (epoch for epoch in checkpoint.history if epoch.epoch == checkpoint.best_epoch)
    return max((epoch.validation_merit or 0.0 for epoch in kept), default=0.0)
