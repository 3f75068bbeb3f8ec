"""All places, by their ``kind``: one line lists each."""

from typing import Annotated

from pydantic import Field

from distillery.deployment.ecs import Ecs
from distillery.deployment.local import Local
from distillery.deployment.sagemaker import SageMaker

AnyPlace = Annotated[Local | SageMaker | Ecs, Field(discriminator="kind")]
