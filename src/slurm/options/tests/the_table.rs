//! What must be true of every row.

use std::collections::HashSet;

use super::*;

#[test]
fn names_letters_and_variables_are_unique() {
    for command in Command::ALL {
        let mut names = HashSet::new();
        for (name, _) in table::names(command) {
            assert!(names.insert(name), "{} --{name}", command.name());
            assert!(!name.is_empty() && !name.contains(['=', ' ']));
        }
        let mut letters = HashSet::new();
        let mut variables = HashSet::new();
        for row in table::rows(command) {
            if let Some(letter) = row.short {
                assert!(letter.is_ascii_alphabetic());
                assert!(letters.insert(letter), "{} -{letter}", command.name());
            }
            for variable in row.used_by(command).map_or(&[][..], |u| u.env) {
                assert!(variables.insert(*variable), "{} {variable}", command.name());
            }
        }
    }
}

#[test]
fn rows_are_complete() {
    for command in Command::ALL {
        for row in table::rows(command) {
            let what = format!("{} {}", command.name(), row.display_name());
            assert!(!row.help.is_empty(), "{what}");
            assert!(!row.help.ends_with('.'), "{what}");
            assert_eq!(row.arg == Arg::None, row.metavar.is_empty(), "{what}");
            let class = row.used_by(command).map(|u| u.class);
            let text = match class {
                Some(Class::Approximated(t) | Class::Inert(t) | Class::Refused(t)) => t,
                Some(Class::Honoured) => "-",
                None => "",
            };
            assert!(!text.is_empty() && !text.ends_with('.'), "{what}");
        }
    }
}

#[test]
fn every_alias_means_an_option() {
    for command in Command::ALL {
        for (name, row) in table::names(command) {
            assert!(row.alias_of.is_none(), "{name}");
        }
    }
}

#[test]
fn every_full_name_is_itself_whatever_it_begins_like() {
    for command in Command::ALL {
        for (name, row) in table::names(command) {
            let refused = matches!(row.used_by(command).map(|u| u.class), Some(Class::Refused(_)));
            let arg = match row.arg {
                Arg::Required => format!("--{name}=1"),
                _ => format!("--{name}"),
            };
            match options(command, &[&arg]) {
                Ok(parsed) => assert!(parsed.options.is_set(row.name), "{arg}"),
                Err(refusal) => {
                    let text = refusal.to_string();
                    assert!(!text.contains("--help\" for more"), "{text}");
                    assert!(refused || !matches!(row.kind, Kind::Text | Kind::Path), "{text}");
                }
            }
        }
    }
}

/// Every option that sbatch honours can be said as a directive, a variable and on the command line.
#[test]
fn every_honoured_option_of_sbatch_can_be_said_in_each_way() {
    let example = |row: &Row| match row.kind {
        Kind::Begin => "now+1hour",
        Kind::Choice(choices) => choices.first().copied().unwrap_or("2"),
        Kind::Distribution => "cyclic",
        Kind::Exclusive => "user",
        Kind::GetUserEnv => "10L",
        Kind::MailType => "END",
        Kind::OpenMode => "append",
        Kind::Propagate => "STACK",
        Kind::Signal => "B:USR1@60",
        Kind::TresPerTask => "cpu=2",
        Kind::ZeroOrOne => "1",
        Kind::GpuBind => "closest",
        _ => "2",
    };
    for row in table::rows(Command::Sbatch) {
        let Some(Use { class: Class::Honoured, env }) = row.used_by(Command::Sbatch) else {
            continue;
        };
        if ["help", "usage", "version"].contains(&row.name) {
            continue;
        }
        let value = (row.arg != Arg::None).then(|| example(row));
        let arg = match value {
            Some(value) => format!("--{}={value}", row.name),
            None => format!("--{}", row.name),
        };
        let parsed = batch("", &[&arg], &[]);
        assert_eq!(got(&parsed, row.name), value.unwrap_or("(unset)"), "{arg}");
        assert!(parsed.is_ok_and(|p| p.options.source(row.name) == Some(Source::CommandLine)));
        for variable in env {
            let parsed = batch("", &[], &[(variable, value.unwrap_or("1"))]);
            let source = parsed.map(|p| p.options.source(row.name));
            assert_eq!(source, Ok(Some(Source::Environment)), "{variable}");
        }
        let parsed = batch(&format!("#SBATCH {arg}"), &[], &[]);
        let heard = !["quiet", "verbose", "ignore-pbs", "wrap"].contains(&row.name);
        assert_eq!(parsed.map(|p| p.options.is_set(row.name)), Ok(heard), "{arg}");
    }
}

#[test]
fn help_fits_80_columns_and_lists_nothing_refused() {
    for command in Command::ALL {
        for text in [help(command), usage(command)] {
            assert!(text.lines().all(|l| l.len() <= 80), "{text}");
        }
    }
    assert!(!help(Command::Sbatch).contains("--reboot"));
    assert!(help(Command::Sbatch).contains("  -t, --time=minutes          time limit\n"));
}
