-- The tables of the IPAM application, for private databases (demo, embedded service, tests).
-- A site's own database already has them; there this file is never run.
-- Whoever owns the database may run it: btree_gist is a trusted extension.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TYPE cloud_provider AS ENUM ('aws', 'azure', 'gcp', 'other');
CREATE TYPE prefix_source AS ENUM ('manual', 'vpc');

CREATE TABLE vrf (
    vrf_id        text PRIMARY KEY,
    description   text,
    tags          jsonb   NOT NULL DEFAULT '{}',
    routable_flag boolean NOT NULL DEFAULT true,
    is_default    boolean NOT NULL DEFAULT false
);

CREATE TABLE vpc (
    vpc_id              uuid PRIMARY KEY,
    description         text,
    provider            cloud_provider NOT NULL,
    provider_account_id text,
    provider_vpc_id     text           NOT NULL,
    region              text,
    tags                jsonb          NOT NULL DEFAULT '{}',
    UNIQUE (provider, provider_account_id, provider_vpc_id)
);

CREATE TABLE prefix (
    prefix_id              text PRIMARY KEY,
    vrf_id                 text          NOT NULL REFERENCES vrf ON DELETE RESTRICT,
    cidr                   cidr          NOT NULL,
    tags                   jsonb         NOT NULL DEFAULT '{}',
    indentation_level      integer       NOT NULL DEFAULT 0,
    parent_prefix_id       text          REFERENCES prefix ON DELETE RESTRICT,
    source                 prefix_source NOT NULL,
    routable               boolean       NOT NULL,
    vpc_children_type_flag boolean       NOT NULL DEFAULT false,
    vpc_id                 uuid          REFERENCES vpc ON DELETE SET NULL,
    created_at             timestamptz   NOT NULL DEFAULT now(),
    updated_at             timestamptz   NOT NULL DEFAULT now(),
    UNIQUE (vrf_id, cidr),
    CONSTRAINT prefix_source_vpc_check CHECK ((source = 'vpc') = (vpc_id IS NOT NULL))
);

-- The application has this one beside the constraint's own index; a restore has to live with both.
CREATE INDEX prefix_vrf_cidr_idx ON prefix (vrf_id, cidr);
CREATE INDEX prefix_vpc_idx ON prefix (vpc_id) WHERE vpc_id IS NOT NULL;
CREATE INDEX prefix_source_idx ON prefix (source);
CREATE INDEX prefix_routable_idx ON prefix (routable);
CREATE INDEX prefix_parent_idx ON prefix (parent_prefix_id);
CREATE INDEX prefix_tags_idx ON prefix USING gin (tags jsonb_path_ops);
CREATE INDEX prefix_cidr_idx ON prefix USING gist (cidr);

CREATE TABLE vpc_prefix_association (
    association_id   uuid PRIMARY KEY,
    vpc_id           uuid    NOT NULL REFERENCES vpc ON DELETE CASCADE,
    vpc_prefix_cidr  cidr    NOT NULL,
    routable         boolean NOT NULL,
    parent_prefix_id text    NOT NULL REFERENCES prefix,
    UNIQUE (vpc_id, vpc_prefix_cidr)
);

CREATE TABLE device42_ipaddress (
    id            serial PRIMARY KEY,
    device42_id   text,
    ip_address    inet        NOT NULL,
    label         text        NOT NULL,
    subnet        text,
    type          text,
    available     boolean,
    resource      text,
    notes         text,
    first_added   timestamp,
    last_updated  timestamp,
    port          text,
    cloud_account text,
    is_public     boolean,
    details       jsonb                DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE idempotency_record (
    request_id     text PRIMARY KEY,
    endpoint       text,
    method         text,
    request_hash   text,
    request_params jsonb,
    response_data  jsonb,
    status_code    integer,
    created_at     timestamptz,
    expires_at     timestamptz
);

CREATE VIEW prefix_tree AS
WITH RECURSIVE tree AS (
    SELECT prefix_id, vrf_id, cidr, parent_prefix_id, indentation_level, ARRAY[cidr] AS path
    FROM prefix
    WHERE parent_prefix_id IS NULL
    UNION ALL
    SELECT child.prefix_id, child.vrf_id, child.cidr, child.parent_prefix_id,
           child.indentation_level, tree.path || child.cidr
    FROM prefix child
    JOIN tree ON child.parent_prefix_id = tree.prefix_id
)
SELECT prefix_id, vrf_id, cidr, parent_prefix_id, indentation_level, path
FROM tree;

CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;

-- Strict containment, so a prefix is never its own ancestor and walking up always ends.
CREATE FUNCTION prefix_check_parent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    parent_cidr cidr;
BEGIN
    IF NEW.parent_prefix_id IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT cidr INTO parent_cidr FROM prefix WHERE prefix_id = NEW.parent_prefix_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'parent prefix % does not exist', NEW.parent_prefix_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF NOT parent_cidr >> NEW.cidr THEN
        RAISE EXCEPTION 'parent % does not contain %', parent_cidr, NEW.cidr
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;

-- Looks up from the child only: a parent that loses its routable flag keeps the children it has.
CREATE FUNCTION prefix_check_routable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.routable AND EXISTS (
        SELECT FROM prefix WHERE prefix_id = NEW.parent_prefix_id AND NOT routable
    ) THEN
        RAISE EXCEPTION 'routable prefix % under the non-routable parent %',
            NEW.cidr, NEW.parent_prefix_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION prefix_set_indentation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH RECURSIVE ancestor AS (
        SELECT parent_prefix_id FROM prefix WHERE prefix_id = NEW.parent_prefix_id
        UNION ALL
        SELECT prefix.parent_prefix_id
        FROM prefix
        JOIN ancestor ON prefix.prefix_id = ancestor.parent_prefix_id
    )
    SELECT count(*) INTO NEW.indentation_level FROM ancestor;
    RETURN NEW;
END
$$;

-- Triggers fire in the order of their names: the checks come before the walk up.
CREATE TRIGGER prefix_check_parent BEFORE INSERT OR UPDATE OF cidr, parent_prefix_id ON prefix
    FOR EACH ROW EXECUTE FUNCTION prefix_check_parent();
CREATE TRIGGER prefix_check_routable BEFORE INSERT OR UPDATE OF routable, parent_prefix_id ON prefix
    FOR EACH ROW EXECUTE FUNCTION prefix_check_routable();
CREATE TRIGGER prefix_set_indentation BEFORE INSERT OR UPDATE OF parent_prefix_id ON prefix
    FOR EACH ROW EXECUTE FUNCTION prefix_set_indentation();
CREATE TRIGGER prefix_set_updated_at BEFORE UPDATE ON prefix
    FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER device42_ipaddress_set_updated_at BEFORE UPDATE ON device42_ipaddress
    FOR EACH ROW EXECUTE FUNCTION set_updated_at();

INSERT INTO vrf (vrf_id, description, is_default) VALUES
    ('prod-vrf', 'Production network', true),
    ('public-vrf', 'Public addresses', false);
