# `make run` and `make test` are all that a newcomer needs. Each target sets up what it needs.
.PHONY: run run-cluster test check house clients explore attacks lint types pins bench drill docs clean

VENV := .venv
BIN := $(VENV)/bin

run: $(VENV)/.run
	@FAILSOFT_ENV=$${FAILSOFT_ENV:-dev} $(BIN)/failsoft demo

# Three servers with a Redis behind HAProxy; docs/deploy.md.
run-cluster: $(VENV)/.run
	@sh scripts/programs.sh redis-server:redis-server haproxy:haproxy
	@$(BIN)/failsoft cluster

test: $(VENV)/.dev
	@sh scripts/check.sh

# Before a commit, in less than a minute: style, types, and the tests of the core rooms.
check: $(VENV)/.dev
	@sh scripts/check.sh core

# The measures of the house, each with its bar; fails while one is missed.
house: $(VENV)/.dev
	@$(BIN)/python scripts/house.py

# Tests with foreign packages: whether they resolve beside the extras, those that pin against each
# other, each in an environment of its own in .peers/ (600 MB, two minutes the first time),
# frameworks and tracers over a wrapped client in trouble (three minutes), and the suite of
# Anthropic's SDK with every client wrapped (ten minutes more, and ten the first time).
clients: $(VENV)/.dev
	@$(BIN)/python -m pytest tests/clients
	@PYTHONPATH=. $(BIN)/python tests/sdk_suite/suite.py

# The property tests on fresh examples; what fails prints how to see it again.
explore: $(VENV)/.dev
	@$(BIN)/python -m pytest -n 2 -m hypothesis --hypothesis-profile=explore

# What docs/reliability.md says, tried anew and written there: ten minutes.
attacks: $(VENV)/.dev
	@sh scripts/programs.sh redis-server:redis-server fiu-utils:fiu-ctrl || \
		echo "Without it the table says what was not tried." >&2
	@$(BIN)/python -m benchmarks.attacks --write

lint: $(VENV)/.dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.dev
	@$(BIN)/mypy

bench: $(VENV)/.dev
	@$(BIN)/python -m benchmarks

# Break it on purpose, for less than three minutes; reports in drills/.
drill: $(VENV)/.run
	@for drill in brownout total_outage hang; do \
		$(BIN)/failsoft drill run $$drill --report drills/$$drill.html || failed=1; \
	done; test -z "$$failed"

# The documentation as a site in build/site, in an environment of its own.
docs: $(VENV)-docs/.docs
	@NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs --quiet build
	@echo "Open build/site/index.html"

# Write the pins anew from pyproject.toml.
pins: $(VENV)/.dev
	@sh scripts/pins.sh

$(VENV)/.run: requirements/run.txt requirements/uv.txt pyproject.toml
	@sh scripts/setup.sh run

$(VENV)/.dev: requirements/dev.txt requirements/uv.txt pyproject.toml
	@sh scripts/setup.sh dev

$(VENV)-docs/.docs: requirements/docs.txt requirements/uv.txt
	@sh scripts/setup.sh docs

clean:
	@rm -rf $(VENV) $(VENV)-docs .peers build .mypy_cache .ruff_cache .pytest_cache .hypothesis
