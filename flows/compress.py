"""The main job: a recipe in, a promoted model out, or why there is none."""

from datetime import UTC, datetime
from typing import Any

import prefect
import prefect.runtime
from prefect import State
from prefect.client.schemas.objects import FlowRun

from distillery import digests, recipe_files, tracking
from distillery.benchmarking.fingerprint import fingerprint
from distillery.evaluation import gain
from distillery.nouns import Findings
from distillery.provenance import code_version
from distillery.recipe import Recipe
from distillery.registration import Origin
from distillery.verdict import judge
from tasks.benchmark_candidates import benchmark_candidates
from tasks.check_recipe import check_recipe
from tasks.compute_soft_labels import compute_soft_labels
from tasks.distill_student import distill_student
from tasks.evaluate_candidate import evaluate_candidate
from tasks.export_fp32 import export_fp32
from tasks.fetch_champion import fetch_champion
from tasks.fine_tune_teacher import fine_tune_teacher
from tasks.package_pytorch import package_pytorch
from tasks.prepare_dataset import prepare_dataset
from tasks.promote_winner import promote_winner
from tasks.publish_report import publish_report
from tasks.quantize_int8 import quantize_int8
from tasks.register_versions import register_versions
from tasks.train_control import train_control
