//! The example for Kubernetes: what it promises, and that the program starts with exactly its settings.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::docs::{file, yamls};
use crate::support::database;
use crate::support::program::Program;
use crate::support::serving::Serving;

const EXAMPLE: &str = "packaging/kubernetes/ipam-rewind.yaml";

/// The objects of the example by their kind.
fn objects() -> BTreeMap<String, Value> {
    let objects = yamls(&file(EXAMPLE)).into_iter();
    objects.map(|object| (object["kind"].as_str().expect("a kind").to_owned(), object)).collect()
}

fn words(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|word| word.as_str().expect("a word")).collect()
}

fn names(list: &Value) -> Vec<&str> {
    let names = list.as_array().expect("a list").iter();
    names.map(|item| item["name"].as_str().expect("a name")).collect()
}

#[test]
fn the_pod_may_do_nothing_but_write_to_its_volumes() {
    let objects = objects();
    assert_eq!(
        objects.keys().collect::<Vec<_>>(),
        ["Deployment", "PersistentVolumeClaim", "Service"]
    );
    let deployment = &objects["Deployment"]["spec"];
    assert_eq!(
        (&deployment["replicas"], &deployment["strategy"]["type"]),
        (&json!(1), &json!("Recreate"))
    );
    let pod = &deployment["template"]["spec"];
    let account = &pod["securityContext"];
    assert_eq!(account["runAsNonRoot"], true);
    let user = account["runAsUser"].as_u64().expect("an account");
    assert!(file("Dockerfile").contains(&format!("USER {user}\n")));
    assert!(account["fsGroup"].is_u64());
    assert_eq!(account["seccompProfile"]["type"], "RuntimeDefault");
    let container = &pod["containers"][0];
    assert_eq!(
        container["securityContext"],
        json!({ "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] } })
    );
    assert!(container["resources"]["limits"]["memory"].is_string());
    // Every volume that is mounted is there, and the other way round.
    assert_eq!(names(&container["volumeMounts"]), names(&pod["volumes"]));
    let claim = &objects["PersistentVolumeClaim"]["metadata"]["name"];
    assert_eq!(&pod["volumes"][0]["persistentVolumeClaim"]["claimName"], claim);
    // The Service finds the pods.
    let selector = &objects["Service"]["spec"]["selector"];
    assert_eq!(&deployment["selector"]["matchLabels"], selector);
    assert_eq!(&deployment["template"]["metadata"]["labels"], selector);
    let port = &container["ports"][0];
    assert_eq!(objects["Service"]["spec"]["ports"][0]["targetPort"], port["name"]);
    // Longer than the program takes to end.
    let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("seconds");
    assert!(grace >= 30 + 5, "{grace}");
}

#[tokio::test]
async fn the_program_starts_with_the_settings_of_the_example_and_answers_its_probes() {
    let database = database().await;
    let program = Program::on(&database);
    let objects = objects();
    let container = &objects["Deployment"]["spec"]["template"]["spec"]["containers"][0];
    let folders = ["data", "scratch"].map(|name| program.store().join(name));
    for (folder, mount) in folders.iter().zip(container["volumeMounts"].as_array().expect("mounts"))
    {
        assert!(
            folder.ends_with(mount["mountPath"].as_str().expect("a path").trim_start_matches('/'))
        );
        std::fs::create_dir(folder).expect("made");
    }
    let here = |word: &str| {
        let word = word.replace("0.0.0.0:8000", "0.0.0.0:0");
        let word = word.replace("/data", &folders[0].display().to_string());
        word.replace("/scratch", &folders[1].display().to_string())
    };
    let arguments: Vec<_> = words(&container["args"]).into_iter().map(here).collect();
    let mut command = program.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    for variable in container["env"].as_array().expect("variables") {
        match (variable["name"].as_str().expect("a name"), variable["value"].as_str()) {
            ("BACKUP_STORE", Some(value)) => command.env("BACKUP_STORE", here(value)),
            ("DATABASE_URL", None) => {
                assert!(variable["valueFrom"]["secretKeyRef"].is_object());
                &mut command
            }
            (name, value) => panic!("{name}={value:?} is not tried"),
        };
    }
    let serving = Serving::of(command);
    let token = std::fs::read_to_string(folders[0].join("state/first-token")).expect("written");
    assert!(!serving.log().contains(token.trim()));
    assert_eq!(container["ports"][0]["containerPort"], 8000);
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let probe = &container[probe]["httpGet"];
        assert_eq!(probe["port"], container["ports"][0]["name"]);
        // The kubelet asks by the address of the pod.
        let asked =
            serving.get(probe["path"].as_str().expect("a path")).header("host", "10.42.0.7:8000");
        assert_eq!(asked.send().await.expect("it answers").status(), 200, "{probe}");
    }
    let name = objects["Service"]["metadata"]["name"].as_str().expect("a name");
    let by_name = serving.get("/api/backups").header("host", name).bearer_auth(token.trim());
    assert_eq!(by_name.send().await.expect("it answers").status(), 200);
    // The page reads the token where the example puts it.
    let page = file("docs/kubernetes.md");
    assert!(page.contains("cat /data/state/first-token"));
    let secret = container["env"][1]["valueFrom"]["secretKeyRef"]["key"].as_str().expect("a key");
    assert!(page.contains(&format!("--from-literal={secret}=")));
}
