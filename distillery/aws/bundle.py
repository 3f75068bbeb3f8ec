"""What goes to an instance: candidates, real inputs, the benchmark's own code, and the plan.

Each part is one file, found by the digest of its content, so that several instances share it and
what was sent before is not sent again.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import Field

from distillery import digests
from distillery.aws import images
from distillery.benchmarking.plan import Entry, Plan
from distillery.benchmarking.process import PACKAGE_ROOT
from distillery.measurements import Scenario
from distillery.noun import Noun
from distillery.runtimes import images as pixels
from distillery.runtimes.base import Device, Example
from distillery.runtimes.images import Image

OUTCOME = "outcome.json"
"""What an instance brings back."""

_MODULES = ("__init__", "digests", "errors", "measurements", "noun")
_PACKAGES = ("benchmarking", "runtimes")
_OF_PYTORCH = "architectures"
# a zip's oldest: equal content gives equal bytes
_NO_TIME = (1980, 1, 1, 0, 0, 0)


class Part(Noun):
    """One file, as the runner finds it."""

    name: str = Field(description="In the runner's working folder; a zip is unpacked there.")
    path: Path = Field(description="On this machine.")
    size_bytes: int
    sha256: str


class Bundle(Noun):
    """All that one instance is sent."""

    parts: tuple[Part, ...]
    setup: tuple[tuple[str, ...], ...]
    benchmark: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Equal where the same is measured in the same way."""
        return digests.of_json(
            [[[part.name, part.sha256] for part in self.parts], self.setup, self.benchmark]
        )


def make(
    folder: Path,
    *,
    instance_type: str,
    device: Device,
    entries: Sequence[Entry],
    examples: Sequence[Example],
    scenario: Scenario,
    threads: int,
    examples_max: int,
) -> Bundle:
    """Write the parts into ``folder``."""
    chosen = _sample(examples, examples_max, scenario.seed)
    parts = [_zipped(folder, "code.zip", _code(entries))]
    for i, entry in enumerate(entries):
        parts.append(_zipped(folder, f"candidate-{i}.zip", _files(entry.folder)))
    drawn = [example for example in chosen if isinstance(example, Image)]
    if drawn:
        pixels.write(drawn, folder / "examples.npy")
        parts.append(_part(folder, "examples.npy"))
    plan = Plan(
        entries=tuple(
            replace(entry, folder=Path(f"candidate-{i}"), device=device)
            for i, entry in enumerate(entries)
        ),
        texts=tuple(text for text in chosen if not isinstance(text, Image)),
        images=Path("examples.npy") if drawn else None,
        scenario=scenario,
        threads=threads,
        target=f"aws:{instance_type}",
    )
    (folder / "plan.json").write_text(plan.model_dump_json(), encoding="utf-8")
    environment = images.environment(instance_type, {entry.runtime for entry in entries})
    text = "\n".join(environment.requirements) + "\n"
    (folder / "requirements.txt").write_text(text, encoding="utf-8")
    parts += [_part(folder, "plan.json"), _part(folder, "requirements.txt")]
    return Bundle(
        parts=tuple(parts),
        setup=environment.setup,
        benchmark=(
            *(images.PYTHON, "-m", "distillery.benchmarking.elsewhere"),
            *("plan.json", OUTCOME),
        ),
    )


def _sample(examples: Sequence[Example], most: int, seed: int) -> list[Example]:
    """At most so many, drawn by chance, in their own order."""
    if len(examples) <= most:
        return list(examples)
    rows = np.random.default_rng(seed).choice(len(examples), size=most, replace=False)
    return [examples[row] for row in sorted(rows.tolist())]


def _code(entries: Sequence[Entry]) -> dict[str, bytes]:
    """The benchmark and its runtimes; PyTorch's own models where an entry runs in PyTorch."""
    root = PACKAGE_ROOT / "distillery"
    paths = [root / f"{name}.py" for name in _MODULES]
    packages = list(_PACKAGES)
    if any(entry.runtime in ("pytorch", "pytorch_compiled", "neuron") for entry in entries):
        packages.append(_OF_PYTORCH)
    for name in packages:
        paths += (root / name).rglob("*.py")
    return {path.relative_to(PACKAGE_ROOT).as_posix(): path.read_bytes() for path in paths}


def _files(folder: Path) -> dict[str, bytes | Path]:
    """Of a candidate; a graph that is not ours lies elsewhere, and comes along."""
    files: dict[str, bytes | Path] = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    if "graph.json" in files:
        from distillery.subjects import graphs

        told = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
        graph = Path(told["path"])
        for path in graphs.inspect(graph).files:
            files[path.relative_to(graph.parent).as_posix()] = path
        files["graph.json"] = json.dumps({**told, "path": graph.name}).encode()
    return files


def _zipped(folder: Path, name: str, files: dict[str, bytes] | dict[str, bytes | Path]) -> Part:
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for inside in sorted(files):
            entry = zipfile.ZipInfo(inside, date_time=_NO_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            content = files[inside]
            source = content.open("rb") if isinstance(content, Path) else io.BytesIO(content)
            with source, archive.open(entry, "w", force_zip64=True) as target:
                while chunk := source.read(1 << 20):
                    target.write(chunk)
    return _part(folder, name)


def _part(folder: Path, name: str) -> Part:
    path = folder / name
    return Part(name=name, path=path, size_bytes=path.stat().st_size, sha256=digests.of_file(path))
