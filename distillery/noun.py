"""What every noun is: frozen, validated, and the same after a round trip through JSON."""

from pydantic import BaseModel, ConfigDict


class Noun(BaseModel):
    """Frozen and keyword-only; an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    @property
    def identity(self) -> object:
        """What makes two of them the same input of a step, as JSON.

        Nouns that point at an artifact leave out what differs between equal makings, such as
        the seconds it took.
        """
        return self.model_dump(mode="json")
