//! Finds the import that a trigger means and takes it over for this delivery, or begins it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::begin::{Begin, Begun, Sought};
use super::end::ImportEnd;
use super::error::ImportError;
use super::request::Request;
use super::trigger::{IdempotencyKey, Source, Trigger};
use crate::settings::Settings;
use crate::state::{Acquired, Found, ImportRecord, Journal, Lease};
use crate::store::{Location, Store, StoreError};

/// Deliveries of one import that may begin at the same instant.
const MAX_RACES: u32 = 5;

/// Acquires the import of a trigger.
///
/// Whoever creates the record first has begun the import; the others find it.
pub(super) async fn acquire(
    store: &Store,
    settings: &Settings,
    trigger: &Trigger,
    now: DateTime<Utc>,
    owner: u64,
) -> Result<Opened, ImportError> {
    let bucket = settings.report_bucket.as_deref().or_else(|| trigger.bucket()).ok_or_else(|| {
        let what = match &trigger.source {
            Source::Export(_) => "an export",
            Source::Object(_) | Source::Request(_) => "a request without a source",
        };
        ImportError::invalid_request(format!("{what} needs the setting REPORT_BUCKET"))
    })?;
    let mut key = trigger.key.clone();
    for _ in 0..MAX_RACES {
        let folder = state_folder(settings, bucket, &key);
        match Lease::find(store, &folder).await? {
            Some(Found::Joined(other)) => key = IdempotencyKey::from_stored(other),
            Some(Found::Record(record, version)) => {
                check_same(&record, trigger)?;
                let has_progressed =
                    record.answer.is_none() && Journal::has_progressed(store, &folder, record.deliveries).await?;
                if let Some(acquired) =
                    Lease::take_over(store, &folder, (*record, version), owner, has_progressed).await?
                {
                    return Ok(Opened::Acquired(acquired));
                }
            }
            None => {
                let begin = Begin { store, settings, trigger, bucket, folder: &folder, now, owner };
                match begin_or_join(&begin).await? {
                    Next::Opened(opened) => return Ok(opened),
                    Next::LookAgain => {}
                }
            }
        }
    }
    Err(anyhow::anyhow!("import {} changes all the time: many deliveries begin at once", key.as_str()).into())
}

/// What a trigger's import is to this delivery.
pub(super) enum Opened {
    /// It has begun.
    Acquired(Acquired),
    /// It never began, and leaves nothing behind.
    Over(Box<ImportEnd>),
}

enum Next {
    Opened(Opened),
    /// Something is there now.
    LookAgain,
}

async fn begin_or_join(begin: &Begin<'_>) -> Result<Next, ImportError> {
    let Begin { store, trigger, folder, .. } = begin;
    if let Some(import_id) = trigger.name().filter(|_| trigger.answered_key().is_some()) {
        return Err(ImportError::invalid_request(format!("there is no import '{import_id}'")));
    }
    let sought = Sought::find(store, trigger, begin.now).await?;
    let terms = Terms::of(begin, sought.as_ref());
    if let Some(terms) = &terms
        && let Some(under_way) = terms.under_way(begin).await?
        && Lease::join(store, folder, &under_way).await?
    {
        return Ok(Next::LookAgain);
    }
    let begun = match (&trigger.source, &sought) {
        (Source::Export(request), _) => Begun::Record(Box::new(begin.begin_export(request))),
        (_, Some(sought)) => begin.begin(sought).await?,
        (_, None) => return Err(ImportError::invalid_request("a request without a source")),
    };
    let record = match begun {
        Begun::Record(record) => record,
        Begun::Over(end) => return Ok(Next::Opened(Opened::Over(end))),
    };
    // Noted first: a note of an import that never began is none.
    if let Some(terms) = terms {
        terms.note(begin).await?;
    }
    let Some(lease) = Lease::create(store, folder, *record).await? else { return Ok(Next::LookAgain) };
    Ok(Next::Opened(Opened::Acquired(Acquired::Lease(Box::new(lease)))))
}

fn state_folder(settings: &Settings, bucket: &str, key: &IdempotencyKey) -> Location {
    Location::new(bucket, format!("{}{}/", settings.prefixes.state, key.as_str()))
}

/// What a queued request without a name asks for: another message that asks the same is the same import, while that is under
/// way.
struct Terms(Location);

/// Which import was last begun on these terms.
#[derive(Debug, Serialize, Deserialize)]
struct LastOnTerms {
    key: String,
}

impl Terms {
    fn of(begin: &Begin<'_>, sought: Option<&Sought>) -> Option<Self> {
        let key = match &begin.trigger.source {
            Source::Request(request @ Request { source: Some(source), .. }) => {
                IdempotencyKey::of_terms(source, sought?.version(), request)
            }
            Source::Export(request) => IdempotencyKey::of_export_terms(request),
            Source::Object(_) | Source::Request(_) => return None,
        };
        let at = format!("{}requests/{}.json", begin.settings.prefixes.state, key.as_str());
        begin.trigger.joins.then(|| Self(Location::new(begin.bucket, at)))
    }

    /// The import on these terms that is not over.
    async fn under_way(&self, begin: &Begin<'_>) -> Result<Option<String>, StoreError> {
        let Some((bytes, _)) = begin.store.get(&self.0).await? else { return Ok(None) };
        let Ok(LastOnTerms { key }) = serde_json::from_slice(&bytes) else { return Ok(None) };
        let folder = state_folder(begin.settings, begin.bucket, &IdempotencyKey::from_stored(key.clone()));
        Ok(match Lease::find(begin.store, &folder).await? {
            Some(Found::Record(record, _)) if record.answer.is_none() => Some(key),
            _ => None,
        })
    }

    async fn note(&self, begin: &Begin<'_>) -> Result<(), StoreError> {
        let last = LastOnTerms { key: begin.trigger.key.as_str().to_owned() };
        let bytes = serde_json::to_vec(&last).expect("a key has no map keys");
        begin.store.write(&self.0, bytes.into(), None).await.map(drop)
    }
}

/// A request that names an import must mean what that import was given: a dry run of that name must not resume a real one.
fn check_same(record: &ImportRecord, trigger: &Trigger) -> Result<(), ImportError> {
    let (Some(import_id), Some(asked)) = (trigger.name(), trigger.terms()) else { return Ok(()) };
    let given = match &record.request {
        Some(given) => given.clone(),
        None => json!({ "source": record.source.to_string() }),
    };
    let asks_nothing_else = trigger.answered_key().is_some()
        && trigger.request().is_some_and(|request| {
            let source = request.source.as_ref().map(ToString::to_string);
            request.has_no_options() && (source.is_none() || source.as_deref() == given["source"].as_str())
        });
    if asks_nothing_else || asked == given {
        return Ok(());
    }
    Err(ImportError::invalid_request(format!(
        "the import '{import_id}' was begun with {given} and this request is {asked}: give it another import_id"
    )))
}
