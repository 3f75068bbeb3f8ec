"""How the subject came to be: the stations from the recipe to the registered version."""

from dataclasses import dataclass, replace

from distillery.nouns import Candidate, Checkpoint, Findings
from distillery.report import units


@dataclass(frozen=True, kw_only=True)
class Step:
    """A station of the lineage."""

    what: str
    name: str
    digest: str
    note: str


def lineage(findings: Findings, subject: Candidate | None) -> list[Step]:
    """From the recipe to the registered version; each digest is of content."""
    steps = [
        Step(
            what="Recipe",
            name=findings.recipe_name,
            digest=findings.recipe_digest,
            note=f"code version {findings.code_version}",
        ),
        Step(
            what="Data",
            name=findings.dataset.name,
            digest=findings.dataset.digest,
            note=f"from {findings.dataset.source}",
        ),
        *(_trained("Teacher", teacher) for teacher in findings.teachers),
    ]
    if findings.corpus is not None:
        steps.append(
            Step(
                what="Augmentation",
                name=f"{findings.corpus.rows:,} {findings.dataset.kind}s",
                digest=findings.corpus.digest,
                note=findings.corpus.origin,
            )
        )
    if subject is None:
        return steps
    trained = [*findings.students, *findings.controls]
    student = next((c for c in trained if c.digest == subject.checkpoint_digest), None)
    if student is not None:
        start = next((c for c in findings.starts if c.digest == student.parent_digest), None)
        if start is not None:
            steps += [*_language_model(findings), _trained("General distillation", start)]
        steps.append(_trained("Student", student))
    parent = next((c for c in findings.candidates if c.digest == subject.parent_digest), None)
    if parent is not None:
        steps.append(_exported("Exported graph", parent))
    steps.append(_exported("Quantized graph" if parent else "Candidate", subject))
    for version in findings.versions:
        if (version.candidate_name, version.candidate_digest) == (subject.name, subject.digest):
            steps.append(
                Step(
                    what="Registered version",
                    name=f"{version.model}, version {version.version}",
                    digest="",
                    note=f"aliases: {', '.join(version.aliases)}" if version.aliases else "",
                )
            )
    return steps


def _language_model(findings: Findings) -> list[Step]:
    model = findings.language_model
    if model is None:
        return []
    step = _trained("Language model", model)
    told = (
        "its head was trained here, the encoder frozen, since the checkpoint has none"
        if model.history
        else "its head is the checkpoint's"
    )
    return [replace(step, note=f"{step.note}; {told}")]


def _trained(what: str, checkpoint: Checkpoint) -> Step:
    note = f"{checkpoint.parameters / 1e6:,.1f} million parameters, seed {checkpoint.seed}"
    if checkpoint.history:
        note += f", best epoch {checkpoint.best_epoch:g} of {checkpoint.history[-1].epoch:g}"
    return Step(what=what, name=checkpoint.name, digest=checkpoint.digest, note=note)


def _exported(what: str, candidate: Candidate) -> Step:
    runtime = "PyTorch" if candidate.runtime == "pytorch" else "ONNX Runtime"
    note = f"{runtime}, {candidate.precision}, {units.size(candidate.size_bytes)}"
    return Step(what=what, name=candidate.name, digest=candidate.digest, note=note)
