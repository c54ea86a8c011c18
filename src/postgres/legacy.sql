-- Fills tables of the same names as the real ones, in pg_temp, with a backup of the older form: rows
-- that lack columns. What they lack is taken from the live row with the same natural key; where there
-- is none, it is made, and counted in older_notes.
--
-- pg_temp comes first in the search for a table's name. So whoever reads "prefix" after this reads
-- what the backup held.

CREATE TEMP TABLE older_notes (place int, rows bigint, what text) ON COMMIT DROP;

CREATE TEMP TABLE vrf ON COMMIT DROP AS SELECT * FROM live_vrf WITH NO DATA;
CREATE TEMP TABLE vpc ON COMMIT DROP AS SELECT * FROM live_vpc WITH NO DATA;
CREATE TEMP TABLE prefix ON COMMIT DROP AS SELECT * FROM live_prefix WITH NO DATA;
CREATE TEMP TABLE vpc_prefix_association ON COMMIT DROP AS
    SELECT * FROM live_vpc_prefix_association WITH NO DATA;

INSERT INTO pg_temp.vrf
SELECT made.*
FROM older
CROSS JOIN blank_vrf blank
LEFT JOIN live_vrf live ON live.vrf_id = older.doc ->> 'vrf_id'
CROSS JOIN LATERAL jsonb_populate_record(live,
    CASE WHEN live.vrf_id IS NULL THEN to_jsonb(blank) ELSE '{}' END || older.doc) made
WHERE part = 'vrfs';

-- VPCs: their files have no vpc_id.

CREATE TEMP TABLE older_vpc ON COMMIT DROP AS
SELECT older.doc, coalesce(live.vpc_id::text, older.made) AS vpc_id, live.vpc_id AS live_id
FROM older
LEFT JOIN live_vpc live ON live.provider::text = older.doc ->> 'provider'
    AND live.provider_vpc_id = older.doc ->> 'provider_vpc_id'
    AND coalesce(live.provider_account_id, '') = coalesce(older.doc ->> 'provider_account_id', '')
WHERE part = 'vpcs';

INSERT INTO pg_temp.vpc
SELECT made.*
FROM older_vpc
CROSS JOIN blank_vpc blank
LEFT JOIN live_vpc live ON live.vpc_id = older_vpc.live_id
CROSS JOIN LATERAL jsonb_populate_record(live,
    CASE WHEN live.vpc_id IS NULL THEN to_jsonb(blank) ELSE '{}' END
    || jsonb_build_object('vpc_id', older_vpc.vpc_id) || older_vpc.doc) made;

INSERT INTO older_notes
SELECT 1, count(*), 'VPCs are not in the database: their vpc_id is made of what the provider calls them'
FROM older_vpc WHERE live_id IS NULL;

CREATE TEMP TABLE older_vpc_named ON COMMIT DROP AS
SELECT provider_vpc_id AS name, min(vpc_id::text)::uuid AS vpc_id, count(*) AS count
FROM pg_temp.vpc GROUP BY provider_vpc_id;

INSERT INTO older_notes
SELECT 2, count(*), 'names of VPCs are those of several: what belongs to them was given to the first'
FROM older_vpc_named WHERE count > 1;

-- Prefixes entered by hand, among them public addresses that stand alone. A public address that is
-- in both files is taken from the fuller one.

CREATE TEMP TABLE older_manual ON COMMIT DROP AS
SELECT DISTINCT ON (vrf_id, cidr) vrf_id, cidr, made, doc
FROM (
    SELECT doc ->> 'vrf_id' AS vrf_id, (doc ->> 'cidr')::cidr AS cidr, made, doc, 1 AS place
    FROM older WHERE part = 'prefixes'
    UNION ALL
    SELECT 'public-vrf', (doc ->> 'cidr')::cidr, made,
        jsonb_build_object('vrf_id', 'public-vrf', 'routable', true) || doc, 2
    FROM older WHERE part = 'public_ips' AND doc ->> 'vpc_provider_vpc_id' IS NULL
) found
ORDER BY vrf_id, cidr, place;

CREATE TEMP TABLE older_ids ON COMMIT DROP AS
SELECT older.made, coalesce(live.prefix_id, older.made) AS prefix_id, live.prefix_id AS live_id,
    older.vrf_id, older.cidr, older.doc
FROM older_manual older
LEFT JOIN live_prefix live ON live.vrf_id = older.vrf_id AND live.cidr = older.cidr;
ANALYZE older_ids;

