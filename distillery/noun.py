"""What every noun is: frozen, validated, and the same after a round trip through JSON."""

from typing import Any

from pydantic import BaseModel, ConfigDict


def _in_order(schema: dict[str, Any]) -> None:
    """PostgreSQL keeps no order of keys, and Prefect's form goes by ``position``."""
    for position, field in enumerate(schema.get("properties", {}).values()):
        field["position"] = position


class Noun(BaseModel):
    """Frozen and keyword-only; an unknown field is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="constants",
        json_schema_extra=_in_order,
    )

    @property
    def identity(self) -> object:
        """What makes two of them the same input of a step, as JSON.

        Nouns that point at an artifact leave out what differs between equal makings, such as
        the seconds it took.
        """
        return self.model_dump(mode="json")
