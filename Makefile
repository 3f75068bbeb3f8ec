# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := 1

.PHONY: help setup demo test lint types unit stack stack-stop stack-status lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## / \t/' | expand -t 12

setup: $(STAMP)  ## make the virtual environment from the committed lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "distillery needs Python 3.11 or later: make PYTHON=/path/to/python3.11 …"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $(STAMP)

demo: setup  ## run the quickstart recipe, from data to a promoted model
	$(BIN)/distillery compress quickstart

test: lint types unit  ## lint, types, and the full test suite

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

unit: setup
	$(BIN)/python -m pytest $(PYTEST)

stack: setup  ## start a team's servers on this machine: PostgreSQL, S3, MLflow, Prefect, a worker
	$(BIN)/python -m infra.stack start $(STACK)

stack-stop: setup  ## end exactly those; what they keep stays
	$(BIN)/python -m infra.stack stop

stack-status: setup  ## which of them run
	$(BIN)/python -m infra.stack status

lock:  ## resolve the dependencies again (needs uv)
	echo 'torch==2.13.0' | uv pip compile --universal --python-version 3.11 pyproject.toml --extra servers --group dev \
	  --constraint - --no-header --no-annotate --output-file requirements.lock \
	  $(addprefix --no-emit-package ,$(CUDA_PACKAGES))

# pip takes these as torch asks for them: a CPU build of torch needs none
CUDA_PACKAGES := cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cccl nvidia-cuda-cupti \
  nvidia-cuda-nvrtc nvidia-cuda-runtime nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand \
  nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvjitlink \
  nvidia-nvshmem-cu13 nvidia-nvtx triton

clean:  ## remove the environment and every artifact of this checkout
	rm -rf $(VENV) .distillery
