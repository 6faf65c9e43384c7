# The dashboard in a container: the same packages as README installs, and nobody's rights.
FROM python:3.11-slim

# What is compiled when it is first used runs on this; everything else comes with its package.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE app.py ./
COPY .streamlit .streamlit
COPY harmony_core harmony_core
COPY lessons lessons
COPY pages pages
COPY sample_data sample_data
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e . \
    && useradd --create-home explorer \
    && mkdir /store \
    && chown explorer /store

USER explorer
# Settings come from the environment: docs/reference/environment.md has a table of them. Within the container the dashboard
# listens to all, and what of it is reached from outside is said by the ports that are published.
ENV HARMONY_EXPLORER_HOME=/store \
    NUMBA_CACHE_DIR=/store/compiled \
    STREAMLIT_SERVER_ADDRESS=0.0.0.0
VOLUME /store
EXPOSE 8501
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as web; assert web.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5).read() == b'ok'"]
CMD ["streamlit", "run", "app.py"]
