"""Every setting, with its default and what it does; the README's table is made from this class."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from customer_segmentation.domain.features import FEATURE_BY_NAME
from customer_segmentation.model.artifact import Parameters, Thresholds
from customer_segmentation.model.gates import Gates

SHIPPED_DATA = Path(__file__).parents[1] / "data" / "cleaned main dataset.csv"
"""The data set that a first start loads where no other is named."""


class Settings(BaseSettings):
    """Settings, each read from the environment variable of its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="CUSTOMER_SEGMENTATION_",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
    )

    database_url: str = Field(
        default="sqlite:///customer-segmentation.db",
        validation_alias="DATABASE_URL",
        description="Where customers are kept: `sqlite:///FILE` or `postgresql://USER@HOST/NAME`.",
    )
    data: Path = Field(
        default=SHIPPED_DATA,
        description="CSV file that the first start loads into an empty database; "
        "unless set, the shipped data set.",
    )
    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on; `0.0.0.0` for every network interface.",
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    workers: int = Field(
        default=1, ge=1, le=256, description="Server processes that share the port."
    )
    segments: int = Field(
        default=4, ge=2, le=12, description="Number of segments that a training makes."
    )
    seed: int = Field(
        default=20_000, ge=0, lt=2**32, description="Seed of every random choice in a training."
    )
    restarts: int = Field(
        default=10, ge=1, le=100, description="Random starts that K-means tries in a training."
    )
    exclude_attributes: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Attributes that the model must not use, separated by commas, "
        "such as `gender,age`; they are stored all the same.",
    )
    min_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="A new model serves by itself only if each segment holds at least this share "
        "of the customers,",
    )
    min_stability: float = Field(
        default=0.6,
        ge=-1,
        le=1,
        description="if refits on bootstraps agree with it at least this much "
        "(mean adjusted Rand index),",
    )
    max_silhouette_loss: float = Field(
        default=0.05,
        ge=0,
        le=2,
        description="if its silhouette is no more than this below the serving model's, and if no "
        "segment is lost.",
    )
    max_match_distance: float = Field(
        default=0.5,
        gt=0,
        description="A cluster continues a segment only this near to it, as a share of the way "
        "to the next segment,",
    )
    min_match_overlap: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="and only if the customers in both are at least this share of those in either.",
    )
    max_body_bytes: int = Field(
        default=65_536, ge=1024, description="Largest request body accepted, in bytes."
    )

    @property
    def parameters(self) -> Parameters:
        """How a training is to be done."""
        return Parameters(
            k=self.segments,
            seed=self.seed,
            restarts=self.restarts,
            excluded=self.exclude_attributes,
            thresholds=Thresholds(self.max_match_distance, self.min_match_overlap),
        )

    @property
    def gates(self) -> Gates:
        """What a new model must show before it serves by itself."""
        return Gates(self.min_share, self.min_stability, self.max_silhouette_loss)

    @field_validator("exclude_attributes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("exclude_attributes")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in names if name not in FEATURE_BY_NAME]
        if unknown:
            known = ", ".join(FEATURE_BY_NAME)
            raise ValueError(f"{', '.join(unknown)} is no attribute; allowed are {known}")
        if len(names) == len(FEATURE_BY_NAME):
            raise ValueError("at least one attribute must be left for the model")
        return names
