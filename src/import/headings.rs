//! What the headings of a sheet mean is asked once in an import: each delivery must read the same rows.

use anyhow::Context as _;

use super::run::{Run, Verdict};
use crate::input::{Headings, SheetHeader};
use crate::resolve::explain;
use crate::store::Location;

/// What the headings mean, or how the import ends.
///
/// What the instance said first is kept beside the import's record, and counts for every delivery.
pub(super) async fn explained(run: &Run<'_>, sheet: &SheetHeader) -> anyhow::Result<Result<Headings, Verdict>> {
    let folder = run.lease.folder();
    let at = Location::new(&folder.bucket, format!("{}headings.json", folder.key));
    let kept = if run.record().is_resumed() { read(run, &at).await? } else { None };
    let headings = match kept {
        Some(headings) => headings,
        None => match ask(run, sheet).await {
            Ok(headings) => keep(run, &at, headings).await?,
            Err(verdict) => return Ok(Err(verdict)),
        },
    };
    Ok(Ok(run.headings.get_or_init(|| headings).clone()))
}

async fn ask(run: &Run<'_>, sheet: &SheetHeader) -> Result<Headings, Verdict> {
    let asked = run.unless_abandoned(explain(&run.importer.connect, sheet)).await.ok_or(Verdict::Cancelled)?;
    asked.map_err(|error| Verdict::unasked(&error))?.map_err(Verdict::Rejected)
}

/// Keeps what the headings mean. If another delivery was faster, what that was told counts.
async fn keep(run: &Run<'_>, at: &Location, headings: Headings) -> anyhow::Result<Headings> {
    let bytes = serde_json::to_vec(&headings).context("the headings are no JSON")?;
    match run.importer.store.create(at, bytes.into()).await {
        Ok(_) => Ok(headings),
        Err(error) if error.is_precondition() => read(run, at).await?.context("what the headings mean is gone"),
        Err(error) => Err(error.into()),
    }
}

async fn read(run: &Run<'_>, at: &Location) -> anyhow::Result<Option<Headings>> {
    let Some((bytes, _)) = run.importer.store.get(at).await? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&bytes).context("what the headings mean cannot be read")?))
}
