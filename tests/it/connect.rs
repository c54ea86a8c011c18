//! How the database is named: URLs, keywords, variables, files, on a real PostgreSQL.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use crate::support::program::{Ended, Program};
use crate::support::{TestDatabase, database, postgres};

const USER: &str = ipam_rewind::embedded::PLAN_OWNER;

async fn name_of(database: &TestDatabase) -> String {
    database.value("SELECT current_database()").await
}

/// A backup of the database that is named so, by the variable.
fn backup(program: &Program, address: &str, variables: &[(&str, &str)]) -> Ended {
    let mut command = program.command(&["backup"]);
    command.env("DATABASE_URL", address).envs(variables.iter().copied());
    command.output().expect("it runs").into()
}

#[tokio::test]
async fn every_form_of_address_reaches_the_same_database() {
    let database = database().await;
    let name = name_of(&database).await;
    let folder = postgres().socket_dir().display().to_string();
    let encoded = folder.replace('/', "%2F");
    let program = Program::at(None);
    let user = USER;
    let forms = [
        format!("postgres://{user}@{encoded}/{name}"),
        format!("postgresql://{user}@{encoded}:5432/{name}?sslmode=prefer&application_name=x"),
        format!("postgres:///{name}?host={folder}&user={user}&channel_binding=prefer"),
        format!("host={folder} dbname={name} user={user} connect_timeout=10"),
        format!("host='{folder}' dbname='{name}' user='{user}' options='-c geqo=off'"),
        // The first host is not there.
        format!("host=/nowhere,{folder} dbname={name} user={user}"),
        format!(
            "postgres://{user}@127.0.0.1:1,{encoded}:5432/{name}?target_session_attrs=read-write"
        ),
        format!("host={folder} dbname={name} user={user} target_session_attrs=primary"),
        format!("host={folder} dbname={name} user={user} target_session_attrs=prefer-standby"),
    ];
    for form in &forms {
        let ended = backup(&program, form, &[]);
        assert_eq!(ended.code, 0, "{form}: {}", ended.err);
    }
    let variables =
        [("PGHOST", folder.as_str()), ("PGDATABASE", &name), ("PGUSER", USER), ("PGPORT", "5432")];
    let ended = backup(&program, "postgres://", &variables);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(program.ids().len(), forms.len() + 1);
}

#[tokio::test]
async fn unsupported_options_end_with_code_2_however_the_address_is_given() {
    let program = Program::at(None);
    let file = program.store().join("address");
    for option in ["channel_binding=require", "service=prod", "sslmodus=require"] {
        let address = format!("postgres://me:secret@localhost/plan?{option}");
        let (name, _) = option.split_once('=').expect("a pair");
        std::fs::write(&file, format!("{address}\n")).expect("written");
        let file = file.to_str().expect("plain text");
        let by_variable = backup(&program, &address, &[]);
        let by_option = program.run(&["backup", "--database-url", &address]);
        let by_file = program.run(&["backup", "--database-url-file", file]);
        for ended in [by_variable, by_option, by_file] {
            assert_eq!(ended.code, 2, "{}", ended.err);
            assert!(ended.err.contains(&format!("{name:?}")), "{}", ended.err);
            assert!(!ended.err.contains("secret"), "{}", ended.err);
        }
    }
    let ended = backup(&program, "postgres://localhost/plan", &[("PGSERVICE", "prod")]);
    assert!(ended.code == 2 && ended.err.contains("PGSERVICE"), "{}", ended.err);
}

#[tokio::test]
async fn server_that_is_not_what_is_asked_for_is_refused() {
    let database = database().await;
    let name = name_of(&database).await;
    let folder = postgres().socket_dir().display().to_string();
    let program = Program::at(None);
    for target in ["standby", "read-only"] {
        let address =
            format!("host={folder} dbname={name} user={USER} target_session_attrs={target}");
        let ended = backup(&program, &address, &[]);
        assert_eq!(ended.code, 5, "{}", ended.err);
        assert!(ended.err.contains("target_session_attrs"), "{}", ended.err);
    }
}

#[test]
fn server_that_does_not_answer_is_left_after_connect_timeout() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let program = Program::at(None);
    let since = Instant::now();
    let address = format!("postgres://me:secret@127.0.0.1:{port}/plan?connect_timeout=1");
    let ended = backup(&program, &address, &[]);
    assert_eq!(ended.code, 5, "{}", ended.err);
    assert!(ended.err.contains("127.0.0.1 in 1 s"), "{}", ended.err);
    assert!(!ended.err.contains("secret"), "{}", ended.err);
    assert!(since.elapsed().as_secs() < 30);
}

/// What a client sends to a server that asks for a password in the clear.
fn password_sent(program: &Program, form: impl Fn(u16) -> String, passfile: &str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let serving = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut startup = [0; 4];
        client.read_exact(&mut startup).expect("its length");
        let length = u32::from_be_bytes(startup) as usize;
        let mut rest = vec![0; length - 4];
        client.read_exact(&mut rest).expect("its parameters");
        // AuthenticationCleartextPassword.
        std::io::Write::write_all(&mut client, b"R\0\0\0\x08\0\0\0\x03").expect("sent");
        let mut head = [0; 5];
        client.read_exact(&mut head).expect("the answer");
        let mut password =
            vec![0; u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize - 4];
        client.read_exact(&mut password).expect("the password");
        String::from_utf8_lossy(&password).trim_end_matches('\0').to_owned()
    });
    let ended = backup(program, &form(port), &[("PGPASSFILE", passfile)]);
    assert_eq!(ended.code, 5, "{}", ended.err);
    assert!(!ended.err.contains("secret"), "{}", ended.err);
    serving.join().expect("it serves")
}

#[test]
fn password_comes_from_the_address_or_else_from_the_file() {
    let program = Program::at(None);
    let file = program.store().join("passfile");
    std::fs::write(&file, "127.0.0.1:*:plan:me:secret of\\: the file\n").expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("closed");
    let path = file.to_str().expect("plain text");
    let form = |port| format!("postgres://me:sec%72et@127.0.0.1:{port}/plan?sslmode=disable");
    assert_eq!(password_sent(&program, form, path), "secret");
    let form = |port| format!("host=127.0.0.1 port={port} user=me dbname=plan sslmode=disable");
    assert_eq!(password_sent(&program, form, path), "secret of: the file");
    let form = |port| {
        format!("host=127.0.0.1 port={port} user=me dbname=plan sslmode=disable passfile={path}")
    };
    assert_eq!(password_sent(&program, form, "/nowhere"), "secret of: the file");
}
