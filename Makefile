# Everything a developer runs. `make run` and `make test` are all a newcomer needs: they set up .venv by themselves.

PYTHON ?= python3
BIN := .venv/bin
# One process more than cores, since many tests wait for a daemon or a clock.
PYTEST := $(BIN)/pytest --dist worksteal --numprocesses $$(( $$(nproc) + 1 ))
STAMP := .venv/installed

BROWSER := daemon/browser
MODULES := $(BROWSER)/node_modules/.package-lock.json

.PHONY: run test test-slow test-all check check-rest lint types layers browser browser-check format docs reference openapi screenshots bench bench-sites bench-preview reliability soak agreement recipes lock clean

run: $(STAMP)  ## the daemon on examples/handbook
	@echo "Open http://127.0.0.1:8300/ in a browser. If that port is taken, kahnd says below which one it uses."
	@echo "Then edit examples/handbook/docs/_partials/contacts.md: open pages update by themselves. Ctrl-C stops."
	@$(BIN)/kahnd -C examples/handbook run

test: $(STAMP)  ## the tests that a change is tried with: every module, in two minutes on two cores
	$(PYTEST) -m "not slow"

test-slow: $(STAMP)  ## the tests that `make test` leaves out
	$(PYTEST) -m slow

test-all: test test-slow  ## all tests

check: test check-rest  ## all that CI runs

check-rest: lint types layers browser-check test-slow docs  ## what is left of `make check` after `make test`

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(STAMP)
	$(BIN)/mypy

layers: $(STAMP)
	$(BIN)/lint-imports

browser: $(MODULES)  ## what runs in browsers, from daemon/browser into daemon/kahnd/web/assets; needs node and npm
	cd $(BROWSER) && npm run --silent build

browser-check: $(MODULES)  ## are the assets what the sources give? And the sources' lint, types and tests
	cd $(BROWSER) && npm run --silent check

format: $(STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(STAMP)  ## kahnd's own documentation, by kahnd, into docs/site; a link that leads nowhere is an error
	$(BIN)/kahnd -C docs build
	$(BIN)/python tests/docs/links.py docs/site

reference: $(STAMP)  ## what docs/reference tells from the code
	cd docs/_generate && ../../$(BIN)/python -m reference

openapi: $(STAMP)  ## docs/reference/openapi.json, from the code
	$(BIN)/python -m kahnd.api.openapi > docs/reference/openapi.json

screenshots: $(STAMP)  ## the pictures in docs/images: preview, dashboard, theme; needs Chromium
	cd docs/_generate && ../../$(BIN)/python -m screenshots

bench: $(STAMP)  ## kahnd beside its peers, into docs/performance.md: takes about half an hour, on a machine that is quiet
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/markdown.py

PEERS := .venv/peers
bench-sites: $(STAMP)  ## the Rust book and FastAPI's documentation, of checkouts: BOOK=… FASTAPI=…; beside their own tools
	test -x $(PEERS)/bin/mkdocs || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check --requirement benchmarks/peers.txt
	$(BIN)/python benchmarks/sites.py --peers $(PEERS)/bin $(if $(BOOK),--book $(BOOK)) $(if $(FASTAPI),--fastapi $(FASTAPI))

bench-preview: $(STAMP)  ## from a save to changed pixels, beside Hugo's server and Vite, into docs/performance.md
	npm install --silent --no-fund --no-audit --prefix $(PEERS)/vite vite@8.4.0
	$(BIN)/python benchmarks/preview.py --vite $(PEERS)/vite --write

reliability: $(STAMP)  ## every fault in its full form, into docs/reliability.md: takes about half an hour
	$(BIN)/python tests/faults/reliability.py

soak: $(STAMP)  ## a daemon under an edit every second for MINUTES (30): is it flat? Into docs/reliability.md
	cd tests && PYTHONPATH=../benchmarks ../$(BIN)/python -m soak.steady --minutes $(or $(MINUTES),30)

agreement: $(STAMP)  ## random projects and edits for MINUTES (30), into docs/reliability.md; a failure into a file
	cd tests && ../$(BIN)/python -m agreement.longer --minutes $(or $(MINUTES),30) --failure ../agreement-failure.json

recipes: $(STAMP)  ## every recipe of `kahnd init --recipe`, which takes all of their programs
	RECIPES=all $(PYTEST) tests/e2e/test_recipes.py

lock: $(STAMP)  ## the newest versions that pyproject.toml allows
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --python-version 3.11 \
		--upgrade pyproject.toml --group dev --output-file requirements.lock

clean:
	rm -rf $(BROWSER)/node_modules .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(MODULES): $(BROWSER)/package.json $(BROWSER)/package-lock.json
	cd $(BROWSER) && npm ci --no-progress --silent
	touch $(MODULES)

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kahnd needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)
