-- Fills tables of the same names as the real ones, in pg_temp, with files of another form: rows that lack
-- columns. What they lack is taken from the live row with the same natural key; where there is none, it is
-- made, and counted in older_notes.
--
-- pg_temp comes first in the search for a table's name. So whoever reads "prefix" after this reads
-- what the files hold. A dataset that has no file is filled with the live rows, so that references to it
-- are found; the caller does not keep them.

CREATE TEMP TABLE older_notes (place int, rows bigint, what text) ON COMMIT DROP;

CREATE TEMP TABLE vrf ON COMMIT DROP AS SELECT * FROM live_vrf WITH NO DATA;
CREATE TEMP TABLE vpc ON COMMIT DROP AS SELECT * FROM live_vpc WITH NO DATA;
CREATE TEMP TABLE prefix ON COMMIT DROP AS SELECT * FROM live_prefix WITH NO DATA;
CREATE TEMP TABLE vpc_prefix_association ON COMMIT DROP AS
    SELECT * FROM live_vpc_prefix_association WITH NO DATA;

-- What the files hold, without what stands for a dataset that has no file.
CREATE TEMP VIEW covered_vrf AS SELECT * FROM pg_temp.vrf WHERE (SELECT vrfs FROM older_backup);
CREATE TEMP VIEW covered_vpc AS SELECT * FROM pg_temp.vpc WHERE (SELECT vpcs FROM older_backup);
CREATE TEMP VIEW covered_vpc_prefix_association AS
    SELECT * FROM pg_temp.vpc_prefix_association WHERE (SELECT vpcs FROM older_backup);
CREATE TEMP VIEW covered_prefix AS
    SELECT * FROM pg_temp.prefix
    WHERE CASE WHEN vrf_id = 'public-vrf' THEN (SELECT public_ips FROM older_backup)
               WHEN source = 'manual' THEN (SELECT prefixes FROM older_backup)
               ELSE (SELECT vpcs FROM older_backup) END;

INSERT INTO pg_temp.vrf
SELECT made.*
FROM older
CROSS JOIN blank_vrf blank
LEFT JOIN live_vrf live ON live.vrf_id = older.doc ->> 'vrf_id'
CROSS JOIN LATERAL jsonb_populate_record(live,
    CASE WHEN live.vrf_id IS NULL THEN to_jsonb(blank) ELSE '{}' END || older.doc) made
WHERE part = 'vrfs';

INSERT INTO pg_temp.vrf SELECT * FROM live_vrf WHERE NOT (SELECT vrfs FROM older_backup);

-- The ids that rows name as their parents: of rows whose own id no file has to say.

CREATE TEMP TABLE older_named ON COMMIT DROP AS
SELECT doc ->> 'parent_prefix_id' AS name, nr, part,
    CASE WHEN part <> 'vpc_associations' THEN doc ->> 'vrf_id' END AS vrf_id,
    coalesce(doc ->> 'cidr', doc ->> 'subnet_cidr', doc ->> 'vpc_prefix_cidr')::cidr AS cidr
FROM older WHERE doc ->> 'parent_prefix_id' IS NOT NULL;
CREATE INDEX ON older_named (name);
ANALYZE older_named;

-- VPCs: their files need not have a vpc_id. Ids of their subnets begin with it.

