//! How an import begins: which object is meant, whether a newer one of its name has overtaken it, and that this state of the
//! object can be read until the end.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::end::{ImportEnd, Telling};
use super::request::{ExportRequest, FILES_IN_WORDS, MaxAgeHours, ObjectRef, Request, is_file_name};
use super::trigger::{IdempotencyKey, Object, Source, Trigger, is_earlier};
use crate::options::{Mode, Options};
use crate::outcome::{ImportStatus, Problem};
use crate::report::Summary;
use crate::settings::Settings;
use crate::state::{Ending, ImportRecord};
use crate::store::{Head, Location, Store, StoreError};

/// The longest key that S3 takes, in bytes.
const MAX_KEY_BYTES: usize = 1024;
/// The longest name of an object in a report's folder, and some more.
const MAX_NAME_BYTES: usize = 32;
/// How often a folder is listed whose newest file goes away meanwhile.
const MAX_LISTS: u32 = 3;
/// What is kept of a source key that is too long for its report's folder.
const KEPT_KEY_BYTES: usize = 200;

/// Below the reports: the folder of exports.
const EXPORT: &str = "export";

/// What an import begins with.
pub(super) struct Begin<'b> {
    pub(super) store: &'b Store,
    pub(super) settings: &'b Settings,
    pub(super) trigger: &'b Trigger,
    /// The bucket of reports and state.
    pub(super) bucket: &'b str,
    /// The folder of the import's state.
    pub(super) folder: &'b Location,
    pub(super) now: DateTime<Utc>,
    pub(super) owner: u64,
}

/// What the first look at a trigger found.
pub(super) enum Begun {
    /// An import to be created.
    Record(Box<ImportRecord>),
    /// Nothing to import, and no report that could say so.
    Over(Box<ImportEnd>),
}

