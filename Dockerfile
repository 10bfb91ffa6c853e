FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/frontdesk && /opt/frontdesk/bin/pip install --no-cache-dir '.[stream]'

FROM python:3.12-slim
RUN useradd --uid 10001 --user-group --create-home --home-dir /var/lib/frontdesk --shell /usr/sbin/nologin frontdesk
COPY --from=build /opt/frontdesk /opt/frontdesk
ENV PATH=/opt/frontdesk/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    FRONTDESK__SERVER__HOST=0.0.0.0 \
    FRONTDESK__SERVER__DATA_DIR=/var/lib/frontdesk
WORKDIR /var/lib/frontdesk
USER 10001:10001
VOLUME /var/lib/frontdesk
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["frontdesk"]
CMD ["run"]
