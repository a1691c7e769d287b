# The commands of this project. `make` lists them.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# Without EMPATHY_CORPUS_DIR, from the command line or the environment, training takes the shipped sample. It is twenty
# times smaller than the corpus: most of what is learned beside it is the behaviour suite, once and not three times.
CORPUS := $(if $(EMPATHY_CORPUS_DIR),--data_dir '$(EMPATHY_CORPUS_DIR)',--source sample --extra_weight 1 --num_train_epochs 4)
# Beside the environment of the others, the one with the lowest versions that setup.cfg admits.
LOWEST := $(VENV)-lowest
# What the versions of transformers, datasets, huggingface_hub, torch, ONNX Runtime and gradio can break.
LOWEST_TESTS := $(addprefix tests/,model files corpus checkpoints scoring jobs interactions hub training demo analysis/test_scored_table.py analysis/test_sections.py)
OUTPUT ?= output/$(if $(EMPATHY_CORPUS_DIR),corpus,sample)

.DEFAULT_GOAL := help
.PHONY: help install train test lowest docs bench pretrained check format clean

help:  ## List these commands
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

install: $(VENV)/.installed  ## Make .venv and install what is tested (constraints.txt)

$(VENV)/.installed: setup.cfg constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[analysis,croissant,cluster,conversations,demo,docs,embedded,excel,onnx,plots,tests,quality]'
	@touch $@

train: install  ## Train, evaluate and show scored pairs: the sample, or EMPATHY_CORPUS_DIR=folder; ARGS=further options
	$(BIN)/python train_hf.py --recipe embedded $(CORPUS) --output_dir '$(OUTPUT)' $(ARGS)

test: install  ## Run the tests; ARGS=further options of pytest
	$(BIN)/python -m pytest $(ARGS)

lowest: $(LOWEST)/.installed  ## Run the tests that the lowest versions of setup.cfg can break, in an environment with these
	$(LOWEST)/bin/python -m pytest $(LOWEST_TESTS) $(ARGS)

$(LOWEST)/.installed: setup.cfg
	$(PYTHON) -m venv $(LOWEST)
	sed -n 's/^    \([A-Za-z0-9_-]*\)>=\([0-9.]*\).*/\1==\2/p' setup.cfg > $(LOWEST)/constraints.txt
	$(LOWEST)/bin/pip install --quiet --constraint $(LOWEST)/constraints.txt torch
	$(LOWEST)/bin/pip install --quiet --constraint $(LOWEST)/constraints.txt \
		--editable '.[analysis,croissant,cluster,conversations,demo,embedded,excel,onnx,plots,tests]'
	@touch $@

# The theme would print a notice about its successor, which warns of nothing here.
docs: install  ## Build the documentation as a site, in site/
	NO_MKDOCS_2_WARNING=true $(BIN)/python -m mkdocs build

bench: install  ## Measure speed on the sample, or EMPATHY_CORPUS_DIR=folder; ARGS=further options of benchmarks
	$(BIN)/python -m benchmarks $(if $(EMPATHY_CORPUS_DIR),--data_dir '$(EMPATHY_CORPUS_DIR)') $(ARGS)

pretrained: install  ## Make the model that is part of the package anew: EMPATHY_CORPUS_DIR=folder
	$(BIN)/python train_hf.py --recipe embedded $(CORPUS) --output_dir output/twin
	$(BIN)/python train_hf.py --recipe embedded $(CORPUS) --output_dir output/everything \
		--train_on_everything true --decisions_of output/twin
	rm -rf modeling_empathy/pretrained
	$(BIN)/empathy pack --model output/everything --output_path modeling_empathy/pretrained

check: install  ## Lint, format, types and spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/typos

format: install  ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove the environment, caches and outputs
	rm -rf $(VENV) $(LOWEST) output site build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
