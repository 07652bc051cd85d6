//! `scontrol create`, `update` and `delete` of reservations, and showing them.

use super::{Words, keyword};
use crate::{
    commands::ask::{AskError, Said},
    controller::{
        api::{Call, Cluster, Reply},
        client::Client,
    },
    report::{clock::Clock, show},
    slurm::{
        errno::Errno,
        reservation::{self, Asked},
    },
};

/// What stands behind a refusal for want of nodes.
const NOTE: [&str; 2] = [
    "Note, unless nodes are directly requested a reservation must exist in a single partition.",
    "If no partition is requested the default partition is assumed.",
];

/// Whether a word of `update` names a reservation.
pub fn is_named(word: &str) -> bool {
    let key = word.split('=').next().unwrap_or_default();
    keyword::is(key, "reservationname", 3)
}

fn read(words: &[String], not_done: &str) -> Result<Asked, Said> {
    let wrong = |words: String| Said::error(format!("scontrol: error: {words}  {not_done}"));
    reservation::parse(words, &crate::host::clock::local()).map_err(wrong)
}

/// `create reservation ...`
pub fn create(words: &Words) -> Result<Said, AskError> {
    let not_done = "No reservation created.";
    let args = match words.args {
        [] => return Ok(Said::error(format!("too few arguments for {} keyword", words.keyword))),
        [first, rest @ ..] if keyword::is(first, "reservation", 3) => rest,
        all if all.iter().any(|word| is_named(word)) => all,
        [first, ..] if keyword::is(first.split('=').next().unwrap_or_default(), "partitionname", 3) => {
            return Ok(Said::error(
                "scontrol: error: create is not supported: partitions are made in the configuration file",
            ));
        }
        [first, ..] => return Ok(Said::error(format!("scontrol: error: Invalid creation entity: {first}"))),
    };
    let asked = match read(args, not_done) {
        Ok(asked) => asked,
        Err(said) => return Ok(said),
    };
    if let Err(lacks) = reservation::is_complete(&asked) {
        return Ok(Said::error(format!("scontrol: error: {lacks}  {not_done}")));
    }
    match Client::connect()?.ask(&Call::Reserve(Box::new(asked)))? {
        Reply::Reserved(name) => Ok(Said::out(format!("Reservation created: {name}\n"))),
        Reply::Refused { errno, .. } => {
            let mut said = Said::error(format!("Error creating the reservation: {errno}"));
            if errno == Errno::NodesBusy {
                said.err.extend(NOTE.map(str::to_owned));
            }
            Ok(said)
        }
        _ => Err(AskError::Other),
    }
}

/// `update ReservationName=...`
pub fn update(words: &Words) -> Result<Said, AskError> {
    let asked = match read(words.args, "No reservation update.") {
        Ok(asked) => asked,
        Err(mut said) => {
            said.err.push("slurm_update error: No error".to_owned());
            return Ok(said);
        }
    };
    match Client::connect()?.ask(&Call::ChangeReservation(Box::new(asked)))? {
        Reply::Done(_) => Ok(Said::out("Reservation updated.\n".into())),
        Reply::Refused { errno, .. } => {
            let err = vec![format!("Error updating the reservation: {errno}"), format!("slurm_update error: {errno}")];
            Ok(Said { err, exit: 1, ..Said::default() })
        }
        _ => Err(AskError::Other),
    }
}

/// `delete ReservationName=...`
pub fn delete(words: &Words) -> Result<Said, AskError> {
    let (shown, name) = match words.args {
        [] => return Ok(Said::error(format!("too few arguments for {} keyword", words.keyword))),
        [word] if is_named(word) => (word.clone(), word.split_once('=').map_or("", |(_, name)| name)),
        [entity, name] if keyword::is(entity, "reservation", 3) => (entity.clone(), name.as_str()),
        _ => {
            return Ok(Said::error(
                "scontrol: error: delete is not supported: partitions are made in the configuration file",
            ));
        }
    };
    match Client::connect()?.ask(&Call::DeleteReservation(name.to_owned()))? {
        Reply::Done(_) => Ok(Said::default()),
        Reply::Refused { errno, .. } => Ok(Said::error(format!("delete_reservation {shown}: {errno}"))),
        _ => Err(AskError::Other),
    }
}

/// `show reservation [NAME]`
pub fn show(cluster: &Cluster, clock: &Clock, style: show::Style, name: Option<&str>) -> Said {
    let mut out = String::new();
    for found in cluster.reservations.iter().filter(|r| name.is_none_or(|name| name == r.name)) {
        show::reservation(found, clock, style, &mut out);
    }
    match name {
        _ if !out.is_empty() => Said::out(out),
        Some(name) => Said { exit: 1, ..Said::out(format!("Reservation {name} not found\n")) },
        None => Said::out("No reservations in the system\n".into()),
    }
}
