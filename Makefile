# Two commands set up everything: `make demo` (the effect) and `make test` (the lab and its tests).
PYTHON ?= python3
VENV ?= .venv
PIP = $(VENV)/bin/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test lint wheel clean help

help:
	@echo "make demo   install the effect and align the take that comes with it"
	@echo "make test   install the lab and run the tests"
	@echo "make lint   ruff, mypy --strict and import-linter (after make test)"
	@echo "make wheel  build the wheel and run the demo from it in an environment of its own"
	@echo "make clean  remove environments and results"

demo: $(VENV)/effect.installed
	$(VENV)/bin/beatnet-align demo --force

# One process a core: several threads in each would wait for each other.
test: $(VENV)/lab.installed
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

lint: $(VENV)/lab.installed
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

wheel: $(VENV)/lab.installed
	rm -rf dist build .venv-wheel
	$(VENV)/bin/python -m build --wheel --outdir dist .
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python -m pip install --quiet --constraint constraints.txt dist/*.whl
	cd .venv-wheel && bin/beatnet-align demo --force

$(VENV)/pip.installed:
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/effect.installed: $(VENV)/pip.installed pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

$(VENV)/lab.installed: $(VENV)/pip.installed pyproject.toml constraints.txt
	$(PIP) --editable . --group lab
	@touch $@ $(VENV)/effect.installed

clean:
	rm -rf $(VENV) .venv-wheel build dist beatnet-demo *.egg-info
