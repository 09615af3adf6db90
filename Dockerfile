# syntax=docker/dockerfile:1
# docker build -t ga-sync .
# docker run -p 8000:8000 -v ga-sync:/var/lib/ga-sync --env-file .env ga-sync
# The worker: the same image with the command `worker` and --no-healthcheck (it listens nowhere).

FROM python:3.13-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN ["python", "-m", "venv", "/opt/ga-sync"]
WORKDIR /src
# The packages change less often than the code, so they are a layer of their own.
COPY requirements.lock ./
RUN ["/opt/ga-sync/bin/pip", "install", "--only-binary", ":all:", "--require-hashes", "-r", "requirements.lock"]
COPY pyproject.toml README.md LICENSE ./
COPY alembic ./alembic
COPY models ./models
COPY oauth ./oauth
COPY jobs ./jobs
COPY ga_sync ./ga_sync
RUN ["/opt/ga-sync/bin/pip", "install", "--no-deps", "--no-index", "--no-build-isolation", "."]
# What builds is not needed to run, and what is not there cannot be misused.
RUN ["/opt/ga-sync/bin/pip", "uninstall", "-y", "hatchling", "editables", "trove-classifiers", "pip"]

FROM python:3.13-slim-trixie AS run
LABEL org.opencontainers.image.title="ga-sync" \
      org.opencontainers.image.description="Filter session recordings by the customer's own Google Analytics segments" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN ["useradd", "--system", "--uid", "10001", "--user-group", "--no-create-home", "--home-dir", "/var/lib/ga-sync", "--shell", "/usr/sbin/nologin", "ga-sync"]
RUN ["install", "-d", "-o", "10001", "-g", "10001", "-m", "0700", "/var/lib/ga-sync"]
COPY --from=build /opt/ga-sync /opt/ga-sync
ENV PATH=/opt/ga-sync/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GA_SYNC_DATA_DIR=/var/lib/ga-sync \
    GA_SYNC_LISTEN=0.0.0.0:8000
USER 10001:10001
WORKDIR /var/lib/ga-sync
VOLUME ["/var/lib/ga-sync"]
EXPOSE 8000
# Asks plain HTTP: behind GA_SYNC_TLS_CERT give the container a check of your own.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["ga-sync"]
CMD ["serve"]
