# Everything a person does with this repository, one word each: `make help` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
DATA ?= auto
RECIPE ?= accurate
ARCH ?= dense
MODEL ?= build/model
INPUT ?=
OUTPUT ?= build/output
TEST_DATA ?=
OVERWRITE ?=
ROWS ?= 700000
SECONDS ?= 60
TARGET ?= csv readers parquet page footer snappy

# Whoever types `make` is a person, also where the output is piped.
export DIGIT_JOB_LOG_FORMAT ?= text

BIN := .venv/bin
INSTALLED := .venv/installed
SAMPLE := build/sample
# A plain Keras file is a model by itself; a model folder is known by its card.
CARD := $(if $(filter %.keras,$(MODEL)),$(MODEL),$(MODEL)/model.json)
TRAINED := build/trained/$(subst /,_,$(MODEL))
TRAIN = $(BIN)/digit-job train --data "$(DATA)" --model "$(MODEL)" --recipe "$(RECIPE)" --arch "$(ARCH)" \
	$(if $(TEST_DATA),--test-data "$(TEST_DATA)") $(if $(OVERWRITE),--overwrite)

.PHONY: help setup train score sample test test-fast coverage soak bench bench-train bench-digits bench-estimates bench-promise bench-sheets fuzz image image-run image-test lint type check docs lock clean distclean

help: ## List what make can do
	@echo "digit-job: train a small digit classifier, and score files of pixels with it"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  DATA=$(DATA) RECIPE=$(RECIPE) ARCH=$(ARCH) MODEL=$(MODEL) INPUT=$(INPUT) OUTPUT=$(OUTPUT) PYTHON=$(PYTHON)"
	@echo "  ROWS=$(ROWS) SECONDS=$(SECONDS) TARGET=\"$(TARGET)\""

setup: $(INSTALLED) ## Make .venv with everything, so that .venv/bin/digit-job works

$(INSTALLED): pyproject.toml .lock/dev.txt .lock/uv.txt .lock/install.py .lock/run_uv.py
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "digit-job needs Python 3.11, 3.12 or 3.13: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Installing into .venv (TensorFlow among others: 2 GB) ..."
	@$(PYTHON) .lock/install.py
	@$(BIN)/python -m job.compiled.machine_code
	@$(BIN)/python -m job.report.template
	@touch $@

train: $(INSTALLED) ## Train MODEL from DATA (and TEST_DATA) by RECIPE, of dense layers or ARCH=cnn; OVERWRITE=1 replaces another
	@mkdir -p $(dir $(TRAINED))
	@if [ -f "$(CARD)" ] && [ "$$(cat $(TRAINED) 2>/dev/null)" = "$(DATA) $(RECIPE) $(ARCH)" ] && ! [ "$(DATA)" -nt "$(CARD)" ]; \
	then echo "$(MODEL) is trained already from DATA=$(DATA) by RECIPE=$(RECIPE) as ARCH=$(ARCH); remove it to train it again"; \
	else $(TRAIN) && echo "$(DATA) $(RECIPE) $(ARCH)" > $(TRAINED); fi

$(CARD): | $(INSTALLED)
	$(TRAIN)

ifeq ($(INPUT),)
score: $(INSTALLED) $(SAMPLE)/test.parquet ## Score INPUT (a sample, if none is named) into OUTPUT
	@$(BIN)/digit-job score --input "$(SAMPLE)" --output "$(OUTPUT)" --model "$(MODEL)" \
	  $(if $(filter build/output,$(OUTPUT)),--overwrite)
else
score: $(INSTALLED) $(CARD)
	@$(BIN)/digit-job score --input "$(INPUT)" --output "$(OUTPUT)" --model "$(MODEL)"
endif

sample: $(SAMPLE)/test.parquet ## Write the test split of MODEL's data set as CSV and Parquet

$(SAMPLE)/test.parquet: $(CARD) | $(INSTALLED)
	@$(BIN)/digit-job sample --model "$(MODEL)" --output "$(SAMPLE)" --overwrite

# A process for each core: as many tests wait for other processes as compute. Each loads TensorFlow and trains its own
# small model; so there are no more than four, and neighbouring tests stay together.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist worksteal

test: $(INSTALLED) ## Run the tests
	@$(BIN)/python -m pytest $(PARALLEL)

