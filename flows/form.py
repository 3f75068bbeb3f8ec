"""What the forms of several flows ask for, bounded."""

from typing import Annotated

from pydantic import Field

Name = Annotated[str, Field(min_length=1, max_length=256)]
Number = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,9}$")]
