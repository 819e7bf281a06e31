//! Pages of each kind of end, to be looked at: `report.html` of made-up imports, by the function's own engine, in virtual time.
//!
//! ```sh
//! cargo run --example report              # writes them below target/pages
//! ```
#![expect(clippy::print_stdout, reason = "this is what the example shows")]

mod stage;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use chrono::DateTime;
use connect_bulk_import::import::Deadlines;
use connect_bulk_import::import::request::ExportRequest;
use connect_bulk_import::import::trigger::Trigger;
use connect_bulk_import::kind::FileKind;
use connect_bulk_import::settings::REPORT_BUCKET;
use connect_emulator::{Emulator, Fault, Faults, Instance, Operation, Quotas, Rule};
use import_testkit::clients::s3_config;
use import_testkit::{MemoryS3, Versioning};
use tokio::time::sleep;

const N_USERS: usize = 400;

/// An import or an export: how it is called, what asks for it, and what befalls it.
struct Case {
    name: &'static str,
    asked: Asked,
    befalls: Befalls,
}

/// What asks for it.
enum Asked {
    /// A file that is dropped under this key.
    Drop(&'static str, String),
    /// A request for an export.
    Export,
}

/// What befalls an import.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Befalls {
    Nothing,
    /// The permission to read proficiencies is not there.
    Denied,
    /// A person cancels it after so many seconds.
    Cancelled(u64),
    /// It is looked at while it runs.
    LookedAt(u64),
}

fn main() -> anyhow::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    for case in cases() {
        let page = runtime.block_on(page(&case)).with_context(|| case.name)?;
        std::fs::write(folder.join(format!("{}.html", case.name)), &page)?;
        println!("target/pages/{}.html  {} KiB", case.name, page.len() / 1024);
    }
    Ok(())
}

/// The page of an import.
async fn page(case: &Case) -> anyhow::Result<Vec<u8>> {
    let s3 = MemoryS3::new().with_bucket(stage::BUCKET, Versioning::Off);
    let mut centre = centre();
    match &case.asked {
        Asked::Drop(key, csv) => drop(s3.put(stage::BUCKET, key, csv.clone())),
        // What no file can say.
        Asked::Export => {
            centre.add_user("5eed0000-0000-4000-8000-00000000f0f0", "<b>of old</b>", [("Product", "P99", 2.0)]);
        }
    }
    let mut emulator = Emulator::builder(centre).quotas(Quotas::all(5.0, 5)).latency(Duration::from_millis(80));
    if case.befalls == Befalls::Denied {
        emulator =
            emulator.faults(Faults::none().rule(Rule::new(Fault::AccessDenied).on(Operation::ListUserProficiencies)));
    }
    let settings = [("REQUESTS_PER_SECOND", "5"), ("MAX_REMOVALS_PERCENT", "60"), (REPORT_BUCKET, stage::BUCKET)];
    let importer = stage::importer(&emulator.build(), s3_config(&s3), &settings)?;
    let find = |name: &str| s3.keys(stage::BUCKET, "reports/").into_iter().find(|key| key.ends_with(name));
    let befalls = async {
        match case.befalls {
            Befalls::Cancelled(seconds) => {
                sleep(Duration::from_secs(seconds)).await;
                let page = find("/report.html").context("no page")?;
                s3.put(stage::BUCKET, &page.replace("report.html", "cancel"), "");
                std::future::pending().await
            }
            Befalls::LookedAt(seconds) => {
                sleep(Duration::from_secs(seconds)).await;
                anyhow::Ok(())
            }
            Befalls::Nothing | Befalls::Denied => std::future::pending().await,
        }
    };
    let done = async {
        match &case.asked {
            Asked::Drop(key, _) => stage::import(&importer, key).await,
            Asked::Export => {
                let request = ExportRequest { export: FileKind::Proficiencies, form: None, import_id: None };
                let deadlines = Deadlines::none(DateTime::UNIX_EPOCH);
                Ok(importer.run(&Trigger::invoked(request, "export"), &deadlines).await?)
            }
        }
    };
    tokio::select! {
        answer = done => drop(answer?),
        looked = befalls => looked?,
    }
    let page = find("/report.html").context("no page")?;
    Ok(s3.get(stage::BUCKET, &page).context("no page")?.to_vec())
}

/// A centre in which everybody speaks some German, and knows a product.
fn centre() -> Instance {
    let mut centre = Instance::new("5eed5eed-0000-4000-8000-000000c0ffee")
        .with_attribute("Language", ["German", "English", "French", "Spanish"])
        .with_attribute("Product", (0..20).map(|n| format!("P{n:02}")).collect::<Vec<_>>());
    for n in 0..N_USERS {
        let level = f32::from(u8::try_from(n % 5).unwrap_or_default()) + 1.0;
        let mut held = vec![("Language".to_owned(), "German".to_owned(), level)];
        held.push(("Product".to_owned(), format!("P{:02}", n % 20), 3.0));
        centre.add_user(format!("5eed0000-0000-4000-8000-{n:012}"), format!("agent{n:03}"), held);
    }
    centre
}