CREATE TEMP TABLE older_vpc_named ON COMMIT DROP AS
SELECT subnet.doc ->> 'vpc_provider_vpc_id' AS vpc, min(left(named.name, 36)) AS vpc_id
FROM (SELECT DISTINCT name FROM older_named WHERE name ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-subnet-') named
JOIN older subnet ON subnet.part IN ('vpc_subnets', 'public_ips')
    AND substr(named.name, 45) IN (subnet.made, subnet.dashed)
GROUP BY 1 HAVING count(DISTINCT left(named.name, 36)) = 1;

CREATE TEMP TABLE older_vpc ON COMMIT DROP AS
SELECT older.nr, older.doc, live.vpc_id AS live_id, older.doc ->> 'vpc_id' AS file_id,
    older.doc ->> 'provider_vpc_id' AS name, older.doc ->> 'provider' AS provider,
    older.doc ->> 'provider_account_id' AS account,
    concat_ws('_', older.doc ->> 'provider',
        coalesce(nullif(older.doc ->> 'provider_account_id', ''), 'unknown'),
        older.doc ->> 'provider_vpc_id') AS own_vrf,
    coalesce(live.vpc_id::text, older.doc ->> 'vpc_id',
        CASE WHEN count(*) OVER (PARTITION BY older.doc ->> 'provider_vpc_id') = 1
             AND NOT EXISTS (SELECT FROM live_vpc taken WHERE taken.vpc_id::text = named.vpc_id)
        THEN named.vpc_id END,
        older.made) AS vpc_id
FROM older
LEFT JOIN LATERAL (
    SELECT vpc_id FROM live_vpc
    WHERE provider::text = older.doc ->> 'provider' AND provider_vpc_id = older.doc ->> 'provider_vpc_id'
        AND coalesce(provider_account_id, '') = coalesce(older.doc ->> 'provider_account_id', '')
    ORDER BY vpc_id LIMIT 1) live ON true
LEFT JOIN older_vpc_named named ON named.vpc = older.doc ->> 'provider_vpc_id'
WHERE part = 'vpcs';

INSERT INTO older_vpc
SELECT row_number() OVER (ORDER BY vpc_id), to_jsonb(live), vpc_id, vpc_id::text, provider_vpc_id, provider::text,
    provider_account_id,
    concat_ws('_', provider::text, coalesce(nullif(provider_account_id, ''), 'unknown'), provider_vpc_id),
    vpc_id::text
FROM live_vpc live WHERE NOT (SELECT vpcs FROM older_backup);

INSERT INTO pg_temp.vpc
SELECT made.*
FROM older_vpc
CROSS JOIN blank_vpc blank
LEFT JOIN live_vpc live ON live.vpc_id = older_vpc.live_id
CROSS JOIN LATERAL jsonb_populate_record(live,
    CASE WHEN live.vpc_id IS NULL THEN to_jsonb(blank) ELSE '{}' END
    || older_vpc.doc || jsonb_build_object('vpc_id', older_vpc.vpc_id)) made;

INSERT INTO older_notes
SELECT 1, count(*), 'VPCs are not in the database: their vpc_id is made of what the provider calls them'
FROM older_vpc WHERE live_id IS NULL AND file_id IS NULL;

-- Which VPC a row belongs to. Its name may be that of several, in other accounts: then what else the files
-- and the database say decides, the surest first. Each VPC gets one row of a cidr at most.

CREATE TEMP TABLE older_row ON COMMIT DROP AS
SELECT nr, part, doc ->> 'vpc_provider_vpc_id' AS name,
    coalesce(doc ->> 'vpc_prefix_cidr', doc ->> 'subnet_cidr', doc ->> 'cidr')::cidr AS cidr,
    count(*) OVER (PARTITION BY part, doc ->> 'vpc_provider_vpc_id',
        coalesce(doc ->> 'vpc_prefix_cidr', doc ->> 'subnet_cidr', doc ->> 'cidr')) AS alike
FROM older
WHERE part IN ('vpc_associations', 'vpc_subnets')
    OR part = 'public_ips' AND doc ->> 'vpc_provider_vpc_id' IS NOT NULL;

CREATE TEMP TABLE older_owner ON COMMIT DROP AS
SELECT line.nr, line.part, line.cidr, min(vpc.nr) AS vpc, 0 AS score
FROM older_row line JOIN older_vpc vpc ON vpc.name = line.name
GROUP BY line.nr, line.part, line.cidr HAVING count(*) = 1;

CREATE TEMP TABLE older_pair ON COMMIT DROP AS
SELECT line.nr, line.part, line.name, line.cidr, vpc.nr AS vpc,
    CASE
    WHEN older.doc ->> 'vpc_id' = vpc.file_id THEN 0
    WHEN coalesce(older.doc ->> 'vpc_provider_account_id', older.doc ->> 'provider_account_id',
                  older.doc ->> 'vpc_account_id') = vpc.account
        AND coalesce(older.doc ->> 'vpc_provider', older.doc ->> 'provider', vpc.provider) = vpc.provider THEN 0
    WHEN starts_with(older.doc ->> 'parent_prefix_id', 'manual-' || vpc.own_vrf || '-') THEN 1
    WHEN older.doc ->> 'vrf_id' = vpc.own_vrf THEN 1
    WHEN older.part = 'vpc_associations' AND EXISTS (
        SELECT FROM live_vpc_prefix_association live
        WHERE live.vpc_id = vpc.live_id AND live.vpc_prefix_cidr = line.cidr
            AND live.parent_prefix_id = older.doc ->> 'parent_prefix_id') THEN 1
    WHEN older.part = 'vpc_associations' AND EXISTS (
        SELECT FROM live_vpc_prefix_association live
        WHERE live.vpc_id = vpc.live_id AND live.vpc_prefix_cidr = line.cidr) THEN 2
    WHEN older.part <> 'vpc_associations' AND EXISTS (
        SELECT FROM live_prefix live
        WHERE live.vpc_id = vpc.live_id AND live.cidr = line.cidr AND live.tags = older.doc -> 'tags') THEN 1
    WHEN older.part <> 'vpc_associations' AND EXISTS (
        SELECT FROM live_prefix live WHERE live.vpc_id = vpc.live_id AND live.cidr = line.cidr) THEN 2
    ELSE 4 END AS score
FROM older_row line
JOIN older ON older.nr = line.nr
JOIN older_vpc vpc ON vpc.name = line.name
WHERE NOT EXISTS (SELECT FROM older_owner owner WHERE owner.nr = line.nr);

DO $$
BEGIN
FOR step IN 0..9 LOOP
    -- Of subnets, once the associations have their VPCs: the block that contains it.
    IF step = 5 THEN
        UPDATE older_pair pair SET score = 3
        WHERE pair.part <> 'vpc_associations' AND score = 4 AND EXISTS (
            SELECT FROM older_owner block
            WHERE block.part = 'vpc_associations' AND block.vpc = pair.vpc AND block.cidr >>= pair.cidr);
    END IF;
    INSERT INTO older_owner
    SELECT nr, part, cidr, vpc, score
    FROM (
        SELECT pair.*,
            dense_rank() OVER (PARTITION BY pair.part, name, pair.cidr ORDER BY pair.nr) AS line,
            dense_rank() OVER (PARTITION BY pair.part, name, pair.cidr ORDER BY pair.vpc) AS place
        FROM older_pair pair
        WHERE (pair.part = 'vpc_associations') = (step < 5) AND pair.score <= step % 5
            AND NOT EXISTS (SELECT FROM older_owner taken WHERE taken.nr = pair.nr)
            AND NOT EXISTS (SELECT FROM older_owner taken WHERE taken.part = pair.part
                            AND taken.cidr = pair.cidr AND taken.vpc = pair.vpc)
    ) free
    WHERE line = place;
END LOOP;
END $$;

INSERT INTO older_notes
SELECT 2, count(*), 'rows name a VPC whose name several have; the accounts that they were given to are a guess: '
    || array_to_string((array_agg(format('%s of %s to account %s', owner.cidr, vpc.name, coalesce(vpc.account, 'unknown')) ORDER BY owner.nr))[1:10], ', ') || CASE WHEN count(*) > 10 THEN ' and others' ELSE '' END
FROM older_owner owner JOIN older_vpc vpc ON vpc.nr = owner.vpc WHERE owner.score >= 2;

CREATE TEMP TABLE older_belongs ON COMMIT DROP AS
SELECT owner.nr, vpc.vpc_id::uuid AS vpc_id, vpc.own_vrf FROM older_owner owner JOIN older_vpc vpc ON vpc.nr = owner.vpc;
CREATE INDEX ON older_belongs (nr);
ANALYZE older_belongs;

-- Prefixes entered by hand, among them public addresses that stand alone. What one of the two files does
-- not say of a public address, the other may.

CREATE TEMP TABLE older_manual ON COMMIT DROP AS
SELECT vrf_id, cidr, min(made) AS made, min(dashed) AS dashed, min(nr) AS nr, bool_or(listed) AS listed,
    (array_agg(doc ORDER BY listed) FILTER (WHERE NOT listed))[1] AS thin,
    (array_agg(doc ORDER BY listed) FILTER (WHERE listed))[1] AS doc
FROM (
    SELECT doc ->> 'vrf_id' AS vrf_id, (doc ->> 'cidr')::cidr AS cidr, made, dashed, doc, nr, true AS listed
    FROM older WHERE part = 'prefixes'
    UNION ALL
    SELECT 'public-vrf', (doc ->> 'cidr')::cidr, made, dashed, doc, nr, false
    FROM older WHERE part = 'public_ips' AND doc ->> 'vpc_provider_vpc_id' IS NULL
) found
GROUP BY vrf_id, cidr;

CREATE TEMP TABLE older_ids ON COMMIT DROP AS
SELECT older.made, older.vrf_id, older.cidr, older.listed, older.nr,
    coalesce(older.thin, '{}') || coalesce(older.doc, '{}') AS doc,
    CASE WHEN older.vrf_id = 'public-vrf' THEN 'manual-public-vrf-' || older.dashed END AS other,
    coalesce(older.doc ->> 'prefix_id', older.thin ->> 'prefix_id') AS file_id,
    live.prefix_id AS live_id, NULL::text AS prefix_id
FROM older_manual older
LEFT JOIN live_prefix live ON live.vrf_id = older.vrf_id AND live.cidr = older.cidr;

UPDATE older_ids SET prefix_id = coalesce(live_id, file_id,
    CASE WHEN EXISTS (SELECT FROM older_named WHERE name = other)
          AND NOT EXISTS (SELECT FROM older_named WHERE name = made) THEN other ELSE made END);

-- A name that no row has is that of the smallest prefix around those that name it, if nobody calls
-- that one otherwise.

CREATE INDEX ON older_ids (made);
CREATE INDEX ON older_ids (prefix_id);
CREATE INDEX ON older_ids USING gist (cidr inet_ops);
ANALYZE older_ids;

CREATE TEMP TABLE older_known ON COMMIT DROP AS
SELECT prefix_id AS name FROM older_ids UNION ALL SELECT made FROM older_ids UNION ALL SELECT other FROM older_ids
UNION ALL SELECT doc ->> 'prefix_id' FROM older WHERE doc ? 'prefix_id'
UNION ALL SELECT live.prefix_id FROM live_prefix live CROSS JOIN older_backup
    WHERE CASE WHEN live.vrf_id = 'public-vrf' THEN NOT public_ips
               WHEN live.source = 'manual' THEN NOT prefixes ELSE NOT vpcs END;
ANALYZE older_known;

CREATE TEMP TABLE older_nameless ON COMMIT DROP AS
SELECT DISTINCT ON (name) name, vrf_id, cidr FROM older_named named
WHERE name !~ '^(manual|public-ip|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-subnet)-'
    AND NOT EXISTS (SELECT FROM older_known known WHERE known.name = named.name)
ORDER BY name, vrf_id NULLS LAST, nr;

CREATE TEMP TABLE older_guessed ON COMMIT DROP AS
SELECT DISTINCT ON (around.vrf_id, around.cidr) named.name, around.vrf_id, around.cidr
FROM older_nameless named
CROSS JOIN LATERAL (
    SELECT ids.* FROM older_ids ids
    WHERE ids.cidr >>= named.cidr AND (named.vrf_id IS NULL OR ids.vrf_id = named.vrf_id AND ids.cidr >> named.cidr)
        AND NOT EXISTS (SELECT FROM older_named other WHERE other.name IN (ids.prefix_id, ids.made, ids.other))
    ORDER BY masklen(ids.cidr) DESC, ids.vrf_id LIMIT 1) around
WHERE NOT EXISTS (SELECT FROM older_named other WHERE other.name = named.name AND NOT around.cidr >>= other.cidr)
ORDER BY around.vrf_id, around.cidr, named.name;

INSERT INTO older_notes
SELECT 3, count(*), 'ids of parents are those of no row; which prefixes they mean is a guess: '
    || array_to_string((array_agg(format('%s is %s in %s', name, cidr, vrf_id) ORDER BY name))[1:10], ', ') || CASE WHEN count(*) > 10 THEN ' and others' ELSE '' END
FROM older_guessed;

UPDATE older_ids ids SET prefix_id = guessed.name
FROM older_guessed guessed
WHERE ids.vrf_id = guessed.vrf_id AND ids.cidr = guessed.cidr AND ids.live_id IS NULL AND ids.file_id IS NULL;

INSERT INTO pg_temp.prefix
SELECT made.*
FROM older_ids older
CROSS JOIN blank_prefix blank
CROSS JOIN older_backup
LEFT JOIN live_prefix live ON live.prefix_id = older.live_id
CROSS JOIN LATERAL jsonb_populate_record(live,
    CASE WHEN live.prefix_id IS NULL
        THEN to_jsonb(blank) || jsonb_build_object('created_at', taken, 'updated_at', taken,
            'routable', true, 'vpc_children_type_flag', false)
        ELSE '{}' END
    || CASE WHEN older.listed THEN '{"parent_prefix_id": null}' ELSE '{}' END::jsonb
    || older.doc
    || jsonb_build_object('prefix_id', older.prefix_id, 'vrf_id', older.vrf_id, 'cidr', older.cidr,
        'source', 'manual', 'vpc_id', NULL)) made
WHERE older.vrf_id IS DISTINCT FROM 'public-vrf' OR older_backup.public_ips;

INSERT INTO older_notes
SELECT 4, count(*), 'prefixes entered by hand are not in the database: created_at and updated_at are the backup''s time'
FROM older_ids CROSS JOIN older_backup
WHERE live_id IS NULL AND NOT doc ? 'created_at' AND (vrf_id IS DISTINCT FROM 'public-vrf' OR public_ips)
UNION ALL
SELECT 5, count(*), 'prefixes of public-vrf are left out: the file of public addresses is not there, and the backup does not cover them'
FROM older_ids CROSS JOIN older_backup WHERE vrf_id = 'public-vrf' AND NOT public_ips;

INSERT INTO pg_temp.prefix
SELECT live.* FROM live_prefix live CROSS JOIN older_backup
WHERE CASE WHEN live.vrf_id = 'public-vrf' THEN NOT public_ips
           WHEN live.source = 'manual' THEN NOT prefixes ELSE NOT vpcs END;

-- Associations.

INSERT INTO pg_temp.vpc_prefix_association
SELECT made.*
FROM older
JOIN older_row line ON line.nr = older.nr
CROSS JOIN blank_vpc_prefix_association blank
LEFT JOIN older_belongs belongs ON belongs.nr = older.nr
LEFT JOIN live_vpc_prefix_association live
    ON live.vpc_id = belongs.vpc_id AND live.vpc_prefix_cidr = line.cidr
CROSS JOIN LATERAL jsonb_populate_record(live,
    CASE WHEN live.association_id IS NULL THEN to_jsonb(blank) ELSE '{}' END || older.doc
    || jsonb_build_object('vpc_id', belongs.vpc_id,
        'association_id', coalesce(live.association_id::text, older.doc ->> 'association_id',
            CASE WHEN EXISTS (SELECT FROM older_pair WHERE older_pair.nr = older.nr)
                 THEN md5(belongs.vpc_id::text || ' ' || line.cidr::text)::uuid::text ELSE older.made END))) made
WHERE older.part = 'vpc_associations';

INSERT INTO pg_temp.vpc_prefix_association
SELECT * FROM live_vpc_prefix_association WHERE NOT (SELECT vpcs FROM older_backup);

INSERT INTO older_notes
SELECT 6, count(*), 'associations are not in the database: their association_id is made of the VPC and the cidr'
FROM pg_temp.vpc_prefix_association made
JOIN older_belongs belongs ON belongs.vpc_id = made.vpc_id
JOIN older ON older.nr = belongs.nr AND older.part = 'vpc_associations'
    AND (older.doc ->> 'vpc_prefix_cidr')::cidr = made.vpc_prefix_cidr AND NOT older.doc ? 'association_id'
WHERE NOT EXISTS (SELECT FROM live_vpc_prefix_association live
                  WHERE live.vpc_id = made.vpc_id AND live.vpc_prefix_cidr = made.vpc_prefix_cidr);

CREATE TEMP TABLE older_renamed ON COMMIT DROP AS
SELECT DISTINCT ON (name) name, prefix_id
FROM (
    SELECT file_id AS name, prefix_id, 1 AS place FROM older_ids
    UNION ALL SELECT guessed.name, ids.prefix_id, 2
        FROM older_guessed guessed JOIN older_ids ids ON ids.vrf_id = guessed.vrf_id AND ids.cidr = guessed.cidr
    UNION ALL SELECT made, prefix_id, 3 FROM older_ids
    UNION ALL SELECT other, prefix_id, 4 FROM older_ids
) names
WHERE name IS NOT NULL
ORDER BY name, place;

UPDATE pg_temp.vpc_prefix_association SET parent_prefix_id = renamed.prefix_id
FROM older_renamed renamed WHERE parent_prefix_id = renamed.name AND renamed.name <> renamed.prefix_id;
UPDATE pg_temp.prefix p SET parent_prefix_id = renamed.prefix_id
FROM older_renamed renamed WHERE p.parent_prefix_id = renamed.name AND renamed.name <> renamed.prefix_id;

CREATE INDEX ON pg_temp.vpc_prefix_association (vpc_id);
CREATE INDEX ON pg_temp.prefix (prefix_id);
ANALYZE pg_temp.vpc_prefix_association;
ANALYZE pg_temp.prefix;

-- Subnets, public ones included. Those that are public stand in the file of public addresses, too.

CREATE TEMP TABLE older_subnet ON COMMIT DROP AS
SELECT belongs.vpc_id, line.cidr, 
    bool_or(older.part = 'public_ips' OR coalesce(older.doc ->> 'vrf_id', '') = 'public-vrf') AS public, min(belongs.own_vrf) AS own_vrf,
    min(older.made) AS made, min(older.dashed) AS dashed,
    coalesce((array_agg(older.doc) FILTER (WHERE older.part = 'public_ips'))[1], '{}')
        || coalesce((array_agg(older.doc ORDER BY older.nr) FILTER (WHERE older.part = 'vpc_subnets'))[1], '{}') AS doc
FROM older_row line
JOIN older ON older.nr = line.nr
JOIN older_belongs belongs ON belongs.nr = line.nr
WHERE line.part <> 'vpc_associations'
GROUP BY belongs.vpc_id, line.cidr;

-- Without the file of public addresses, the database alone tells which these are.
UPDATE older_subnet subnet SET public = true
FROM live_prefix live
WHERE NOT (SELECT public_ips FROM older_backup) AND live.vrf_id = 'public-vrf'
    AND live.vpc_id = subnet.vpc_id AND live.cidr = subnet.cidr;

INSERT INTO older_notes
SELECT 7, count(*), 'subnets stand in the file more than once: each VPC has one of them'
FROM older_row line LEFT JOIN older_owner owner ON owner.nr = line.nr
WHERE line.part = 'vpc_subnets' AND owner.nr IS NULL AND EXISTS (SELECT FROM older_vpc vpc WHERE vpc.name = line.name);

-- Where each is to be, as the application has it: a subnet of a block that is routable is in the VRF of the
-- block's parent, one of another block in the VRF of its VPC.
CREATE TEMP TABLE older_placed ON COMMIT DROP AS
SELECT subnet.*, live.prefix_id AS live_id, live.vrf_id IS NOT DISTINCT FROM placed.vrf_id AS stays,
    block.parent_prefix_id AS parent, block.routable AS block_routable, placed.vrf_id, placed.vrf_from
FROM older_subnet subnet
CROSS JOIN older_backup
LEFT JOIN LATERAL (
    SELECT parent_prefix_id, routable FROM pg_temp.vpc_prefix_association block
    WHERE block.vpc_id = subnet.vpc_id AND block.vpc_prefix_cidr >>= subnet.cidr
    ORDER BY masklen(block.vpc_prefix_cidr) DESC LIMIT 1) block ON NOT subnet.public
LEFT JOIN pg_temp.prefix parent ON parent.prefix_id = block.parent_prefix_id
LEFT JOIN pg_temp.vrf own ON own.vrf_id = subnet.own_vrf AND NOT block.routable
LEFT JOIN LATERAL (
    SELECT prefix_id, vrf_id FROM live_prefix
    WHERE live_prefix.vpc_id = subnet.vpc_id AND live_prefix.cidr = subnet.cidr
      AND subnet.public = (live_prefix.vrf_id = 'public-vrf')
    ORDER BY live_prefix.vrf_id IS NOT DISTINCT FROM own.vrf_id DESC, prefix_id LIMIT 1) live ON true
LEFT JOIN pg_temp.vrf now ON now.vrf_id = live.vrf_id
LEFT JOIN (SELECT min(vrf_id) AS vrf_id FROM pg_temp.vrf WHERE is_default) preset ON true
CROSS JOIN LATERAL (
    SELECT CASE WHEN subnet.public THEN 'public-vrf'
                ELSE coalesce(subnet.doc ->> 'vrf_id', own.vrf_id,
                    CASE WHEN block.routable THEN parent.vrf_id END, now.vrf_id, parent.vrf_id, preset.vrf_id,
                    'prod-vrf') END AS vrf_id,
        CASE WHEN subnet.public OR subnet.doc ? 'vrf_id' THEN 'known'
             WHEN own.vrf_id IS NOT NULL OR block.routable AND parent.vrf_id IS NOT NULL THEN 'block'
             WHEN now.vrf_id IS NOT NULL THEN 'known'
             WHEN parent.vrf_id IS NOT NULL THEN 'parent' ELSE 'preset' END AS vrf_from) placed
WHERE CASE WHEN subnet.public THEN older_backup.public_ips ELSE older_backup.vpcs END;

INSERT INTO pg_temp.prefix
SELECT made.*
FROM older_placed older
CROSS JOIN blank_prefix blank
CROSS JOIN older_backup
LEFT JOIN live_prefix live ON live.prefix_id = older.live_id
LEFT JOIN pg_temp.vrf ON vrf.vrf_id = older.vrf_id
LEFT JOIN older_named named ON named.nr = (
    SELECT min(nr) FROM older_named
    WHERE name IN (older.vpc_id::text || '-subnet-' || older.made, older.vpc_id::text || '-subnet-' || older.dashed))
CROSS JOIN LATERAL jsonb_populate_record(live,
    CASE WHEN live.prefix_id IS NULL
        THEN to_jsonb(blank) || jsonb_build_object('created_at', taken, 'updated_at', taken,
            'vpc_children_type_flag', false)
        ELSE '{}' END
    || CASE WHEN live.prefix_id IS NULL OR NOT older.stays
        THEN jsonb_build_object('parent_prefix_id', older.parent,
            'routable', older.public OR coalesce(older.block_routable, vrf.routable_flag, true))
        ELSE '{}' END
    || older.doc
    || jsonb_build_object('cidr', older.cidr, 'vrf_id', older.vrf_id, 'vpc_id', older.vpc_id,
        'source', 'vpc', 'prefix_id', coalesce(live.prefix_id, older.doc ->> 'prefix_id', named.name,
            older.vpc_id::text || '-subnet-' || CASE WHEN older.public THEN older.dashed ELSE older.made END))) made;

CREATE TEMP TABLE older_renamed_subnet ON COMMIT DROP AS
SELECT DISTINCT ON (name) name, prefix_id
FROM (
    SELECT doc ->> 'prefix_id' AS name, vpc_id, cidr, vrf_id FROM older_placed
    UNION ALL SELECT vpc_id::text || '-subnet-' || made, vpc_id, cidr, vrf_id FROM older_placed
    UNION ALL SELECT vpc_id::text || '-subnet-' || dashed, vpc_id, cidr, vrf_id FROM older_placed
) names
JOIN (SELECT DISTINCT name FROM older_named) named USING (name)
JOIN pg_temp.prefix USING (vpc_id, cidr, vrf_id)
WHERE name <> prefix_id
ORDER BY name, prefix_id;

UPDATE pg_temp.prefix p SET parent_prefix_id = renamed.prefix_id
FROM older_renamed_subnet renamed WHERE p.parent_prefix_id = renamed.name;

INSERT INTO older_notes
SELECT 8, count(*), 'subnets are not in the database: VRF, parent and routable are those of the VPC''s block, created_at and updated_at the backup''s time'
FROM older_placed WHERE live_id IS NULL AND vrf_from = 'block' AND NOT doc ? 'created_at'
UNION ALL
SELECT 9, count(*), 'subnets are in a block that is not routable, of a VPC without a VRF of its own: they are in the VRF of the block''s parent: '
    || array_to_string((array_agg(cidr::text ORDER BY cidr))[1:10], ', ') || CASE WHEN count(*) > 10 THEN ' and others' ELSE '' END
FROM older_placed WHERE live_id IS NULL AND vrf_from = 'parent'
UNION ALL
SELECT 10, count(*), 'subnets are neither in the database nor in a block of their VPC: they are in the default VRF, without a parent'
FROM older_placed WHERE live_id IS NULL AND vrf_from = 'preset'
UNION ALL
SELECT 11, count(*), 'public addresses of VPCs are not in the database: created_at and updated_at are the backup''s time'
FROM older_placed WHERE live_id IS NULL AND public AND NOT doc ? 'created_at'
UNION ALL
SELECT 12, count(*), 'subnets are in another VRF in the database: theirs follows the block of their VPC: '
    || array_to_string((array_agg(cidr::text ORDER BY cidr))[1:10], ', ') || CASE WHEN count(*) > 10 THEN ' and others' ELSE '' END
FROM older_placed WHERE live_id IS NOT NULL AND NOT stays;

-- A row of the files is not also where it is in the database.

DELETE FROM pg_temp.prefix stand
WHERE CASE WHEN vrf_id = 'public-vrf' THEN (SELECT NOT public_ips FROM older_backup)
           WHEN source = 'manual' THEN (SELECT NOT prefixes FROM older_backup)
           ELSE (SELECT NOT vpcs FROM older_backup) END
    AND EXISTS (SELECT FROM covered_prefix held WHERE held.prefix_id = stand.prefix_id);

-- Parents that the files do not have, and how deep each prefix lies.

CREATE INDEX ON pg_temp.prefix (parent_prefix_id);
ANALYZE pg_temp.prefix;

WITH orphans AS (
    UPDATE pg_temp.prefix orphan SET parent_prefix_id = NULL
    WHERE parent_prefix_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_temp.prefix parent WHERE parent.prefix_id = orphan.parent_prefix_id)
    RETURNING 1)
