use std::fs;

use programs::{Checkout, Finished, Launch, Signal, WAIT_TIMEOUT, registry_url, unused_port};

use crate::{page::Page, project::Project};

/// The numbers that the client has logged.
fn received(client: &Finished) -> Vec<u32> {
    let after = client.stderr.lines().filter_map(|line| line.split_once("received "));
    after.filter_map(|(_, number)| number.parse().ok()).collect()
}

#[test]
fn a_service_made_as_the_page_says_answers_streams_and_resumes() {
    let page = fs::read_to_string(Checkout::of_this_run().unwrap().path("docs/new-service.md")).unwrap();
    let page = Page::parse(&page);
    let [server, update_lock, count_down] = &page.commands[..] else {
        panic!("the page has other commands: {:?}", page.commands);
    };
    let project = Project::build(&page).unwrap_or_else(|error| panic!("{error:#}"));
    // Not the page's port, which somebody may use.
    let url = registry_url(unused_port());
    let launch = |name: &str, command: &[String]| -> Launch {
        project.command(name, command).config("system.signaling.url", &url)
    };

    let running = launch("server", server).spawn();
    running.ready();
    let updated = launch("client", update_lock).run();
    assert_eq!(updated.code(), Some(0));
    assert!(
        updated.stdout.contains("wrote client/Actr.lock.toml"),
        "{}",
        updated.stdout
    );
    let client = launch("client", count_down).run();
    assert_eq!(client.code(), Some(0));
    assert!(
        client.stderr.contains("answers: counting down from 10"),
        "{}",
        client.stderr
    );
    assert_eq!(received(&client), (1..=10).rev().collect::<Vec<_>>());

    let mut longer = count_down.clone();
    longer.splice(longer.len() - 1.., ["40".into()]);
    let client = launch("client", &longer).spawn();
    client.wait_for_line("received 37", WAIT_TIMEOUT);
    running.signal(Signal::KILL);
    running.wait();
    let _restarted = launch("server", server).spawn();
    let client = client.finish();
    assert_eq!(client.code(), Some(0));
    assert_eq!(received(&client), (1..=40).rev().collect::<Vec<_>>());
}
