# The agent's image. The base may be any Debian 12:
#
#   docker build -t hordelet .                            from debian:12-slim
#   docker build -t hordelet --build-arg BASE=my/base .   from another Debian 12
#   script/image                                          from one that debootstrap makes
#
# docs/image.md says what the agent in a container needs to be given.
ARG BASE=debian:12-slim

FROM ${BASE} AS build
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends \
        gcc libc6-dev musl-tools cmake ninja-build pkg-config \
        libuv1-dev libcurl4-openssl-dev libcjson-dev libyaml-dev libmicrohttpd-dev libsodium-dev \
        libgnutls28-dev zlib1g-dev libxxhash-dev libnng-dev libmbedtls-dev >/dev/null
COPY . /source
RUN cmake -S /source -B /build -G Ninja -DHORDELET_TESTS=OFF >/dev/null \
    && cmake --build /build \
    && cmake --install /build --strip --prefix /installed/usr

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="hordelet" \
      org.opencontainers.image.description="A container orchestrator with no control plane" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN export DEBIAN_FRONTEND=noninteractive \
    && apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends \
        libuv1 libcurl4 libcjson1 libyaml-0-2 libmicrohttpd12 libsodium23 libxxhash0 libnng1 \
        libgnutls30 >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old \
        /var/log/apt /var/log/dpkg.log /var/log/alternatives.log
COPY --from=build /installed/ /
# gossip, API, and the bulk transfers of gossip
EXPOSE 7370 7371 7372
# Of an agent whose --api is another one, say so with HORDELET_API.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["hordelet", "get", "members", "-o", "name", "--timeout", "4s"]
# As process 1 it answers SIGTERM itself: hands its workloads over, or leaves them (--on-sigterm).
ENTRYPOINT ["hordelet"]
CMD ["agent"]
