//! Text scenarios. A line is a command; lines that start with `>` are the plan it must lead to, with the seconds since
//! the scenario began. `UPDATE_SCENARIOS=1` writes what the planner does instead, for a person to read and commit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use headwater_model::heartbeat::Capacity;
use headwater_model::{BroadcastId, Ladder, WorkerId};

use super::world::{LOOK_MS, World, ladder};
use crate::plan::*;

struct Stage {
    world: World,
    begun: Timestamp,
    workers: BTreeMap<String, WorkerId>,
    broadcasts: BTreeMap<String, BroadcastId>,
    output: Vec<String>,
}

impl Stage {
    fn new() -> Self {
        let world = World::new();
        let begun = world.now;
        Self {
            world,
            begun,
            workers: BTreeMap::new(),
            broadcasts: BTreeMap::new(),
            output: Vec::new(),
        }
    }

    fn run(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        match words[..] {
            ["worker", name, ..] => {
                let id = WorkerId::numbered(self.workers.len() as u64 + 1);
                self.workers.insert(name.to_owned(), id);
                let figure = |name| option(name).expect("a figure").parse::<u64>().expect("a number");
                let capacity = Capacity {
                    encode_px_per_s: figure("mpx") * 1_000_000,
                    slots: figure("slots") as u32,
                };
                self.world.workers.entry(id).or_default().capacity = capacity;
                self.world.beat();
            }
            ["silence", name] => self.worker(name, |worker| worker.silent = true),
            ["speak", name] => self.worker(name, |worker| worker.silent = false),
            ["refuse", name] => self.worker(name, |worker| worker.refuses = true),
            ["accept", name] => self.worker(name, |worker| worker.refuses = false),
            ["drain", name] => self.worker(name, |worker| worker.draining = true),
            ["forget", name, broadcast] => {
                let id = self.broadcasts[broadcast];
                self.worker(name, |worker| worker.running.retain(|held, _| *held != id));
            }
            ["hints", state] => {
                self.world.hints = HintsView {
                    reachable: state == "up",
                    since: self.world.now,
                };
                self.world.beat();
            }
            ["open", name, policy, ..] => {
                let id = BroadcastId::numbered(self.broadcasts.len() as u64 + 1);
                self.broadcasts.insert(name.to_owned(), id);
                let window_s: i64 = option("window").map_or(60, |s| s.parse().expect("seconds"));
                self.world
                    .open(id, ladder(&policy.parse().expect("a ladder")), window_s * 1_000);
            }
            ["refit", name, policy] => {
                let wanted = ladder(&policy.parse().expect("a ladder"));
                self.broadcast(name, |view| view.wanted = wanted.clone());
            }
            ["edge", name, url] => self.broadcast(name, |view| view.edge_url = url.to_owned()),
            ["link", name, "down"] => {
                let (id, now) = (self.broadcasts[name], self.world.now);
                self.world.broadcasts.get_mut(&id).expect("open").edge_down_since = Some(now);
            }
            ["link", name, "up"] => {
                let id = self.broadcasts[name];
                self.world.broadcasts.get_mut(&id).expect("open").edge_down_since = None;
            }
            ["encodes", name, mpx] => {
                let px = mpx.parse::<u64>().expect("megapixels per second") * 1_000_000;
                let id = self.broadcasts[name];
                self.world.broadcasts.get_mut(&id).expect("open").encode_px_per_s = px;
            }
            ["away", name] => self.world.away(self.broadcasts[name], AwayCause::Publisher),
            ["back", name] => self.world.back(self.broadcasts[name]),
            ["publisher-ends", name] => self.world.finish(self.broadcasts[name], FinishCause::Publisher),
            ["finished", name] => self.world.end(self.broadcasts[name]),
            ["plan"] => self.look(),
            ["wait", time] => {
                let seconds: f64 = time.strip_suffix('s').expect("seconds").parse().expect("a number");
                for _ in 0..(seconds * 1_000.0) as i64 / LOOK_MS {
                    self.world.advance(LOOK_MS);
                    self.look();
                }
            }
            _ => panic!("no such command: {line}"),
        }
    }

