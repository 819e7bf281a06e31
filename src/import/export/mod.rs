//! The other way round: what all users have becomes a file that can be dropped.
//!
//! [`read`] lists the users and reads each, journaled as an import is, so that an export goes on over deliveries and deaths;
//! then the table is written in one go: it is complete, or it is not there. What it could not tell is [`told`].

mod no_table;
mod read;
mod told;

use tokio::task::yield_now;

use super::finish::Finished;
use super::request::ExportRequest;
use super::run::{Run, Verdict};
use crate::kind::{Export, FileKind, ProficiencyRows, UserConfigRows};
use crate::report::{Details, LEFT_OUT, PlainSheet, delete_stale, first_line, write_table};
use crate::resolve::ListedUser;
use crate::state::LeaseError;

use no_table::NoTable;
use read::ReadUsers;
pub(super) use told::ExportOutcome;
use told::LeftOut;

/// Users between two pauses: one thread serves all, and the lease must be seen to meanwhile.
const USERS_IN_A_STEP: usize = 500;

/// Does all that is left of an export.
pub(super) async fn export(
    run: &Run<'_>,
    request: &ExportRequest,
    foregone: Option<Verdict>,
) -> anyhow::Result<Finished> {
    match request.export {
        FileKind::Proficiencies => export_kind::<ProficiencyRows>(run, request, foregone).await,
        FileKind::UserConfig => export_kind::<UserConfigRows>(run, request, foregone).await,
    }
}

async fn export_kind<R: Export>(
    run: &Run<'_>,
    request: &ExportRequest,
    foregone: Option<Verdict>,
) -> anyhow::Result<Finished> {
    let mut users = ReadUsers::resume::<R>(run).await?;
    let told = match foregone {
        Some(verdict) => Err(verdict.into()),
        None => tell_all::<R>(run, request, &mut users).await.map_err(|why| why.or_denied(run.lanes().denied())),
    };
    let (outcome, verdict) = match told {
        Ok(outcome) => (outcome, Verdict::Completed),
        Err(NoTable::Ended(verdict)) => {
            run.note_calls();
            (ExportOutcome::default(), verdict)
        }
        Err(NoTable::Interrupted(error)) => return Err(error),
    };
    let (store, folder) = (&run.importer.store, &run.record().report);
    // What an earlier delivery left goes: not if a newer one has the export.
    run.confirm().await?;
    if verdict != Verdict::Completed {
        delete_stale(store, folder, R::TABLE).await?;
    }
    let has_left_out = write_table(store, folder, LEFT_OUT, &["user", "why"], outcome.left_out()).await?;
    let objects =
        (verdict == Verdict::Completed).then_some(R::TABLE).into_iter().chain(has_left_out.then_some(LEFT_OUT));
    let details = Details { objects: objects.map(Into::into).collect(), ..Details::default() };
    Ok(Finished::of_export(run.exported(&outcome, &verdict), details))
}

/// Reads all users, and writes the table.
async fn tell_all<R: Export>(
    run: &Run<'_>,
    request: &ExportRequest,
    users: &mut ReadUsers,
) -> Result<ExportOutcome, NoTable> {
    let listed = users.read_all::<R>(run).await?;
    // What is told is stored, so that whoever comes after this delivery tells the same.
    run.note_calls();
    run.journal.sync().await;
    run.confirm().await?;
    let mut outcome = ExportOutcome::new(users.gone(&listed), users.doubtful(&listed));
    let mut named: Vec<(&ListedUser, &str)> = Vec::new();
    for user in listed.iter().filter(|user| users.is_read(&user.id)) {
        if let Some(cell) = &user.cell {
            named.push((user, cell));
        } else {
            let what = format!("neither its name nor its id {} can be written", user.id);
            outcome.left_out.push(LeftOut { name: user.username.clone(), what, is_whole: true });
        }
    }
    let held = named.iter().filter_map(|(user, _)| users.held::<R>(&user.id));
    let layout = R::layout(&run.importer.connect, request.form.unwrap_or_default(), held);
    let layout = run.unless_abandoned(layout).await.ok_or(Verdict::Cancelled)?.map_err(Verdict::from)?;
    let header = R::header(&layout);
    R::check_header(&layout, &first_line(&header)).map_err(Verdict::Rejected)?;
    let mut table = PlainSheet::of_export(&run.importer.store, &run.record().report, R::TABLE, &header);
    let written = async {
        for (n, (user, cell)) in named.into_iter().enumerate() {
            let Some(held) = users.held::<R>(&user.id) else { continue };
            let of_user = R::export(&layout, cell, &held);
            for line in &of_user.lines {
                table.push(line).await?;
            }
            outcome.add(&user.username, &of_user);
            if n % USERS_IN_A_STEP == 0 {
                yield_now().await;
            }
        }
        // The table takes the place of what an earlier delivery left: not if a newer one has the export.
        run.confirm().await
    };
    let written: Result<(), LeaseError> = written.await;
    match written {
        Ok(()) => table.finish().await?,
        Err(error) => {
            table.abort().await;
            return Err(error.into());
        }
    }
    Ok(outcome)
}
