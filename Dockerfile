# The service as an image: page, program, and a small Debian to run it. `docker compose up` uses it.
# To move to a newer base, look its digest up: docker buildx imagetools inspect NAME:TAG

FROM node:20.19.5-bookworm-slim@sha256:9e70124bd00f47dd023e349cd587132ae61892acc0e47ed641416c3e18f401c3 AS page
WORKDIR /src/frontend
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN npm ci
COPY frontend ./
RUN npm run build

FROM rust:1.95.0-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS program
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY migrations migrations
COPY profiles profiles
# The page becomes part of the program.
COPY --from=page /src/frontend/dist frontend/dist
# `dev` builds in a fraction of the time, for trying the image itself.
ARG PROFILE=release
RUN cargo install --locked --path . --profile "$PROFILE" --root /out --target-dir /tmp/target \
    && strip /out/bin/ipam-rewind \
    && rm -rf /tmp/target

FROM debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin rewind \
    && install -d -o rewind -g rewind -m 0755 /app \
    # Any other account of group 0 may use it, too, as on OpenShift.
    && install -d -o rewind -g 0 -m 0770 /app/backups \
    && install -d -o rewind -g 0 -m 0770 /scratch
COPY --from=program /out/bin/ipam-rewind /usr/local/bin/ipam-rewind

# A number, so that whoever runs the image can see that it is not root.
USER 10001
WORKDIR /app
ENV BACKUP_STORE=/app/backups
VOLUME /app/backups
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=15s --retries=3 \
    CMD ["ipam-rewind", "health"]
ENTRYPOINT ["ipam-rewind"]
CMD ["serve", "--listen", "0.0.0.0:8000"]