INSERT INTO older_notes
SELECT 13, count(*), 'prefixes had a parent that the backup does not have: they have none now'
FROM orphans;

WITH RECURSIVE tree AS (
    SELECT prefix_id, 0 AS depth FROM pg_temp.prefix WHERE parent_prefix_id IS NULL
    UNION ALL
    SELECT child.prefix_id, tree.depth + 1
    FROM tree JOIN pg_temp.prefix child ON child.parent_prefix_id = tree.prefix_id)
UPDATE pg_temp.prefix SET indentation_level = tree.depth
FROM tree WHERE prefix.prefix_id = tree.prefix_id AND indentation_level IS DISTINCT FROM tree.depth;

-- A row that is not as it is in the database cannot have been changed after the backup. The times of one
-- that is the same are left, so that a restore leaves the row alone.

WITH later AS (
    UPDATE pg_temp.prefix held
    SET updated_at = least(held.updated_at, taken), created_at = least(held.created_at, taken)
    FROM live_prefix live, older_backup
    WHERE live.prefix_id = held.prefix_id AND (held.updated_at > taken OR held.created_at > taken)
        AND to_jsonb(held) - '{updated_at,created_at}'::text[] <> to_jsonb(live) - '{updated_at,created_at}'::text[]
    RETURNING 1)
