//! For tests: one user at a time, from the rows of a file to what the report says of them, against the emulator and through
//! the real SDK client.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;
use std::time::Duration;

use connect_emulator::{Emulator, Faults, Instance, Operation, Quotas, Switches};
use import_testkit::{connect_client, quotas_client};
use serde_json::value::RawValue;

use super::{
    Describe, FileKind, Prior, Protected, ReconcileOptions, ReportContext, Rows, Target, UserEffects, Writes, reconcile,
};
use crate::connect::{AccountQuotas, Connect, Lanes, Rate, RateSettings};
use crate::input::{Header, Reader, Record};
use crate::outcome::{RowId, RowReport, StoredOutcome};
use crate::resolve::Users;

pub(super) const INSTANCE: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";

/// How long each call takes; the work is done after half of it.
pub(super) const LATENCY: Duration = Duration::from_millis(10);

pub(super) const APPLY: ReconcileOptions<'static> =
    ReconcileOptions { limit: 10, replaces: false, protected: &Protected::Nothing, writes: Writes::Apply };

const WRITES: [Operation; 4] = [
    Operation::AssociateUserProficiencies,
    Operation::UpdateUserProficiencies,
    Operation::DisassociateUserProficiencies,
    Operation::UpdateUserConfig,
];

/// An instance of attributes and of users who have nothing.
pub(super) fn instance(n_users: usize) -> Instance {
    let mut instance = Instance::new(INSTANCE);
    instance.add_attribute("Product", (0..30).map(|n| format!("P{n:02}")).collect::<Vec<_>>());
    for n in 0..n_users {
        instance.add_user(user_id(n), format!("agent{n:03}"), Vec::<(String, String, f32)>::new());
    }
    instance
}

pub(super) fn user_id(n: usize) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// An instance and the importer's way to it.
pub(super) struct Desk {
    pub(super) emulator: Emulator,
    pub(super) connect: Connect,
}

/// What the report and the journal have of one user.
#[derive(Debug)]
pub(super) struct DeskResult {
    /// Of each row: status, code and message.
    pub(super) rows: Vec<(&'static str, String, String)>,
    /// Rows of the undo file, without the user.
    pub(super) undo: Vec<String>,
    pub(super) is_done: bool,
    pub(super) stop: Option<String>,
    pub(super) effects: String,
    /// What was kept before the first write, if there was one: what the user had, and what might come of it.
    pub(super) announced: Option<(Box<RawValue>, Box<RawValue>)>,
}

impl DeskResult {
    pub(super) fn statuses(&self) -> Vec<&str> {
        self.rows.iter().map(|(status, ..)| *status).collect()
    }

    pub(super) fn messages(&self) -> Vec<&str> {
        self.rows.iter().map(|(.., message)| message.as_str()).collect()
    }

    pub(super) fn prior<T: Target>(&self) -> Prior<T> {
        let (before, possible) = self.announced.as_ref().expect("something was written");
        Prior::parse(before, possible).unwrap()
    }
}

impl Desk {
    pub(super) fn new(instance: Instance, switches: Switches, faults: Faults) -> Self {
        let emulator = Emulator::builder(instance).quotas(Quotas::unlimited()).switches(switches).faults(faults);
        let emulator = emulator.latency(LATENCY).build();
        let rate = Rate { per_second: 1000.0, burst: NonZeroU32::new(1000).unwrap() };
        let lanes = Lanes::new(RateSettings::fixed(rate).rates(&AccountQuotas::default()), 7);
        let connect = Connect::new(connect_client(&emulator), quotas_client(&emulator), INSTANCE, lanes);
        Self { emulator, connect }
    }

    pub(super) fn n_calls(&self, operation: Operation) -> usize {
        self.emulator.calls().iter().filter(|call| call.operation == operation).count()
    }

    pub(super) fn n_writes(&self) -> usize {
        WRITES.into_iter().map(|write| self.n_calls(write)).sum()
    }

