# Two commands are all one needs: `make run` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: run test chromium test-vllm check format docs faults bench clean

run: $(STAMP)  ## start everything; with no configuration, the sandbox and an example shop
	$(BIN)/frontdesk run $(ARGS)

# Four at once: the tests that start whole processes mostly wait.
test: $(STAMP) chromium  ## every test that finishes in minutes
	$(BIN)/python -m pytest -n 4 --dist worksteal -m "not faults and not vllm and not conformance" $(ARGS)

chromium:  ## what the sandbox's page is shown in; root may fetch Debian's, others are told
	@command -v chromium > /dev/null || { test "$$(id -u)" = 0 && command -v apt-get > /dev/null && \
		apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium > /dev/null; } || \
		echo "NOT TESTED: the page in a browser. Needed: apt-get install --no-install-recommends chromium"

conformance: $(STAMP)  ## every journey of `frontdesk sandbox --check` on every channel: three minutes
	$(BIN)/python -m pytest -m conformance $(ARGS)

test-vllm: $(STAMP)  ## the model's client against a real vLLM; the first time it makes .venv-vllm (2.5 GB)
	$(BIN)/python -m tests.vllm.environment
	$(BIN)/python -m pytest -m vllm tests/vllm $(ARGS)

check: $(STAMP)  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP)  ## the pages that are made from the code
	$(BIN)/python -m bot.platforms_page > docs/platforms.md

faults: $(STAMP)  ## the kill loops: minutes to hours
	$(BIN)/python -m pytest -m faults $(ARGS)

bench: $(STAMP)  ## the figures of the README, measured here
	$(BIN)/frontdesk bench $(ARGS)

$(STAMP): setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Frontdesk needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
		{ echo "The venv module is missing: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