INSERT INTO older_notes
SELECT 14, count(*), 'prefixes are not as in the database, where they were changed after the backup: their updated_at is the backup''s time'
FROM later;

INSERT INTO older_notes
SELECT 15, count(*), 'prefixes are as in the database, and keep a created_at or updated_at later than the backup'
FROM covered_prefix CROSS JOIN older_backup
WHERE updated_at > taken OR created_at > taken;

INSERT INTO older_notes
SELECT 100, count(*), 'associations refer to a parent prefix that the backup does not have'
FROM covered_vpc_prefix_association association WHERE NOT EXISTS (
    SELECT FROM pg_temp.prefix WHERE prefix_id = association.parent_prefix_id)
UNION ALL
SELECT 101, count(*), 'associations and subnets belong to a VPC that the backup does not have'
FROM older_row line WHERE NOT EXISTS (SELECT FROM older_vpc vpc WHERE vpc.name = line.name)
UNION ALL
SELECT 102, count(*), 'prefixes are in a VRF that the backup does not have'
FROM covered_prefix WHERE NOT EXISTS (
    SELECT FROM pg_temp.vrf WHERE vrf.vrf_id = covered_prefix.vrf_id)
UNION ALL
SELECT 103, count(*), 'associations stand in the file more than once'
FROM older_row line LEFT JOIN older_owner owner ON owner.nr = line.nr
WHERE line.part = 'vpc_associations' AND owner.nr IS NULL
    AND EXISTS (SELECT FROM older_vpc vpc WHERE vpc.name = line.name);
