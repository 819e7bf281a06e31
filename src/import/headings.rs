//! What the headings of a sheet mean is asked once in an import: each delivery must read the same rows.

use anyhow::Context as _;

use super::run::{Run, Verdict};
use crate::input::{Headings, SheetHeader};
use crate::outcome::Problem;
use crate::resolve::explain;
use crate::store::Location;

/// What the instance said: what the headings mean, or why the file is refused.
type Explained = Result<Headings, Problem>;

/// What the headings mean, or how the import ends.
///
/// What the instance said first is kept beside the import's record, and counts for every delivery.
pub(super) async fn explained(run: &Run<'_>, sheet: &SheetHeader) -> anyhow::Result<Result<Headings, Verdict>> {
    let folder = run.lease.folder();
    let at = Location::new(&folder.bucket, format!("{}headings.json", folder.key));
    let kept = if run.record().is_resumed() { read(run, &at).await? } else { None };
    let explained = match kept {
        Some(explained) => explained,
        None => match ask(run, sheet).await {
            Ok(explained) => keep(run, &at, explained).await?,
            Err(verdict) => return Ok(Err(verdict)),
        },
    };
    Ok(explained.map(|headings| run.headings.get_or_init(|| headings).clone()).map_err(Verdict::Rejected))
}

async fn ask(run: &Run<'_>, sheet: &SheetHeader) -> Result<Explained, Verdict> {
    let asked = run.unless_abandoned(explain(&run.importer.connect, sheet)).await.ok_or(Verdict::Cancelled)?;
    asked.map_err(|error| Verdict::unasked(&error))
}

/// Keeps what the instance said. If another delivery was faster, what that was told counts.
async fn keep(run: &Run<'_>, at: &Location, explained: Explained) -> anyhow::Result<Explained> {
    let bytes = serde_json::to_vec(&explained).context("the headings are no JSON")?;
    match run.importer.store.create(at, bytes.into()).await {
        Ok(_) => Ok(explained),
        Err(error) if error.is_precondition() => read(run, at).await?.context("what the headings mean is gone"),
        Err(error) => Err(error.into()),
    }
}

async fn read(run: &Run<'_>, at: &Location) -> anyhow::Result<Option<Explained>> {
    let Some((bytes, _)) = run.importer.store.get(at).await? else { return Ok(None) };
    Ok(Some(serde_json::from_slice(&bytes).context("what the headings mean cannot be read")?))
}
