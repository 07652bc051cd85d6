//! Ending what a former controller handed over and was killed before it could end: what has a name of ours there, and is
//! none of ours any more. Once, when all that are ours have been taken up.

use super::{
    client::{Error, Rows},
    names::Names,
    shared::Shared,
    vehicle::{self, Seen},
    way_in,
};
use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

/// A managed job that ended as the former controller did winds down for so long. A cluster does not go by itself.
const WINDING_DOWN: Duration = Duration::from_secs(120);

/// A server that cannot be asked is asked again after this.
const AGAIN: Duration = Duration::from_secs(60);

/// Looks, and ends what it finds.
pub async fn run(shared: Arc<Shared>, names: Names) {
    way_in::tidy(|name| is_stray(&shared, &names, name));
    while let Err(error) = clusters(&shared, &names).await {
        tracing::warn!(%error, "not looked for nobody's allocations");
        shared.client.pause(AGAIN).await;
    }
    tokio::time::sleep(WINDING_DOWN).await;
    while let Err(error) = jobs(&shared, &names).await {
        tracing::warn!(%error, "not looked for nobody's jobs");
        shared.client.pause(AGAIN).await;
    }
}

/// Whether a name is ours, and nothing that we have to do with has it.
fn is_stray(shared: &Shared, names: &Names, name: &str) -> bool {
    let live = shared.live.lock().unwrap_or_else(PoisonError::into_inner);
    names.is_ours(name) && !live.contains_key(name)
}

async fn jobs(shared: &Shared, names: &Names) -> Result<(), Error> {
    let rows = shared.client.queue(Rows::Named(&names.mark())).await?;
    let stray = rows.into_iter().filter(|row| is_stray(shared, names, &row.job_name));
    let stray: Vec<u32> = stray.filter_map(|row| Some(row.job_id).filter(|_| !Seen::from(row).is_over())).collect();
    if !stray.is_empty() {
        tracing::warn!(?stray, "cancelled: nobody's jobs any more");
    }
    shared.client.cancel(&stray).await
}

async fn clusters(shared: &Shared, names: &Names) -> Result<(), Error> {
    let there = shared.client.clusters(None, false).await?.into_iter().map(|cluster| cluster.name);
    for name in there.filter(|name| is_stray(shared, names, name)) {
        tracing::warn!(name, "taken down: nobody's allocation any more");
        let client = shared.client.clone();
        tokio::spawn(async move { vehicle::clear(&client, name).await });
    }
    Ok(())
}
