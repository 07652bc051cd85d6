//! Input environment variables.

use super::{Arg, Command, Options, Refusal, Setting, Source, parse, table};

/// Reads the variables of every option that `options.command()` knows.
pub(super) fn read(options: &mut Options, env: &dyn Fn(&str) -> Option<String>) -> Result<(), Refusal> {
    let command = options.command();
    for row in table::rows(command) {
        for variable in row.used_by(command).map_or(&[][..], |u| u.env) {
            let Some(value) = env(variable) else { continue };
            let mut setting =
                Setting { row, value: None, source: Source::Environment, variable: Some(variable), on: true };
            match row.arg {
                Arg::None => match flag(command, &value) {
                    Some(on) => setting.on = on,
                    None => {
                        let name = command.name();
                        options.note(format!("{name}: error: Unrecognized {variable} value: {value}"));
                        continue;
                    }
                },
                // An empty variable is the option without its argument.
                Arg::Optional if value.is_empty() => {}
                Arg::Optional | Arg::Required => setting.value = Some(value),
            }
            parse::apply(options, setting)?;
        }
    }
    Ok(())
}

/// What a variable says of a flag. `None`: nothing that is understood.
///
/// sbatch, srun, salloc: set when empty, `yes` or a number that is not 0, else
/// taken back. scancel: `true` or `false`. The others look only whether it is there.
fn flag(command: Command, value: &str) -> Option<bool> {
    match command {
        Command::Scancel if value.eq_ignore_ascii_case("true") => Some(true),
        Command::Scancel if value.eq_ignore_ascii_case("false") => Some(false),
        Command::Scancel => None,
        c if c.allocates() => {
            Some(value.is_empty() || value.eq_ignore_ascii_case("yes") || value.parse::<i64>().is_ok_and(|n| n != 0))
        }
        _ => Some(true),
    }
}