    /// Imports a file of one user, whose rows lack the user's cell. `announced` is called before the first write.
    pub(super) async fn import<R: Describe>(
        &self,
        kind: FileKind,
        n: usize,
        rows: &[&str],
        options: ReconcileOptions<'_>,
        prior: Option<&Prior<R::Target>>,
        announced: impl Fn(&RawValue, &RawValue),
    ) -> DeskResult {
        let csv = table(kind, n, rows);
        let mut file = read::<R>(kind, &csv);
        let wanted = file.ledger().wanted_users(true);
        let users = Users::find(&self.connect, INSTANCE, &wanted, &HashMap::new(), options.replaces).await.unwrap();
        let reference = file.fetch_reference(&self.connect).await.unwrap();
        let batches = file.resolve(&users, &reference, &BTreeSet::new());
        let [batch] = batches[..] else { panic!("one user: {batches:?}") };

        let (user, kept, n_before) = (users.id(batch.user), RefCell::new(None), self.n_writes());
        let before_first_write = async |before: Box<RawValue>, possible: Box<RawValue>| {
            assert_eq!(self.n_writes(), n_before, "written before it was announced");
            announced(&before, &possible);
            assert!(kept.replace(Some((before, possible))).is_none(), "announced twice");
        };
        let items = file.items(batch);
        let reconciled = reconcile(&self.connect, &user, &items, options, prior, before_first_write).await;
        file.record(batch, reconciled.outcomes);
        let first = file.ledger().rows(batch)[0];
        let effects = reconciled.effects.map(|json| UserEffects { user: user.clone(), json });
        if let Some(effects) = &effects {
            file.restore_effects(first, effects).unwrap();
        }
        let rows = report(&file, kind, &csv, &users, &reference, options);

        // Another delivery that restores the same says the same.
        let mut resumed = read::<R>(kind, &csv);
        resumed.resolve(&users, &reference, &BTreeSet::new());
        for (row, stored) in file.ledger().stored(batch) {
            let json = serde_json::to_string(&stored).unwrap();
            resumed.ledger_mut().restore_outcome(row, &serde_json::from_str::<StoredOutcome>(&json).unwrap());
        }
        if let Some(effects) = &effects {
            resumed.restore_effects(first, effects).unwrap();
        }
        assert_eq!(report(&resumed, kind, &csv, &users, &reference, options), rows);

        let undo = file.all_effects().flat_map(|(_, user, effects)| R::undo(&user, &effects));
        DeskResult {
            undo: undo.map(|row| row[1..].join(",")).collect(),
            rows: rows.into_iter().map(|row| (row.status.name(), row.code, row.message)).collect(),
            is_done: reconciled.is_done,
            stop: reconciled.stop.map(|error| error.code),
            effects: effects.map_or_else(String::new, |effects| effects.json.get().to_owned()),
            announced: kept.into_inner(),
        }
    }
}

/// A file of one user, whose rows lack the user's cell.
pub(super) fn table(kind: FileKind, n: usize, rows: &[&str]) -> String {
    // The optional columns are the last ones: rows may leave them out, too.
    let n_columns = rows.iter().map(|row| row.split(',').count() + 1).max().unwrap();
    let header: Vec<_> = kind.schema()[..n_columns].iter().map(|column| column.name).collect();
    let rows = rows.iter().map(|row| format!("{},{row}\n", user_id(n))).collect::<Vec<_>>().concat();
    format!("{}\n{rows}", header.join(","))
}

pub(super) fn visit(kind: FileKind, csv: &str, mut each: impl FnMut(&Header, &Record<'_>)) {
    let mut visit = |header: &Header, record: Record<'_>| {
        assert_eq!(FileKind::of(header), kind);
        each(header, &record);
        Ok(())
    };
    let mut reader = Reader::new(super::SCHEMAS);
    reader.push(csv.as_bytes(), &mut visit).unwrap();
    reader.finish(&mut visit).unwrap();
}

/// The rows of a file.
pub(super) fn read<R: Rows>(kind: FileKind, csv: &str) -> R {
    let mut rows = R::default();
    visit(kind, csv, |header, record| rows.push(header, record));
    rows
}

/// What the report says of each row.
pub(super) fn report<R: Describe>(
    rows: &R,
    kind: FileKind,
    csv: &str,
    users: &Users,
    reference: &R::Reference,
    options: ReconcileOptions<'_>,
) -> Vec<RowReport> {
    let notes = rows.user_notes(users);
    let context = ReportContext {
        users: Some(users),
        reference: Some(reference),
        max_proficiencies: options.limit,
        replaces: options.replaces,
        user_notes: Some(&notes),
    };
    let (mut reports, mut row) = (Vec::new(), 0);
    visit(kind, csv, |header, record| {
        reports.push(rows.describe(RowId(row), header, record, context));
        row += 1;
    });
    reports
}
