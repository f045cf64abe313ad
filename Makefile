# Every target makes .venv and installs by itself: Python 3.11 and an internet connection are enough.
#   make demo    a video of a talking person from a voice, offline, in a minute on a CPU
#   make test    the tests            make lint    ruff
#   make soak    the long cases       make clean   removes .venv and caches

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test soak lint clean

# The first of these that has an accepted version; or name one: make test PYTHON=...
ifndef PYTHON
PYTHON := $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	2>/dev/null && echo $$python && break; done)
endif

VENV := .venv
INSTALLED := $(VENV)/installed

help:
	@sed -n 's/^#   //p' Makefile

demo: $(INSTALLED)
	$(VENV)/bin/nwt demo $(ARGS)

# CPU only: the tests are the same on every machine, and leave a training run on the GPU alone.
# JOBS processes share the files: more of them want about 3 GB of memory each.
JOBS ?= 2
test: $(INSTALLED)
	CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=2 $(VENV)/bin/python -m pytest \
	  -n $(JOBS) --dist loadfile $(ARGS)

soak: $(INSTALLED)
	CUDA_VISIBLE_DEVICES=-1 TF_CPP_MIN_LOG_LEVEL=2 $(VENV)/bin/python -m pytest -m soak \
	  -o faulthandler_timeout=7200 $(ARGS)

lint: $(INSTALLED)
	$(VENV)/bin/ruff check .

$(INSTALLED): setup.py
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	|| { echo 'make: no Python 3.11, 3.12 or 3.13: install one, or name it: make PYTHON=/path/to/python3.11'; exit 1; } >&2
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache *.egg-info build dist
