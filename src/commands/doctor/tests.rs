use super::*;

fn facts(config: &str, endpoint: Option<Found>) -> Facts {
    Facts {
        config_file: "/home/ada/.config/skyslurm/config.toml".into(),
        config_exists: !config.is_empty(),
        config: Ok(toml::from_str(config).unwrap()),
        endpoint: Ok(endpoint),
        has_ssh: true,
    }
}

fn found() -> Found {
    Found {
        endpoint: Endpoint {
            url: "https://sky.example".into(),
            found: "/home/ada/.sky/config.yaml".into(),
            token: Some("sky_SECRET".into()),
            basic: None,
            cookies: None,
            user_id: "0123abcd".into(),
            user_name: "ada".into(),
            client_config: serde_json::Value::Null,
        },
        health: Ok(Health {
            status: "healthy".into(),
            api_version: 62,
            version: "0.14.1".into(),
            user: Some("ada@example".into()),
        }),
        enabled: Some(Ok(vec!["kubernetes/research".into(), "slurm/lab".into()])),
        nodes: BTreeMap::new(),
    }
}

fn shown(facts: &Facts) -> String {
    page(&report(facts))
}

#[test]
fn nothing_is_configured() {
    insta::assert_snapshot!(shown(&facts("", None)), @"
    ok       configuration: none (/home/ada/.config/skyslurm/config.toml does not exist)
    ok       SkyPilot: no endpoint is configured; jobs run on this machine
    ");
}

#[test]
fn all_is_well() {
    let config = "[[partition]]\nname = \"k\"\ninfra = \"k8s/research\"\n\
        [[partition]]\nname = \"gpu\"\ninfra = \"slurm/lab/gpu\"\n\
        [[partition]]\nname = \"p\"\npool = \"mine\"\n[[partition]]\nname = \"here\"\n";
    let node = |gpus, ready| InfraNode {
        cpus: 16,
        gpu_type: (gpus > 0).then(|| "H100".into()),
        gpus,
        gpus_free: gpus / 2,
        ready,
        ..InfraNode::default()
    };
    let refused = Error::Refused { kind: "ValueError".into(), message: "no permission\nto list nodes".into() };
    let nodes = [
        ("slurm/lab/gpu".to_owned(), Ok(vec![node(0, true), node(4, true), node(4, false)])),
        ("k8s/research".to_owned(), Err(refused)),
    ];
    let text = shown(&facts(config, Some(Found { nodes: nodes.into(), ..found() })));
    assert!(!text.contains("SECRET"));
    insta::assert_snapshot!(text, @"
    ok       configuration: /home/ada/.config/skyslurm/config.toml
    ok       partition k: SkyPilot, k8s/research
    ok       partition gpu: SkyPilot, slurm/lab/gpu
    ok       partition p: SkyPilot pool mine
    ok       partition here: this machine
    ok       endpoint: https://sky.example (from /home/ada/.sky/config.yaml)
    ok       credentials: the token of a service account
    ok       server: SkyPilot 0.14.1, API version 62 (skyslurm was written for 62)
    ok       user: ada@example (id 0123abcd)
    ok       enabled infra: kubernetes/research, slurm/lab
    warning  k8s/research: its nodes are not known: no permission
             to list nodes
             -> jobs may run all the same; sinfo cannot show the nodes
    ok       slurm/lab/gpu: 2 of 3 nodes ready, 48 CPUs, 8 H100 (4 free)
    ");
}

#[test]
fn infra_that_is_missing() {
    let config = "[[partition]]\nname = \"a\"\ninfra = \"aws/us-east-1\"\n\
        [[partition]]\nname = \"b\"\ninfra = [\"kubernetes/other\", \"kubernetes\"]\n";
    let nodes = [("kubernetes".to_owned(), Ok(Vec::new()))];
    insta::assert_snapshot!(shown(&facts(config, Some(Found { nodes: nodes.into(), ..found() }))), @"
    ok       configuration: /home/ada/.config/skyslurm/config.toml
    ok       partition a: SkyPilot, aws/us-east-1
    ok       partition b: SkyPilot, kubernetes/other, else kubernetes
    ok       endpoint: https://sky.example (from /home/ada/.sky/config.yaml)
    ok       credentials: the token of a service account
    ok       server: SkyPilot 0.14.1, API version 62 (skyslurm was written for 62)
    ok       user: ada@example (id 0123abcd)
    ok       enabled infra: kubernetes/research, slurm/lab
    error    partition a: aws/us-east-1 is not enabled
             -> run `sky check aws`, or choose another infra for the partition
    warning  partition b: kubernetes/other is not enabled
             -> run `sky check kubernetes`, or choose another infra for the partition
    warning  kubernetes: 0 of 0 nodes ready, 0 CPUs
             -> jobs wait there until a node is ready; see the infra's own tools (sinfo, kubectl)
    ");
    let none = Found { enabled: Some(Ok(Vec::new())), ..found() };
    let last = report(&facts(config, Some(none))).pop().unwrap();
    assert_eq!((last.mark, last.text.as_str()), (Mark::Error, "enabled infra: none"));
}

#[test]
fn servers_that_cannot_be_used() {
    let endpoint = "https://sky.example".to_owned();
    let mut text = String::new();
    for error in [
        Error::Unreachable { endpoint, why: "Connection refused".into() },
        Error::Login("Unauthorized".into()),
        Error::Version("the server is too old".into()),
        Error::Nonsense("/api/health".into()),
    ] {
        let findings = report(&facts("", Some(Found { health: Err(error), enabled: None, ..found() })));
        text.push_str(&page(findings.get(3..).unwrap()));
    }
    let needs = Health { status: "needs_auth".into(), user: None, ..found().health.unwrap() };
    let enabled = Some(Err(Error::Login("Unauthorized".into())));
    let findings = report(&facts("", Some(Found { health: Ok(needs), enabled, ..found() })));
    text.push_str(&page(findings.get(3..).unwrap()));
    insta::assert_snapshot!(text, @r#"
    error    server: the SkyPilot API server at https://sky.example cannot be reached: Connection refused
             -> start it with `sky api start`, or correct the endpoint
    error    server: the SkyPilot API server refuses the login: Unauthorized
             -> log in with `sky api login`, or set SKYPILOT_SERVICE_ACCOUNT_TOKEN
    error    server: the server is too old
             -> upgrade the older of the two
    error    server: the SkyPilot API server gave an answer that is not understood: /api/health
             -> see `sky api info` and the server's log
    ok       server: SkyPilot 0.14.1, API version 62 (skyslurm was written for 62)
    error    server: it says that it is "needs_auth"
             -> log in with `sky api login`, or set SKYPILOT_SERVICE_ACCOUNT_TOKEN
    ok       user: ada (id 0123abcd)
    error    enabled infra: the SkyPilot API server refuses the login: Unauthorized
             -> log in with `sky api login`, or set SKYPILOT_SERVICE_ACCOUNT_TOKEN
    "#);
}

#[test]
fn what_cannot_be_read() {
    let broken = Facts {
        config: Err("/c.toml: expected `=`\nat line 1".into()),
        endpoint: Err("SKYPILOT_SERVICE_ACCOUNT_TOKEN: the token of a service account starts with \"sky_\"".into()),
        ..facts("", None)
    };
    insta::assert_snapshot!(shown(&broken), @r#"
    error    configuration: /c.toml: expected `=`
             at line 1
             -> correct the file; docs/CONFIG.md has every key
    error    SkyPilot: SKYPILOT_SERVICE_ACCOUNT_TOKEN: the token of a service account starts with "sky_"
             -> correct it; nothing was sent to any server
    "#);
}

#[test]
fn kinds_of_credentials() {
    let bare = Endpoint { token: None, ..found().endpoint };
    assert_eq!(credentials(&bare), "none");
    let basic = Endpoint { basic: Some(("me".into(), "SECRET".into())), ..bare.clone() };
    assert_eq!(credentials(&basic), "user me and a password, in the address");
    assert_eq!(credentials(&Endpoint { cookies: Some("/c".into()), ..bare }), "cookies in /c");
}

#[test]
fn parts_of_infra() {
    for (offered, infra, is) in [
        ("slurm/lab", "slurm/lab/gpu", true),
        ("slurm/lab", "Slurm", true),
        ("slurm/lab", "slurm/*/gpu", true),
        ("slurm/lab", "slurm/la", false),
        ("kubernetes/c", "k8s/c", true),
        ("aws", "aws/us-east-1", true),
        ("aws", "awsx", false),
    ] {
        assert_eq!(covers(offered, infra), is, "{offered} {infra}");
    }
}

#[test]
fn without_ssh_there_is_no_way_to_a_node() {
    let facts = Facts { has_ssh: false, ..facts("", Some(found())) };
    let shown = shown(&facts);
    assert!(shown.contains("warning  ssh: not installed; ") && shown.contains("install OpenSSH's client"), "{shown}");
    assert!(!self::shown(&Facts { endpoint: Ok(None), ..facts }).contains("ssh"));
}
