"""Recipes as files: found by name, read, overridden, and every mistake said in one line."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from distillery.errors import UserError
from distillery.noun import Noun
from distillery.recipe import Recipe

_Validated = TypeVar("_Validated", bound=Noun)

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
    values = read(path, "recipe", begins="name, data, teacher …")
    _anchor_sources(values, path.parent)
    for text in overrides:
        override(values, text, option="--set", example="students.0.task.0.temperature=4")
    return validate(values, where=str(path))


def read(path: Path, what: str, *, begins: str) -> dict[str, Any]:
    """The keys of a YAML file. Raises ``UserError`` where there are none."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        where = " ".join(str(error).split())[:200]
        raise UserError(f"{what} {path} is no readable YAML: {where}; mend the file") from error
    if not isinstance(values, dict):
        raise UserError(f"{what} {path} holds no keys; it must begin with {begins}")
    return values


def validate(values: dict[str, Any], *, where: str) -> Recipe:
    """A Recipe, or a ``UserError`` that names the key, the problem and the nearest right key."""
    return validated(Recipe, values, where=f"recipe {where}")


def validated(kind: type[_Validated], values: dict[str, Any], *, where: str) -> _Validated:
    """The same for any noun."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = [problem for problem in error.errors() if not _is_echo(problem)]
        # a key that is missing may well be the one that is misspelt: say the latter
        first = min(problems, key=lambda problem: problem["type"] == "missing")
        more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(f"{where}: {_in_words(kind, first, values)}{more}") from error


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


def override(values: dict[str, Any], given: str, *, option: str, example: str) -> None:
    """Set one ``path.to.key=value`` in place. Raises ``UserError`` that names the option."""
    key, equals, text = given.partition("=")
    if not equals or not key:
        raise UserError(f"{option} {given}: write it as key=value, such as {example}")
    parts = key.split(".")
    place: Any = values
    for i, part in enumerate(parts[:-1]):
        if isinstance(place, list):
            place = place[_index(part, place, f"{option} {key}")]
        elif isinstance(place, dict):
            place = place.setdefault(part, {})
        else:
            raise UserError(f"{option} {key}: '{'.'.join(parts[:i])}' holds a value, not keys")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{option} {key}: '{text}' is no YAML value; quote it") from error
    last = parts[-1]
    if isinstance(place, list):
        place[_index(last, place, f"{option} {key}")] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise UserError(f"{option} {key}: '{'.'.join(parts[:-1])}' holds a value, not keys")


def _index(part: str, place: list[Any], where: str) -> int:
    if not place:
        raise UserError(f"{where}: the list before '{part}' is empty; set the whole list")
    if not part.isdigit() or int(part) >= len(place):
        raise UserError(
            f"{where}: '{part}' is no position in a list of {len(place)}; "
            f"choose 0 to {len(place) - 1}"
        )
    return int(part)


def _is_echo(problem: Any) -> bool:
    """Pydantic also calls a tuple too short whose items it had just refused."""
    return problem["type"] == "too_short" and bool(problem["input"])


def _in_words(kind: type[Noun], problem: Any, values: dict[str, Any]) -> str:
    location = [part for part in problem["loc"]]
    key = ".".join(str(part) for part in _without_tags(location, values))
    if problem["type"] == "extra_forbidden":
        unknown = str(location[-1])
        known = _known_keys(kind, location[:-1])
        nearest = difflib.get_close_matches(unknown, known, n=1, cutoff=0.5)
        hint = f"did you mean '{nearest[0]}'?" if nearest else f"choose one of {', '.join(known)}"
        return f"unknown key '{key}'; {hint}"
    if problem["type"] == "missing":
        return f"'{key}' is missing; add it"
    if problem["type"] in ("union_tag_not_found", "union_tag_invalid"):
        tag = problem["ctx"]["discriminator"].strip("'")
        tags = _known_tags(kind, location)
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


def _known_keys(kind: type[Noun], location: Sequence[str | int]) -> list[str]:
    """The keys allowed at a place."""
    return sorted(_schema_at(kind, location).get("properties", {}))


def _known_tags(kind: type[Noun], location: Sequence[str | int]) -> list[str]:
    """The kinds that a place can be of."""
    return sorted(_schema_at(kind, location).get("discriminator", {}).get("mapping", {}))


def _schema_at(kind: type[Noun], location: Sequence[str | int]) -> dict[str, Any]:
    """A place of the noun, walked in its JSON schema."""
    schema = kind.model_json_schema()
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
