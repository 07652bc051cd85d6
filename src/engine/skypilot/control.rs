//! Reaching the agent of a running job.
//!
//! A task with nothing but a work directory is executed on the job's cluster (`/exec`): the server copies the directory
//! there, which takes no CPU of the cluster's and never makes one (seen: 1.7 s; `/launch` would bring files too, but
//! makes the cluster anew if it is just gone). The agent looks for what has arrived.

use super::{client::Client, upload, vehicle::Vehicle};
use crate::agent::{
    Meeting,
    remote::{MEETING, inbox},
    wire::Control,
};
use serde::Serialize;
use std::{io, path::Path};

/// Sends `control` as the `serial`th to the agent of what `vehicle` carries, with `rank` of those that share its name.
///
/// # Errors
/// Why it did not get there, in words.
pub async fn send(
    client: &Client,
    spool: &Path,
    to: (&Vehicle, u32),
    serial: u64,
    control: &Control,
) -> Result<(), String> {
    bring(client, spool, to, &serial.to_string(), control).await
}

/// Tells the nodes of a further component where the first one waits for them.
///
/// # Errors
/// Why it did not get there, in words.
pub async fn invite(client: &Client, spool: &Path, vehicle: &Vehicle, meeting: &Meeting) -> Result<(), String> {
    bring(client, spool, (vehicle, 0), MEETING, meeting).await
}

async fn bring(
    client: &Client,
    spool: &Path,
    (vehicle, rank): (&Vehicle, u32),
    file: &str,
    content: &impl Serialize,
) -> Result<(), String> {
    let name = vehicle.name.as_str();
    let zip = spool.join(format!("control-{name}-{rank}-{file}.zip"));
    let file = format!("{}/{file}", inbox(name, rank));
    let json = serde_json::to_vec(content).map_err(|e| e.to_string())?;
    let id = upload::pack_one(&format!("{}/{file}", upload::WORKDIR), &json, &zip).map_err(|e| e.to_string())?;
    let sent = upload(client, &id, &zip).await;
    let _ = std::fs::remove_file(&zip);
    sent.map_err(|e| e.to_string())?;
    let directory = upload::WORKDIR;
    let task = format!(
        "name: control\n---\nname: control\nworkdir: /{directory}\nfile_mounts_mapping:\n  /{directory}: {directory}\n"
    );
    client.exec(&vehicle.cluster(), &task, Some(&id)).await.map_err(|e| e.to_string())
}

async fn upload(client: &Client, id: &str, zip: &Path) -> io::Result<()> {
    let size = std::fs::metadata(zip)?.len();
    if !client.has_blob(id, size).await.map_err(io::Error::other)? {
        client.upload(id, zip, &|_| {}).await.map_err(io::Error::other)?;
    }
    Ok(())
}
