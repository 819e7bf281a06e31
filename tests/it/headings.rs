//! What the headings of a sheet mean.

use std::time::Duration;

use connect_emulator::{Emulator, Fault, Faults, Operation, Quotas, Rule, Switches};
use serde_json::json;

use crate::sheets::{centre, code, message, told};
use crate::world::{World, run};

#[test]
fn a_typo_in_a_heading_is_told_before_anything_is_written() {
    run(async {
        for (header, expected, said) in [
            ("user,Gold,French", "ambiguous_column", "name the column \"Queue: Gold\" or \"Tier: Gold\""),
            ("user,Germn,French", "unknown_column", "did you mean \"Language: German\"? If \"Germn\" is no skill"),
            ("user,Langauge,French", "unknown_column", "did you mean \"Language\"?"),
            ("user,customer_care,French", "unknown_column", "did you mean \"Customer Care\"?"),
            ("user,Language: Germn,French", "unknown_column", "did you mean \"Language: German\"?"),
            ("user,Language: Klingon,French", "unknown_column", "The attribute 'Language' has no value 'Klingon'"),
            ("user,Languages: Klingon,French", "unknown_column", "There is no predefined attribute 'Languages'"),
            ("user,Sprache: German,French", "unknown_column", "did you mean \"Language: German\"?"),
            ("user,German: level,French", "unknown_column", "did you mean \"Language: German\"?"),
            ("user,Level: French,Spanish", "unknown_column", "did you mean \"Language: French\"?"),
            ("user,connect:Subtype,French", "unknown_column", "write \"connect:Attribute: Value\""),
            ("user,French,level", "unknown_column", "neither `attribute` nor `value`"),
            ("user,French,Proficiency Level", "unknown_column", "neither `attribute` nor `value`"),
            ("user,French,action", "unknown_column", "neither `attribute` nor `value`"),
            ("user,French,if_level", "unknown_column", "neither `attribute` nor `value`"),
            ("user,French,if_levle", "unknown_column", "no column `if_level`, but one named \"if_levle\""),
            ("user,French,acton", "unknown_column", "no column `action`, but one named \"acton\""),
            ("user,French,atribute", "unknown_column", "no column `attribute`, but one named \"atribute\""),
            ("user,French,auto_acept", "unknown_column", "no column `auto_accept`"),
            ("users,French", "unknown_column", "no column `user`, but one named \"users\""),
            ("user,Team,Shift", "missing_column", "Either name the columns `user`, `attribute`, `value` and `level`"),
            ("user,Agent,username,French", "", ""),
            ("Agent,login,French", "duplicate_column", "The column `user` is there twice"),
        ] {
            let world = World::new(centre(1));
            let report = world.drop_file("incoming/team.csv", format!("{header}\nagent000,1,2,3\n")).await;
            if expected.is_empty() {
                assert_eq!(report.status(), "succeeded", "{header}");
                continue;
            }
            assert_eq!(code(&report), ("rejected", expected), "{header}: {}", message(&report));
            assert!(message(&report).contains(said), "{header}: {}", message(&report));
            assert!(report.results.is_none() && world.held(0).is_empty());
        }
        // What stands there itself is not meant by a near name; other columns are other columns.
        let world = World::new(centre(1));
        let csv = "user,German,Germn,Team,Start: hour,id_\nagent000,3,x,y,z,1\n";
        let report = world.drop_file("incoming/team.csv", csv).await;
        assert_eq!((report.statuses(), report.status()), (vec!["added".to_owned()], "succeeded"));
        assert_eq!(report.summary["columns"]["carried"], json!(["Germn", "Team", "Start: hour", "id_"]));
    });
}

#[test]
fn a_skill_that_the_search_does_not_show_yet_is_one_all_the_same() {
    run(async {
        let mut centre = centre(1);
        centre.add_attribute("Brand New", ["Shiny", "Dull"]);
        let switches = Switches { search_lag: vec!["Brand New".to_owned()], ..Switches::default() };
        let emulator = Emulator::builder(centre).quotas(Quotas::unlimited()).switches(switches);
        let world = World::built(emulator, &[("REQUESTS_PER_SECOND", "1000")]);
        let csv = "user,brand new,Brand New: Dull,Team\nagent000,Shiny 4,2,x\n";
        let report = world.drop_file("incoming/team.csv", csv).await;
        assert_eq!(report.statuses(), ["added", "added"], "{:?}", report.summary);
        assert_eq!(world.held(0), ["Brand New=Dull:2", "Brand New=Shiny:4"]);
    });
}

#[test]
fn attributes_of_the_systems_go_to_the_service_unasked() {
    run(async {
        let world = World::new(centre(1).with_attribute("connect:Subtype", ["connect:Chat"]));
        let csv = "user,connect:Subtype: connect:Chat\nagent000,3\n";
        let report = world.drop_file("incoming/team.csv", csv).await;
        assert_eq!(told(&report), ["2|connect:Subtype: connect:Chat|agent000|connect:Subtype|connect:Chat|3|added|"]);
    });
}

#[test]
fn the_forms_of_a_file_are_told_apart_by_its_columns() {
    run(async {
        for (header, row, expected) in [
            ("user,French,value", "agent000,1,2", "missing_column"),
            ("user,French,channel", "agent000,1,VOICE", "missing_column"),
            ("user,French,Auto Accept", "agent000,1,yes", "missing_column"),
            ("user,attribute,value,level,French", "agent000,Language,German,3,x", ""),
            ("user,channel,auto_accept,French", "agent000,CHAT,yes,3", ""),
        ] {
            let world = World::new(centre(1));
            let report = world.drop_file("incoming/a.csv", format!("{header}\n{row}\n")).await;
            assert_eq!(code(&report).1, expected, "{header}: {}", message(&report));
            assert!(!world.calls().contains_key("DescribePredefinedAttribute"), "{header}");
        }
    });
}

#[test]
fn what_a_heading_means_is_kept_for_all_deliveries_of_an_import() {
    run(async {
        let mut world = World::built(
            Emulator::builder(centre(40)).quotas(Quotas::all(5.0, 1)),
            &[("REQUESTS_PER_SECOND", "5"), ("REQUEST_BURST", "1")],
        );
        let rows: String = (0..40).map(|n| format!("agent{n:03},3,S01 2\n")).collect();
        let event = world.dropped("incoming/team.csv", format!("user,German,Site\n{rows}"));
        let life = tokio::time::timeout(Duration::from_secs(6), world.invoke(event.clone())).await;
        assert!(life.is_err(), "it is killed half-way");
        world.restart();
        // Meanwhile another attribute has such a value.
        world.emulator.instance(|instance| {
            instance.add_attribute("Nation", vec!["German".to_owned()]);
        });
        let report = world.import(event).await;
        assert_eq!((report.status(), report.counts()["added"]), ("succeeded", 80));
        assert_eq!(report.summary["deliveries"], 2);
        assert_eq!(report.summary["calls"]["SearchPredefinedAttributes"]["attempts"], 3, "headings are asked once");
    });
}

#[test]
fn an_instance_that_cannot_be_asked_ends_a_sheet_with_its_reason() {
    run(async {
        let world = World::new(centre(1));
        let denied = Rule::new(Fault::AccessDenied).on(Operation::SearchPredefinedAttributes);
        world.emulator.set_faults(Faults::none().rule(denied));
        let report = world.drop_file("incoming/team.csv", "user,German\nagent000,3\n").await;
        assert_eq!(code(&report), ("failed", "AccessDeniedException"));
        assert!(report.results.is_none() && message(&report).contains("SearchPredefinedAttributes"));
    });
}
