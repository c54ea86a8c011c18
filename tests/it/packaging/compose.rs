//! docker-compose.yml and the Dockerfile: what they promise, and that the program starts with exactly
//! their settings.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::docs::{block, file, yaml};
use crate::support::program::Program;
use crate::support::serving::Serving;
use crate::support::{database, http_client};

const PROGRAM: &str = env!("CARGO_BIN_EXE_ipam-rewind");

/// The words of a list.
fn words(list: &Value) -> Vec<String> {
    let words = list.as_array().unwrap_or_else(|| panic!("a list, not {list}")).iter();
    words.map(|word| word.as_str().expect("a word").to_owned()).collect()
}

/// Whether the name of an image has a version and a digest.
fn is_pinned(image: &str) -> bool {
    let (name, digest) = image.split_once("@sha256:").unwrap_or_default();
    let is_digest = digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit());
    name.contains(':') && is_digest
}

#[test]
fn the_compose_file_keeps_its_promises() {
    let compose = yaml(&file("docker-compose.yml"));
    let service = &compose["services"]["ipam-rewind"];
    assert_eq!(service["user"], "10001");
    assert_eq!(service["read_only"], true);
    assert_eq!(service["cap_drop"], json!(["ALL"]));
    assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]));
    assert!(words(&service["volumes"]).contains(&"backups:/app/backups".to_owned()));
    assert_eq!(service["healthcheck"]["test"], json!(["CMD", "ipam-rewind", "health"]));
    let ports = words(&service["ports"]);
    assert!(ports.iter().all(|port| port.starts_with("127.0.0.1:")), "{ports:?}");
    let waits_for = &service["depends_on"];
    assert_eq!(waits_for["database"]["condition"], "service_healthy");
    for service in ["database", "ipam-rewind"] {
        for limit in ["mem_limit", "cpus", "pids_limit"] {
            assert!(!compose["services"][service][limit].is_null(), "{service}: {limit}");
        }
    }
    // The password must be chosen: there is no default.
    let text = file("docker-compose.yml");
    assert_eq!(text.matches("${POSTGRES_PASSWORD:?").count(), text.matches("${POSTGRES").count());
    assert!(!text.contains(":-"), "no variable has a default");

    let database = &compose["services"]["database"];
    let image = database["image"].as_str().expect("a name");
    assert!(image.starts_with("postgres:15.") && is_pinned(image), "{image}");
    assert!(database.get("ports").is_none(), "nobody outside needs the database");
    // Every volume that is used is declared, and the other way round.
    let mut used: Vec<_> = compose["services"]
        .as_object()
        .expect("services")
        .values()
        .flat_map(|service| words(&service["volumes"]))
        .filter(|volume| !volume.starts_with("./"))
        .map(|volume| volume.split(':').next().expect("a name").to_owned())
        .collect();
    used.sort();
    used.dedup();
    let mut declared: Vec<_> =
        compose["volumes"].as_object().expect("volumes").keys().cloned().collect();
    declared.sort();
    assert_eq!(used, declared);
}

