//! A sheet does what its long form would do, for any sheet, any fault and any kill.

use std::collections::BTreeSet;
use std::time::Duration;

use connect_emulator::{Faults, Switches};
use import_testkit::workbook::{rows, workbook};
use proptest::prelude::*;

use crate::laws::{Dropped, N_PRODUCTS, N_USERS, Sets, check_in_trouble, is_told, product, sets, trouble};
use crate::world::{run, user_id};

/// What a column's heading is, and of its cells.
#[derive(Clone, Copy, Debug)]
enum Column {
    /// `Product: P00`.
    Pair(usize),
    /// `p00`.
    Value(usize),
    /// `Product`.
    List,
    /// Carried through.
    Note,
}

/// What an entry says: which product, and its level.
type Entry = (usize, &'static str);

#[derive(Clone, Debug)]
struct SheetRow {
    user: String,
    /// For each column its entries; one at most where the column is no list.
    cells: Vec<Vec<Entry>>,
}

#[derive(Clone, Debug)]
struct SheetCase {
    held: Sets,
    columns: Vec<Column>,
    rows: Vec<SheetRow>,
    is_workbook: bool,
    replaces: bool,
    switches: Switches,
    seed: u64,
    fault: f64,
    lives: [Vec<Duration>; 2],
}

fn is_none(level: &str) -> bool {
    matches!(level, "-" | "0")
}

fn entry() -> impl Strategy<Value = Entry> {
    let level = prop_oneof![10 => prop::sample::select(vec!["1", "2", "3", "4", "5"]), 3 => Just("-"), 2 => Just("0"), 1 => Just("six")];
    (0..=N_PRODUCTS, level)
}

fn column() -> impl Strategy<Value = Column> {
    prop_oneof![
        6 => (0..N_PRODUCTS).prop_map(Column::Pair),
        3 => (0..N_PRODUCTS).prop_map(Column::Value),
        2 => Just(Column::List),
        1 => Just(Column::Note),
    ]
}

fn sheet_row(columns: Vec<Column>) -> impl Strategy<Value = SheetRow> {
    let user = prop_oneof![
        12 => (0..N_USERS).prop_map(|n| format!("agent{n:03}")),
        3 => (0..N_USERS).prop_map(user_id),
        1 => Just("nobody".to_owned()),
        1 => Just(String::new()),
    ];
    let cells: Vec<_> = columns
        .into_iter()
        .map(|column| match column {
            Column::Pair(n) | Column::Value(n) => {
                prop::collection::vec(entry().prop_map(move |(_, level)| (n, level)), 0..=1).boxed()
            }
            Column::List => prop::collection::vec(entry(), 0..4).boxed(),
            Column::Note => Just(Vec::new()).boxed(),
        })
        .collect();
    (user, cells).prop_map(|(user, cells)| SheetRow { user, cells })
}

fn sheet_case() -> impl Strategy<Value = SheetCase> {
    let set = prop::collection::btree_map((0..N_PRODUCTS).prop_map(product), 1..=5_u8, 0..=8);
    let lives = || prop::collection::vec((1_u64..1500).prop_map(Duration::from_millis), 0..4);
    let how = (any::<bool>(), any::<bool>(), prop::sample::select(Switches::matrix()), any::<u64>(), 0.0..0.08_f64);
    let table = prop::collection::vec(column(), 0..8).prop_flat_map(|mut columns| {
        columns.push(Column::Pair(0));
        let rows = prop::collection::vec(sheet_row(columns.clone()), 1..9);
        (Just(columns), rows)
    });
    (prop::collection::vec(set, N_USERS), table, how, lives(), lives()).prop_map(
        |(held, (columns, mut rows), (is_workbook, replaces, (_, switches), seed, fault), first, second)| {
            if replaces {
                leave_out_the_unsaid(&mut rows);
            }
            SheetCase { held, columns, rows, is_workbook, replaces, switches, seed, fault, lives: [first, second] }
        },
    )
}

/// Any sheet, any centre, and whatever befalls the import.
pub fn dropped_sheet() -> impl Strategy<Value = Dropped> {
    sheet_case().prop_map(|case| case.dropped(case.sheet(), &case.lives[0]))
}

/// Whose a row is, whatever it calls the user.
fn owner(row: &SheetRow) -> Option<usize> {
    (0..N_USERS).find(|&n| row.user == user_id(n) || row.user == format!("agent{n:03}"))
}

/// Takes out entries that the long form of a file which is the whole truth cannot say: that a user does not have what another
/// entry says it has, and what somebody does not have whom nobody knows.
fn leave_out_the_unsaid(rows: &mut [SheetRow]) {
    let mut set = BTreeSet::new();
    for row in rows.iter() {
        let entries = row.cells.iter().flatten().filter(|(_, level)| !is_none(level));
        set.extend(entries.map(|(n, _)| (owner(row), *n)));
    }
    for row in rows {
        let of = owner(row);
        row.cells
            .iter_mut()
            .for_each(|cell| cell.retain(|(n, level)| !is_none(level) || (of.is_some() && !set.contains(&(of, *n)))));
    }
}

impl SheetCase {
    /// The sheet's cells, the header's first.
    fn table(&self) -> Vec<Vec<String>> {
        let heading = |column: &Column| match column {
            Column::Pair(n) => format!("Product: {}", product(*n)),
            Column::Value(n) => product(*n).to_lowercase(),
            Column::List => "PRODUCT".to_owned(),
            Column::Note => "Team".to_owned(),
        };
        let header = ["user".to_owned()].into_iter().chain(self.columns.iter().map(heading)).collect();
        let row = |row: &SheetRow| {
            let cell = |(column, entries): (&Column, &Vec<Entry>)| match column {
                Column::List => {
                    let entries = entries.iter().map(|(n, level)| format!("{} {level}", product_or_none(*n)));
                    entries.collect::<Vec<_>>().join(";")
                }
                Column::Note => "North".to_owned(),
                Column::Pair(_) | Column::Value(_) => entries.first().map_or("", |(_, level)| level).to_owned(),
            };
            let cells = self.columns.iter().zip(&row.cells).map(cell);
            [row.user.clone()].into_iter().chain(cells).collect()
        };
        [header].into_iter().chain(self.rows.iter().map(row)).collect()
    }

    fn sheet(&self) -> Vec<u8> {
        let table = self.table();
        if self.is_workbook {
            return workbook(&[("Team", "visible", rows(&table))]);
        }
        table.iter().map(|row| row.join(",") + "\n").collect::<String>().into_bytes()
    }

    /// A file that says this, to be imported in so many lives.
    fn dropped(&self, bytes: Vec<u8>, lives: &[Duration]) -> Dropped {
        Dropped {
            held: self.held.clone(),
            limit: 20,
            replaces: self.replaces,
            switches: self.switches.clone(),
            seed: self.seed,
            fault: self.fault,
            lives: lives.to_vec(),
            bytes,
            newer: self.with_other_levels().sheet(),
            n_rows: self.entries().len(),
        }
    }

    /// The same sheet, in which some levels are others.
    fn with_other_levels(&self) -> Self {
        let mut other = self.clone();
        let entries = other.rows.iter_mut().flat_map(|row| row.cells.iter_mut().flatten());
        entries.for_each(|(_, level)| match *level {
            "1" => *level = "2",
            "5" => *level = "4",
            _ => {}
        });
        other
    }

    /// All entries: the user and what is said of it, and the line.
    fn entries(&self) -> Vec<(&SheetRow, Entry, usize)> {
        let of_row = |(line, row): (usize, _)| {
            let row: &SheetRow = row;
            row.cells.iter().flatten().map(move |entry| (row, *entry, line))
        };
        (2..).zip(&self.rows).flat_map(of_row).collect()
    }

    /// The long form. Where it is the whole truth, what is not to be there is left out.
    fn long_form(&self) -> String {
        let mut csv = format!("user,attribute,value,level{}\n", if self.replaces { "" } else { ",action" });
        for (row, (n, level), _) in self.entries() {
            let product = product_or_none(n);
            match (is_none(level), self.replaces) {
                (true, true) => {}
                (true, false) => csv += &format!("{},Product,{product},,remove\n", row.user),
                (false, _) => {
                    csv += &format!("{},Product,{product},{level}{}\n", row.user, if self.replaces { "" } else { "," });
                }
            }
        }
        csv
    }
}

/// A product's name; one more than there are is nobody's.
fn product_or_none(n: usize) -> String {
    if n < N_PRODUCTS { product(n) } else { "P99".to_owned() }
}

async fn check(case: SheetCase) {
    let (sheet, told) = case.dropped(case.sheet(), &case.lives[0]).import().await;
    let entries = case.entries();
    if entries.is_empty() {
        assert_eq!(told.summary["code"], "no_rows");
        return;
    }
    told.counts();
    assert!(is_told(&sheet, &told), "the end is told: {}", told.summary);
    let lines: Vec<_> = told.rows().into_iter().map(|[line, ..]| line.parse::<usize>().unwrap()).collect();
    assert_eq!(lines, entries.iter().map(|(.., line)| *line).collect::<Vec<_>>(), "each entry is told once, in order");

    let after = sets(&sheet);
    let statuses = told.statuses();
    let long = case.long_form();
    if long.lines().count() > 1 {
        let (other, long) = case.dropped(long.into_bytes(), &case.lives[1]).import().await;
        let is_in_both =
            |((_, (_, level), _), _): &(&(&SheetRow, Entry, usize), &String)| !(case.replaces && is_none(level));
        let mine: Vec<_> = entries.iter().zip(&statuses).filter(is_in_both).map(|(_, status)| status.clone()).collect();
        assert_eq!(
            mine,
            long.statuses(),
            "the long form is told the same:\n{}\n{:?}\n{:?}",
            String::from_utf8_lossy(&case.sheet()),
            told.rows(),
            long.rows()
        );
        let mut expected = sets(&other);
        if case.replaces {
            take_away(&case, &entries, &statuses, &mut expected);
        }
        assert_eq!(after, expected, "the long form leads to the same");
    } else {
        let mut expected = case.held.clone();
        take_away(&case, &entries, &statuses, &mut expected);
        assert_eq!(after, expected, "nothing is set, and only what is named is taken away");
    }
    if let Some(undo) = told.undo {
        sheet.emulator.set_faults(Faults::none());
        sheet.drop_file("incoming/undo.csv", undo).await;
    }
    assert_eq!(sets(&sheet), case.held, "undo.csv takes back all of it");
}

/// Takes away what entries say that are right.
fn take_away(case: &SheetCase, entries: &[(&SheetRow, Entry, usize)], statuses: &[String], sets: &mut Sets) {
    let mut taken = BTreeSet::new();
    for ((row, (n, level), _), status) in entries.iter().zip(statuses) {
        if let Some(user) = owner(row)
            && is_none(level)
            && status != "invalid"
        {
            sets[user].remove(&product_or_none(*n));
            taken.insert((user, *n));
        }
    }
    assert!(case.replaces || taken.is_empty());
}

proptest! {
    #![proptest_config(crate::world::cases(96))]
    #[test]
    fn a_sheet_does_what_its_long_form_would_do(case in sheet_case()) {
        run(check(case));
    }

    #[test]
    fn whatever_stops_a_sheet_the_undo_takes_back_all_of_it(case in sheet_case(), trouble in trouble()) {
        run(check_in_trouble(case.dropped(case.sheet(), &case.lives[0]), trouble));
    }
}
