use super::*;

fn address(text: &str) -> Result<Address, AddressError> {
    Address::parse_with(text, |_| None)
}

/// Host, port, user and database of each host.
fn places(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let address =
        Address::parse_with(text, variable).unwrap_or_else(|error| panic!("{text}: {error}"));
    let place = |host: &Host| {
        let options = &host.attempts[0];
        let database = options.get_database().unwrap_or_default();
        format!("{} {} {} {database}", host.name, options.get_port(), options.get_username())
    };
    address.hosts.iter().map(place).collect()
}

#[test]
fn uri_and_keywords_of_every_form_name_the_same_place() {
    let wanted = ["db.example 5433 me plan"];
    for text in [
        "postgres://me@db.example:5433/plan",
        "postgresql://me:secret@db.example:5433/plan?sslmode=require",
        "postgresql://m%65@db.example/pl%61n?port=5433",
        "postgres://?host=db.example&port=5433&user=me&dbname=plan",
        "host=db.example port=5433 user=me dbname=plan",
        "host = 'db.example'  port= 5433\nuser ='m\\e' dbname='plan'",
    ] {
        assert_eq!(places(text, &[]), wanted, "{text}");
    }
    let variables =
        [("PGHOST", "db.example"), ("PGPORT", "5433"), ("PGUSER", "me"), ("PGDATABASE", "plan")];
    assert_eq!(places("postgres://", &variables), wanted);
    assert_eq!(places("postgres:///plan?user=me", &variables), wanted);
    let others = [
        ("PGHOST", "x"),
        ("PGHOSTADDR", "10.0.0.1"),
        ("PGPORT", "1"),
        ("PGUSER", "y"),
        ("PGDATABASE", "z"),
    ];
    assert_eq!(places("postgres://me@db.example:5433/plan", &others), wanted);
}

#[test]
fn several_hosts_sockets_and_ipv6_are_read_as_by_libpq() {
    let cases: [(&str, &[&str]); 8] = [
        ("postgres://me@a:1,b:2/d", &["a 1 me d", "b 2 me d"]),
        ("postgres://me@a,b/d", &["a 5432 me d", "b 5432 me d"]),
        ("postgres://me@a,b:2/d", &["a 5432 me d", "b 2 me d"]),
        ("host=a,b port=7 user=me dbname=d", &["a 7 me d", "b 7 me d"]),
        ("postgres://me@[2001:db8::1]:7/d", &["2001:db8::1 7 me d"]),
        ("postgres://me@%2Frun%2Fpostgresql/d", &["/run/postgresql 5432 me d"]),
        ("postgres://me@/d?host=/run/postgresql", &["/run/postgresql 5432 me d"]),
        ("host=x hostaddr=10.0.0.1 user=me", &["10.0.0.1 5432 me me"]),
    ];
    for (text, wanted) in cases {
        assert_eq!(places(text, &[]), wanted, "{text}");
    }
}

#[test]
fn unsupported_options_are_errors_that_name_them() {
    for option in [
        "channel_binding=require",
        "service=prod",
        "servicefile=/x",
        "sslmod=require",
        "sslpassword=x",
        "ssl-mode=require",
        "keepalives=1",
        "require_auth=scram-sha-256",
        "krbsrvname=x",
        "load_balance_hosts=random",
        "sslcrl=/x",
        "target_session_attrs=writable",
        "sslmode=required",
        "connect_timeout=soon",
        "statement-cache-capacity=1",
        "sslrootcert=/not/there",
        "Host=x",
        "gssencmode=require",
        "client_encoding=LATIN1",
        "options[geqo]=off",
        "options=-e",
        "port=0",
        "port=70000",
        "tcp_user_timeout=1",
        "sslnegotiation=direct",
        "ssl_min_protocol_version=TLSv1.3",
    ] {
        let (name, _) = option.split_once('=').expect("a pair");
        for text in [format!("postgres://me@h/d?{option}"), format!("host=h {option}")] {
            let error = address(&text).expect_err(&text).to_string();
            assert!(error.contains(&format!("{name:?}")), "{text}: {error}");
        }
    }
    let service = |name: &str| (name == "PGSERVICE").then(|| "prod".to_owned());
    let error = Address::parse_with("postgres://", service).expect_err("not supported");
    assert!(error.to_string().contains("PGSERVICE"), "{error}");
}

#[test]
fn what_cannot_be_read_never_repeats_a_password() {
    for text in [
        "secret",
        "mysql://me:secret@h/d",
        "postgres://me:sec%zz@h/d",
        "postgres://me:pa@secret@h/d",
        "postgres://me:pa/secret@h/d",
        "postgres://me:pa/x?secret=1@h/d",
        "postgres://me@h:secret/d",
        "host=h password=my secret",
        "host=h password=my secret=1",
        "host=h password='secret",
        "password=secret service=x",
        "postgres://me:secret@h/d?service=x",
        "postgres://me@h/d?secret",
        "postgres://me@h,i,j:1,2/d?port=1,2",
        "=secret",
        "host=h port=secret",
    ] {
        let error = address(text).expect_err(text).to_string();
        assert!(!error.contains("secret"), "{text}: {error}");
    }
}

#[test]
fn encryption_follows_sslmode() {
    let modes = |text: &str| -> Vec<String> {
        let address = address(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        address.hosts[0].attempts.iter().map(|it| format!("{:?}", it.get_ssl_mode())).collect()
    };
    assert_eq!(modes("host=h"), ["Prefer", "Disable"]);
    assert_eq!(modes("host=h sslmode=allow"), ["Disable", "Require"]);
    assert_eq!(modes("host=h sslmode=disable"), ["Disable"]);
    assert_eq!(modes("host=h sslmode=require"), ["Require"]);
    assert_eq!(modes("host=h sslmode=require sslrootcert=/dev/null"), ["VerifyCa"]);
    assert_eq!(modes("host=h sslmode=verify-ca sslrootcert=/dev/null"), ["VerifyCa"]);
    assert_eq!(modes("host=h sslrootcert=system"), ["VerifyFull"]);
    assert_eq!(modes("host=/run/postgresql sslmode=verify-full"), ["Disable"]);
    assert_eq!(modes("postgres://h/d?ssl=true"), ["Require"]);
}

#[test]
fn startup_options_are_read_as_the_server_reads_them() {
    let text = "host=h options='-c geqo=off  --statement-timeout=5min -csearch_path=a\\\\ b'";
    let options = address(text).expect("it reads").hosts[0].attempts[0].clone();
    let wanted = "-c geqo=off -c statement_timeout=5min -c search_path=a\\ b";
    assert_eq!(options.get_options(), Some(wanted));
}

#[test]
fn connect_timeout_bounds_each_host_unless_it_is_zero() {
    let timeout = |text: &str| address(text).expect("it reads").connect_timeout;
    assert_eq!(timeout("host=h"), Some(CONNECT_TIMEOUT));
    assert_eq!(timeout("host=h connect_timeout=7"), Some(Duration::from_secs(7)));
    assert_eq!(timeout("host=h connect_timeout=0"), None);
}
