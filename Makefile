# Torv's commands. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.SECONDEXPANSION:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := .venv/bin
PIP := $(BIN)/python -m pip -qq
WHEELS := .torv/wheels
OWN = $(WHEELS)/torv_contracts-*.whl $(WHEELS)/torv_sdk-*.whl
# A suite is name:budget in seconds:folders. `make test` runs the first list, `make test-all` both.
SUITES := architecture:60:tests/architecture base:180:tests/base kernel:300:tests/kernel \
  ecosystem:300:tests/ecosystem/test_*.py web:120:tests/web contract:120:tests/contract sdk:90:tests/sdk
SLOW_SUITES := audit:150:tests/ecosystem/audit events:300:tests/ecosystem/events gateway:200:tests/ecosystem/gateway \
  modules:240:tests/ecosystem/modules pilots:150:tests/ecosystem/pilots requirements:150:tests/ecosystem/requirements levels:150:tests/ecosystem/service_levels \
  security:360:tests/security interfaces:240:tests/interfaces docs:600:tests/docs browser:240:tests/browser \
  certification:900:tests/certification mutants:1500:tests/mutants kill:1050:tests/kill
STORY_BUDGET := 90
names = $(foreach suite,$(1),suite/$(firstword $(subst :, ,$(suite))))
MODULES := $(patsubst modules/%/pyproject.toml,%,$(wildcard modules/*/pyproject.toml))
sources = $(shell find $(1) -type f -not -path '*/.*' -not -path '*/__pycache__/*' 2>/dev/null)

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: install ## install, start everything with a made-up municipality, serve until Ctrl-C (ARGS=--fresh starts over)
	@exec $(BIN)/torv demo $(ARGS)

# ---- install ---------------------------------------------------------------------------------------------------------
install: .venv/.installed $(MODULES:%=modules/%/.venv/.installed) ## put everything into .venv and each module into its own

# A Debian without python3-venv has no ensurepip: root gets it installed, anyone else one sentence.
.venv/bin/python:
	@python=; for try in python3 python3.14 python3.13 python3.12 python3.11; do \
	  if $$try -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$try; break; fi; done; \
	[ -n "$$python" ] || { echo "Torv needs Python 3.11 or newer; none was found on the PATH." >&2; exit 1; }; \
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "Python's venv is missing: install the package python3-venv and try again." >&2; exit 1; }; \
	  echo "installing python3-venv"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv >/dev/null; fi; \
	$$python -m venv .venv

.venv/.locked: requirements.lock | .venv/bin/python
	@echo "installing what Torv stands on"
	@$(PIP) install --require-hashes -r requirements.lock
	@touch $@

$(WHEELS)/torv_%.built: .venv/.locked $$(call sources,$$(if $$(filter sdk,$$*),torv_sdk,$$*))
	@mkdir -p $(WHEELS) && rm -f $(WHEELS)/torv_$*-*.whl
	@$(PIP) wheel --no-deps --no-index --no-build-isolation --wheel-dir $(WHEELS) ./$(if $(filter sdk,$*),torv_sdk,$*)
	@touch $@

.venv/.own: $(WHEELS)/torv_contracts.built $(WHEELS)/torv_sdk.built
	@$(PIP) install --no-deps --no-index --force-reinstall $(OWN)
	@touch $@

.venv/.installed: pyproject.toml .venv/.own
	@$(PIP) install --no-deps --no-index --no-build-isolation --editable .
	@touch $@

modules/%/.venv/.locked: modules/%/requirements.lock | .venv/.locked
	@echo "installing the module $*"
	@test -x modules/$*/.venv/bin/python || $(BIN)/python -m venv modules/$*/.venv
	@modules/$*/.venv/bin/python -m pip -qq install --require-hashes -r $<
	@touch $@

# The module's wheel is built by the main .venv (it has the build backend) and installed beside Torv's two wheels.
modules/%/.venv/.installed: modules/%/.venv/.locked .venv/.own $$(call sources,modules/$$*)
	@rm -rf $(WHEELS)/$*
	@$(PIP) wheel --no-deps --no-index --no-build-isolation --wheel-dir $(WHEELS)/$* ./modules/$*
	@modules/$*/.venv/bin/python -m pip -qq install --no-deps --no-index --force-reinstall \
	  $(OWN) $(WHEELS)/$*/*.whl
	@touch $@

# ---- check -----------------------------------------------------------------------------------------------------------
test: lint $(call names,$(SUITES)) story ## format, lint, types, import rules, tests and the story, each with a time budget

test-all: test $(call names,$(SLOW_SUITES)) ## all of that, then everything else: attacks, how-tos, browser, certification, kills ...

lint: install ## format, lint, types and import rules
	@$(TIMED) format 20 $(BIN)/ruff format --quiet --check .
	@$(TIMED) lint 20 $(BIN)/ruff check --quiet .
	@$(TIMED) types 180 $(BIN)/mypy torv torv_sdk tests $(wildcard bench)
	@for module in $(MODULES); do MYPYPATH=modules/$$module $(TIMED) types-$$module 60 $(BIN)/mypy modules/$$module; done
	@$(TIMED) imports 30 $(BIN)/lint-imports --no-logo

suite/%: install
	@$(if $(folders),$(TIMED) $* $(word 2,$(parts)) $(BIN)/pytest -q $(folders),echo "== $*: nothing to run yet")

# The pages are tried in Debian's browser: root gets it installed; anyone else is told what to install, and skips them.
suite/browser: .torv/.browser
.torv/.browser:
	@mkdir -p $(@D)
	@if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing chromium"; apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium >/dev/null; fi
	@touch $@

story: install
	@$(TIMED) story $(STORY_BUDGET) $(BIN)/torv demo --story

bench: install ## measure and print: read a person, write a record, call through the gateway
	@$(BIN)/python -m bench $(ARGS)

# ---- keep in order ---------------------------------------------------------------------------------------------------
format: install ## put the code in its standard form
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: install ## renew the lock files (ARGS=--upgrade takes newer versions)
	@$(PIP) install uv
	@$(COMPILE) pyproject.toml --group dev -o requirements.lock
	@for module in $(MODULES); do $(COMPILE) --find-links $(WHEELS) modules/$$module/pyproject.toml -o modules/$$module/requirements.lock; done

clean: ## delete what was installed and built; the database stays
	@rm -rf .venv modules/*/.venv $(WHEELS) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

TIMED = $(BIN)/python tests/timed.py
COMPILE = $(BIN)/uv --quiet pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url \
  --custom-compile-command "make lock" --no-emit-package torv-contracts --no-emit-package torv-sdk $(ARGS)
parts = $(subst :, ,$(filter $*:%,$(SUITES) $(SLOW_SUITES)))
comma := ,
folders = $(wildcard $(subst $(comma), ,$(word 3,$(parts))))

.NOTPARALLEL:
.PHONY: help install demo test test-all lint story bench format lock clean
.PRECIOUS: modules/%/.venv/.locked $(WHEELS)/torv_%.built
