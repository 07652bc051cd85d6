use super::*;
use std::path::Path;

const DATA: &str = "testdata/translate";

fn config() -> Config {
    Config::read(&Path::new(DATA).join("config.toml")).unwrap()
}

/// What is printed, or the refusal; the checkout is shown as a home directory.
fn printed(config: &Config, args: &[&str], env: &[(&str, &str)]) -> String {
    let args: Vec<OsString> = args.iter().map(OsString::from).collect();
    let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    let text = page(&args, &env, config, "/usr/local/bin/skyslurm").unwrap_or_else(|refusal| refusal.to_string() + "\n");
    let here = std::env::current_dir().unwrap().to_string_lossy().into_owned();
    text.replace(&here, "/home/ann/project")
}

/// Scripts, with the options they are translated with.
const SCRIPTS: &[(&str, &[&str])] = &[
    ("train.sh", &[]),
    ("array.sh", &["--partition=cloud"]),
    ("hetjob.sh", &[]),
    ("spot.sh", &["--nodes=2", "--nice"]),
    ("torchrun.sh", &[]),
    ("pool.sh", &[]),
    ("container.sh", &[]),
    ("mpi.sh", &[]),
    ("odd name.sh", &["--", "it's", "two\nlines", "$HOME"]),
    ("shared.sh", &[]),
    ("constraint.sh", &[]),
    ("feature.sh", &["--comment=a\nrun: evil"]),
    ("ray.sh", &[]),
    ("plain.sh", &["--mem=8G", "hello world"]),
    ("tcsh.csh", &[]),
    ("pbs.sh", &[]),
    ("licenses.sh", &[]),
    ("sqsh.sh", &[]),
    ("types.sh", &[]),
];

#[test]
fn scripts_as_people_write_them() {
    let config = config();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join(DATA));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (script, options) in SCRIPTS {
            let file = format!("{DATA}/{script}");
            let args: Vec<&str> = std::iter::once(file.as_str()).chain(options.iter().copied()).collect();
            let name = script.rsplit_once('.').map_or(*script, |(name, _)| name);
            insta::assert_snapshot!(name, printed(&config, &args, &[]));
        }
    });
}

#[test]
fn every_script_is_tried() {
    for entry in std::fs::read_dir(DATA).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_script = name.ends_with("sh");
        assert!(!is_script || SCRIPTS.iter().any(|(script, _)| *script == name), "{name}");
    }
}

#[test]
fn the_worked_example() {
    let text = printed(&config(), &[&format!("{DATA}/train.sh")], &[]);
    let (_, yaml) = text.split_once("\n\n").unwrap();
    insta::assert_snapshot!(yaml, @"");
}

#[test]
fn a_command_line_without_a_script() {
    let text = printed(&config(), &["-p", "spot", "--gpus=2", "--wrap", "python a.py 'x y'\n"], &[("SBATCH_TIMELIMIT", "90")]);
    insta::assert_snapshot!(text, @"");
}

#[test]
fn without_a_configuration() {
    let text = printed(&Config::default(), &[&format!("{DATA}/plain.sh")], &[]);
    insta::assert_snapshot!(text, @"");
}

#[test]
fn refusals_are_sbatch_s() {
    let local = Config { partition: vec![PartitionConfig { name: "here".into(), ..Default::default() }], ..config() };
    let mixed = Config { partition: local.partition.into_iter().chain(config().partition).collect(), ..config() };
    let script = format!("{DATA}/plain.sh");
    let texts: Vec<String> = [
        &["--mem=lots"][..],
        &["--nonsense"],
        &["-p", "nowhere"],
        &["-p", "here"],
        &["-p", "cloud", "-w", "node1"],
        &["-p", "cloud", "--gres=nvme:1"],
        &["-p", "warm", "--container-image=ubuntu"],
        &["-p", "cloud", "--gpus-per-node=9"],
        &["-p", "cloud", "--reboot"],
    ]
    .iter()
    .map(|options| printed(&mixed, &[&[script.as_str()], *options].concat(), &[]))
    .collect();
    insta::assert_snapshot!(texts.concat(), @"");
    assert_eq!(printed(&mixed, &["/no/such/script"], &[]), "sbatch: error: Unable to open file /no/such/script\n");
}
