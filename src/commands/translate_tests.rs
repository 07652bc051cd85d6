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
    let text =
        page(&args, &env, config, "/usr/local/bin/skyslurm").unwrap_or_else(|refusal| refusal.to_string() + "\n");
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
fn the_page_of_the_mapping_names_what_there_is() {
    let page = include_str!("../../docs/MAPPING.md");
    let named = page.split('`').map(|word| word.trim_start_matches("testdata/translate/"));
    let snapshots: Vec<&str> = named.filter(|word| word.ends_with(".snap") && *word != "NAME.snap").collect();
    assert!(snapshots.len() > 10);
    for name in snapshots {
        assert!(Path::new(DATA).join(name).exists(), "{name}");
    }
}

#[test]
fn the_worked_example() {
    let text = printed(&config(), &[&format!("{DATA}/train.sh")], &[]);
    let (_, yaml) = text.split_once("\n\n").unwrap();
    insta::assert_snapshot!(yaml, @r#"
    name: train
    num_nodes: 2
    workdir: /home/ann/project
    resources:
      infra: kubernetes/research
      accelerators: H100:8
      cpus: 32+
      memory: 256+
      image_id: docker:nvcr.io/nvidia/pytorch:24.05-py3
      labels:
        slurm-job-name: train
    file_mounts:
      ~/.skyslurm/skyslurm: /usr/local/bin/skyslurm
    envs:
      SKYSLURM_MODULES: |-
        {
          "cuda/12.1": "export PATH=/usr/local/cuda-12.1/bin:$PATH"
        }
    run: |
      chmod +x ~/.skyslurm/skyslurm
      exec ~/.skyslurm/skyslurm agent run --time=7-00:00:00 testdata/translate/train.sh
    "#);
}

#[test]
fn a_command_line_without_a_script() {
    let text =
        printed(&config(), &["-p", "spot", "--gpus=2", "--wrap", "python a.py 'x y'\n"], &[("SBATCH_TIMELIMIT", "90")]);
    insta::assert_snapshot!(text, @r#"
    # sbatch -p spot --gpus=2 --wrap 'python a.py '\''x y'\''\n'
    #
    # --gpus=2                    command line      approximated: nodes are all alike: what cannot be shared out evenly is rounded up on each node
    # --partition=spot            command line      honoured
    # --time=90                   SBATCH_TIMELIMIT  honoured
    # --wrap=python a.py 'x y'\n  command line      honoured
    #
    # - partition spot is, best first: aws/us-east-1, gcp/us-central1
    # - --gpus=2: 2 on each of one node
    # - no GPU type is named: any will do here ("1GB+:2"); name one in its place (H100:2), or set gpu_type of the partition. sbatch asks the server what can be had
    # - the time limit 1:30:00 is kept by the agent; SkyPilot has none
    # - sbatch sends the environment along; a task that is launched by hand has only what --export sets

    name: wrap
    workdir: /home/ann/project
    resources:
      cpus: 1+
      use_spot: true
      labels:
        slurm-job-name: wrap
        team: vision
      ordered:
        - infra: aws/us-east-1
          accelerators: "1GB+:2"
        - infra: gcp/us-central1
          accelerators: "1GB+:2"
    file_mounts:
      ~/.skyslurm/skyslurm: /usr/local/bin/skyslurm
    envs:
      SKYSLURM_MODULES: |-
        {
          "cuda/12.1": "export PATH=/usr/local/cuda-12.1/bin:$PATH"
        }
    run: |
      chmod +x ~/.skyslurm/skyslurm
      cat > ~/.skyslurm/script <<'END_OF_SCRIPT'
      #!/bin/sh
      # This script was created by sbatch --wrap.

      python a.py 'x y'

      END_OF_SCRIPT
      exec ~/.skyslurm/skyslurm agent run --gpus=2 --time=90 --job-name=wrap --partition=spot ~/.skyslurm/script
    "#);
}

#[test]
fn without_a_configuration() {
    let text = printed(&Config::default(), &[&format!("{DATA}/plain.sh")], &[]);
    insta::assert_snapshot!(text, @"
    # sbatch testdata/translate/plain.sh
    #
    # --nodes=1  directive  honoured
    #
    # - partition local is on this machine: no infra is named, SkyPilot chooses one
    # - there is no time limit
    # - sbatch sends the environment along; a task that is launched by hand has only what --export sets

    name: plain.sh
    workdir: /home/ann/project
    resources:
      cpus: 1+
    file_mounts:
      ~/.skyslurm/skyslurm: /usr/local/bin/skyslurm
    run: |
      chmod +x ~/.skyslurm/skyslurm
      exec ~/.skyslurm/skyslurm agent run --partition=local testdata/translate/plain.sh
    ");
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
    insta::assert_snapshot!(texts.concat(), @r#"
    sbatch: error: Invalid --mem specification
    sbatch: unrecognized option '--nonsense'
    Try "sbatch --help" for more information
    sbatch: error: invalid partition specified: nowhere
    sbatch: error: Batch job submission failed: Invalid partition name specified
    sbatch: error: partition here is on this machine; name one that is on SkyPilot: --partition=gpu,spot,cloud,warm,lustre
    sbatch: error: --nodelist: nodes are made for the job and have no names before it starts; leave it out
    sbatch: error: --gres=nvme:1: of generic resources SkyPilot knows GPUs only; leave "nvme" out, or ask for it in the partition's resources
    sbatch: error: --container-image: the workers of pool workers have an image already; leave it out
    sbatch: error: 9 GPUs on one node, where the partition's nodes have at most 8 (gpus_per_node in its configuration); ask for more nodes
    sbatch: error: --reboot: nodes cannot be rebooted; leave the option out
    "#);
    assert_eq!(printed(&mixed, &["/no/such/script"], &[]), "sbatch: error: Unable to open file /no/such/script\n");
}
