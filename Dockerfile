# docker build -t customer-segmentation-api .
# docker run -p 8000:8000 -v customers:/data customer-segmentation-api
FROM python:3.11-slim-bookworm AS guide
WORKDIR /build
COPY requirements/docs.txt requirements/
RUN python -m venv /opt/docs \
    && /opt/docs/bin/pip install --no-cache-dir --no-compile --disable-pip-version-check \
       --only-binary :all: --require-hashes -r requirements/docs.txt
COPY mkdocs.yml ./
COPY docs docs
RUN /opt/docs/bin/mkdocs build --quiet --strict --site-dir guide

FROM python:3.11-slim-bookworm AS build
WORKDIR /build
# "complete" adds what the dashboard and traces need.
ARG REQUIREMENTS=runtime
COPY requirements/${REQUIREMENTS}.txt requirements/
RUN python -m venv /opt/app \
    && /opt/app/bin/pip install --no-cache-dir --disable-pip-version-check \
       --only-binary :all: --require-hashes -r "requirements/${REQUIREMENTS}.txt"
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY --from=guide /build/guide src/customer_segmentation/guide
RUN /opt/app/bin/pip install --no-cache-dir --disable-pip-version-check \
       --no-deps --no-build-isolation . \
    && /opt/app/bin/pip uninstall --quiet --yes pip setuptools \
    && find /opt/app -type d -name tests -prune -exec rm -rf {} +

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --home-dir /data --create-home --shell /usr/sbin/nologin segmentation
COPY --from=build /opt/app /opt/app
ENV PATH=/opt/app/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATABASE_URL=sqlite:////data/customer-segmentation.db \
    CUSTOMER_SEGMENTATION_ALLOW_ANONYMOUS=true
# Inside the container the service listens on every interface, and publishing its port decides who
# reaches it. Set CUSTOMER_SEGMENTATION_AUTH=keys to ask for API keys.
USER segmentation
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; port = os.environ.get('CUSTOMER_SEGMENTATION_PORT', '8000'); urllib.request.urlopen(f'http://127.0.0.1:{port}/health/live', timeout=2)"]
CMD ["customer-segmentation", "serve", "--host", "0.0.0.0"]
