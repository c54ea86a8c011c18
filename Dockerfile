# The service as an image: page, program, and a small Debian to run it. `docker compose up` uses it.

FROM node:20-bookworm-slim AS page
WORKDIR /src/frontend
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN npm ci
COPY frontend ./
RUN npm run build

FROM rust:1.95-slim-bookworm AS program
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY migrations migrations
# The page becomes part of the program.
COPY --from=page /src/frontend/dist frontend/dist
# `dev` builds in a fraction of the time, for trying the image itself.
ARG PROFILE=release
RUN cargo install --locked --path . --profile "$PROFILE" --root /out --target-dir /tmp/target \
    && strip /out/bin/ipam-rewind \
    && rm -rf /tmp/target

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin rewind \
    && install -d -o rewind -g rewind -m 0750 /app /app/backups
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