    fn worker(&mut self, name: &str, change: impl Fn(&mut super::world::SimWorker)) {
        change(self.world.workers.get_mut(&self.workers[name]).expect("a worker"));
    }

    fn broadcast(&mut self, name: &str, change: impl Fn(&mut BroadcastView)) {
        change(
            &mut self
                .world
                .broadcasts
                .get_mut(&self.broadcasts[name])
                .expect("open")
                .view,
        );
    }

    fn look(&mut self) {
        let view = self.world.view();
        let plan = plan(&view, self.world.now);
        assert_eq!(
            plan,
            super::super::plan(&view, self.world.now),
            "the same view gives the same plan"
        );
        let at = self.world.now.ms_since(self.begun) as f64 / 1_000.0;
        for action in &plan.actions {
            let text = self.describe(action);
            self.output.push(format!("> {at:4.1}s {text}"));
        }
        for id in &plan.unplaced {
            let name = self.name_of(id);
            self.output.push(format!("> {at:4.1}s unplaced {name}"));
        }
        self.world.apply(&plan);
    }

    fn name_of(&self, id: &BroadcastId) -> String {
        self.broadcasts
            .iter()
            .find(|(_, known)| *known == id)
            .map_or_else(|| id.to_string(), |(name, _)| name.clone())
    }

    fn describe(&self, action: &Action) -> String {
        let worker = |id: &WorkerId| {
            self.workers
                .iter()
                .find(|(_, known)| *known == id)
                .expect("known")
                .0
                .clone()
        };
        let rungs = |ladder: &Ladder| {
            ladder
                .video
                .iter()
                .map(|rung| rung.name.clone())
                .collect::<Vec<_>>()
                .join(" ")
        };
        match action {
            Action::Grant {
                broadcast,
                generation,
                worker: to,
                ladder,
                why,
                ..
            } => {
                let (name, to, why) = (self.name_of(broadcast), worker(to), why.as_str());
                format!("grant {name}/{generation} to {to} [{}] {why}", rungs(ladder))
            }
            Action::Assign {
                broadcast,
                generation,
                worker: to,
            } => {
                format!("assign {}/{generation} to {}", self.name_of(broadcast), worker(to))
            }
            Action::Release {
                broadcast,
                generation,
                worker: to,
                finish,
            } => {
                let finish = if *finish { " and finish" } else { "" };
                format!(
                    "release {}/{generation} on {}{finish}",
                    self.name_of(broadcast),
                    worker(to)
                )
            }
            Action::Away(id) => format!("away {}", self.name_of(id)),
            Action::Return(id) => format!("return {}", self.name_of(id)),
            Action::Finish(id) => format!("finish {}", self.name_of(id)),
            Action::GiveUp(id) => format!("give up {}", self.name_of(id)),
        }
    }
}

fn play(text: &str) -> String {
    let mut stage = Stage::new();
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with('>')) {
        writeln!(out, "{line}").expect("memory");
        if !line.is_empty() && !line.starts_with('#') {
            stage.run(line);
        }
        for said in stage.output.drain(..) {
            writeln!(out, "{said}").expect("memory");
        }
    }
    out
}

#[test]
fn scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan/tests/scenarios");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("the scenarios")
        .map(|entry| entry.expect("a file").path())
        .collect();
    names.sort();
    assert!(!names.is_empty());
    for path in names {
        let expected = std::fs::read_to_string(&path).expect("a scenario");
        let happened = play(&expected);
        if std::env::var_os("UPDATE_SCENARIOS").is_some() {
            std::fs::write(&path, &happened).expect("writable");
        } else {
            assert!(happened == expected, "{} went otherwise:\n{happened}", path.display());
        }
    }
}
