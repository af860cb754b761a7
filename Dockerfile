# The HTTP service. docs/deploy.md says what it needs: FAILSOFT_API_KEYS and ANTHROPIC_API_KEY.
FROM python:3.11-slim AS build
WORKDIR /build
RUN python -m venv /opt/failsoft
COPY requirements/run.txt requirements/
RUN /opt/failsoft/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY web web
# What was only needed to build it stays behind.
RUN /opt/failsoft/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/failsoft/bin/pip uninstall --yes uv hatchling editables

FROM python:3.11-slim
COPY --from=build /opt/failsoft /opt/failsoft
RUN useradd --system --uid 10001 failsoft \
    && install --directory --owner failsoft --mode 700 /var/lib/failsoft
ENV PATH=/opt/failsoft/bin:$PATH \
    FAILSOFT_DATA_DIR=/var/lib/failsoft
WORKDIR /var/lib/failsoft
VOLUME /var/lib/failsoft
# By number, so that Kubernetes' runAsNonRoot can see it.
USER 10001
EXPOSE 8787
HEALTHCHECK --start-period=30s CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8787/livez', timeout=5)"]
ENTRYPOINT ["failsoft"]
CMD ["serve", "--host", "0.0.0.0"]