INSERT INTO pg_temp.prefix
SELECT made.*
FROM older_ids older
CROSS JOIN blank_prefix blank
CROSS JOIN older_backup
LEFT JOIN live_prefix live ON live.prefix_id = older.live_id
CROSS JOIN LATERAL jsonb_populate_record(live,
    CASE WHEN live.prefix_id IS NULL
        THEN to_jsonb(blank) || jsonb_build_object('created_at', taken, 'updated_at', taken)
        ELSE '{}' END
    || '{"parent_prefix_id": null, "vpc_children_type_flag": false}' || older.doc
    || jsonb_build_object('prefix_id', older.prefix_id, 'source', 'manual', 'vpc_id', NULL)) made;

INSERT INTO older_notes
SELECT 3, count(*), 'prefixes entered by hand are not in the database: created_at and updated_at are the backup''s time'
FROM older_ids WHERE live_id IS NULL;

-- Associations. What their parents are called here may be another id than the pattern's.

CREATE TEMP TABLE older_association ON COMMIT DROP AS
SELECT older.doc, older.made, named.vpc_id, (older.doc ->> 'vpc_prefix_cidr')::cidr AS cidr
FROM older
LEFT JOIN older_vpc_named named ON named.name = older.doc ->> 'vpc_provider_vpc_id'
WHERE part = 'vpc_associations';

INSERT INTO pg_temp.vpc_prefix_association
SELECT made.*
FROM older_association older
CROSS JOIN blank_vpc_prefix_association blank
LEFT JOIN live_vpc_prefix_association live
    ON live.vpc_id = older.vpc_id AND live.vpc_prefix_cidr = older.cidr
CROSS JOIN LATERAL jsonb_populate_record(live,
    CASE WHEN live.association_id IS NULL THEN to_jsonb(blank) ELSE '{}' END || older.doc
    || jsonb_build_object('vpc_id', older.vpc_id,
        'association_id', coalesce(live.association_id::text, older.made))) made;

INSERT INTO older_notes
SELECT 4, count(*), 'associations are not in the database: their association_id is made of the VPC and the cidr'
FROM older_association older
WHERE NOT EXISTS (SELECT FROM live_vpc_prefix_association live
                  WHERE live.vpc_id = older.vpc_id AND live.vpc_prefix_cidr = older.cidr);

UPDATE pg_temp.vpc_prefix_association SET parent_prefix_id = ids.prefix_id
FROM older_ids ids WHERE parent_prefix_id = ids.made AND ids.made <> ids.prefix_id;
UPDATE pg_temp.prefix p SET parent_prefix_id = ids.prefix_id
FROM older_ids ids WHERE p.parent_prefix_id = ids.made AND ids.made <> ids.prefix_id;

CREATE INDEX ON pg_temp.vpc_prefix_association (vpc_id);
ANALYZE pg_temp.vpc_prefix_association;

-- Subnets, public ones included. Those that are public stand in the file of public addresses, too.

CREATE TEMP TABLE older_subnet ON COMMIT DROP AS
SELECT DISTINCT ON (found.vpc_id, found.cidr) found.*
FROM (
    SELECT older.doc, older.made, named.vpc_id, (older.doc ->> 'subnet_cidr')::cidr AS cidr,
        false AS listed_public, older.dashed
    FROM older
    LEFT JOIN older_vpc_named named ON named.name = older.doc ->> 'vpc_provider_vpc_id'
    WHERE part = 'vpc_subnets'
    UNION ALL
    SELECT older.doc, older.made, named.vpc_id, (older.doc ->> 'cidr')::cidr, true, older.dashed
    FROM older
    LEFT JOIN older_vpc_named named ON named.name = older.doc ->> 'vpc_provider_vpc_id'
    WHERE part = 'public_ips' AND older.doc ->> 'vpc_provider_vpc_id' IS NOT NULL
) found
ORDER BY found.vpc_id, found.cidr, found.listed_public;

-- Where each is to be: its VRF, and the block of its VPC that holds it.
CREATE TEMP TABLE older_placed ON COMMIT DROP AS
SELECT subnet.*, live.prefix_id AS live_id, public.cidr IS NOT NULL AS public,
    block.parent_prefix_id AS parent, block.routable AS block_routable,
    CASE WHEN public.cidr IS NOT NULL THEN 'public-vrf'
         ELSE coalesce(live.vrf_id, parent.vrf_id, preset.vrf_id, 'prod-vrf') END AS vrf_id,
    CASE WHEN public.cidr IS NOT NULL OR live.vrf_id IS NOT NULL THEN 'known'
         WHEN parent.vrf_id IS NOT NULL THEN 'block' ELSE 'preset' END AS vrf_from
FROM older_subnet subnet
LEFT JOIN (SELECT DISTINCT vpc_id, cidr FROM (
        SELECT named.vpc_id, (doc ->> 'cidr')::cidr AS cidr
        FROM older JOIN older_vpc_named named ON named.name = doc ->> 'vpc_provider_vpc_id'
        WHERE part = 'public_ips') listed) public
    ON public.vpc_id = subnet.vpc_id AND public.cidr = subnet.cidr
