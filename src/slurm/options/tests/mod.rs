//! What the recorded captures say, and what must be true of the table.

mod getopt;
mod query_variables;
mod scripts;
mod the_table;
mod values;

use std::ffi::OsString;

use proptest::prelude::*;

use super::*;

fn words(text: &[&str]) -> Vec<OsString> {
    text.iter().map(OsString::from).collect()
}

fn nothing(_: &str) -> Option<String> {
    None
}

fn options(command: Command, text: &[&str]) -> Result<Parsed, Refusal> {
    parse(command, &words(text), &nothing)
}

/// stderr and exit code of a refused command line.
fn refusal(command: Command, text: &[&str]) -> (String, u8) {
    match options(command, text) {
        Ok(parsed) => (format!("accepted: {parsed:?}"), 0),
        Err(refusal) => (refusal.to_string(), refusal.exit),
    }
}

/// sbatch of a script with these lines below `#!/bin/bash`.
fn batch(lines: &str, args: &[&str], env: &[(&str, &str)]) -> Result<Parsed, Refusal> {
    let script = Script { bytes: format!("#!/bin/bash\n{lines}\necho\n").into_bytes(), name: "d.sh".to_owned() };
    let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    parse_batch(&words(args), &env, &mut |_, _| Ok(Some(script.clone()))).map(|(p, _)| p)
}

fn batch_refusal(lines: &str) -> (String, u8) {
    match batch(lines, &[], &[]) {
        Ok(parsed) => (format!("accepted: {parsed:?}"), 0),
        Err(refusal) => (refusal.to_string(), refusal.exit),
    }
}

fn got(parsed: &Result<Parsed, Refusal>, name: &str) -> String {
    match parsed {
        Ok(parsed) => parsed.options.get(name).unwrap_or("(unset)").to_owned(),
        Err(refusal) => refusal.to_string(),
    }
}

fn any_command() -> impl Strategy<Value = Command> {
    prop::sample::select(Command::ALL.to_vec())
}

proptest! {
    #[test]
    fn no_arguments_panic(command in any_command(), args in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..6)) {
        use std::os::unix::ffi::OsStringExt;
        let args: Vec<OsString> = args.into_iter().map(OsString::from_vec).collect();
        let _ = parse(command, &args, &nothing);
    }

    #[test]
    fn no_value_panics(command in any_command(), pick in any::<prop::sample::Index>(), value in "\\PC{0,12}", letter in any::<bool>()) {
        let rows: Vec<&Row> = table::rows(command).collect();
        let row = rows[pick.index(rows.len())];
        let arg = match row.short {
            Some(c) if letter => format!("-{c}{value}"),
            _ => format!("--{}={value}", row.name),
        };
        let _ = parse(command, &[OsString::from(&arg)], &nothing);
        let _ = parse(command, &[], &|_| Some(value.clone()));
    }

    #[test]
    fn no_script_panics(script in prop::collection::vec(any::<u8>(), 0..200), text in "(#SBATCH|#PBS|#BSUB)[ -~\\n]{0,80}") {
        for bytes in [script, text.into_bytes()] {
            let mut read = |_: &Options, _: &[OsString]| Ok(Some(Script { bytes: bytes.clone(), name: "x".into() }));
            let _ = parse_batch(&[], &nothing, &mut read);
            let _ = crate::slurm::directives::check_script(&bytes);
        }
    }
}
