//! `--multi-prog`: a file that says what each task runs.

use crate::agent::step::Bytes;

/// The command of each of `tasks` tasks.
///
/// A line is a list of tasks (`0`, `1-2,7`, `*` for all that no other line names), a program and its arguments, in which `%t` is the
/// task and `%o` its place in the list. Quotes group, a backslash takes the next character as it is, `#` at the
/// start is a comment (srun(1), MULTIPLE PROGRAM CONFIGURATION).
///
/// # Errors
/// What srun says behind `srun: error: `.
pub(super) fn commands(file: &str, text: &str, tasks: u32) -> Result<Vec<Vec<Bytes>>, String> {
    let mut commands: Vec<Option<Vec<Bytes>>> = vec![None; tasks as usize];
    let mut rest: Option<Vec<String>> = None;
    for line in joined(text) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (list, command) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let command = words(command);
        if command.is_empty() {
            return Err(format!("Configuration file {file} invalid, no program for task id {list}"));
        }
        if list == "*" {
            rest.get_or_insert(command);
            continue;
        }
        let ids = ids(list, tasks).ok_or_else(|| format!("Configuration file {file} invalid, bad task id {list}"))?;
        for (offset, id) in ids.into_iter().enumerate() {
            if let Some(place) = commands.get_mut(id as usize) {
                if place.is_some() {
                    return Err(format!("Configuration file {file} invalid, duplicate record for task id {id}"));
                }
                *place = Some(fill(&command, id, offset));
            }
        }
    }
    let mut offset = 0;
    let mut all = Vec::with_capacity(commands.len());
    for (id, command) in (0..).zip(commands) {
        let command = match (command, &rest) {
            (Some(command), _) => command,
            (None, Some(rest)) => {
                offset += 1;
                fill(rest, id, offset - 1)
            }
            (None, None) => {
                return Err(format!("Configuration file {file} invalid, no record for task id {id}"));
            }
        };
        all.push(command);
    }
    Ok(all)
}

/// Lines, with those that end in a backslash joined to the next.
fn joined(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        let mut whole = open.take().unwrap_or_default();
        match line.strip_suffix('\\') {
            Some(begun) => {
                whole.push_str(begun);
                open = Some(whole);
            }
            None => {
                whole.push_str(line);
                lines.push(whole);
            }
        }
    }
    lines.extend(open);
    lines
}

/// The tasks of a list, in its order; those beyond the last task are left out. `None`: no list.
fn ids(list: &str, tasks: u32) -> Option<Vec<u32>> {
    let mut ids = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if first > last {
            return None;
        }
        ids.extend(first..last.saturating_add(1).min(tasks));
    }
    Some(ids)
}

fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = line.chars();
    while let Some(c) = letters.next() {
        match (quote, c) {
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(q), c) if q == c => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(letters.next()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

fn fill(command: &[String], id: u32, offset: usize) -> Vec<Bytes> {
    let (id, offset) = (id.to_string(), offset.to_string());
    command.iter().map(|word| Bytes(word.replace("%t", &id).replace("%o", &offset).into_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, tasks: u32) -> Result<Vec<String>, String> {
        let shown =
            |c: Vec<Bytes>| c.iter().map(|w| format!("<{}>", String::from_utf8_lossy(&w.0))).collect::<String>();
        Ok(commands("mp.conf", text, tasks)?.into_iter().map(shown).collect())
    }

    #[test]
    fn the_captures_file_is_read() {
        let text = "# comment\n0      echo zero task:%t offset:%o\n1-2    echo range task:%t offset:%o\n*      bash -c 'echo rest $SLURM_PROCID'\n";
        let expected = [
            "<echo><zero><task:0><offset:0>",
            "<echo><range><task:1><offset:0>",
            "<echo><range><task:2><offset:1>",
            "<bash><-c><echo rest $SLURM_PROCID>",
        ];
        assert_eq!(shown(text, 4).unwrap(), expected);
    }

    #[test]
    fn what_lacks_is_said() {
        let lacks = "Configuration file mp.conf invalid, no record for task id 1";
        assert_eq!(shown("0 echo a\n", 2), Err(lacks.into()));
        assert!(shown("x echo\n", 1).is_err() && shown("0\n", 1).is_err() && shown("2-1 a", 1).is_err());
        assert!(shown("0-4294967295 a\n", 2).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text: String, tasks in 0u32..5) {
            let _ = commands("f", &text, tasks);
        }
    }
}
