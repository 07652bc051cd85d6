//! Bringing the files of a job to the server: the program, the key, a work directory.

use super::{shared::Shared, submit::Trouble};
use crate::{
    agent::remote::KEY,
    engine::skypilot::upload::{self, Contents, Pack, PackError},
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Sees to it that the server has the files of a job, and gives the id of their blob. One after the other, so that a
/// sweep uploads once.
pub(super) async fn bring(
    shared: &Arc<Shared>,
    workdir: Option<PathBuf>,
    payload: Option<(String, Vec<u8>)>,
) -> Result<String, Trouble> {
    let _turn = shared.uploading.lock().await;
    let pack = {
        let shared = Arc::clone(shared);
        blocking(move || pack(&shared, workdir.as_deref(), payload.as_ref())).await?
    };
    let (id, size) = (pack.id.clone(), pack.size);
    let client = shared.client.clone().with_patience(Duration::ZERO);
    if client.has_blob(&id, size).await? {
        return Ok(id);
    }
    let zip = shared.spool.join("upload.zip");
    let progress = Arc::clone(&shared.progress);
    let sent = async {
        progress.begin(size);
        let (told, path) = (Arc::clone(&progress), zip.clone());
        let size = blocking(move || pack.write(&path, &|done| told.packed(done)).map_err(Trouble::here)).await?;
        progress.sending(size);
        let told = Arc::clone(&progress);
        let client = client.with_patience(Duration::from_secs(30));
        client.upload(&id, &zip, &move |sent| told.sent(sent)).await.map_err(Trouble::from)
    };
    let sent = sent.await;
    progress.end();
    let _ = fs::remove_file(&zip);
    sent.map(|()| id)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Trouble> + Send + 'static) -> Result<T, Trouble> {
    tokio::task::spawn_blocking(work).await.map_err(Trouble::here)?
}

/// Looks at the files.
fn pack(shared: &Shared, workdir: Option<&Path>, payload: Option<&(String, Vec<u8>)>) -> Result<Pack, Trouble> {
    let mut files: Vec<(&str, &[u8])> = vec![(KEY, &shared.key)];
    files.extend(payload.map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    let contents = Contents { program: &shared.program, files: &files, workdir, limit: shared.workdir_limit() };
    upload::pack(&contents, &shared.spool.join("hashes")).map_err(|error| match &error {
        PackError::TooLarge { path, .. } => Trouble::Final(format!(
            "{error}: list what is not needed in {}, or raise workdir_limit in [skypilot]",
            path.join(".skyignore").display()
        )),
        PackError::Changed { .. } => Trouble::here(error),
        _ => Trouble::Final(error.to_string()),
    })
}
