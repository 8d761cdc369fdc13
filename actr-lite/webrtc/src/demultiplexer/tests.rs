use proptest::prelude::*;

use super::*;
use crate::stun::tests::message;

const REQUEST: u16 = 0x0001;
const INDICATION: u16 = 0x0017;
const SUCCESS: u16 = 0x0101;
const FAILURE: u16 = 0x0111;

fn path(host: u8) -> Path {
    Path {
        local: ([192, 0, 2, 1], 1).into(),
        remote: ([198, 51, 100, host], 2).into(),
    }
}

fn question(number: u8) -> Transaction {
    [number; 12]
}

fn check(name: &str) -> Vec<u8> {
    message(REQUEST, question(0), &format!("{name}:theirs"))
}

fn answer(number: u8) -> Vec<u8> {
    message(SUCCESS, question(number), "")
}

/// The first byte of DTLS with data.
const DATA: [u8; 3] = [23, 254, 253];

#[derive(Debug, Clone)]
enum Step {
    Enter,
    Leave(usize),
    Clear(usize),
    Name(usize, u8),
    Asked(usize, u8),
    Bind(usize, u8, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let user = || 0..5_usize;
    prop_oneof![
        2 => Just(Step::Enter),
        1 => user().prop_map(Step::Leave),
        1 => user().prop_map(Step::Clear),
        4 => (user(), 0..12_u8).prop_map(|(user, name)| Step::Name(user, name)),
        8 => (user(), 0..90_u8).prop_map(|(user, question)| Step::Asked(user, question)),
        12 => (user(), 0..40_u8, any::<bool>()).prop_map(|(user, host, answered)| Step::Bind(user, host, answered)),
    ]
}

/// The same, looked for in lists.
#[derive(Default)]
struct Model {
    users: Vec<Route>,
    names: Vec<(Route, u8)>,
    questions: Vec<(Route, u8)>,
    /// In the order in which they were last heard of.
    paths: Vec<(Route, u8)>,
    /// In the order in which they came.
    shown: Vec<(Route, u8)>,
    claimed: Vec<(Route, u8)>,
}

/// Adds one, after whose user's oldest is gone.
fn add(list: &mut Vec<(Route, u8)>, added: (Route, u8), limit: usize) -> Option<u8> {
    list.push(added);
    let is_own = |(route, _): &(Route, u8)| *route == added.0;
    let count = list.iter().filter(|it| is_own(it)).count();
    let oldest = list.iter().position(is_own).filter(|_| count > limit)?;
    Some(list.remove(oldest).1)
}

impl Model {
    fn clear(&mut self, route: Route) {
        for list in [
            &mut self.names,
            &mut self.questions,
            &mut self.paths,
            &mut self.shown,
            &mut self.claimed,
        ] {
            list.retain(|(user, _)| *user != route);
        }
    }

    fn name(&mut self, route: Route, name: u8) {
        if self.names.iter().all(|(_, known)| *known != name) {
            add(&mut self.names, (route, name), MAX_NAMES);
        }
    }

    fn asked(&mut self, route: Route, question: u8) {
        if self.questions.iter().all(|(_, known)| *known != question) {
            add(&mut self.questions, (route, question), MAX_QUESTIONS);
        }
    }

    fn bind(&mut self, route: Route, host: u8, is_answered: bool) {
        let entry = (route, host);
        if is_answered && !self.shown.contains(&entry) {
            self.claimed.retain(|it| *it != entry);
            self.shown.push(entry);
            let at_host: Vec<_> = self.shown.iter().filter(|(_, at)| *at == host).copied().collect();
            if at_host.len() > MAX_SHARING {
                self.shown.retain(|it| *it != at_host[0]);
                self.paths.retain(|it| *it != at_host[0]);
            }
        } else if !self.shown.contains(&entry) && !self.claimed.contains(&entry) {
            if self.claimed.iter().filter(|(_, at)| *at == host).count() == MAX_SHARING {
                return;
            }
            self.claimed.push(entry);
        }
        self.paths.retain(|it| *it != entry);
        if let Some(oldest) = add(&mut self.paths, entry, MAX_PATHS) {
            self.shown.retain(|it| *it != (route, oldest));
            self.claimed.retain(|it| *it != (route, oldest));
        }
    }

    fn at(&self, host: u8) -> Vec<Route> {
        let of = |list: &[(Route, u8)]| -> Vec<_> {
            let at_host = list.iter().filter(|(_, at)| *at == host);
            at_host.map(|(route, _)| *route).collect()
        };
        let shown = of(&self.shown);
        if shown.is_empty() { of(&self.claimed) } else { shown }
    }
}

fn named(list: &[(Route, u8)], wanted: u8) -> Vec<Route> {
    let found = list.iter().find(|(_, it)| *it == wanted);
    found.map(|(route, _)| *route).into_iter().collect()
}

proptest! {
    // Each asks everything after each of its steps.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_datagram_goes_where_a_naive_search_says(steps in prop::collection::vec(step(), 1..300)) {
        let mut model = Model::default();
        let mut tested = Demultiplexer::default();
        let checks: Vec<_> = (0..12_u8).map(|name| (name, check(&name.to_string()))).collect();
        let answers: Vec<_> = (0..90).map(|number| (number, answer(number))).collect();
        for step in steps {
            let user = |at: usize| model.users.get(at % model.users.len().max(1)).copied();
            match step {
                Step::Enter => model.users.extend(tested.enter(())),
                Step::Leave(at) => if let Some(route) = user(at) {
                    tested.leave(route);
                    model.clear(route);
                    model.users.retain(|it| *it != route);
                },
                Step::Clear(at) => if let Some(route) = user(at) {
                    tested.clear(route);
                    model.clear(route);
                },
                Step::Name(at, name) => if let Some(route) = user(at) {
                    tested.name(route, &name.to_string());
                    model.name(route, name);
                },
                Step::Asked(at, number) => if let Some(route) = user(at) {
                    tested.asked(route, question(number));
                    model.asked(route, number);
                },
                Step::Bind(at, host, is_answered) => if let Some(route) = user(at) {
                    let evidence = if is_answered { Evidence::Answer } else { Evidence::Question };
                    tested.bind(route, path(host), evidence);
                    model.bind(route, host, is_answered);
                },
            }
            for (name, check) in &checks {
                prop_assert_eq!(tested.find(path(0), check), named(&model.names, *name));
            }
            for (number, answer) in &answers {
                prop_assert_eq!(tested.find(path(0), answer), named(&model.questions, *number));
            }
            for host in 0..40 {
                prop_assert_eq!(tested.find(path(host), &DATA), model.at(host));
            }
        }
        // Nothing stays behind.
        for route in model.users {
            tested.leave(route);
        }
        prop_assert!(tested.users.is_empty() && tested.by_name.is_empty());
        prop_assert!(tested.by_question.is_empty() && tested.by_path.is_empty());
    }

