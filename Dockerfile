# The gateway that runs routes.yaml as it is shipped, with the identity plugin that the file names:
#   docker build -t polycode-gateway .
# The gateway alone, for another monolith; routes.yaml and a plugin are mounted (docs/deploying.md):
#   docker build --target strangler-gateway -t strangler-gateway .

# The compiler stays in this stage. Without it the wheel would be pure Python, with half the speed: then the build fails.
FROM python:3.12-slim AS wheel
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends gcc libc6-dev
WORKDIR /src
COPY deploy/build.lock deploy/gateway.lock ./
RUN pip install --no-cache-dir --require-hashes -r build.lock -r gateway.lock
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY chassis chassis
COPY strangler_gateway strangler_gateway
RUN STRANGLER_COMPILE=1 pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && test -z "$(find /wheels -name '*-none-any.whl')"

FROM python:3.12-slim AS plain
COPY deploy/gateway.lock .
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r gateway.lock \
    && pip --python /opt/venv/bin/python check
COPY --from=wheel /wheels /wheels
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --no-index /wheels/*.whl \
    && mkdir /app /etc/strangler

FROM plain AS polycode
COPY deploy/plugin.lock .
RUN pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r plugin.lock \
    && pip --python /opt/venv/bin/python check
WORKDIR /app/legacy_adapter
COPY legacy_adapter/__init__.py legacy_adapter/identity.py legacy_adapter/live_tokens.py legacy_adapter/tables.py ./
RUN python -m compileall -q .
COPY routes.yaml /etc/strangler/routes.yaml

FROM python:3.12-slim AS runtime
RUN groupadd --gid 10001 app \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin app \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/strangler
# The admin port must be reachable from other containers: health, metrics and public keys are open, all else needs a
# credential. Publish it on loopback, or not at all.
ENV PATH=/opt/venv/bin:$PATH PYTHONPATH=/app PYTHONDONTWRITEBYTECODE=1 \
    STRANGLER_ROUTES=/etc/strangler/routes.yaml STRANGLER_STATE_DIR=/var/lib/strangler \
    STRANGLER_HOST=0.0.0.0 STRANGLER_PORT=8080 STRANGLER_ADMIN_HOST=0.0.0.0 STRANGLER_ADMIN_PORT=8081
USER 10001:10001
VOLUME /var/lib/strangler
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"STRANGLER_ADMIN_PORT\"]}/health/live', timeout=2)"]
ENTRYPOINT ["strangler"]
CMD ["serve"]

FROM runtime AS strangler-gateway
COPY --from=plain /opt/venv /opt/venv
COPY --from=plain /app /app
COPY --from=plain --chown=10001:10001 /etc/strangler /etc/strangler

FROM runtime AS polycode-gateway
COPY --from=polycode /opt/venv /opt/venv
COPY --from=polycode /app /app
COPY --from=polycode --chown=10001:10001 /etc/strangler /etc/strangler
