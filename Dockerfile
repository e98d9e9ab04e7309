# One image, three commands: `xnovu listener`, `xnovu worker`, `xnovu function` (docs/image.md).
#
# Both stages stand on this base, so that the environment built on the one runs on the other. It is the official
# Python 3.11 on Debian with glibc, as the wheels want it. To take a newer one, with its security fixes:
#   docker buildx imagetools inspect python:3.11-slim-bookworm
# and put the digest of the index here.
ARG BASE_IMAGE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${BASE_IMAGE} AS build
# The instant that everything in the image claims to be of: the same sources make the same image.
ARG SOURCE_DATE_EPOCH=0
# Where packages come from, if not from pip's own index: pip reads these itself. Hashes are checked all the same.
ARG PIP_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
COPY requirements/ requirements/
RUN python3 -m venv --without-pip /opt/xnovu \
 && python3 -m pip --python /opt/xnovu/bin/python install --no-compile --require-hashes -r requirements/runtime.txt \
 && python3 -m venv --without-pip /opt/build \
 && python3 -m pip --python /opt/build/bin/python install --no-compile --require-hashes -r requirements/build.txt
COPY . .
RUN python3 -m pip --python /opt/build/bin/python wheel --no-deps --no-build-isolation --wheel-dir /dist . \
 && python3 -m pip --python /opt/xnovu/bin/python install --no-compile --no-deps /dist/*.whl \
 && /opt/xnovu/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/xnovu/lib \
 && find /opt/xnovu -exec touch --no-dereference --date="@${SOURCE_DATE_EPOCH}" {} +

FROM ${BASE_IMAGE}
ARG REVISION=unknown
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="xnovu" \
      org.opencontainers.image.description="Rows in Supabase become notifications through Novu" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.documentation="docs/image.md"
COPY --from=build /opt/xnovu /opt/xnovu
ENV PATH="/opt/xnovu/bin:${PATH}" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# For `xnovu function`, and for probes where PROBE_PORT asks for them.
EXPOSE 8080
USER 65532:65532
STOPSIGNAL SIGTERM
ENTRYPOINT ["xnovu"]
