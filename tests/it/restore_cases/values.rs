//! Values that text formats, time zones and careless parsers like to bend.

use super::{plan, site};

#[tokio::test]
async fn text_with_every_troublesome_character_comes_back() {
    let cycle = site(
        r#"ALTER TABLE vrf ADD code text;
          INSERT INTO vrf (vrf_id, description, code) VALUES
            (E'tab\tand\nnewline', E'\\.', NULL), (E'\\.', E'\r\n', ''),
            (E'\\N', '\N', '\\N'), ('quote''s', '"double" ''single'' $$dollar$$', E'\u0001\u007f'),
            (E'emoji \U0001F980', E'e\u0301 \u00e9 \u202e rtl', E'\b\f\v'),
            (' ', '', NULL), ('', NULL, ''), ('back\\slash', E'trailing\\', '%s {} ; --')"#,
    )
    .await;
    let disturbance = r"
        UPDATE vrf SET description = coalesce(description, '') || ' changed', code = NULL;
        DELETE FROM vrf WHERE vrf_id IN (E'\\.', '', E'tab\tand\nnewline', E'\\N')";
    cycle.survives(disturbance).await;
}

#[tokio::test]
async fn null_and_empty_text_are_not_the_same() {
    let cycle = plan().await;
    cycle
        .sql(
            "INSERT INTO vrf (vrf_id, description) VALUES ('null', NULL), ('empty', ''),
             ('word', 'NULL')",
        )
        .await;
    cycle
        .survives(
            "UPDATE vrf SET description =
                 CASE vrf_id WHEN 'null' THEN '' WHEN 'empty' THEN NULL ELSE '\\N' END",
        )
        .await;
}

#[tokio::test]
async fn jsonb_with_deep_nesting_and_large_numbers_comes_back() {
    let cycle = plan().await;
    let fill = r#"UPDATE vrf SET tags =
            (repeat('{"a":[', 500) || 'null' || repeat(']}', 500))::jsonb WHERE vrf_id = 'corp';
        UPDATE vrf SET tags = '{"large": 123456789012345678901234567890.000100,
            "tiny": 1e-300, "huge": 1e300, "zero": -0.0, "text": "\u0000-free \" \\ \n \u00e9",
            "": [true, false, null, {}, []]}'::jsonb WHERE vrf_id = 'lab'"#;
    // PostgreSQL has no character of code 0 in jsonb.
    cycle.sql(&fill.replace(r"\u0000-", "")).await;
    cycle
        .survives(
            "UPDATE vrf SET tags = '{}' WHERE vrf_id = 'corp';
             UPDATE vrf SET tags = tags || '{\"large\": 123456789012345678901234567890.0001}'
                 WHERE vrf_id = 'lab'",
        )
        .await;
}

#[tokio::test]
async fn timestamps_of_all_times_come_back_to_the_microsecond() {
    let cycle = plan().await;
    cycle
        .sql(
            "ALTER TABLE prefix DISABLE TRIGGER USER;
             UPDATE prefix SET created_at = '2025-02-03 04:05:06.000001+13:45',
                 updated_at = 'infinity' WHERE prefix_id = 'root';
             UPDATE prefix SET created_at = '-infinity', updated_at = '0044-03-15 12:00:00.123456 BC'
                 WHERE prefix_id = 'six';
             UPDATE prefix SET created_at = '294276-12-31 23:59:59.999999+00',
                 updated_at = '4713-01-01 00:00:00+00 BC' WHERE prefix_id = 'lab';
             ALTER TABLE prefix ENABLE TRIGGER USER;
             UPDATE device42_ipaddress SET first_added = '0001-01-01 00:00:00.5 BC',
                 last_updated = 'infinity' WHERE label = 'web'",
        )
        .await;
    cycle
        .survives(
            "UPDATE prefix SET created_at = created_at;
             UPDATE prefix SET created_at = now() WHERE created_at < now();
             UPDATE device42_ipaddress SET first_added = NULL, last_updated = '-infinity'",
        )
        .await;
}

#[tokio::test]
async fn blocks_of_all_lengths_and_both_families_come_back() {
    let cycle = plan().await;
    let blocks = "INSERT INTO prefix (prefix_id, vrf_id, cidr, source, routable) VALUES
        ('all-4', 'lab', '0.0.0.0/0', 'manual', false), ('all-6', 'lab', '::/0', 'manual', false),
        ('host-4', 'lab', '255.255.255.255/32', 'manual', false),
        ('host-6', 'lab', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128', 'manual', false),
        ('mapped', 'lab', '::ffff:192.0.2.1/128', 'manual', false),
        ('odd', 'lab', '2001:db8:8000::/33', 'manual', false);
        INSERT INTO device42_ipaddress (ip_address, label) VALUES
        ('10.1.2.3/8', 'in a net'), ('fe80::1/64', 'link'), ('::', 'none')";
    cycle.sql(blocks).await;
    cycle
        .survives(
            "DELETE FROM prefix WHERE prefix_id IN ('all-4', 'mapped');
             UPDATE prefix SET cidr = '128.0.0.0/1' WHERE prefix_id = 'host-4';
             UPDATE device42_ipaddress SET ip_address = '10.1.2.3'",
        )
        .await;
}

#[tokio::test]
async fn a_site_with_columns_of_many_types_gets_every_value_back() {
    let cycle = site(
        r#"ALTER TABLE vpc ADD a bytea, ADD b double precision, ADD c real, ADD d numeric,
            ADD e interval, ADD f money, ADD g text[], ADD h int4range, ADD i xml, ADD j bit(3),
            ADD k date, ADD l timetz, ADD m char(5), ADD n macaddr, ADD o json, ADD p tsvector,
            ADD q point, ADD r numeric(20,4), ADD s varchar(7);
          UPDATE vpc SET a = '\x00ff5c', b = 0.1::float8 + 0.2, c = 'NaN', d = '-0.00100',
            e = '-1 year 2 mons -3 days 04:05:06.000007', f = 1234.5,
            g = ARRAY['a,b', NULL, 'NULL', '{}', E'\\', ''], h = '[1,)', i = '<a>&amp;</a>',
            j = B'101', k = 'infinity', l = '12:00:00.5-03:30', m = 'ab', n = '08:00:2b:01:02:03',
            o = '{"b": 1,  "a": [1.0], "b": 2}', p = 'fat cat'::tsvector,
            q = '(1.5,-2e-7)', r = 1.5, s = ' x '"#,
    )
    .await;
    cycle
        .survives(
            "UPDATE vpc SET a = NULL, b = 0.3, c = 0, d = -0.001, e = NULL, f = 0, g = '{}',
                h = 'empty', i = NULL, j = B'000', k = 'epoch', l = NULL, m = 'abcde', n = NULL,
                o = '{}', p = '', q = NULL, r = 2, s = ''",
        )
        .await;
}