#[test]
fn the_image_runs_as_nobody_in_particular_and_holds_no_setting_of_a_build_machine() {
    let dockerfile = file("Dockerfile");
    let last = dockerfile.rsplit("\nFROM ").next().expect("a stage");
    let line = |start: &str| last.lines().find(|line| line.trim_start().starts_with(start));
    assert_eq!(line("USER"), Some("USER 10001"));
    assert_eq!(line("VOLUME"), Some("VOLUME /app/backups"));
    assert_eq!(line("CMD [\"serve\""), Some(r#"CMD ["serve", "--listen", "0.0.0.0:8000"]"#));
    assert!(last.contains("HEALTHCHECK") && last.contains(r#"CMD ["ipam-rewind", "health"]"#));
    for word in ["proxy", "registry", "http://", "https://", "token", "password"] {
        assert!(!dockerfile.to_lowercase().contains(word), "{word}");
    }
    // The page that the program embeds is copied to where it looks for it.
    assert!(file("src/api/page.rs").contains("#[folder = \"frontend/dist\"]"));
    assert!(dockerfile.contains("COPY --from=page /src/frontend/dist frontend/dist"));
    for from in dockerfile.lines().filter_map(|line| line.strip_prefix("FROM ")) {
        assert!(is_pinned(from.split(' ').next().expect("a name")), "{from}");
    }
    let toolchain = format!("rust:{}.", rust_version());
    assert!(dockerfile.contains(&toolchain), "the image builds with {toolchain}");
}

/// The folders beside `src` with files that the program includes.
fn included_folders(folder: &std::path::Path, found: &mut std::collections::BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"))
    {
        let path = entry.path();
        if path.is_dir() {
            included_folders(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("readable");
            let program = text.split("#[cfg(test)]").next().unwrap_or_default();
            let files = program.split("include_str!(\"").skip(1);
            let files = files.filter_map(|rest| rest.split('"').next());
            // A path that climbs out of src names a folder of the repository.
            let outside = files
                .filter_map(|file| file.rsplit("../").next().filter(|_| file.starts_with("../")));
            found.extend(outside.filter_map(|file| Some(file.split_once('/')?.0.to_owned())));
        }
    }
}

#[test]
fn the_image_is_built_of_all_that_the_program_includes() {
    let mut folders = std::collections::BTreeSet::new();
    included_folders(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut folders);
    assert!(folders.contains("migrations"), "{folders:?}");
    let (dockerfile, ignored) = (file("Dockerfile"), file(".dockerignore"));
    for folder in folders {
        assert!(dockerfile.contains(&format!("COPY {folder} {folder}\n")), "{folder}: Dockerfile");
        assert!(ignored.contains(&format!("\n!{folder}\n")), "{folder}: .dockerignore");
    }
}

/// The version that Cargo.toml asks for.
fn rust_version() -> String {
    let manifest = file("Cargo.toml");
    let line = manifest.lines().find(|line| line.starts_with("rust-version")).expect("stated");
    line.split('"').nth(1).expect("quoted").to_owned()
}

#[tokio::test]
async fn the_program_starts_with_the_settings_of_the_compose_file() {
    let database = database().await;
    let program = Program::at(None);
    let compose = yaml(&file("docker-compose.yml"));
    let service = &compose["services"]["ipam-rewind"];

    // As the container has it, but for where things are on this machine.
    let environment = |command: &mut Command| {
        for (name, value) in service["environment"].as_object().expect("variables") {
            let value = match (name.as_str(), value.as_str().expect("text")) {
                ("DATABASE_URL", url) => {
                    assert!(
                        url.starts_with("postgres://prefix_user:${POSTGRES_PASSWORD:?"),
                        "{url}"
                    );
                    assert!(url.ends_with("}@database/prefix_management"), "{url}");
                    database.url.clone()
                }
                ("BACKUP_STORE", "/app/backups") => program.store().display().to_string(),
                (name, value) => panic!("{name}={value} is not tried"),
            };
            command.env(name, value);
        }
    };
    let first = program.store().join("service/first-token");
    let scratch = tempfile::tempdir().expect("a folder");
    let here = |word: String| {
        let word = word.replace("0.0.0.0:8000", "0.0.0.0:0");
        let word = word.replace("/app/backups", &program.store().display().to_string());
        word.replace("/scratch", &scratch.path().display().to_string())
    };
    let arguments: Vec<_> = words(&service["command"]).into_iter().map(here).collect();
    let serve = || {
        let mut command = Command::new(PROGRAM);
        command.args(&arguments).env_clear().stdin(Stdio::null());
        environment(&mut command);
        command
    };
    let serving = Serving::of(serve());
    let bearer = std::fs::read_to_string(&first).expect("the first token");
    let bearer = bearer.trim();
    assert!(!serving.log().contains(bearer));
    let url = format!("http://127.0.0.1:{}", serving.address.port());
    let client = http_client();
    let status = async |with: Option<&str>| {
        let call = client.post(format!("{url}/api/backup"));
        let call = match with {
            Some(token) => call.bearer_auth(token),
            None => call,
        };
        call.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!((status(None).await, status(Some(bearer)).await), (401, 200));

    let check = words(&service["healthcheck"]["test"]);
    assert_eq!(check[..2], ["CMD", "ipam-rewind"]);
    let health = || program.run(&[check[2].as_str()]);
    let well = health();
    assert_eq!(well.code, 0, "{}{}", well.out, well.err);
    assert!(well.out.contains("ok  database"), "{}", well.out);
    drop(serving);
    let gone = health();
    assert_eq!(gone.code, 1);
    assert!(gone.err.contains("nothing answers"), "{}", gone.err);
}

#[test]
fn the_page_on_integration_shows_settings_that_exist() {
    let compose = yaml(&block("yaml"));
    let service = &compose["services"]["ipam-rewind"];
    let example = yaml(&file("docker-compose.yml"));
    for key in ["read_only", "cap_drop", "security_opt", "stop_grace_period"] {
        assert_eq!(service[key], example["services"]["ipam-rewind"][key], "{key}");
    }
    let help = Program::at(None).ok(&["serve", "--help"]);
    for word in words(&service["command"]).iter().filter(|word| word.starts_with("--")) {
        assert!(help.contains(word.as_str()), "{word}");
    }
}
