# Everything a newcomer needs: make run, make demo, make test. See README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH := torch==2.13.0
# PyTorch's own index of CPU builds; where it is out of reach, pip goes on with its other indexes.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# Debian's Python comes without pip and without the means to install it: then this wheel does it.
define GET_PIP
import hashlib, subprocess, sys, tempfile, urllib.request
url = ("https://files.pythonhosted.org/packages/07/25/"
       "ee8c38ae72d66b844ce8eb9711ba905dba21ca1a8a0c960057c41cd23337/pip-26.3-py3-none-any.whl")
wheel = urllib.request.urlopen(url, timeout=60).read()
known = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
assert hashlib.sha256(wheel).hexdigest() == known, "the pip wheel is not the one we know"
with tempfile.TemporaryDirectory() as folder:
    path = folder + "/pip-26.3-py3-none-any.whl"
    open(path, "wb").write(wheel)
    subprocess.run([sys.executable, path + "/pip", "install", "--quiet", path], check=True)
endef
export GET_PIP

PIP := $(BIN)/python -m pip --disable-pip-version-check
QUIET := $(if $(CI),--quiet)
export TOKENIZERS_PARALLELISM = false

.PHONY: run demo test check format install test-parts screenshots lock clean

run: install ## open the desk
	@$(BIN)/breakwater run

demo: install ## open the desk on the built-in example town
	@$(BIN)/breakwater demo

test: $(VENV)/installed-dev test-parts ## install what is missing and run every test
	$(ONE_THREAD) $(BIN)/python -m pytest $(TOGETHER)

check: $(VENV)/installed-dev test-parts ## what must pass before a push: format, lint, types, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@echo "$(BIN)/mypy, while the tests run: most of them wait for something"; \
	$(BIN)/mypy & types=$$!; \
	$(ONE_THREAD) $(BIN)/python -m pytest $(TOGETHER); tests=$$?; \
	wait $$types && exit $$tests

format: $(VENV)/installed-dev ## mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

install: $(VENV)/installed

$(VENV)/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Breakwater needs Python 3.11 or newer; found: $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.11 run"; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	  || { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(BIN)/python -c "$$GET_PIP"; } \
	  || { rm -rf $(VENV); echo "No virtual environment could be made. On Debian and Ubuntu: sudo apt-get install python3-venv"; exit 1; }
	@echo "1/3 Installing libraries (about 200 MB, once) ..."
	@$(PIP) install $(QUIET) --no-deps --require-hashes -r requirements.lock
	@echo "2/3 Installing PyTorch, the CPU build (about 200 MB, once) ..."
	@$(PIP) install $(QUIET) --extra-index-url $(TORCH_INDEX) --retries 1 --timeout 15 $(TORCH)
	@echo "3/3 Installing Breakwater ..."
	@$(PIP) install $(QUIET) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements-dev.lock
	@echo "Installing the tools of the tests ..."
	@$(PIP) install $(QUIET) --no-deps --require-hashes -r requirements-dev.lock
	@touch $@

# The tests' own AT Protocol server. Where Node.js is missing, its tests are skipped and say so.
test-parts:
	@if command -v npm >/dev/null; then \
	  test tests/pds/node_modules/.package-lock.json -nt tests/pds/package-lock.json \
	  || { echo "Installing the test AT Protocol server (compiles for some minutes, once) ..."; \
	       cd tests/pds && npm ci --silent --no-fund --no-audit && touch node_modules/.package-lock.json; }; \
	else echo "npm is missing: tests on a real AT Protocol server will be skipped. Debian: sudo apt-get install nodejs npm g++; macOS: brew install node"; fi

# Four files of tests at once, each process with servers of its own: on two cores, because many
# tests wait for a server or a browser. In our own order, see tests/conftest.py. One thread each for
# numbers: PyTorch's, waiting for each other, would take the time of all.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# On CI a failed test runs once more, and both runs are reported: a browser late once fails no push.
TOGETHER := -n 4 --dist loadfile --no-loadscope-reorder $(if $(CI),--reruns 1 --rerun-show-tracebacks)

LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --no-emit-package torch --no-header --no-annotate --no-emit-index-url --no-emit-find-links --quiet

screenshots: $(VENV)/installed-dev ## picture the pages for docs/
	$(BIN)/python -m tests.desk.take_screenshots

lock: ## pin every dependency again (needs uv)
	$(LOCK) --output-file requirements.lock
	$(LOCK) --extra dev --constraint requirements.lock --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) tests/pds/node_modules
