"""The image that an instance starts from, and how Python and a runtime come to it.

CPU: Amazon Linux 2023. GPU: the deep-learning base image, which brings the driver. Neuron: the
Neuron base image; inf1 needs one from before SDK 2.26.1, whose driver no longer knows it.
Everything is fetched over HTTPS, since the security group lets nothing else out.
"""

import sys
from dataclasses import dataclass

from distillery.aws.families import family_of, is_legacy
from distillery.aws.nouns import Image, Offering
from distillery.aws.requirements import onnxruntime, pinned
from distillery.aws.session import Session, clear_errors
from distillery.errors import UserError

Command = tuple[str, ...]

PYTHON = "venv/bin/python"
"""What measures, from the runner's working folder on."""

_AL2023 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}"
_GPU = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
_NEURON = "/aws/service/neuron/dlami/base/ubuntu-24.04/latest/image_id"
_NEURON_LEGACY_NAME = "Deep Learning AMI Neuron (Ubuntu 22.04) *"
_NEURON_LEGACY_BEFORE = "2025-10-01"

_UV = "0.9.9"
_NEURON_INDEX = "https://pip.repos.neuron.amazonaws.com"
_TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
_BENCHMARK = ("numpy", "psutil", "pydantic", "tokenizers")
_TORCH = ("safetensors", "torch", "transformers")


@dataclass(frozen=True, kw_only=True)
class Environment:
    """How the runner makes ``PYTHON`` on an instance."""

    setup: tuple[Command, ...]
    requirements: tuple[str, ...]


def image(session: Session, offering: Offering) -> Image:
    """The newest image for the type. Raises ``UserError`` where AWS names none."""
    instance_type = offering.instance_type
    device = family_of(instance_type).device
    if device != "cpu" and offering.architecture != "x86_64":
        raise UserError(
            f"aws:{instance_type} has a processor of {offering.architecture}, and no image for its "
            "accelerator is known; choose an x86_64 type, such as g4dn.2xlarge"
        )
    with clear_errors(f"AWS names no image for {instance_type}"):
        if is_legacy(instance_type):
            return _described(session, _newest_legacy(session))
        parameter = {
            "cpu": _AL2023.format(architecture=offering.architecture),
            "cuda": _GPU,
            "neuron": _NEURON,
        }[device]
        found = session.client("ssm").get_parameter(Name=parameter)
        return _described(session, found["Parameter"]["Value"])


def _newest_legacy(session: Session) -> str:
    images = session.client("ec2").describe_images(
        Owners=["amazon"],
        Filters=[{"Name": "name", "Values": [_NEURON_LEGACY_NAME]}],
        IncludeDeprecated=True,
    )["Images"]
    old = [one for one in images if one["CreationDate"] < _NEURON_LEGACY_BEFORE]
    if not old:
        raise UserError(
            f"{session.region} has no Neuron image for inf1 any more (from before "
            f"{_NEURON_LEGACY_BEFORE}); choose inf2"
        )
    return str(max(old, key=lambda one: one["CreationDate"])["ImageId"])


def _described(session: Session, image_id: str) -> Image:
    (found,) = session.client("ec2").describe_images(ImageIds=[image_id])["Images"]
    root = found.get("RootDeviceName") or "/dev/xvda"
    sizes = [
        mapping["Ebs"].get("VolumeSize", 0)
        for mapping in found.get("BlockDeviceMappings", ())
        if mapping.get("DeviceName") == root and "Ebs" in mapping
    ]
    return Image(image_id=image_id, root_device=root, root_gib=max(sizes, default=0))


def environment(instance_type: str, runtimes: set[str]) -> Environment:
    """What ``runtimes`` need there, pinned to what is installed here."""
    device = family_of(instance_type).device
    needs_torch = any(runtime.startswith("pytorch") for runtime in runtimes)
    if is_legacy(instance_type):
        return Environment(
            setup=_with_uv("3.10"),
            requirements=(
                f"--extra-index-url {_NEURON_INDEX}",
                "torch-neuron==1.13.*",
                "neuron-cc[tensorflow]",
                *("numpy<2", "transformers<4.42", "safetensors", "tokenizers"),
                *("psutil", "pydantic"),
            ),
        )
    if device == "neuron":
        # torch-neuronx chooses its own PyTorch
        return Environment(
            setup=_with_uv("3.12"),
            requirements=(
                f"--extra-index-url {_NEURON_INDEX}",
                *("torch-neuronx", "neuronx-cc"),
                *("transformers>=5,<6", "safetensors", "psutil", "pydantic", "tokenizers"),
            ),
        )
    packages = pinned(*_BENCHMARK, *(_TORCH if needs_torch else ()))
    # what is pinned here was chosen for the Python that runs here
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if device == "cuda":
        return Environment(
            setup=_with_uv(here),
            requirements=_once(*packages, *onnxruntime("onnxruntime-gpu[cuda,cudnn]")),
        )
    index = (f"--extra-index-url {_TORCH_CPU_INDEX}",) if needs_torch else ()
    for_cpu = (f"{one}+cpu" if one.startswith("torch==") else one for one in packages)
    return Environment(
        setup=(
            ("dnf", "install", "--assumeyes", "--quiet", f"python{here}", f"python{here}-pip"),
            (f"python{here}", "-m", "venv", "venv"),
            (PYTHON, "-m", "pip", "install", "--quiet", "--requirement", "requirements.txt"),
        ),
        requirements=_once(*index, *for_cpu, *onnxruntime("onnxruntime")),
    )


def _once(*lines: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lines))


def _with_uv(python: str) -> tuple[Command, ...]:
    """Ubuntu's own Python has no venv without apt, which would need port 80."""
    uv = "./uv/uv"
    installer = f"https://astral.sh/uv/{_UV}/install.sh"
    return (
        ("curl", "-fsSL", "--retry", "5", "-o", "install-uv.sh", installer),
        ("env", "UV_UNMANAGED_INSTALL=uv", "sh", "install-uv.sh"),
        (uv, "venv", "--quiet", "--python", python, "venv"),
        (
            *(uv, "pip", "install", "--quiet", "--python", PYTHON),
            *("--index-strategy", "unsafe-best-match", "--requirement", "requirements.txt"),
        ),
    )