impl Begin<'_> {
    /// The record of an import of the object that was sought, or its end where there is none and no report to say so.
    pub(super) async fn begin(&self, sought: &Sought) -> anyhow::Result<Begun> {
        let import_id = self.trigger.key.import_id(self.now);
        let Sought { source, found } = sought;
        let (options, mistake) = match self.trigger.options(self.settings.options, &source.key) {
            Ok(options) => (options, None),
            Err(problem) => (self.settings.options, Some(rejected(problem))),
        };
        let head = match found {
            SourceFinding::Object(head) => head,
            SourceFinding::Nothing => {
                let message = "The object is gone: it was deleted before its import began. Drop the file again.";
                let problem = Problem::new("object_gone", message);
                return Ok(self.over(import_id, options, ImportStatus::Failed, problem));
            }
            SourceFinding::Unusable(ending) => {
                let record = self.record(import_id, source.clone(), options, Some(ending.clone()));
                return Ok(Begun::Record(Box::new(record)));
            }
        };
        let mut record = self.record(import_id, source.clone(), options, None);
        if let Some(version_id) = &head.version_id {
            record.source.version_id = Some(version_id.clone());
            record.version.clone_from(version_id);
            record.read_from = record.source.clone();
        } else if let Err(problem) = self.pin(&mut record, head).await? {
            match problem.code.as_ref() {
                "superseded" => return Ok(self.over(record.import_id, options, ImportStatus::Rejected, problem)),
                _ => record.ending = Some(Ending { status: ImportStatus::Failed, problem }),
            }
        }
        record.ending = record.ending.or(mistake);
        if record.ending.is_none() {
            record.ending = self.take_the_lead(&record).await?.map(rejected);
        }
        info!(import_id = record.import_id, report = %record.report, "import begins");
        Ok(Begun::Record(Box::new(record)))
    }

    /// The record of an export: it reads what users have, whatever the settings say of files.
    pub(super) fn begin_export(&self, request: &ExportRequest) -> ImportRecord {
        let import_id = self.trigger.key.import_id(self.now);
        let options = Options { mode: Mode::Merge, mode_is_explicit: false, dry_run: false, ..self.settings.options };
        let mut record = self.record(import_id, Location::new(self.bucket, EXPORT), options, None);
        record.source.key = format!("{}{}", record.report.key, request.export.table());
        record.read_from = record.source.clone();
        info!(import_id = record.import_id, report = %record.report, "export begins");
        record
    }

    fn record(&self, import_id: String, source: Location, options: Options, ending: Option<Ending>) -> ImportRecord {
        let sequencer = match &self.trigger.source {
            Source::Object(object) => object.sequencer.clone(),
            Source::Request(_) | Source::Export(_) => None,
        };
        let request = self.trigger.terms();
        ImportRecord {
            name: self.trigger.name().filter(|_| self.trigger.answered_key().is_none()).map(str::to_owned),
            report: self.report(&import_id, &source.key),
            import_id,
            read_from: source.clone(),
            source,
            version: String::new(),
            request,
            sequencer,
            options,
            ending,
            started_at: self.now,
            owner: self.owner,
            deliveries: 1,
            crashes: 1,
            last_error: None,
            answer: None,
            untold: None,
            keeps_journal: false,
        }
    }

    /// The report's folder: below the object's own name, shortened where S3's keys would not be long enough.
    fn report(&self, import_id: &str, key: &str) -> Location {
        let prefixes = &self.settings.prefixes;
        let below = key.strip_prefix(&prefixes.import).unwrap_or(key).trim_end_matches('/');
        let folder = |name: &str| format!("{}{name}/{import_id}/", prefixes.report);
        let mut at = folder(below);
        if at.len() + MAX_NAME_BYTES > MAX_KEY_BYTES {
            let kept = &below[..below.floor_char_boundary(KEPT_KEY_BYTES)];
            at = folder(&format!("{kept}~{}", IdempotencyKey::of_long_key(key).as_str()));
        }
        Location::new(self.bucket, at)
    }

    /// Where a bucket keeps no versions, the object is copied as it is now: it is read twice.
    ///
    /// An event says which state of the object is meant; of a request it is the one that was found, and another delivery may
    /// find another.
    async fn pin(&self, record: &mut ImportRecord, head: &Head) -> anyhow::Result<Result<(), Problem>> {
        let pinned = match &self.trigger.source {
            Source::Object(object) => object.etag.as_deref(),
            Source::Request(_) | Source::Export(_) => None,
        };
        let etag = pinned.unwrap_or_else(|| head.etag.trim_matches('"'));
        let name = if pinned.is_some() { "source".to_owned() } else { format!("source-{etag}") };
        let copy = Location::new(&self.folder.bucket, format!("{}{name}", self.folder.key));
        etag.clone_into(&mut record.version);
        Ok(match self.store.copy(&record.source, &format!("\"{etag}\""), &copy).await {
            Ok(()) => {
                record.read_from = copy;
                Ok(())
            }
            Err(error) if error.is_precondition() => {
                let message = "The object was overwritten: the newer one is announced by its own event.";
                Err(Problem::new("superseded", message))
            }
            Err(error) => Err(error.unreadable(&record.source).ok_or(error)?),
        })
    }

    /// Marks this object as the newest of its key, unless a newer one was begun before.
    async fn take_the_lead(&self, record: &ImportRecord) -> anyhow::Result<Option<Problem>> {
        let Some(sequencer) = &record.sequencer else { return Ok(None) };
        let at = NewestOfKey::location(self.settings, record);
        loop {
            let found = NewestOfKey::find(self.store, &at).await?;
            if let Some((newest, _)) = &found
                && is_earlier(sequencer, &newest.sequencer)
            {
                let message =
                    "A newer object of the same name was imported before this one. Drop it again if it is meant.";
                return Ok(Some(Problem::new("superseded", message)));
            }
            let newest = serde_json::to_vec(&NewestOfKey { sequencer: sequencer.clone() })?.into();
            let written = match found {
                None => self.store.create(&at, newest).await,
                Some((_, etag)) => self.store.write(&at, newest, Some(&etag)).await,
            };
            match written {
                Ok(_) => return Ok(None),
                Err(error) if error.is_precondition() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn over(&self, import_id: String, options: Options, status: ImportStatus, problem: Problem) -> Begun {
        let source = match &self.trigger.source {
            Source::Object(object) => format!("s3://{}/{}", object.bucket, object.key),
            Source::Request(request) => request.source.as_ref().map(ToString::to_string).unwrap_or_default(),
            Source::Export(_) => String::new(),
        };
        let Options { mode, dry_run, .. } = options;
        let summary = Summary {
            status,
            code: Some(problem.code.into_owned()),
            message: Some(problem.message),
            finished_at: Some(self.now),
            ..Summary::begun(import_id, source, mode, dry_run, self.now)
        };
        let telling = Telling { summary, objects: Vec::new(), folder: String::new() };
        Begun::Over(Box::new(ImportEnd { telling, report: None, name: None, told_at: self.now }))
    }
}

fn rejected(problem: Problem) -> Ending {
    Ending { status: ImportStatus::Rejected, problem }
}

/// The last of a key's events whose import has begun.
#[derive(Debug, Serialize, Deserialize)]
struct NewestOfKey {
    sequencer: String,
}

impl NewestOfKey {
    fn location(settings: &Settings, record: &ImportRecord) -> Location {
        let key = IdempotencyKey::of_key(&record.source.bucket, &record.source.key);
        Location::new(&record.report.bucket, format!("{}keys/{}.json", settings.prefixes.state, key.as_str()))
    }

    /// What is there, and its `ETag`.
    async fn find(store: &Store, at: &Location) -> anyhow::Result<Option<(Self, String)>> {
        let Some((bytes, etag)) = store.get(at).await? else { return Ok(None) };
        let newest = serde_json::from_slice(&bytes).with_context(|| format!("{at} cannot be read"))?;
        Ok(Some((newest, etag)))
    }
}

/// Whether a newer object of the same key has begun since this import began. This is asked by every delivery.
pub(super) async fn is_overtaken(store: &Store, settings: &Settings, record: &ImportRecord) -> anyhow::Result<bool> {
    let Some(sequencer) = &record.sequencer else { return Ok(false) };
    let found = NewestOfKey::find(store, &NewestOfKey::location(settings, record)).await?;
    Ok(found.is_some_and(|(newest, _)| is_earlier(sequencer, &newest.sequencer)))
}

/// The object that a trigger means.
pub(super) struct Sought {
    source: Location,
    found: SourceFinding,
}

/// What lies there.
enum SourceFinding {
    Object(Head),
    /// The object of an event is gone.
    Nothing,
    /// The import of what was asked for ends before it begins, with a report below its name.
    Unusable(Ending),
}

impl Sought {
    /// Looks for the object of a trigger. For an export, and for a request without a source, which names its import alone,
    /// nothing is sought.
    pub(super) async fn find(store: &Store, trigger: &Trigger, now: DateTime<Utc>) -> Result<Option<Self>, StoreError> {
        Ok(match &trigger.source {
            Source::Object(object) => Some(Self::find_object(store, object).await?),
            Source::Request(Request { source: Some(source), max_age_hours, .. }) => {
                Some(Self::find_requested(store, source, *max_age_hours, now).await?)
            }
            Source::Request(_) | Source::Export(_) => None,
        })
    }

    async fn find_object(store: &Store, object: &Object) -> Result<Self, StoreError> {
        for key in std::iter::once(&object.key).chain(&object.key_decoded) {
            let source = Location { version_id: object.version_id.clone(), ..Location::new(&object.bucket, key) };
            if let Some(found) = Self::look(store, &source).await? {
                return Ok(Self { source, found });
            }
        }
        Ok(Self { source: Location::new(&object.bucket, &object.key), found: SourceFinding::Nothing })
    }

    /// What lies there, if something does.
    async fn look(store: &Store, source: &Location) -> Result<Option<SourceFinding>, StoreError> {
        match store.head(source).await {
            Ok(head) => Ok(head.map(SourceFinding::Object)),
            // An answer to HEAD has no body, and so no code: what an attempt to read says why.
            Err(error) if error.is_refusal() => {
                let read = store.read(source).await.err();
                let problem = read.and_then(|refusal| refusal.unreadable(source)).ok_or(error)?;
                Ok(Some(SourceFinding::Unusable(Ending { status: ImportStatus::Failed, problem })))
            }
            Err(error) => Err(error),
        }
    }

    /// Of a folder the newest file is meant. What is not there, or is too old, is reported below the name that was given.
    async fn find_requested(
        store: &Store,
        asked: &ObjectRef,
        max_age: Option<MaxAgeHours>,
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let given = Location::new(&asked.bucket, &asked.key);
        let (found, missing) = if asked.is_folder() {
            (Self::look_for_newest(store, &given).await?, format!("There is no file in {given}: {FILES_IN_WORDS}"))
        } else {
            let found = Self::look(store, &given).await?.map(|found| (given.clone(), found));
            (found, format!("There is no object at {given}. Check its name."))
        };
        let unusable = |problem| Ok(Self { source: given.clone(), found: SourceFinding::Unusable(rejected(problem)) });
        let Some((source, found)) = found else { return unusable(Problem::new("no_source", missing)) };
        let written = match &found {
            SourceFinding::Object(head) => head.last_modified.unwrap_or(now),
            SourceFinding::Nothing | SourceFinding::Unusable(_) => now,
        };
        if let Some(max_age) = max_age.filter(|max_age| max_age.is_exceeded_by(now - written)) {
            let message = format!(
                "{source} is of {}, more than {max_age} hours ago, so it was not imported. Has the file of today not come?",
                written.format("%Y-%m-%d %H:%M UTC")
            );
            return unusable(Problem::new("stale_source", message));
        }
        Ok(Self { source, found })
    }

    /// The newest file of a folder, if there is one. Who writes there may take it away between the list and the look: then the
    /// list is another one.
    async fn look_for_newest(
        store: &Store,
        folder: &Location,
    ) -> Result<Option<(Location, SourceFinding)>, StoreError> {
        for _ in 0..MAX_LISTS {
            let Some(key) = store.newest(folder, is_file_name).await? else { return Ok(None) };
            let source = Location::new(&folder.bucket, key);
            if let Some(found) = Self::look(store, &source).await? {
                return Ok(Some((source, found)));
            }
        }
        Ok(None)
    }

    /// The version, or the `ETag` where the bucket keeps none.
    pub(super) fn version(&self) -> &str {
        match &self.found {
            SourceFinding::Object(head) => head.version_id.as_deref().unwrap_or(&head.etag),
            SourceFinding::Nothing | SourceFinding::Unusable(_) => "",
        }
    }
}
