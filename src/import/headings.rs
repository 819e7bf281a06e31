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
    if let Some(headings) = run.headings.get() {
        return Ok(Ok(headings.clone()));
    }
    let store = &run.importer.store;
    let folder = run.lease.folder();
    let at = Location::new(&folder.bucket, format!("{}headings.json", folder.key));
    let kept = if run.record().is_resumed() { read(run, &at).await? } else { None };
    let headings = match kept {
        Some(headings) => headings,
        None => {
            let Some(asked) = run.unless_abandoned(explain(&run.importer.connect, sheet)).await else {
                return Ok(Err(Verdict::Cancelled));
            };
            let headings = match asked {
                Ok(Ok(headings)) => headings,
                Ok(Err(problem)) => return Ok(Err(Verdict::Rejected(problem))),
                Err(error) => return Ok(Err(Verdict::unasked(&error))),
            };
            let bytes = serde_json::to_vec(&headings).context("the headings are no JSON")?;
            match store.create(&at, bytes.into()).await {
                Ok(_) => headings,
                Err(error) if error.is_precondition() => read(run, &at).await?.context("the headings are gone")?,
                Err(error) => return Err(error.into()),
            }
        }
    };
    Ok(Ok(run.headings.get_or_init(|| headings).clone()))
}

async fn read(run: &Run<'_>, at: &Location) -> anyhow::Result<Option<Headings>> {
    let Some((bytes, _)) = run.importer.store.get(at).await? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&bytes).context("what the headings mean cannot be read")?))
}
