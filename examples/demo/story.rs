//! The first day with the function: does it work here, what do my agents have, and how do I change it for each of them?

use std::path::Path;

use anyhow::Context as _;
use chrono::Utc;
use connect_bulk_import::import::Deadlines;
use connect_bulk_import::import::request::ExportRequest;
use connect_bulk_import::import::trigger::Trigger;
use connect_bulk_import::kind::{FileKind, Form};
use connect_bulk_import::{Answer, Importer};
use tokio::time::Instant;

use crate::{show, stage};

/// What the administrator changes: whose cell, in which column, to what.
const EDITS: [(&str, &str, &str); 5] = [
    ("cwagner", "Product: Billing", "4"),
    ("cwagner", "Language: German", "3"),
    ("pulrich", "Language: German", "2"),
    ("zquist", "Product: Mobile", "-"),
    ("tzeller", "Language: English", "five"),
];

/// Tells it, in the words of whoever would type it.
pub(crate) async fn tell(importer: &Importer, s3: &aws_sdk_s3::Client, folder: &Path) -> anyhow::Result<()> {
    asked("Does it work here?", r#"aws lambda invoke ... --payload '{"check":true}'"#);
    let check = importer.check("", "story", None).await;
    for finding in &check.findings {
        let level = format!("{:?}", finding.level).to_lowercase();
        println!("  {level:8} {:14} {}", finding.what, finding.message);
    }
    println!("\n(The warnings are about the S3 of this demonstration: a folder keeps no versions, and tells nobody.)");
    let known = |n: Option<usize>| n.map_or_else(|| "?".to_owned(), |n| n.to_string());
    println!(
        "ok: {}, users: {}, attributes: {}, minutes per 1,000 users: {}\n",
        check.ok,
        known(check.users),
        known(check.attributes),
        check.minutes_per_1000_users
    );

    asked("What do my agents have?", r#"aws lambda invoke ... --payload '{"export":"proficiencies","form":"wide"}'"#);
    let answer = export(importer).await?;
    let (report, summary) = show::report(folder, &answer)?;
    let path = report.join("proficiencies.csv");
    let sheet = std::fs::read_to_string(&path)?;
    let sheet = sheet.trim_start_matches('\u{feff}');
    println!(
        "{} rows of {} users, as a sheet: {}\n",
        summary["rows"]["total"],
        summary["users"]["total"],
        show::path(&path)
    );
    for line in sheet.lines().take(5) {
        println!("  {line}");
    }
    println!("  ...\n");

    println!("In a spreadsheet, each agent gets its own (and one cell gets a word that is no level):\n");
    let edited = edit(sheet)?;
    for (before, after) in sheet.lines().zip(edited.lines()).filter(|(before, after)| before != after) {
        println!("- {before}\n+ {after}");
    }
    println!();

    asked("Make it so", "aws s3 cp proficiencies.csv s3://imports/incoming/");
    let key = "incoming/proficiencies.csv";
    s3.put_object().bucket(stage::BUCKET).key(key).body(edited.into_bytes().into()).send().await?;
    let began = Instant::now();
    let bar = show::bar()?;
    let answer = tokio::select! {
        answer = stage::import(importer, key) => answer?,
        () = show::watch(&bar, importer.progress()) => anyhow::bail!("nothing more comes of it"),
    };
    bar.finish_and_clear();
    let (report, summary) = show::report(folder, &answer)?;
    show::import(&report, &summary, began.elapsed().as_secs_f64())
}

fn asked(question: &str, command: &str) {
    println!("# {question}\n$ {command}\n");
}

/// Exports what all users have, as a sheet.
#[expect(clippy::disallowed_methods, reason = "the wall clock is read once per delivery")]
async fn export(importer: &Importer) -> anyhow::Result<Answer> {
    let request = ExportRequest { export: FileKind::Proficiencies, form: Some(Form::Wide), import_id: None };
    let (trigger, deadlines) = (Trigger::invoked(request, "story"), Deadlines::none(Utc::now()));
    let bar = show::bar()?;
    let answer = tokio::select! {
        answer = importer.run(&trigger, &deadlines) => answer.context("the export could not go on")?,
        () = show::watch(&bar, importer.progress()) => anyhow::bail!("nothing more comes of it"),
    };
    bar.finish_and_clear();
    Ok(answer)
}

/// The sheet with the edits.
fn edit(sheet: &str) -> anyhow::Result<String> {
    let mut reader = csv::Reader::from_reader(sheet.as_bytes());
    let header = reader.headers()?.clone();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&header)?;
    for row in reader.records() {
        let mut row: Vec<String> = row?.iter().map(str::to_owned).collect();
        let user = row[0].clone();
        for (_, column, cell) in EDITS.into_iter().filter(|(of, ..)| *of == user) {
            let place = header.iter().position(|name| name == column);
            let place = place.with_context(|| format!("{user}: nobody has {column}"))?;
            cell.clone_into(&mut row[place]);
        }
        writer.write_record(&row)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}
