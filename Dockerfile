# One image for everything: `breakwater run` by default, `serve` and `work` in compose.yaml.
FROM python:3.12-slim

RUN useradd --create-home --uid 10001 breakwater && install -d -o breakwater /data
WORKDIR /app

COPY requirements.lock ./
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock \
 && pip install --no-cache-dir --no-deps --index-url https://download.pytorch.org/whl/cpu torch==2.13.0

COPY pyproject.toml README.md ./
COPY sources sources
COPY monitor monitor
COPY campaigns campaigns
COPY desk desk
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable .

USER breakwater
ENV BREAKWATER_HOST=0.0.0.0 BREAKWATER_DATA_DIR=/data TOKENIZERS_PARALLELISM=false
VOLUME /data
EXPOSE 8000
CMD ["breakwater", "run"]
