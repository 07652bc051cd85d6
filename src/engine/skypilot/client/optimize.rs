//! Where the server would run a task. `/optimize` gives no value: what it chose stands only in the table that its log
//! shows to people, so that table is read.

use super::{
    Choice, Client, Error,
    answer::Failed,
    http::{Again, Ask, Body, Within},
    text::plain,
};
use reqwest::Method;
use serde_json::json;

/// `POST /optimize`, then its log from `GET /api/stream`.
pub(super) async fn optimize(client: &Client, task: &str) -> Result<Vec<Choice>, Error> {
    let path = "/optimize";
    // `request_options` has no default there.
    let body = client.body(json!({"dag": task, "request_options": null}));
    let again = Again::Harmless;
    let ask = Ask { method: Method::POST, path, query: &[], body: Body::Json(&body), within: Within::All, again };
    let (id, _) = client.request(&ask).await?;
    let query = [("request_id", id.as_str()), ("format", "plain"), ("follow", "False")];
    let path = "/api/stream";
    let ask = Ask { method: Method::GET, path, query: &query, body: Body::None, within: Within::All, again };
    let log = client.text(&ask).await.map_err(|failed| match failed {
        Failed::Missing(why) => Error::Nonsense(format!("{path}: {why}")),
        failed => client.finally(path, failed),
    })?;
    match choices(&log) {
        none if none.is_empty() => Err(Error::Nonsense("/optimize shows no table of resources".into())),
        choices => Ok(choices),
    }
}

/// The rows of all tables of resources, those that were chosen first.
///
/// ```text
/// -----------------------------------------------------------------------
///  INFRA         INSTANCE   vCPUs   Mem(GB)   GPUS   COST ($)   CHOSEN
/// -----------------------------------------------------------------------
///  Slurm (lab)   -          1       1         -      0.00          ✔
/// -----------------------------------------------------------------------
/// ```
fn choices(log: &str) -> Vec<Choice> {
    let mut columns: Option<Vec<(String, usize)>> = None;
    let mut found: Vec<(bool, Choice)> = Vec::new();
    for line in log.lines() {
        let indent = line.chars().take_while(|c| *c == ' ').count();
        let line = " ".repeat(indent) + &plain(line);
        let header = header(&line);
        if header.is_some() {
            columns = header;
        } else if line.trim().is_empty() {
            columns = None;
        } else if let Some(columns) = &columns
            && line.starts_with(' ')
        {
            let cell = |name: &str| cell(&line, columns, name);
            let (Some(infra), Some(instance)) = (cell("INFRA"), cell("INSTANCE")) else { continue };
            let price = cell("COST ($)").and_then(|text| text.parse::<f64>().ok()).filter(|price| price.is_finite());
            let chosen = cell("CHOSEN").is_some_and(|mark| !mark.is_empty());
            found.push((chosen, Choice { infra, instance, price_an_hour: price }));
        }
    }
    found.sort_by_key(|(chosen, _)| !chosen);
    found.into_iter().map(|(_, choice)| choice).collect()
}

/// The columns of a table's first line, with the character each begins at.
fn header(line: &str) -> Option<Vec<(String, usize)>> {
    if !line.trim_start().starts_with("INFRA ") || !line.contains("INSTANCE") {
        return None;
    }
    let mut columns: Vec<(String, usize)> = Vec::new();
    let mut blanks = 2;
    for (at, c) in line.chars().enumerate() {
        if c == ' ' {
            blanks += 1;
            continue;
        }
        match columns.last_mut().filter(|_| blanks < 2) {
            Some((name, _)) => {
                name.push_str(if blanks == 1 { " " } else { "" });
                name.push(c);
            }
            None => columns.push((c.to_string(), at)),
        }
        blanks = 0;
    }
    Some(columns)
}

fn cell(line: &str, columns: &[(String, usize)], name: &str) -> Option<String> {
    let at = columns.iter().position(|(column, _)| column == name)?;
    let start = columns.get(at)?.1;
    let end = columns.get(at + 1).map_or(usize::MAX, |(_, start)| *start);
    let text: String = line.chars().skip(start).take(end.saturating_sub(start)).collect();
    Some(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let log = "Considered resources (2 nodes):\r\n\
---------------------------------------------------------------------------------------------\r\n\
\u{20}INFRA                  INSTANCE          vCPUs   Mem(GB)   GPUS     COST ($)   CHOSEN   \r\n\
---------------------------------------------------------------------------------------------\r\n\
\u{20}AWS (us-east-1)        p5.48xlarge[Spot] 192     2048      H100:8   98.32               \r\n\
\u{20}Kubernetes (research)                    4       16        H100:8   0.00       \u{1b}[32m   \u{2714}\u{1b}[0m     \r\n\
\u{20}GCP (x)                a3                208     1872      H100:8   unknown             \r\n\
---------------------------------------------------------------------------------------------\r\n\
\n Multiple AWS instances satisfy H100:8.\n";
        let shown: String =
            choices(log).iter().map(|c| format!("{}|{}|{:?}\n", c.infra, c.instance, c.price_an_hour)).collect();
        insta::assert_snapshot!(shown, @"
        Kubernetes (research)||Some(0.0)
        AWS (us-east-1)|p5.48xlarge[Spot]|Some(98.32)
        GCP (x)|a3|None
        ");
        assert_eq!(choices("nothing\n INFRA is a word\n"), []);
    }

    proptest::proptest! {
        #[test]
        fn any_log(lines in proptest::collection::vec("( INFRA  INSTANCE  .*| .*|-*)", 0..8)) {
            let _ = choices(&lines.join("\n"));
        }
    }
}
