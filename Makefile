# Set-up and checks of segtune. `make demo` and `make test` work on a fresh machine with
# Python 3.11 and make.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP = -m pip install --quiet --disable-pip-version-check
BIN = .venv/bin

.PHONY: setup demo test check peers browser clean

setup: .venv/ready

.venv/ready: pyproject.toml constraints/segtune.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python $(PIP) --constraint constraints/segtune.txt --editable ".[cpu,dev,onnx,openvino,pdf,large]"
	touch $@

demo: setup
	$(BIN)/segtune demo

check: setup
	scripts/check

test: setup peers browser check
	$(BIN)/python -m pytest -m "not (gpu or weights or heavy)" --durations=15

# PaddleX, in an environment of its own because it pins older libraries; paddledet without what it
# declares, since its numpy < 1.24 would break PaddleX and its networks need nothing else.
peers: .venv-peers/ready

.venv-peers/ready: constraints/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python $(PIP) --constraint constraints/peers.txt "paddlex[base]" paddlepaddle
	.venv-peers/bin/python $(PIP) --constraint constraints/peers.txt --no-deps paddledet
	touch $@

# Chromium, which looks at the pages that segtune writes; without root those tests skip.
browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	  --no-install-recommends chromium >/dev/null; } || echo "no chromium: its tests are skipped"

clean:
	rm -rf .venv .venv-peers build dist .mypy_cache .ruff_cache .pytest_cache