# The fast lane loads no TensorFlow, which tests/conftest.py makes sure of.
test-fast: $(INSTALLED) ## Run the unit tests that are quick and need no TensorFlow: an answer within a minute
	@$(BIN)/python -m pytest $(PARALLEL) --fast tests/unit

coverage: $(INSTALLED) ## Run the tests and see which branches of the code they take; fail where too few
	@$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=
	@$(BIN)/python -m coverage report --fail-under 95
	@$(BIN)/python -m coverage report --fail-under 100 --include 'job/write/*,job/score/*,job/contract.py,job/errors.py'

soak: $(INSTALLED) ## Run the long tests, which need MNIST (MNIST_DIR) and 3 GB of disk
	@$(BIN)/python -m pytest -m soak

bench: .venv/bench $(CARD) ## Measure against pandas + Keras and Polars (ROWS; 6 GB of disk, 15 minutes)
	@PYTHONPATH=tests $(BIN)/python -m bench --rows $(ROWS) --model "$(MODEL)"

bench-train: $(INSTALLED) ## Measure how fast training is against a plain model.fit (10 minutes)
	@PYTHONPATH=tests $(BIN)/python -m bench_train

bench-digits: $(CARD) ## Score digits of other people (DIGITS_DIR) with MODEL, and measure what --normalize costs (400 MB of disk)
	@PYTHONPATH=tests $(BIN)/python -m bench_digits --model "$(MODEL)"

bench-sheets: $(CARD) ## Find and score digits on 100 rendered photos of pages with MODEL (5 minutes)
	@PYTHONPATH=tests $(BIN)/python -m bench_sheets --model "$(MODEL)"

bench-estimates: $(CARD) ## Compare MODEL's estimated accuracy with the measured one on corrupted and other digits (10 minutes)
	@PYTHONPATH=tests $(BIN)/python -m bench_digits.estimates --model "$(MODEL)"

bench-promise: $(CARD) ## Count how often what --max-error promises is broken, by random splits of MODEL's held-out digits
	@PYTHONPATH=tests $(BIN)/python -m bench_promise --model "$(MODEL)"

fuzz: .venv/fuzz ## Look for files that break a reader (TARGET, SECONDS for each; Linux on x86-64 only)
	@for target in $(TARGET); do \
	  echo "fuzz: $$target, $(SECONDS) seconds"; \
	  PYTHONPATH=tests $(BIN)/python -m fuzz --target "$$target" --seconds $(SECONDS) || exit; \
	done

# What only these two need is installed when they are first asked for.
.venv/bench .venv/fuzz: .venv/%: .lock/%.txt $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --require-hashes -r $<
	@touch $@

image: ## Build the images digit-job and digit-job:score with docker or podman (MNIST_DIR, or a download)
	@$(PYTHON) docker/build.py $(if $(MNIST_DIR),--mnist "$(MNIST_DIR)") $(if $(BASE_IMAGE),--base-image "$(BASE_IMAGE)")

image-run: ## Score INPUT into OUTPUT in a container of the image digit-job:score
	@docker/run.sh "$(INPUT)" "$(OUTPUT)"

image-test: $(INSTALLED) ## Build both images and test them (docker or podman; 10 minutes, 20 GB of disk)
	@$(BIN)/python -m pytest -m container

lint: $(INSTALLED) ## Check style, format and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

type: $(INSTALLED) ## Check types
	@$(BIN)/mypy

check: lint type test ## All checks

docs: $(INSTALLED) ## Generate the reference of the command line from the commands
	@$(BIN)/python -m job.cli.reference

lock: $(INSTALLED) ## Renew the locked versions from pyproject.toml
	@$(COMPILE) --group uv -o .lock/uv.txt
	@$(COMPILE) pyproject.toml --extra train --group dev -o .lock/dev.txt
	@$(COMPILE) pyproject.toml --extra train -c .lock/dev.txt -o .lock/train.txt
	@$(COMPILE) pyproject.toml -c .lock/dev.txt -o .lock/score.txt
	@$(COMPILE) --group bench -c .lock/dev.txt -o .lock/bench.txt
	@$(COMPILE) --group fuzz -c .lock/dev.txt -o .lock/fuzz.txt
	@$(COMPILE) --group image -c .lock/dev.txt -o .lock/image.txt

COMPILE = $(PYTHON) .lock/run_uv.py pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header --no-strip-extras

clean: ## Remove what was built: models, samples, output, caches
	@rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage* htmlcov
	@find job tests -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove .venv as well
	@rm -rf .venv
