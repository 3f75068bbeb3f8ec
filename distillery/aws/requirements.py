"""The packages that an instance installs: those installed here, in the same versions."""

from importlib import metadata

from packaging.requirements import Requirement

# torch chooses these itself, by whether it is built for a GPU
_TORCHS_OWN = ("cuda-", "nvidia-", "triton")


def pinned(*packages: str) -> tuple[str, ...]:
    """``name==version`` of the packages and of all that they need, sorted.

    Local versions (``2.13.0+cpu``) lose their ending, which another machine may not find.
    """
    found: dict[str, str] = {}
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        if name in found or name.startswith(_TORCHS_OWN):
            continue
        found[name] = metadata.version(name).partition("+")[0]
        for text in metadata.requires(name) or ():
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                waiting.append(needed.name.lower().replace("_", "-"))
    return tuple(f"{name}=={found[name]}" for name in sorted(found))


def onnxruntime(build: str) -> tuple[str, ...]:
    """That build of ONNX Runtime, in the version of whichever is installed here."""
    try:
        own, lines = "onnxruntime", pinned("onnxruntime")
    except metadata.PackageNotFoundError:
        own, lines = "onnxruntime-gpu", pinned("onnxruntime-gpu")
    return tuple(one.replace(f"{own}==", f"{build}==") for one in lines)
