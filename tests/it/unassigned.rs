//! In replace, what a row may name that cannot be assigned to a user is removed from nobody.

use connect_emulator::{Emulator, Instance, Quotas};
use expect_test::expect;
use serde_json::{Value, json};

use crate::world::{BUCKET, Report, World, user_id, with_products};

/// Users who have P00 to P03 at level 3.
fn centre(n_users: usize) -> Instance {
    with_products(n_users, 4)
}

async fn replace(world: &World, rows: &str, more: &Value) -> Report {
    world.s3.put(BUCKET, "lists/a.csv", format!("user,attribute,value,level\n{rows}"));
    let mut request = json!({"source": "s3://imports/lists/a.csv", "mode": "replace", "max_removals_percent": 100});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.import(request).await
}

/// What the first user still has of P00 to P03, when the file names P00 of it, and this row.
async fn left(row: &str) -> (Vec<String>, Report) {
    let world = World::new(centre(2));
    let report = replace(&world, &format!("agent000,Product,P00,3\n{row}\n"), &json!({})).await;
    let products = world.held(0).iter().map(|pair| pair.trim_start_matches("Product=")[..3].to_owned()).collect();
    (products, report)
}

#[tokio::test(start_paused = true)]
async fn a_row_of_nobody_protects_the_pair_that_it_names_and_all_if_that_is_none() {
    let pair: &[&str] = &["P00", "P02"];
    let all: &[&str] = &["P00", "P01", "P02", "P03"];
    for (row, expected) in [
        ("agnet00,Product,P02,3", pair),
        ("abc,product,p02,3", pair),
        ("00000000-0000-4000-8000-0000000000ff,Product,P02,3", pair),
        ("arn:aws:connect:eu-central-1:1:instance/x/agent/00000000-0000-4000-8000-000000000000,Product,P02,3", pair),
        (",Product,P02,3", pair),
        ("nobody,Product,P02,six", pair),
        ("nobody,Product,P02", pair),
        ("nobody,Product,P99,3", all),
        ("nobody,Prodcut,P02,3", all),
        ("nobody,Product", all),
        ("agent001;Product;P02;3", all),
        ("\"agent001,Product,P02,3\"", all),
        ("agent001\tProduct\tP02\t3", all),
        ("nobody,connect:Product,P02,3", all),
        ("nobody,Product,P02,3,extra", pair),
        ("nobody,Product,P02,3,three,more,cells", all),
        // A line break is gone: the second row's pair stands further right.
        ("nobody,Product,P02,3agent001,Product,P03,3", &["P00", "P02", "P03"]),
    ] {
        let (left, report) = left(row).await;
        assert_eq!(left, expected, "{row}");
        let withheld = report.withheld.as_deref().unwrap();
        let n_withheld = expected.len() - 1;
        assert_eq!(withheld.lines().count() - 1, n_withheld, "{row}");
        assert_eq!(report.summary["removals_withheld"], n_withheld, "{row}");
        assert_eq!(report.summary["implied_removals"], 3 - n_withheld, "{row}");
        assert_eq!(report.status(), "completed_with_errors", "{row}");
        assert_eq!(report.retry.unwrap().lines().count(), 1 + 2, "{row}: all rows of the file");
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_of_a_known_user_that_is_wrong_protects_that_user() {
    for row in ["agent001,Product", "agent001,Product,P99,3", "agent001,Product,P02,9"] {
        let world = World::new(centre(2));
        let rows = format!("agent000,Product,P00,3\nagent001,Product,P01,3\n{row}\n");
        let report = replace(&world, &rows, &json!({})).await;
        assert_eq!((world.held(0).len(), world.held(1).len()), (1, 4), "{row}");
        assert_eq!((report.withheld, &report.summary["removals_withheld"]), (None, &json!(0)), "{row}");
        assert_eq!(report.retry.unwrap().lines().count(), 1 + 2, "{row}: all rows of this user");
    }
    // Too many cells: whom such a row is about cannot be said, so it protects both.
    let world = World::new(centre(2));
    let rows = "agent000,Product,P00,3\nagent001,Product,P01,3\nagent001,Product,P02,3,9\n";
    replace(&world, rows, &json!({})).await;
    assert_eq!(world.held(0), ["Product=P00:3", "Product=P02:3"]);
    assert_eq!(world.held(1).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_was_withheld_is_told_by_name_and_can_be_removed_all_the_same() {
    let world = World::new(centre(2));
    let rows = "agent000,Product,P00,3\nagent001,Product,P00,3\nagent01,Product,P01,3\nagent01,Product,P02,3\n";
    let report = replace(&world, rows, &json!({})).await;
    expect![[r#"
        user,attribute,value,level,action,if_level
        00000000-0000-4000-8000-000000000000,Product,P01,,remove,3
        00000000-0000-4000-8000-000000000000,Product,P02,,remove,3
        00000000-0000-4000-8000-000000000001,Product,P01,,remove,3
        00000000-0000-4000-8000-000000000001,Product,P02,,remove,3
    "#]]
    .assert_eq(report.withheld.as_deref().unwrap());
    expect!["4 removals were withheld, because 2 rows cannot be assigned to a user (lines 4, 5): what such a row may name is removed from nobody. Correct these rows. What was withheld is in withheld.csv."]
        .assert_eq(report.summary["message"].as_str().unwrap());
    assert_eq!((&report.summary["code"], &report.summary["users"]["with_errors"]), (&Value::Null, &json!(3)));
    let page = world.s3.get(BUCKET, &format!("{}report.html", report.folder)).unwrap();
    let page = String::from_utf8(page.to_vec()).unwrap();
    assert!(page.contains("What was withheld") && page.contains("Withheld: 4 proficiencies."), "{page}");
    assert!(page.contains("<li><bdi>agent001</bdi>, <bdi>Product</bdi>, <bdi>P02</bdi>, <bdi>3</bdi></li>"), "{page}");
    let removed = world.drop_file("incoming/withheld.csv", report.withheld.unwrap()).await;
    assert_eq!((removed.counts()["removed"], world.held(0).len(), world.held(1).len()), (4, 1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_was_withheld_does_not_count_for_the_guard() {
    let world = World::new(centre(4));
    let rows: String = (0..4).map(|n| format!("agent{n:03},Product,P00,3\n")).collect();
    let guard = json!({"max_removals_percent": 20, "dry_run": true, "import_id": "whole"});
    assert_eq!(replace(&world, &rows, &guard).await.status(), "rejected");
    let rows = format!("{rows}nobody,Product,P01,3\nnobody,Product,P02,3\nnobody,Product,P03,3\n");
    let report = replace(&world, &rows, &json!({"max_removals_percent": 20, "dry_run": true})).await;
    assert_eq!((report.status(), &report.summary["removals_withheld"]), ("completed_with_errors", &json!(12)));
    let message = report.summary["message"].as_str().unwrap();
    assert!(message.starts_with("12 removals would be withheld, because 3 rows"), "{message}");
    assert_eq!((report.plan, report.removed), (None, None));
}

#[tokio::test(start_paused = true)]
async fn whoever_lists_people_without_an_account_can_say_so() {
    let rows = |name: &str| format!("agent000,Product,P00,3\n{name},Product,P02,3\n");
    let ignored = json!({"unassigned_rows": "ignore"});
    for (row, n_left, names_the_option) in [
        ("hr-only", 1, true),
        ("ffffffff-0000-4000-8000-000000000777", 1, true),
        ("agent00", 2, false),
        ("AGENT001", 2, false),
        ("CORP\\agent001", 2, false),
        ("00000000-0000-4000-8000-000000000009", 2, false),
        ("arn:aws:connect:eu-central-1:1:instance/x/agent/00000000-0000-4000-8000-000000000001", 2, false),
        ("", 2, false),
    ] {
        let world = World::new(centre(2));
        let report = replace(&world, &rows(row), &ignored).await;
        assert_eq!(world.held(0).len(), n_left, "{row}");
        assert_eq!(report.statuses()[1], "invalid", "{row}");
        assert_eq!(report.retry.unwrap().lines().count(), 1 + 2, "{row}");
        // The way on is named where it is one.
        let world = World::new(centre(2));
        let report = replace(&world, &rows(row), &json!({})).await;
        assert_eq!(world.held(0).len(), 2, "{row}");
        let message = report.summary["message"].as_str().unwrap();
        assert_eq!(message.contains("\"unassigned_rows\": \"ignore\""), names_the_option, "{row}: {message}");
    }
    // A row that is wrong for another reason, too, is not whole.
    let world = World::new(centre(2));
    replace(&world, "agent000,Product,P00,3\nhr-only,Product,P02,9\n", &ignored).await;
    assert_eq!(world.held(0).len(), 2);
}

/// Ten for ten others under a limit of ten: what is protected leaves no room for one of them.
#[tokio::test(start_paused = true)]
async fn where_what_is_protected_leaves_no_room_that_is_told_and_nothing_is_removed() {
    let world = World::new(with_products(1, 10));
    let rows: String = (10..20).map(|product| format!("agent000,Product,P{product:02},4\n")).collect();
    let report = replace(&world, &format!("{rows}nobody,Product,P02,3\n"), &json!({})).await;
    assert_eq!(report.counts(), [("invalid".to_owned(), 11)].into());
    assert_eq!((world.held(0).len(), report.removed.as_ref()), (10, None));
    let [_, _, code, message] = &report.rows()[0];
    assert_eq!(code, "too_many_proficiencies");
    let said = "Not removed, because a row that cannot be assigned to a user may name it: Product=P02.";
    assert!(message.ends_with(said), "{message}");
    assert_eq!(report.summary["removals_withheld"], 1);
    assert_eq!(report.withheld.unwrap().lines().count(), 1 + 1);
    let page = world.s3.get(BUCKET, &format!("{}report.html", report.folder)).unwrap();
    let page = String::from_utf8(page.to_vec()).unwrap();
    assert!(page.contains("Correct the rows in retry.csv") && !page.contains("Ask AWS"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn a_file_with_many_rows_of_too_many_cells_removes_nothing() {
    let rows = |n: usize| {
        let torn: String = (0..n).map(|n| format!("agent001,Product,P01,3,{n}\n")).collect();
        format!("agent000,Product,P00,3\n{torn}")
    };
    for (n, n_left) in [(10, 2), (1000, 4)] {
        let world = World::new(centre(2));
        replace(&world, &rows(n), &json!({"max_invalid_percent": 100})).await;
        assert_eq!(world.held(0).len(), n_left, "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quote_that_swallows_a_row_loses_nothing() {
    let world = World::new(centre(2));
    let rows = "agent000,Product,P00,3\nagent000,Product,\"P01,3\nagent001,Product,P02\",3\nagent001,Product,P03,3\n";
    let report = replace(&world, rows, &json!({})).await;
    assert_eq!(report.statuses(), ["unchanged", "invalid", "unchanged"]);
    assert_eq!((world.held(0).len(), world.held(1).len()), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn the_setting_says_so_for_all_files() {
    let emulator = Emulator::builder(centre(1)).quotas(Quotas::unlimited());
    let settings = [("REQUESTS_PER_SECOND", "1000"), ("MAX_REMOVALS_PERCENT", "100"), ("UNASSIGNED_ROWS", "ignore")];
    let world = World::built(emulator, &settings);
    let csv = "user,attribute,value,level\nagent000,Product,P00,3\nhr-only,Product,P02,3\n";
    world.drop_file("incoming/mode=replace/a.csv", csv).await;
    assert_eq!(world.held(0), ["Product=P00:3"]);
    let error = world.invoke(json!({"source": "s3://imports/incoming/a.csv", "unassigned_rows": "none"})).await;
    let message = format!("{:?}", error.unwrap_err());
    assert!(message.contains("unknown variant `none`, expected `protect` or `ignore`"), "{message}");
}

/// The user of a spoilt row is renamed while the import runs: what its row protected stays protected.
#[tokio::test(start_paused = true)]
async fn what_was_protected_stays_so_in_every_delivery() {
    let emulator = Emulator::builder(centre(30)).quotas(Quotas::all(10.0, 5));
    let mut world = World::built(emulator, &[("REQUESTS_PER_SECOND", "10"), ("MAX_REMOVALS_PERCENT", "100")]);
    let rows: String = (0..30).map(|n| format!("agent{n:03},Product,P00,3\n")).collect();
    let csv = format!("user,attribute,value,level\n{rows}later,Product,P02,3\n");
    let event = world.dropped("incoming/mode=replace/a.csv", csv);
    let life = std::time::Duration::from_secs(4);
    assert!(tokio::time::timeout(life, world.invoke(event.clone())).await.is_err());
    world.restart();
    // Somebody gets the name that nobody had.
    world.emulator.instance(|centre| centre.add_user(user_id(77), "later", Vec::<(String, String, f32)>::new()));
    let report = world.import(event).await;
    for n in 0..30 {
        assert_eq!(world.held(n), ["Product=P00:3", "Product=P02:3"], "agent{n:03}");
    }
    assert_eq!((&report.summary["removals_withheld"], report.status()), (&json!(30), "completed_with_errors"));
}

#[tokio::test(start_paused = true)]
async fn a_sheets_row_of_nobody_protects_what_its_entries_name() {
    let world = World::new(centre(2));
    let sheet = "user,Product: P00,Product: P01,Product: P02\nagent000,3,,\nnobody,,4,\n";
    let report = world.drop_file("incoming/mode=replace/a.csv", sheet).await;
    assert_eq!(
        (report.statuses(), world.held(0)),
        (vec!["unchanged".into(), "invalid".into()], vec!["Product=P00:3".into(), "Product=P01:3".into()])
    );
    let retry = report.retry.unwrap();
    assert_eq!(retry.lines().count(), 1 + 2, "all entries: {retry}");
    // Where cells have moved, the headings say nothing of what the row may name.
    let world = World::new(centre(2));
    let sheet = "user,Product: P00,Product: P01,Product: P02\nagent000,3,,\nno,body,,4,5\n";
    world.drop_file("incoming/mode=replace/a.csv", sheet).await;
    assert_eq!(world.held(0).len(), 4);
    let world = World::new(centre(2));
    let sheet = "user,Product: P00,Product: P01,Product: P02\nagent000,3,,\nnobody,1\n";
    world.drop_file("incoming/mode=replace/a.csv", sheet).await;
    assert_eq!(world.held(0).len(), 4);
}
