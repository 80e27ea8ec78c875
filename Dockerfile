# The gateway only: its wheel and the wheel's dependencies, pinned by hash. No service, no adapter.
#   docker build -t strangler-gateway .
#   docker run --read-only --tmpfs /tmp -v strangler-state:/var/lib/strangler -v "$PWD/config:/etc/strangler" \
#     -p 8080:8080 --name gateway strangler-gateway
#   docker exec gateway strangler routes
# A flip rewrites /etc/strangler/routes.yaml: user 10001 must be able to write to that directory.
FROM python:3.12-slim AS build
WORKDIR /src
COPY deploy/gateway.lock .
RUN python -m venv /opt/strangler && /opt/strangler/bin/pip install --no-cache-dir --require-hashes -r gateway.lock
COPY pyproject.toml README.md LICENSE ./
COPY chassis chassis
COPY strangler_gateway strangler_gateway
RUN /opt/strangler/bin/pip install --no-cache-dir --no-deps . \
    && /opt/strangler/bin/pip check \
    && /opt/strangler/bin/pip uninstall --yes pip

FROM python:3.12-slim
RUN useradd --system --uid 10001 --no-create-home strangler \
    && install -d -o 10001 -m 0700 /var/lib/strangler \
    && install -d -o 10001 /etc/strangler
COPY --from=build /opt/strangler /opt/strangler
ENV PATH=/opt/strangler/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER 10001
VOLUME /var/lib/strangler
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8081/health/live', timeout=2)"]
# The admin port is not published: run commands inside the container. To open it, set --admin-host and an operator token.
ENTRYPOINT ["strangler"]
CMD ["serve", "--routes", "/etc/strangler/routes.yaml", "--host", "0.0.0.0", "--port", "8080", \
     "--admin-host", "127.0.0.1", "--admin-port", "8081", "--state-dir", "/var/lib/strangler"]