    #[test]
    fn any_datagram_of_a_stranger_is_nobodys(datagram in prop::collection::vec(any::<u8>(), 0..100)) {
        let mut tested = Demultiplexer::default();
        let route = tested.enter(()).unwrap();
        tested.name(route, "mine");
        tested.asked(route, question(9));
        tested.bind(route, path(1), Evidence::Answer);
        prop_assert_eq!(tested.find(path(2), &datagram), &[]);
    }
}

#[test]
fn a_datagram_is_found_by_what_it_is() {
    let mut tested = Demultiplexer::default();
    let [a, b] = [(); 2].map(|()| tested.enter(()).unwrap());
    tested.name(a, "a");
    tested.asked(b, question(2));
    tested.bind(b, path(2), Evidence::Answer);
    assert_eq!(
        tested.find(path(2), &check("a")),
        [a],
        "by the name, wherever it comes from"
    );
    assert_eq!(tested.find(path(1), &answer(2)), [b]);
    assert_eq!(tested.find(path(1), &message(FAILURE, question(2), "")), [b]);
    assert_eq!(tested.find(path(2), &message(INDICATION, question(1), "")), [b]);
    assert_eq!(tested.find(path(2), &[0x40, 0, 0, 0]), [b], "what a relay passes on");
    for stray in [check("b"), answer(1), DATA.to_vec(), Vec::new()] {
        assert_eq!(tested.find(path(1), &stray), []);
    }
    let elsewhere = Path {
        local: ([192, 0, 2, 9], 1).into(),
        ..path(2)
    };
    assert_eq!(tested.find(elsewhere, &DATA), [], "it came to another socket");
}

#[test]
fn a_forged_address_takes_nothing_from_its_owner() {
    let mut tested = Demultiplexer::default();
    let users = [(); 6].map(|()| tested.enter(()).unwrap());
    let [owner, liar, ..] = users;
    tested.bind(owner, path(1), Evidence::Answer);
    // It knows its own session's name and password, and writes another's address on its packets.
    tested.bind(liar, path(1), Evidence::Question);
    assert_eq!(tested.find(path(1), &DATA), [owner]);
    // However many were there first.
    for liar in &users[1..] {
        tested.bind(*liar, path(2), Evidence::Question);
    }
    tested.bind(owner, path(2), Evidence::Question);
    assert!(!tested.find(path(2), &DATA).contains(&owner));
    tested.bind(owner, path(2), Evidence::Answer);
    assert_eq!(tested.find(path(2), &DATA), [owner]);
    // And nobody gets what is asked of another, or answered to it.
    tested.name(owner, "owner");
    tested.name(liar, "owner");
    tested.asked(owner, question(1));
    tested.asked(liar, question(1));
    assert_eq!(tested.find(path(1), &check("owner")), [owner]);
    assert_eq!(tested.find(path(1), &answer(1)), [owner]);
}

#[test]
fn two_ids_of_one_host_both_get_what_it_sends() {
    let mut tested = Demultiplexer::default();
    let [old, new] = [(); 2].map(|()| tested.enter(()).unwrap());
    tested.bind(old, path(1), Evidence::Answer);
    tested.bind(new, path(1), Evidence::Question);
    tested.bind(new, path(1), Evidence::Answer);
    assert_eq!(tested.find(path(1), &DATA), [old, new]);
    tested.clear(old);
    assert_eq!(tested.find(path(1), &DATA), [new]);
}

#[test]
fn no_more_is_kept_than_the_limits_say() {
    let mut tested = Demultiplexer::default();
    let [a, b] = [(); 2].map(|()| tested.enter(()).unwrap());
    tested.bind(b, path(0), Evidence::Answer);
    for number in 0..=u8::MAX {
        tested.name(a, &number.to_string());
        tested.asked(a, question(number));
        tested.bind(a, path(number), Evidence::Answer);
    }
    assert_eq!(
        (tested.by_name.len(), tested.by_question.len(), tested.by_path.len()),
        (MAX_NAMES, MAX_QUESTIONS, MAX_PATHS + 1)
    );
    assert_eq!(tested.find(path(0), &DATA), [b], "what others have is not touched");
    while tested.users.len() < MAX_ROUTES {
        tested.enter(()).unwrap();
    }
    assert_eq!(tested.enter(()), None);
    tested.leave(b);
    assert!(tested.enter(()).is_some());
}
