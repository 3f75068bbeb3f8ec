"""Recipes as files: found by name, read, overridden, and every mistake said in one line."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from distillery.errors import UserError
from distillery.recipe import Recipe

SHIPPED = Path(__file__).parent.parent / "recipes"


def shipped() -> list[str]:
    """The names of the recipes that come with distillery."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def find(name_or_path: str) -> Path:
    """A recipe's file, by path or by the name of a shipped one.

    Raises ``UserError`` naming the nearest choice.
    """
    path = Path(name_or_path).expanduser()
    if path.suffix in (".yaml", ".yml") or path.parent != Path("."):
        if not path.is_file():
            raise UserError(
                f"there is no recipe file '{name_or_path}'; choose one of "
                f"{', '.join(shipped())}, or give the path of a YAML file"
            )
        return path
    if name_or_path not in shipped():
        nearest = difflib.get_close_matches(name_or_path, shipped(), n=1, cutoff=0.4)
        hint = f"did you mean '{nearest[0]}'? " if nearest else ""
        raise UserError(
            f"no recipe '{name_or_path}'; {hint}choose one of {', '.join(shipped())}, "
            "or give the path of a YAML file"
        )
    return SHIPPED / f"{name_or_path}.yaml"


def load(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe, apply ``path.to.key=value`` overrides, and validate.

    A source that begins with ``./`` or ``../`` in the file is relative to the file; in an
    override, to the working directory.
    """
    path = find(name_or_path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        where = " ".join(str(error).split())[:200]
        raise UserError(f"recipe {path} is no readable YAML: {where}; mend the file") from error
    if not isinstance(values, dict):
        raise UserError(f"recipe {path} holds no keys; it must begin with name, data, teacher …")
    _anchor_sources(values, path.parent)
    for override in overrides:
        _override(values, override)
    return validate(values, where=str(path))


def validate(values: dict[str, Any], *, where: str) -> Recipe:
    """A Recipe, or a ``UserError`` that names the key, the problem and the nearest right key."""
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        problems = [problem for problem in error.errors() if not _is_echo(problem)]
        # a key that is missing may well be the one that is misspelt: say the latter
        first = min(problems, key=lambda problem: problem["type"] == "missing")
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(f"recipe {where}: {_in_words(first, values)}{more}") from error


def as_yaml(recipe: Recipe) -> str:
    """The recipe as a file that ``load`` would read back."""
    return yaml.safe_dump(
        recipe.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True
    )


def _anchor_sources(values: dict[str, Any], folder: Path) -> None:
    for key in ("data", "teacher"):
        part = values.get(key)
        if not isinstance(part, dict):
            continue
        source = part.get("source")
        if isinstance(source, str) and source.startswith(("./", "../")):
            part["source"] = str((folder / source).resolve())


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(
            f"--set {override}: write it as key=value, such as students.0.task.0.temperature=4"
        )
    parts = key.split(".")
    place: Any = values
    for i, part in enumerate(parts[:-1]):
        if isinstance(place, list):
            place = place[_index(part, place, key)]
        elif isinstance(place, dict):
            place = place.setdefault(part, {})
        else:
            raise UserError(f"--set {key}: '{'.'.join(parts[:i])}' holds a value, not keys")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"--set {key}: '{text}' is no YAML value; quote it") from error
    last = parts[-1]
    if isinstance(place, list):
        place[_index(last, place, key)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise UserError(f"--set {key}: '{'.'.join(parts[:-1])}' holds a value, not keys")


def _index(part: str, place: list[Any], key: str) -> int:
    if not place:
        raise UserError(f"--set {key}: the list before '{part}' is empty; set the whole list")
    if not part.isdigit() or int(part) >= len(place):
        raise UserError(
            f"--set {key}: '{part}' is no position in a list of {len(place)}; "
            f"choose 0 to {len(place) - 1}"
        )
    return int(part)


def _is_echo(problem: Any) -> bool:
    """Pydantic also calls a tuple too short whose items it had just refused."""
    return problem["type"] == "too_short" and bool(problem["input"])


def _in_words(problem: Any, values: dict[str, Any]) -> str:
    location = [part for part in problem["loc"]]
    key = ".".join(str(part) for part in _without_tags(location, values))
    if problem["type"] == "extra_forbidden":
        unknown = str(location[-1])
        known = _known_keys(location[:-1])
        nearest = difflib.get_close_matches(unknown, known, n=1, cutoff=0.5)
        hint = f"did you mean '{nearest[0]}'?" if nearest else f"choose one of {', '.join(known)}"
        return f"unknown key '{key}'; {hint}"
    if problem["type"] == "missing":
        return f"'{key}' is missing; add it"
    if problem["type"] in ("union_tag_not_found", "union_tag_invalid"):
        tag = problem["ctx"]["discriminator"].strip("'")
        tags = _known_tags(location)
        given = problem["input"].get(tag) if isinstance(problem["input"], dict) else None
        if given is None:
            return f"'{key}.{tag}' is missing; choose one of {', '.join(tags)}"
        nearest = difflib.get_close_matches(str(given), tags, n=1, cutoff=0.5)
        hint = f"did you mean '{nearest[0]}'?" if nearest else f"choose one of {', '.join(tags)}"
        return f"'{key}.{tag}': no '{given}'; {hint}"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    given = problem.get("input")
    shown = f" (it is {given!r})" if isinstance(given, str | int | float | bool) else ""
    return f"'{key}': {message}{shown}" if key else message


def _without_tags(location: Sequence[str | int], values: Any) -> list[str | int]:
    """Pydantic puts a union's tag into the location; the file has no such key."""
    kept: list[str | int] = []
    place: Any = values
    for i, part in enumerate(location):
        inside = isinstance(place, dict) and part in place
        if inside or (isinstance(place, list) and isinstance(part, int)):
            place = place[part]
        elif i < len(location) - 1 and isinstance(part, str):
            continue
        kept.append(part)
    return kept


def _known_keys(location: Sequence[str | int]) -> list[str]:
    """The keys allowed at a place of the recipe."""
    return sorted(_schema_at(location).get("properties", {}))


def _known_tags(location: Sequence[str | int]) -> list[str]:
    """The kinds that a place of the recipe can be of."""
    return sorted(_schema_at(location).get("discriminator", {}).get("mapping", {}))


def _schema_at(location: Sequence[str | int]) -> dict[str, Any]:
    """A place of the recipe, walked in its JSON schema."""
    schema = TypeAdapter(Recipe).json_schema()
    place: Any = schema
    for part in location:
        place = _resolved(schema, place)
        if isinstance(part, int):
            place = place.get("items", {})
            continue
        tagged = place.get("discriminator", {}).get("mapping", {})
        if part in tagged:
            place = {"$ref": tagged[part]}
        else:
            place = place.get("properties", {}).get(part, {})
    return _resolved(schema, place)


def _resolved(schema: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
    while True:
        if "$ref" in place:
            place = schema["$defs"][place["$ref"].rsplit("/", 1)[-1]]
            continue
        # of a number or an object, of an object or nothing: only the object has keys
        branches = [branch for branch in place.get("anyOf", ()) if "$ref" in branch]
        if len(branches) != 1:
            return place
        place = branches[0]
