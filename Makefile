# Two commands matter: `make run` and `make test`. Both need Python 3.11 to 3.13 and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
PORT   ?= 8501
BIN    := $(VENV)/bin

.PHONY: run test check docs lock samples clean

run: $(VENV)/.run-ready
	@echo "Harmony Explorer: http://127.0.0.1:$(PORT)"
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: $(VENV)/.dev-ready
	$(BIN)/python -m pytest --ignore tests/browser -n 2 --dist loadfile; computed=$$?; \
	$(BIN)/python -m pytest tests/browser && exit $$computed

check: $(VENV)/.dev-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/.run-ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev-ready: $(VENV)/.run-ready requirements-dev.lock
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	touch $@

# A warning, such as a link that leads nowhere, fails; pictures are those of the last browser tests.
docs: $(VENV)/.dev-ready
	$(BIN)/python -m sphinx -q -W --keep-going docs build/docs

# One resolution for Python 3.11 to 3.13; needs `uv`. Hashes only, no download addresses.
LOCK := uv pip compile pyproject.toml - --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet
lock:
	echo "setuptools>=77" | $(LOCK) -o requirements.lock
	echo "setuptools>=77" | $(LOCK) --extra dev --extra docs -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf $(VENV) static build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