/// A file with these rows.
fn file(rows: impl IntoIterator<Item = String>) -> String {
    let mut csv = "user,attribute,value,level,Team\n".to_owned();
    for row in rows {
        _ = writeln!(csv, "{row}");
    }
    csv
}

fn german(level: usize) -> impl Fn(usize) -> String {
    move |n| format!("agent{n:03},Language,German,{},Berlin", (n + level) % 5 + 1)
}

/// Good rows and bad ones, and cells that would do harm in a page.
fn mixed() -> String {
    let mut rows: Vec<_> = (0..60).map(german(1)).collect();
    for n in 0..14 {
        rows.push(format!("agent{n:03},Language,Germann,3,Berlin"));
        rows.push(format!("nobody{n},Language,German,3,Berlin"));
    }
    rows.push("agent001,Language,French,six,Berlin".to_owned());
    rows.push("agent002,Product,,3,Berlin".to_owned());
    rows.push("agent003,Product,P05,2,Berlin\nagent003,Product,P05,4,Berlin".to_owned());
    rows.push("<script>alert(1)</script>,Language,German,3,x".to_owned());
    rows.push("\u{202e}gnp.exe]]>,Language,German,\"<img src=x onerror=alert(1)>\",x".to_owned());
    rows.push("=HYPERLINK(\"\"http://x\"\"),Language,German,3,x".replace("\"\"", "'"));
    rows.push(format!("agent004,Language,{},3,x", "W".repeat(60)));
    rows.push(format!("agent005,Language,German,{},x", "9".repeat(32_767)));
    for n in 0..9 {
        rows.push(format!("agent006,Product,P{:02},3,Berlin", n + 7));
    }
    file(rows)
}

/// What takes an import back of which others have changed some since.
fn undo() -> String {
    let row = |n: usize| {
        format!("agent{n:03},Language,German,{},set,{}\n", (n + 2) % 5 + 1, if n < 7 { 5 } else { n % 5 + 1 })
    };
    (0..40).map(row).fold("user,attribute,value,level,action,if_level\n".to_owned(), |csv, row| csv + &row)
}

fn cases() -> Vec<Case> {
    let case = |name, key, csv, befalls| Case { name, asked: Asked::Drop(key, csv), befalls };
    let export = |name, befalls| Case { name, asked: Asked::Export, befalls };
    let all = || file((0..N_USERS).map(german(2)));
    let few = |n: usize| file((0..n).map(german(1)));
    vec![
        case("succeeded", "incoming/agents.csv", few(120), Befalls::Nothing),
        case(
            "nothing-to-do",
            "incoming/agents.csv",
            few(120).replace(",Team", "").replace(",Berlin", ""),
            Befalls::Nothing,
        ),
        case("plan", "incoming/dry-run=true/agents.csv", few(120), Befalls::Nothing),
        case("with-errors", "incoming/b\u{fc}ro s\u{fc}d/Agents & Co.csv", mixed(), Befalls::Nothing),
        case("plan-with-errors", "incoming/dry-run=true/agents.csv", mixed(), Befalls::Nothing),
        case("replaced", "incoming/mode=replace/agents.csv", few(120), Befalls::Nothing),
        case(
            "withheld",
            "incoming/mode=replace/agents.csv",
            file((0..120).map(german(1)).chain((0..3).map(|n| format!("agnet{n:03},Product,P{n:02},3,Berlin")))),
            Befalls::Nothing,
        ),
        case("kept", "incoming/undo.csv", undo(), Befalls::Nothing),
        case(
            "mass-removal",
            "incoming/mode=replace/agents.csv",
            file((0..40).map(|n| format!("agent{n:03},Language,French,3,x"))),
            Befalls::Nothing,
        ),
        case("rejected", "incoming/mode=replcae/agents.csv", few(120), Befalls::Nothing),
        case("not-a-table", "incoming/agents.csv", "PK\u{3}\u{4}xl/workbook".to_owned(), Befalls::Nothing),
        case("denied", "incoming/agents.csv", few(120), Befalls::Denied),
        case("cancelled", "incoming/agents.csv", all(), Befalls::Cancelled(45)),
        case("under-way", "incoming/agents.csv", all(), Befalls::LookedAt(62)),
        case(
            "channels",
            "incoming/channels.csv",
            "user,channel,auto_accept,phone_type,phone_number\nagent000,VOICE,yes,DESK_PHONE,+4930901820\n\
             agent001,CHAT,maybe,,\nagent002,VOICE,no,DESK_PHONE,4930\nagent003,EMAIL,yes,,\n"
                .to_owned(),
            Befalls::Nothing,
        ),
        export("exported", Befalls::Nothing),
        export("export-under-way", Befalls::LookedAt(32)),
        export("export-denied", Befalls::Denied),
        case(
            "many-to-mend",
            "incoming/agents.csv",
            file((0..20_000).map(|n| format!("nobody{n},\"<{}>\",German,3,x", "&".repeat(60)))),
            Befalls::Nothing,
        ),
    ]
}
