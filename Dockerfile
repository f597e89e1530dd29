# The server and the companion: one image, told apart by the command.
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY dome_mcp dome_mcp
COPY worker_companions worker_companions
RUN python -m venv /dome && /dome/bin/pip install --no-cache-dir ".[channels,otel]"

FROM python:3.13-slim
LABEL io.modelcontextprotocol.server.name="io.github.dome-mcp/dome-mcp" \
      org.opencontainers.image.title="DOME" \
      org.opencontainers.image.description="A personal knowledge base, tasks and reminders for AI assistants" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --create-home --home-dir /data --shell /usr/sbin/nologin dome
COPY --from=build /dome /dome
# A companion of its own belongs into a container of its own, which is seen and restarted.
ENV PATH=/dome/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DOME_HOME=/data \
    DOME_COMPANION=off
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8765
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/healthz', timeout=3)"]
ENTRYPOINT ["dome-mcp"]
# Needs DOME_ALLOWED_HOSTS: the names by which the endpoint is called.
CMD ["serve", "--http", "--host", "0.0.0.0"]
