# syntax=docker/dockerfile:1
FROM python:3.13-slim-bookworm AS build
# pyvips must bind to the libvips of its wheel, never to one of the system's.
ENV PKG_CONFIG_LIBDIR=/nonexistent PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev libffi-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/darkroom
WORKDIR /src
COPY requirements.lock ./
RUN /opt/darkroom/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY proxy proxy
COPY catalog catalog
# --build-arg EXTRAS=heic,jxl,pdf,faces adds what docs/formats.md tells of
ARG EXTRAS=""
RUN /opt/darkroom/bin/pip install --no-deps . \
    && { test -z "$EXTRAS" || /opt/darkroom/bin/pip install ".[$EXTRAS]"; } \
    && /opt/darkroom/bin/python -m compileall -q /opt/darkroom/lib

FROM python:3.13-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends libjemalloc2 && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /var/lib/darkroom --create-home --shell /usr/sbin/nologin darkroom
COPY --from=build /opt/darkroom /opt/darkroom
# jemalloc is for the server; workers start with an emptied environment and their own allocator settings.
ENV PATH=/opt/darkroom/bin:$PATH \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1 \
    LD_PRELOAD=libjemalloc.so.2 \
    DARKROOM_HOME=/var/lib/darkroom \
    DARKROOM_HOST=0.0.0.0 \
    DARKROOM_PORT=8000
USER darkroom
WORKDIR /var/lib/darkroom
VOLUME /var/lib/darkroom
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"DARKROOM_PORT\"]}/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["darkroom", "serve"]
