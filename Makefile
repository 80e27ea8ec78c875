# GNU make 3.81 and BSD tools are enough. `make` alone lists the targets.
PYTHON_OF_VENV = .venv/bin/python
INSTALLED = .venv/.installed
PIP = $(PYTHON_OF_VENV) -m pip --quiet --no-input --disable-pip-version-check
COMPILE = $(PYTHON_OF_VENV) -m uv pip compile pyproject.toml --quiet --python-version 3.11 --universal --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header --no-annotate

# Bytecode is kept, whatever the environment says: every test process would compile all modules anew.
PYTEST = PYTHONDONTWRITEBYTECODE= $(PYTHON_OF_VENV) -m pytest -n auto --dist loadscope

.PHONY: help install demo run test test-walks parts parts-stop test-connected soak mutations check bench bench-purchase bench-mail lock

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-15s %s\n", $$1, $$2}' Makefile

install: $(INSTALLED) ## .venv with everything, by hash (the other targets do it when needed)

$(INSTALLED): requirements.lock pyproject.toml
	@python=$$(PYTHON="$(PYTHON)" sh .ci/python) || exit 1; \
	echo "Installing into .venv with $$python (once, about a minute)"; \
	$(PYTHON_OF_VENV) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || "$$python" -m venv --clear .venv
	@$(PIP) install --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@printf '#!/bin/sh\nexec "$$(dirname "$$0")/python" -m extracted "$$@"\n' > .venv/bin/polycode && chmod 755 .venv/bin/polycode
	@touch $(INSTALLED)

demo: $(INSTALLED) ## a group of routes moves from the monolith to a service and back, under traffic
	@$(PYTHON_OF_VENV) -m examples.demo

run: $(INSTALLED) ## the same system, kept running: lines to paste, Ctrl-C ends it
	@$(PYTHON_OF_VENV) -m examples.demo --keep

test: $(INSTALLED) ## the tests that need no real part
	@$(PYTEST) -m "not connected and not walk"

test-walks: $(INSTALLED) ## whole systems from the outside: pages of docs/, the demo, the wheel, recordings in every state
	@$(PYTEST) -m "walk and not connected"

parts: $(INSTALLED) ## PostgreSQL, RabbitMQ and a MongoDB-compatible server, for make test-connected (Docker where it runs)
	@$(PYTHON_OF_VENV) -m parts up

parts-stop: $(INSTALLED) ## ends them
	@$(PYTHON_OF_VENV) -m parts stop

test-connected: $(INSTALLED) ## the tests against real parts: make parts first
	@$(PYTEST) -m connected

soak: $(INSTALLED) ## buyers and faults at random for DURATION_S=60 [SEED=…], audited; needs make parts
	@$(PYTHON_OF_VENV) -m tests.faults.soak $(if $(DURATION_S),--duration-s $(DURATION_S)) $(if $(SEED),--seed $(SEED))

mutations: $(INSTALLED) ## takes out each safety rule of a purchase, and shows which test notices; needs make parts
	@$(PYTHON_OF_VENV) -m tests.faults.mutations

check: $(INSTALLED) ## format, lint, types, who imports whom
	@$(PYTHON_OF_VENV) -m ruff format --check .
	@$(PYTHON_OF_VENV) -m ruff check .
	@$(PYTHON_OF_VENV) -m mypy
	@.venv/bin/lint-imports

bench: $(INSTALLED) ## the gateway against a plain proxy, nginx, HAProxy, Envoy; the last line is JSON
	@$(PYTHON_OF_VENV) -m benchmarks.gateway

bench-purchase: $(INSTALLED) ## purchases through the whole system, against publishing alone and the monolith: make parts first
	@$(PYTHON_OF_VENV) -m benchmarks.purchase

bench-mail: $(INSTALLED) ## mails by 1, 2, 4 and 8 senders, against a bare loop; better after make parts
	@$(PYTHON_OF_VENV) -m benchmarks.mail

lock: $(INSTALLED) ## brings the locks up to pyproject.toml
	@$(COMPILE) --extra dev --output-file requirements.lock
	@$(COMPILE) --constraint requirements.lock --extra amqp --output-file deploy/gateway.lock
	@$(COMPILE) --constraint requirements.lock --extra shop --extra mailer --extra adapter --extra amqp --output-file deploy/services.lock