LEFT JOIN LATERAL (
    SELECT prefix_id, vrf_id FROM live_prefix
    WHERE live_prefix.vpc_id = subnet.vpc_id AND live_prefix.cidr = subnet.cidr
      AND (public.cidr IS NULL) = (live_prefix.vrf_id <> 'public-vrf')
    ORDER BY prefix_id LIMIT 1) live ON true
LEFT JOIN LATERAL (
    SELECT parent_prefix_id, routable FROM pg_temp.vpc_prefix_association block
    WHERE block.vpc_id = subnet.vpc_id AND block.vpc_prefix_cidr >>= subnet.cidr
    ORDER BY masklen(block.vpc_prefix_cidr) DESC LIMIT 1) block ON public.cidr IS NULL
LEFT JOIN pg_temp.prefix parent ON parent.prefix_id = block.parent_prefix_id
LEFT JOIN (SELECT min(vrf_id) AS vrf_id FROM pg_temp.vrf WHERE is_default) preset ON true;

INSERT INTO pg_temp.prefix
SELECT made.*
FROM older_placed older
CROSS JOIN blank_prefix blank
CROSS JOIN older_backup
LEFT JOIN live_prefix live ON live.prefix_id = older.live_id
LEFT JOIN pg_temp.vrf ON vrf.vrf_id = older.vrf_id
CROSS JOIN LATERAL jsonb_populate_record(live,
    CASE WHEN live.prefix_id IS NULL
        THEN to_jsonb(blank) || jsonb_build_object('created_at', taken, 'updated_at', taken,
            'routable', older.public OR coalesce(older.block_routable, vrf.routable_flag, true),
            'parent_prefix_id', older.parent,
            'vpc_children_type_flag', false)
        ELSE '{}' END
    || older.doc
    || jsonb_build_object('cidr', older.cidr, 'vrf_id', older.vrf_id, 'vpc_id', older.vpc_id,
        'source', 'vpc', 'prefix_id', coalesce(live.prefix_id, older.vpc_id::text || '-subnet-' ||
            CASE WHEN older.public THEN older.dashed ELSE older.made END))) made;

INSERT INTO older_notes
SELECT 5, count(*), 'subnets are not in the database: VRF, parent and routable are those of the VPC''s block, created_at and updated_at the backup''s time'
FROM older_placed WHERE live_id IS NULL AND vrf_from = 'block'
UNION ALL
SELECT 6, count(*), 'subnets are neither in the database nor in a block of their VPC: they are in the default VRF, without a parent'
FROM older_placed WHERE live_id IS NULL AND vrf_from = 'preset'
UNION ALL
SELECT 7, count(*), 'public addresses of VPCs are not in the database: created_at and updated_at are the backup''s time'
FROM older_placed WHERE live_id IS NULL AND public;

-- Parents that the backup does not have, and how deep each prefix lies.

CREATE INDEX ON pg_temp.prefix (prefix_id);
CREATE INDEX ON pg_temp.prefix (parent_prefix_id);
ANALYZE pg_temp.prefix;

WITH orphans AS (
    UPDATE pg_temp.prefix orphan SET parent_prefix_id = NULL
    WHERE parent_prefix_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_temp.prefix parent WHERE parent.prefix_id = orphan.parent_prefix_id)
    RETURNING 1)
INSERT INTO older_notes
SELECT 8, count(*), 'prefixes had a parent that the backup does not have: they have none now'
FROM orphans;

WITH RECURSIVE tree AS (
    SELECT prefix_id, 0 AS depth FROM pg_temp.prefix WHERE parent_prefix_id IS NULL
    UNION ALL
    SELECT child.prefix_id, tree.depth + 1
    FROM tree JOIN pg_temp.prefix child ON child.parent_prefix_id = tree.prefix_id)
UPDATE pg_temp.prefix SET indentation_level = tree.depth
FROM tree WHERE prefix.prefix_id = tree.prefix_id AND indentation_level IS DISTINCT FROM tree.depth;

INSERT INTO older_notes
SELECT 100, count(*), 'associations refer to a parent prefix that the backup does not have'
FROM pg_temp.vpc_prefix_association association WHERE NOT EXISTS (
    SELECT FROM pg_temp.prefix WHERE prefix_id = association.parent_prefix_id)
UNION ALL
SELECT 101, count(*), 'associations and subnets belong to a VPC that the backup does not have'
FROM (SELECT vpc_id FROM older_association UNION ALL SELECT vpc_id FROM older_subnet) belonging
WHERE vpc_id IS NULL
UNION ALL
SELECT 102, count(*), 'prefixes are in a VRF that the backup does not have'
FROM pg_temp.prefix WHERE NOT EXISTS (
    SELECT FROM pg_temp.vrf WHERE vrf.vrf_id = prefix.vrf_id);
